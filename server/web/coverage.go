package web

import (
	"net/http"

	"mome/server/access"
)

// Coverage says of a route what conformance is about: who may use it, which parameters it takes, what it takes and
// answers, and which tests show all that.
type Coverage struct {
	Scope access.Scope // that the peer needs
}

// Coverage returns the route's.
func (r Route) Coverage() Coverage {
	c := Coverage{}
	switch {
	case r.Path == "/healthz" || r.Path == "/favicon.ico" || r.Path == prefix || r.Path == prefix+"/conformance":
		c.Scope = access.Public
	case r.Path == "/metrics":
		c.Scope = access.Admin
	case r.Method == http.MethodDelete:
		c.Scope = access.Delete
	case r.Method == http.MethodPost || r.Method == http.MethodPut:
		c.Scope = access.Write
	default:
		c.Scope = access.Read
	}
	return c
}
