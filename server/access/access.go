// Package access decides who may do what at the node: it tells from a request's credentials which peer sent it (a
// bearer token or HTTP Basic against a list of secrets, a JWT of an OpenID provider, a TLS client certificate), and
// whether that peer's scopes allow the request. Beside that it limits how much a peer may ask for, keeps the node's TLS
// certificate current, and writes the audit trail in the terms of PS3.15 section A.5. It routes nothing and answers
// nothing itself, and no secret reaches an error, a log line or the audit trail.
package access

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mome/dicomweb"
)

// Scope is a set of what a peer may do.
type Scope uint8

// Scopes. A route asks for one of them, a peer has any number; none implies another.
const (
	Read   Scope = 1 << iota // search, retrieve, pages
	Write                    // store, workitems, storage commitment
	Delete                   // delete
	Admin                    // what tells about the node itself: metrics
	Public Scope = 0         // asks for nothing
	All          = Read | Write | Delete | Admin
)

// named lists the scopes in the order in which they are written.
var named = [...]struct {
	Scope
	name string
}{{Read, "read"}, {Write, "write"}, {Delete, "delete"}, {Admin, "admin"}}

// String returns the names, separated by commas.
func (s Scope) String() string {
	var names []string
	for _, n := range named {
		if s&n.Scope != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ",")
}

// ParseScope reads names separated by commas; "all" is all of them.
func ParseScope(text string) (Scope, error) {
	var s Scope
	for name := range strings.SplitSeq(text, ",") {
		one, ok := scopeOf(strings.TrimSpace(name))
		if !ok {
			return 0, fmt.Errorf("%q is no scope: read, write, delete, admin or all are, separated by commas", name)
		}
		s |= one
	}
	return s, nil
}

func scopeOf(name string) (Scope, bool) {
	for _, n := range named {
		if n.name == name {
			return n.Scope, true
		}
	}
	return All, name == "all"
}

// Peer is who sent a request.
type Peer struct {
	Name   string // of the token or certificate, or the subject of a JWT; "" for anyone
	Scopes Scope
	// Ambient says that the credentials are of a kind that browsers send by themselves, with requests of other sites'
	// pages too.
	Ambient bool
}

// Require returns an error of kind dicomweb.Forbidden that names the scope when p does not have it.
func (p Peer) Require(s Scope) error {
	if p.Scopes&s == s {
		return nil
	}
	return dicomweb.Errorf(dicomweb.Forbidden, "these credentials lack the scope %s", s)
}

// Config wires a Guard. At least one of Secrets and OpenID is needed.
type Config struct {
	Secrets *Secrets
	OpenID  *OpenID
	NoBasic bool // refuse HTTP Basic, and with it browsers that have nothing else
}

// Guard tells who sent a request. It is safe for concurrent use. A nil Guard lets everyone do everything.
type Guard struct{ cfg Config }

// NewGuard checks cfg.
func NewGuard(cfg Config) (*Guard, error) {
	if cfg.Secrets == nil && cfg.OpenID == nil {
		return nil, errors.New("access: Config has neither Secrets nor OpenID")
	}
	return &Guard{cfg}, nil
}

// Identify returns the peer whose credentials r carries. Without any, and with wrong ones, the error is of kind
// dicomweb.Unauthorized; it is of kind dicomweb.Unavailable when the OpenID provider could not be asked. Credentials in
// the query (?access_token=) are refused whether they are right or not: a URL ends up in logs, histories and Referer
// headers (RFC 9700 section 4.3.2).
func (g *Guard) Identify(r *http.Request) (Peer, error) {
	if g == nil {
		return Peer{Scopes: All}, nil
	}
	if tokenInQuery(r.URL.RawQuery) {
		return Peer{}, unauthorized("a token in the URL is not taken: send it as header, Authorization: Bearer TOKEN; take the one in the URL for leaked")
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return g.byCertificate(r)
	}
	scheme, credentials, _ := strings.Cut(header, " ")
	switch credentials = strings.TrimSpace(credentials); {
	case len(header) > maxHeader:
		return Peer{}, unauthorized("the header Authorization is too long")
	case strings.EqualFold(scheme, "Bearer"):
		return g.byToken(r, credentials)
	case strings.EqualFold(scheme, "Basic") && !g.cfg.NoBasic:
		return g.byBasic(r)
	}
	return Peer{}, unauthorized("this Authorization scheme is not taken: " + g.schemes())
}

func tokenInQuery(rawQuery string) bool {
	for field := range strings.SplitSeq(rawQuery, "&") {
		if name, _, _ := strings.Cut(field, "="); strings.EqualFold(name, "access_token") {
			return true
		}
	}
	return false
}

// Presented reports whether a request carries credentials, good or bad.
func Presented(r *http.Request) bool {
	return r.Header.Get("Authorization") != "" || tokenInQuery(r.URL.RawQuery) || r.TLS != nil && len(r.TLS.VerifiedChains) > 0
}

// maxHeader bounds the header Authorization in bytes; tokens with many groups have been seen at 8 KiB.
const maxHeader = 32 << 10

func (g *Guard) byToken(r *http.Request, token string) (Peer, error) {
	if g.cfg.Secrets != nil {
		if p, ok := g.cfg.Secrets.find(token); ok {
			return p, nil
		}
	}
	if g.cfg.OpenID != nil && strings.Count(token, ".") == 2 {
		return g.cfg.OpenID.verify(r.Context(), token)
	}
	return Peer{}, unauthorized("the token is not known here")
}

func (g *Guard) byBasic(r *http.Request) (Peer, error) {
	name, password, ok := r.BasicAuth()
	if ok && g.cfg.Secrets != nil {
		if p, known := g.cfg.Secrets.find(password); known && p.Name == name {
			p.Ambient = true
			return p, nil
		}
	}
	return Peer{}, unauthorized("user and password are not known here: the user is a token's name, the password the token")
}

// byCertificate takes the client certificate, which the TLS handshake has verified, of a request without header.
func (g *Guard) byCertificate(r *http.Request) (Peer, error) {
	if g.cfg.Secrets != nil && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if p, ok := g.cfg.Secrets.certificate(r.TLS.PeerCertificates[0]); ok {
			p.Ambient = true
			return p, nil
		}
		return Peer{}, unauthorized("the certificate is valid, but no line of the access file names it")
	}
	return Peer{}, unauthorized("credentials are needed: " + g.schemes())
}

// String tells in words which credentials are taken.
func (g *Guard) String() string {
	var ways []string
	if g != nil && g.cfg.Secrets != nil {
		ways = append(ways, "bearer tokens of this node")
		if !g.cfg.NoBasic {
			ways = append(ways, "HTTP Basic with a token's name and the token")
		}
		ways = append(ways, "TLS client certificates where an authority is configured")
	}
	if g != nil && g.cfg.OpenID != nil {
		ways = append(ways, "JWTs of "+g.cfg.OpenID.cfg.Issuer+" for the audience "+g.cfg.OpenID.cfg.Audience)
	}
	return "Taken are " + strings.Join(ways, "; ") + "."
}

func (g *Guard) schemes() string {
	if g.cfg.NoBasic || g.cfg.Secrets == nil {
		return "Authorization: Bearer TOKEN"
	}
	return "Authorization: Bearer TOKEN, or Basic with the token's name and the token"
}

// Challenge returns the values of WWW-Authenticate for an answer of status 401 or 403 (RFC 6750 section 3, RFC 7617).
// Bearer is told to everyone; Basic only with status 401, where a browser may ask its user.
func (g *Guard) Challenge(r *http.Request, err error, needed Scope) []string {
	const realm = `realm="MOME"`
	bearer := "Bearer " + realm
	switch {
	case dicomweb.KindOf(err) == dicomweb.Forbidden:
		return []string{bearer + `, error="insufficient_scope", scope="` + strings.ReplaceAll(needed.String(), ",", " ") + `"`}
	case r.Header.Get("Authorization") != "":
		bearer += `, error="invalid_token"`
	}
	if g == nil || g.cfg.NoBasic || g.cfg.Secrets == nil {
		return []string{bearer}
	}
	return []string{bearer, "Basic " + realm + `, charset="UTF-8"`}
}

func unauthorized(text string) error { return dicomweb.Errorf(dicomweb.Unauthorized, "%s", text) }
