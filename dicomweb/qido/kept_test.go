package qido_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/qido"
)

// TestAnswersAreKept: a question that was asked before is answered without the archive until that changes; another
// one, another form of the answer or another address of the node never gets it.
func TestAnswersAreKept(t *testing.T) {
	a := &fixed{remaining: 3}
	s, err := qido.New(qido.Config{Archive: a, BaseURL: func(r *http.Request) string { return "http://" + r.Host }})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(study, query, host, accept string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequest("GET", "/?"+query, nil)
		r.Host = host
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		if err := s.Instances(w, r, dicomweb.Ref{Study: study}); err != nil {
			t.Fatal(err)
		}
		return w
	}
	const json, xml = "application/dicom+json", `multipart/related; type="application/dicom+xml"`
	first := ask("1.2", "limit=1", "node", json)
	for _, c := range []struct {
		name, study, query, host, accept string
		change                           func()
		asks                             bool
	}{
		{"again", "1.2", "limit=1", "node", json, nil, false},
		{"another study", "1.3", "limit=1", "node", json, nil, true},
		{"another query", "1.2", "limit=1&offset=1", "node", json, nil, true},
		{"another address", "1.2", "limit=1", "proxy", json, nil, true},
		{"another form", "1.2", "limit=1", "node", xml, nil, true},
		{"that form again", "1.2", "limit=1", "node", xml, nil, false},
		{"after a change", "1.2", "limit=1", "node", json, func() { a.changes++ }, true},
		{"and again", "1.2", "limit=1", "node", json, nil, false},
		{"when all is gone", "1.2", "limit=1", "node", json, func() { a.changes++; a.none, a.remaining = true, 0 }, true},
		{"still gone", "1.2", "limit=1", "node", json, nil, false},
	} {
		if c.change != nil {
			c.change()
		}
		before := a.times
		got := ask(c.study, c.query, c.host, c.accept)
		if asks := a.times > before; asks != c.asks {
			t.Errorf("%s: the archive was asked: %v, want %v", c.name, asks, c.asks)
		}
		switch {
		case a.none && got.Code != 204:
			t.Errorf("%s: status %d, want 204", c.name, got.Code)
		case !a.none && (got.Code != 200 || got.Header().Get("Warning") == ""):
			t.Errorf("%s: status %d, header %v, want 200 and a warning of what remains", c.name, got.Code, got.Header())
		case c.name == "again" && (got.Body.String() != first.Body.String() || got.Header().Get("Content-Type") != json):
			t.Errorf("%s: %v %s, want what came first", c.name, got.Header(), got.Body)
		}
	}
	a.err = dicomweb.Errorf(dicomweb.Unavailable, "not now")
	a.changes++
	for range 2 { // an error is no answer to keep
		before := a.times
		if err := s.Instances(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), dicomweb.Ref{}); err == nil || a.times == before {
			t.Errorf("after an error: %v, asked %d times, want the error of the archive", err, a.times-before)
		}
	}
}
