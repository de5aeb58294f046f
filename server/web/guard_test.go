package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"mome/server/access"
	"mome/server/web"
)

// tokenOf is the token of a peer that has just the scope by this name.
func tokenOf(scope string) string { return scope + "-token-0123456789" }

// controlled is a node that lets in a peer for each scope.
func controlled(t *testing.T, cfg web.Config) *node {
	t.Helper()
	var list []string
	for _, scope := range []string{"read", "write", "delete", "admin", "all"} {
		list = append(list, "only-"+scope+":"+scope+":"+tokenOf(scope))
	}
	secrets, err := access.NewSecrets(access.SecretsConfig{List: list})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Access, err = access.NewGuard(access.Config{Secrets: secrets}); err != nil {
		t.Fatal(err)
	}
	return start(t, cfg)
}

// TestEveryRouteAsksForItsScope goes through the table: no route answers without credentials or without its scope, but
// for those that tell nothing.
func TestEveryRouteAsksForItsScope(t *testing.T) {
	n := controlled(t, web.Config{Jobs: someJobs()})
	fill := strings.NewReplacer("{study}", "9.9", "{series}", "9.8", "{instance}", "9.7", "{frames}", "1", "{path...}", "7FE00010",
		"{workitem}", "9.6", "{aetitle}", "WATCHER", "{transaction}", "9.5", "{picture}", "a.png")
	open := map[string]bool{}
	for _, r := range web.Routes() {
		url := n.root + fill.Replace(r.Path)
		scope := r.Coverage().Scope
		if scope == access.Public {
			open[r.Method+" "+r.Path] = true
			continue
		}
		for _, c := range []struct {
			name, token string
			status      int
		}{{"none", "", 401}, {"unknown", "unknown-token-0123456789", 401}, {"every scope but one", "", 403}, {"its scope", tokenOf(scope.String()), 0}} {
			for _, other := range []string{"read", "write", "delete", "admin"} {
				if c.status == 403 && other != scope.String() {
					c.token = tokenOf(other)
				}
			}
			got := n.do(r.Method, url, nil, "Origin: http://viewer.example", header("Authorization", "Bearer ", c.token))
			if c.status == 0 {
				if got.StatusCode == 401 || strings.Contains(string(got.body), "lack the scope") {
					t.Errorf("%s %s with its scope: %s %s", r.Method, r.Path, got.Status, got.body)
				}
				continue
			}
			if got.StatusCode != c.status || got.Header.Get("Access-Control-Allow-Origin") == "" || got.Header.Get("Www-Authenticate") == "" {
				t.Errorf("%s %s, credentials %s: %s %v, want %d with CORS and a challenge", r.Method, r.Path, c.name, got.Status, got.Header, c.status)
			}
			if c.status == 403 && !strings.Contains(string(got.body), scope.String()) {
				t.Errorf("%s %s: %s does not name the scope %s", r.Method, r.Path, got.body, scope)
			}
		}
	}
	for _, want := range []string{"GET /healthz", "GET /favicon.ico", "GET /dicom-web"} {
		if !open[want] {
			t.Errorf("%s is not open", want)
		}
		delete(open, want)
	}
	delete(open, "GET /dicom-web/conformance")
	if len(open) > 0 {
		t.Errorf("open to everyone: %v", open)
	}
}

// header returns a header line, or one that says nothing where value is empty.
func header(name, prefix, value string) string {
	if value == "" {
		return "X-Nothing: 1"
	}
	return name + ": " + prefix + value
}

func TestPreflightsStayOpen(t *testing.T) {
	n := controlled(t, web.Config{})
	got := n.do("OPTIONS", "/studies", nil, "Origin: http://viewer.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")
	if got.StatusCode != 204 || !strings.Contains(got.Header.Get("Access-Control-Allow-Headers"), "authorization") {
		t.Errorf("%s %v", got.Status, got.Header)
	}
	if got := n.get(n.root + "/healthz"); got.StatusCode != 200 {
		t.Errorf("/healthz: %s", got.Status)
	}
}

// TestCrossSiteRequests has a browser that knows a password send requests from another site's page.
func TestCrossSiteRequests(t *testing.T) {
	n := controlled(t, web.Config{AllowDelete: true, Origins: []string{"https://viewer.example"}})
	n.storeAs(t, tokenOf("write"), object{number: 1}.bytes(t))
	basic := func(scope string) string {
		r, _ := http.NewRequest("GET", "/", nil)
		r.SetBasicAuth("only-"+scope, tokenOf(scope))
		return "Authorization: " + r.Header.Get("Authorization")
	}
	for _, c := range []struct {
		name, method, credentials, origin, site string
		status                                  int
	}{
		{"another site's page, password", "DELETE", basic("delete"), "https://evil.example", "cross-site", 403},
		{"another site's page, its own token", "DELETE", "Authorization: Bearer " + tokenOf("delete"), "https://evil.example", "cross-site", 404},
		{"a page of a listed origin, password", "DELETE", basic("delete"), "https://viewer.example", "cross-site", 404},
		{"the node's own page, password", "DELETE", basic("delete"), n.root, "same-origin", 404},
		{"a program, password", "DELETE", basic("delete"), "", "", 404},
		{"reading from another site's page", "GET", basic("read"), "https://evil.example", "cross-site", 404},
	} {
		got := n.do(c.method, "/studies/9.9", nil, c.credentials, header("Origin", "", c.origin), header("Sec-Fetch-Site", "", c.site))
		if got.StatusCode != c.status {
			t.Errorf("%s: %s %s, want %d", c.name, got.Status, got.body, c.status)
		}
		if want := map[bool]string{true: "true"}[c.origin == "https://viewer.example"]; got.Header.Get("Access-Control-Allow-Credentials") != want {
			t.Errorf("%s: Allow-Credentials %q, want %q", c.name, got.Header.Get("Access-Control-Allow-Credentials"), want)
		}
	}
}

// TestCrossSiteWebSocket opens a channel from another site's page: browsers would let that page read it.
func TestCrossSiteWebSocket(t *testing.T) {
	n := controlled(t, web.Config{})
	for _, c := range []struct {
		name, credentials, origin string
		refused                   bool
	}{
		{"another site's page, password", "basic", "https://evil.example", true},
		{"the node's own page, password", "basic", n.root, false},
		{"another site's page, its own token", "bearer", "https://evil.example", false},
	} {
		r, err := http.NewRequest("GET", n.dicom+"/subscribers/WATCHER", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("only-read", tokenOf("read"))
		if c.credentials == "bearer" {
			r.Header.Set("Authorization", "Bearer "+tokenOf("read"))
		}
		for name, value := range map[string]string{"Origin": c.origin, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if (resp.StatusCode == 403) != c.refused { // without a worklist there is no channel: 404 for who gets that far
			t.Errorf("%s: %s, want refused %t", c.name, resp.Status, c.refused)
		}
	}
}

// storeAs stores with a token.
func (n *node) storeAs(t *testing.T, token string, file []byte) {
	t.Helper()
	got := n.do("POST", "/studies", bytes.NewReader(file), "Content-Type: application/dicom", "Authorization: Bearer "+token)
	if got.StatusCode != 200 {
		t.Fatalf("store: %s %s", got.Status, got.body)
	}
}

func TestLimitsAreTold(t *testing.T) {
	at := noon
	limiter, err := access.NewLimiter(access.LimiterConfig{PerSecond: 0.5, Burst: 2, Now: clockAt(&at)})
	if err != nil {
		t.Fatal(err)
	}
	n := controlled(t, web.Config{Limiter: limiter})
	read, write := "Authorization: Bearer "+tokenOf("read"), "Authorization: Bearer "+tokenOf("write")
	for i, want := range []int{204, 204, 429} {
		got := n.get("/studies", read, "Origin: http://viewer.example")
		if got.StatusCode != want {
			t.Fatalf("request %d: %s, want %d", i, got.Status, want)
		}
		if want == 429 && (got.Header.Get("Retry-After") != "2" || !strings.Contains(string(got.body), "0.5 requests a second") || got.Header.Get("Access-Control-Allow-Origin") == "") {
			t.Errorf("%s %v, want Retry-After 2, the limit in words, and CORS", got.body, got.Header)
		}
	}
	if got := n.do("POST", "/studies", nil, write); got.StatusCode == 429 {
		t.Error("another token is limited too")
	}
	for i, want := range []int{200, 200, 429} { // what is open takes time too
		if got := n.get("/conformance"); got.StatusCode != want {
			t.Errorf("statement %d: %s, want %d", i, got.Status, want)
		}
	}
	at = at.Add(time.Minute)
	for i, want := range []int{401, 401, 429} { // guessing tokens is limited by address
		if got := n.get("/studies", "Authorization: Bearer guess"); got.StatusCode != want {
			t.Errorf("guess %d: %s, want %d", i, got.Status, want)
		}
	}
	if got := n.get(n.root + "/healthz"); got.StatusCode != 200 {
		t.Errorf("/healthz: %s", got.Status)
	}
}

// auditLine is what a test looks at.
type auditLine struct {
	Event struct {
		ID struct {
			Value string `json:"csd-code"`
		} `json:"EventID"`
		Action  string `json:"EventActionCode"`
		Outcome int    `json:"EventOutcomeIndicator"`
	} `json:"EventIdentification"`
	Participants []struct{ UserID, NetworkAccessPointID string } `json:"ActiveParticipant"`
	Objects      []struct {
		ID string `json:"ParticipantObjectID"`
	} `json:"ParticipantObjectIdentification"`
}

func TestAuditTrail(t *testing.T) {
	var trail bytes.Buffer
	audit, err := access.NewAudit(access.AuditConfig{Writer: &trail, Source: "node"})
	if err != nil {
		t.Fatal(err)
	}
	n := controlled(t, web.Config{Audit: audit, AllowDelete: true})
	token := func(scope string) string { return "Authorization: Bearer " + tokenOf(scope) }
	for _, c := range []struct {
		name, method, path string
		body               []byte
		credentials        string
		id, action         string
		outcome            int
		user, study        string
	}{
		{"store", "POST", "/studies", object{number: 1, patient: "Secret^Name"}.bytes(t), token("write"), "110104", "C", 0, "only-write", study},
		{"search", "GET", "/studies?PatientName=Secret*", nil, token("read"), "110112", "E", 0, "only-read", ""},
		{"retrieve", "GET", "/studies/" + study, nil, token("read"), "110104", "R", 0, "only-read", study},
		{"metadata", "GET", "/studies/" + study + "/metadata", nil, token("read"), "110103", "R", 0, "only-read", study},
		{"page", "GET", n.root + "/study/" + study, nil, token("read"), "110103", "R", 0, "only-read", study},
		{"unknown study", "GET", "/studies/9.9", nil, token("read"), "110104", "R", 4, "only-read", "9.9"},
		{"unknown token", "GET", "/studies/" + study, nil, "Authorization: Bearer guess", "110114", "E", 4, "anonymous", study},
		{"token in the URL", "GET", "/studies/" + study + "?access_token=Secret", nil, "X-No: 1", "110114", "E", 4, "anonymous", study},
		{"no scope", "DELETE", "/studies/" + study, nil, token("read"), "110113", "E", 4, "only-read", study},
		{"delete an instance", "DELETE", instance + ".1", nil, token("delete"), "110103", "D", 0, "only-delete", study},
		{"delete a study", "DELETE", "/studies/" + study, nil, token("delete"), "110105", "D", 4, "only-delete", study},
		{"a query that names a patient as study", "GET", "/studies/Secret", nil, token("read"), "110104", "R", 4, "only-read", ""},
	} {
		trail.Reset()
		n.do(c.method, c.path, bytes.NewReader(c.body), c.credentials, "Content-Type: application/dicom")
		var l auditLine
		if err := json.Unmarshal(trail.Bytes(), &l); err != nil || strings.Contains(trail.String(), "Secret") {
			t.Errorf("%s: %v in %s", c.name, err, trail.String())
			continue
		}
		study := ""
		if len(l.Objects) > 0 {
			study = l.Objects[0].ID
		}
		p := l.Participants[0]
		if l.Event.ID.Value != c.id || l.Event.Action != c.action || l.Event.Outcome != c.outcome || p.UserID != c.user || study != c.study || p.NetworkAccessPointID != "127.0.0.1" {
			t.Errorf("%s: %s\nwant event %s, action %s, outcome %d by %s on %q", c.name, trail.String(), c.id, c.action, c.outcome, c.user, c.study)
		}
	}
	trail.Reset()
	n.get(n.root + "/healthz")
	n.get(n.root + "/favicon.ico")
	n.get(n.dicom + "/conformance")
	n.get(n.root + "/") // a browser before it has asked for the password
	if trail.Len() > 0 {
		t.Errorf("written though nothing was given and nobody tried: %s", trail.String())
	}
}

// TestAuditOfWorkitems: what is done to a workitem is told as PS3.15 section A.5.3 has it. Who watches, or asks whether
// instances are kept, creates and deletes nothing.
func TestAuditOfWorkitems(t *testing.T) {
	var trail bytes.Buffer
	audit, err := access.NewAudit(access.AuditConfig{Writer: &trail, Source: "node"})
	if err != nil {
		t.Fatal(err)
	}
	n := controlled(t, web.Config{Audit: audit})
	for _, c := range []struct{ method, path, scope, id, action string }{
		{"POST", "/workitems?9.6", "write", "110111", "C"},
		{"GET", "/workitems/9.6", "read", "110111", "R"},
		{"POST", "/workitems/9.6", "write", "110111", "U"},
		{"PUT", "/workitems/9.6/state", "write", "110111", "U"},
		{"POST", "/workitems/9.6/cancelrequest", "write", "110111", "U"},
		{"GET", "/workitems", "read", "110111", "R"},
		{"POST", "/workitems/9.6/subscribers/W", "write", "110111", "R"},
		{"POST", "/workitems/9.6/subscribers/W/suspend", "write", "110111", "R"},
		{"DELETE", "/workitems/9.6/subscribers/W", "write", "110111", "R"},
		{"GET", "/subscribers/W", "read", "110111", "R"},
		{"POST", "/commitment-requests/9.5", "write", "110103", "R"},
		{"GET", "/commitment-requests/9.5", "write", "110103", "R"},
	} {
		trail.Reset()
		n.do(c.method, c.path, nil, "Authorization: Bearer "+tokenOf(c.scope))
		var l auditLine
		if err := json.Unmarshal(trail.Bytes(), &l); err != nil || l.Event.ID.Value != c.id || l.Event.Action != c.action {
			t.Errorf("%s %s: %v %s, want event %s, action %s", c.method, c.path, err, trail.String(), c.id, c.action)
		}
	}
}

// TestBehindAProxy reaches the node through a proxy that speaks for it, as TLS proxies do.
func TestBehindAProxy(t *testing.T) {
	var trail bytes.Buffer
	audit, err := access.NewAudit(access.AuditConfig{Writer: &trail, Source: "node"})
	if err != nil {
		t.Fatal(err)
	}
	n := controlled(t, web.Config{Audit: audit, TrustForwarded: true})
	n.storeAs(t, tokenOf("write"), object{number: 1}.bytes(t))
	inner, err := url.Parse(n.root)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner)
		r.SetXForwarded()
		r.Out.Header.Set("X-Forwarded-Proto", "https")
		r.Out.Header.Set("X-Forwarded-Host", "mri.example")
		r.Out.Header.Set("X-Forwarded-For", "203.0.113.9, 198.51.100.7") // the first is what the client wrote
	}})
	defer proxy.Close()
	trail.Reset()
	got := n.get(proxy.URL+"/dicom-web/studies", "Authorization: Bearer "+tokenOf("read"))
	if got.StatusCode != 200 || !strings.Contains(string(got.body), `"https://mri.example/dicom-web/studies/`+study+`"`) {
		t.Errorf("%s %s, want Retrieve URLs below https://mri.example", got.Status, got.body)
	}
	if !strings.Contains(trail.String(), `"NetworkAccessPointID":"198.51.100.7"`) {
		t.Errorf("the audit trail has another address: %s", trail.String())
	}
	if got := n.get(proxy.URL + "/dicom-web/studies"); got.StatusCode != 401 || got.Header.Get("Www-Authenticate") == "" {
		t.Errorf("without a token: %s", got.Status)
	}
}
