package web

import (
	"net/http"
	"strings"

	"mome/server/access"
)

// Coverage says of a route what conformance is about: who may use it, what it takes and answers, which parameters it
// understands, and the tests that show all that. Capabilities and the conformance statement are written from it.
type Coverage struct {
	Scope      access.Scope // that the peer needs
	Takes      []string     // media types of the request's body
	Answers    []string     // media types of the answer, the default first
	Parameters []Parameter
	Tests      []string // of the route as a whole, as folder.TestName
}

// Parameter is a part of a request that a route understands.
type Parameter struct {
	Name    string
	In      string // "query" or "header"
	Section string // of PS3.18, or another source
	Summary string
	Test    string // that shows it, as folder.TestName
}

// Coverage returns what the route covers: that of its transaction, by the section of PS3.18, or of its path where the
// resource is the node's own. A route of neither has no tests, which a test finds.
func (r Route) Coverage() Coverage {
	c, ok := transactions()[r.Section]
	if r.Section == "" || !ok {
		c = own()[r.Method+" "+r.Path]
	}
	c.Scope = r.scope()
	return c
}

// scope is what a peer needs for the route.
func (r Route) scope() access.Scope {
	workitem := strings.HasPrefix(r.Section, "11.")
	switch {
	case r.Path == "/healthz", r.Path == "/favicon.ico", r.Path == prefix, r.Path == prefix+"/conformance":
		return access.Public // they tell nothing of patients
	case r.Path == "/metrics":
		return access.Admin
	case r.Method == http.MethodDelete && !workitem:
		return access.Delete
	case r.Method == http.MethodGet && r.Section != "13.5": // who stores may ask what became of it
		return access.Read
	}
	return access.Write
}
