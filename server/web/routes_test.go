package web_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mome/server/web"
)

// TestRoutesAreMounted asks for every route of the table, and for every method that the table does not give a path.
func TestRoutesAreMounted(t *testing.T) {
	n := start(t, web.Config{Jobs: someJobs()})
	fill := strings.NewReplacer("{study}", "9.9", "{series}", "9.8", "{instance}", "9.7", "{frames}", "1", "{path...}", "7FE00010",
		"{workitem}", "9.6", "{aetitle}", "WATCHER", "{transaction}", "9.5")
	methods := map[string]string{}
	for _, r := range web.Routes() {
		methods[fill.Replace(r.Path)] += " " + r.Method + " "
	}
	for path, have := range methods {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			got := n.do(method, n.root+path, nil)
			mounted := method == "OPTIONS" || strings.Contains(have, " "+method+" ") || method == "HEAD" && strings.Contains(have, " GET ")
			if (got.StatusCode != http.StatusMethodNotAllowed) != mounted {
				t.Errorf("%s %s: %s, in the table: %t", method, path, got.Status, mounted)
			}
			if mounted && strings.Contains(string(got.body), "no such resource") {
				t.Errorf("%s %s is in the table and not mounted", method, path)
			}
		}
	}
}

func TestRoutesNameTheirSection(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range web.Routes() {
		key := r.Method + " " + r.Path
		if seen[key] || r.Summary == "" {
			t.Errorf("%s is there twice or has no summary", key)
		}
		seen[key] = true
		// The standard deletes no instances and serves no statement.
		own := r.Method == "DELETE" && !strings.Contains(r.Path, "/subscribers/") || strings.HasSuffix(r.Path, "/conformance")
		if dicom := strings.HasPrefix(r.Path, "/dicom-web/") && !own || r.Path == "/wado"; dicom != (r.Section != "") {
			t.Errorf("%s has section %q", key, r.Section)
		}
	}
}

func TestListing(t *testing.T) {
	var b bytes.Buffer
	if err := web.WriteRoutes(&b); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(b.String(), "\n"); lines != len(web.Routes()) || !strings.Contains(b.String(), "PS3.18 10.6") {
		t.Errorf("%d lines for %d routes:\n%s", lines, len(web.Routes()), b.String())
	}
	n := start(t, web.Config{})
	if got := n.get(n.dicom); fmt.Sprintf("%s", got.body) != b.String() {
		t.Errorf("GET /dicom-web: %s %s", got.Status, got.body)
	}
}
