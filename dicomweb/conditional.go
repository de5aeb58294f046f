package dicomweb

import (
	"net/http"
	"strings"
)

// NotModified sets the entity tag of an answer, and answers 304 where the client has it. What is stored under a UID can be
// replaced or withdrawn, so a client asks each time.
func NotModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if !matches(r.Header.Get("If-None-Match"), tag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// matches reports whether an If-None-Match header names the tag, by weak comparison (RFC 9110 section 13.1.2).
func matches(header, tag string) bool {
	strip := func(s string) string { return strings.TrimPrefix(strings.TrimSpace(s), "W/") }
	for candidate := range strings.SplitSeq(header, ",") {
		if c := strip(candidate); c == "*" || c != "" && c == strip(tag) {
			return true
		}
	}
	return false
}
