package web

import (
	"net/http"
	"strings"
)

// baseURL returns how the URL of the DICOMweb root is found that a request's client can reach: the setting, else what
// a trusted proxy says, else the request's Host.
func (c Config) baseURL() func(*http.Request) string {
	if c.PublicURL != "" {
		root := strings.TrimSuffix(c.PublicURL, prefix) + prefix
		return func(*http.Request) string { return root }
	}
	return func(r *http.Request) string {
		scheme, host, path := "http", r.Host, ""
		if r.TLS != nil {
			scheme = "https"
		}
		if c.TrustForwarded {
			scheme, host, path = forwarded(r.Header, scheme, host)
		}
		if !plainHost(host) {
			host = "localhost"
		}
		return scheme + "://" + host + path + prefix
	}
}

// forwarded returns scheme, host and path prefix as the first proxy saw them: RFC 7239, else the headers that were in
// use before it.
func forwarded(h http.Header, scheme, host string) (string, string, string) {
	first := func(name string) string {
		v, _, _ := strings.Cut(h.Get(name), ",")
		return strings.TrimSpace(v)
	}
	proto, at, path := first("X-Forwarded-Proto"), first("X-Forwarded-Host"), strings.TrimRight(first("X-Forwarded-Prefix"), "/")
	for pair := range strings.SplitSeq(first("Forwarded"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "proto":
			proto = value
		case "host":
			at = value
		}
	}
	if proto = strings.ToLower(proto); proto == "http" || proto == "https" {
		scheme = proto
	}
	if at != "" && plainHost(at) {
		host = at
		if port := first("X-Forwarded-Port"); port != "" && !hasPort(at) && !usual(scheme, port) && plainHost(port) {
			host += ":" + port
		}
	}
	if !plainPath(path) {
		path = ""
	}
	return scheme, host, path
}

func hasPort(host string) bool {
	return strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']')
}

func usual(scheme, port string) bool {
	return scheme == "http" && port == "80" || scheme == "https" && port == "443"
}

// plainHost reports whether s holds only what hosts and ports are made of, so that it can stand in an answer.
func plainHost(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%") == ""
}

func plainPath(s string) bool {
	return s == "" || s[0] == '/' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~/") == ""
}
