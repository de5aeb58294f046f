package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/stow"
	"mome/server/access"
)

// guarded lets through to h who may use the route and asks for no more than the limits allow, and writes the access to
// the audit trail. What no route answers needs no guard: it has nothing to tell.
func (s *services) guarded(route Route, h echo.HandlerFunc) echo.HandlerFunc {
	needs := route.Coverage().Scope
	if needs == access.Public && route.Section == "" && !strings.HasPrefix(route.Path, prefix) {
		return h // what watches the node and what browsers ask for by themselves
	}
	kind, audited := auditKind(route)
	return func(c echo.Context) (err error) {
		r, w := c.Request(), c.Response()
		event := access.Event{Kind: kind, Status: http.StatusInternalServerError, Address: access.Address(r, s.cfg.TrustForwarded), Process: route.Method + " " + route.Path}
		touched := &studies{}
		defer func() { // also when the handler panics: then with the status above
			event.Studies = touched.list(c, route)
			if event.Kind.ID.Value != "" && (audited || event.Kind.Type != nil) { // the last is a refusal
				s.cfg.Audit.Write(event)
			}
		}()
		done, err := s.admit(c, needs, &event)
		if err != nil {
			event.Status = statusOf(r, err)
			return err
		}
		defer done()
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), studiesKey{}, touched)))
		err = h(c)
		switch {
		case w.Committed || err == nil:
			event.Status = w.Status
		default:
			event.Status = statusOf(r, err)
		}
		return err
	}
}

// admit identifies the peer and holds it to its scopes and limits. It fills in the event, and the header of a refusal.
func (s *services) admit(c echo.Context, needs access.Scope, event *access.Event) (done func(), err error) {
	r, h := c.Request(), c.Response().Header()
	var peer access.Peer
	var unknown error
	if needs != access.Public {
		peer, unknown = s.cfg.Access.Identify(r)
	}
	event.Peer = peer.Name
	client := "address " + event.Address
	if peer.Name != "" {
		client = "token " + peer.Name
	}
	if done, err = s.cfg.Limiter.Begin(client); err != nil {
		var limit *access.LimitError
		if errors.As(err, &limit) {
			h.Set("Retry-After", fmt.Sprint(int(limit.After.Seconds())))
		}
		return nil, err
	}
	defer func() {
		if err != nil {
			done()
			done = nil
		}
	}()
	if unknown != nil {
		if dicomweb.KindOf(unknown) == dicomweb.Unauthorized {
			event.Kind = access.Kind{} // a browser learns so that it has to ask for a password: nothing to be written
			if access.Presented(r) {
				event.Kind = access.LoginFailed()
			}
			h["Www-Authenticate"] = s.cfg.Access.Challenge(r, unknown, needs)
		}
		return done, unknown
	}
	if err := peer.Require(needs); err != nil {
		event.Kind = access.Refused()
		h["Www-Authenticate"] = s.cfg.Access.Challenge(r, err, needs)
		return done, err
	}
	if peer.Ambient && s.fromAnotherSite(r) {
		event.Kind = access.Refused()
		return done, dicomweb.Errorf(dicomweb.Forbidden, "a browser sent this from another site's page with the password or certificate that it holds: such a page needs a token of its own, or its origin in --cors-origin")
	}
	return done, nil
}

// crossSite returns the protection against requests that pages of other sites make with a browser's stored password or
// certificate: those of Config.Origins and of the public URL are trusted.
func crossSite(cfg Config) (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	for _, origin := range cfg.Origins {
		if origin == "*" || origin == "none" {
			continue
		}
		if err := p.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("web: Config.Origins holds %q: scheme://host[:port], \"*\" or \"none\" is expected", origin)
		}
	}
	if u, err := url.Parse(cfg.PublicURL); err == nil && u.Host != "" {
		if err := p.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("web: Config.PublicURL: %w", err)
		}
	}
	return p, nil
}

// fromAnotherSite reports whether another site's page made the request. Reading is none of that, since browsers keep the
// answer from the page; a WebSocket is, since they do not.
func (s *services) fromAnotherSite(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" {
		r = r.Clone(r.Context())
		r.Method = http.MethodPost
	}
	return s.crossSite.Check(r) != nil
}

// auditKind returns what the use of a route is in the audit trail; ok is false where it is nothing about patients.
func auditKind(r Route) (kind access.Kind, ok bool) {
	section := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if r.Section == p || strings.HasPrefix(r.Section, p+".") {
				return true
			}
		}
		return false
	}
	action := map[string]access.Action{"POST": access.Create, "PUT": access.Update, "DELETE": access.Removal}[r.Method]
	switch {
	case section("11.10", "11.11", "11.12", "13"), action == "": // watching and asking changes nothing, by whatever method
		action = access.Reading
	case section("11.6", "11.8"):
		action = access.Update
	}
	switch {
	case r.Method == http.MethodDelete && strings.HasSuffix(r.Path, "{study}"):
		return access.StudyDeleted(), true
	case section("10.5"):
		return access.Stored(), true
	case section("10.6"), r.Path == "/", r.Path == "/jobs":
		return access.Query(), true
	case section("9", "10.4.1.1.1", "10.4.1.1.5", "10.4.1.1.6"):
		return access.Retrieved(), true
	case section("8.10", "11"):
		return access.Procedure(action), true
	case section("10", "12", "13"), strings.Contains(r.Path, "{study}"):
		return access.Accessed(action), true
	}
	return access.Accessed(action), false
}

// studiesKey is where a request's context holds its *studies.
type studiesKey struct{}

// studies are the Study Instance UIDs that a request's body was about.
type studies struct {
	mu   sync.Mutex
	uids []string
}

// maxStudies bounds what one audit line lists; a request that stores more studies than that is none of a scanner.
const maxStudies = 1000

func (s *studies) add(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if uid == "" || len(s.uids) == maxStudies {
		return
	}
	for _, have := range s.uids {
		if have == uid {
			return
		}
	}
	s.uids = append(s.uids, uid)
}

// list returns them, with the one that the path or, for WADO-URI, the query names.
func (s *studies) list(c echo.Context, route Route) []string {
	named := c.Param("study")
	if strings.HasPrefix(route.Section, "9") {
		for name, values := range c.QueryParams() {
			if strings.EqualFold(name, "studyUID") {
				named = values[0]
			}
		}
	}
	if (dicomweb.Ref{Study: named}).Validate() == nil {
		s.add(named)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uids
}

// recording is the archive for STOW-RS: it notes for the audit trail which studies a request's instances belong to.
type recording struct{ Archive }

var _ stow.Archive = recording{}

// Put stores the instance.
func (a recording) Put(ctx context.Context, r io.Reader, opt archive.PutOptions) (archive.Receipt, error) {
	receipt, err := a.Archive.Put(ctx, r, opt)
	if touched, ok := ctx.Value(studiesKey{}).(*studies); ok {
		touched.add(receipt.Ref.Study)
	}
	return receipt, err
}
