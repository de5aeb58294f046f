package web_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mome/dicomweb/archive"
	"mome/dicomweb/ups"
	"mome/server/jobs"
	"mome/server/web"
)

// TestCoverage holds the table of routes against the tests that it names: each route has a section of PS3.18 or is known
// as the node's own, says what it is, and is covered by tests that are there; and so is each of its parameters.
func TestCoverage(t *testing.T) {
	there := testsBelow(t, filepath.Join("..", ".."))
	exists := func(what, name string) {
		t.Helper()
		if !there[name] {
			t.Errorf("%s is said to be covered by %q: there is no such test", what, name)
		}
	}
	for _, r := range web.Routes() {
		key, c := r.Method+" "+r.Path, r.Coverage()
		if len(c.Tests) == 0 {
			t.Errorf("%s names no test that covers it: a row is needed in transactions or own", key)
		}
		for _, name := range c.Tests {
			exists(key, name)
		}
		for _, p := range c.Parameters {
			exists(key+", parameter "+p.Name, p.Test)
			if p.In != "query" && p.In != "header" || p.Summary == "" {
				t.Errorf("%s, parameter %s: in %q, %q", key, p.Name, p.In, p.Summary)
			}
			if r.Section != "" && p.Section == "" {
				t.Errorf("%s, parameter %s names no section", key, p.Name)
			}
		}
		if strings.HasPrefix(r.Section, "10.4.") && len(c.Answers) == 0 {
			t.Errorf("%s does not say what it answers", key)
		}
	}
}

// testsBelow finds all tests of the module as "folder.TestName".
func testsBelow(t *testing.T, root string) map[string]bool {
	t.Helper()
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range name.FindAllStringSubmatch(string(b), -1) {
			found[filepath.ToSlash(folder)+"."+m[1]] = true
		}
		return nil
	})
	if err != nil || len(found) < 100 {
		t.Fatalf("found %d tests: %v", len(found), err)
	}
	return found
}

func TestConformanceStatement(t *testing.T) {
	n := controlled(t, web.Config{Version: "1.2.3", Reads: []string{"1.2.840.10008.5.1.4.1.1.4"}, MaxRequestBytes: 12345})
	for _, c := range []struct {
		name, path, accept, contentType string
		wants                           []string
	}{
		{"browser", "/conformance", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8", []string{"<h1>DICOM conformance statement: MOME node 1.2.3</h1>", "<td>12345 bytes</td>"}},
		{"by query", "/conformance?accept=text/markdown", "", "text/markdown; charset=utf-8", []string{
			"| includefield | query | 8.3.4.3 |", "| PatientName | (0010,0010) | studies | yes | always |", "| JPEG Lossless, Non-Hierarchical, First-Order Prediction",
			"| MR Image Storage | 1.2.840.10008.5.1.4.1.1.4 | yes |", "Access control is on", "12345 bytes", "413",
		}},
	} {
		got := n.get(c.path, "Accept: "+c.accept)
		if got.StatusCode != 200 || got.Header.Get("Content-Type") != c.contentType {
			t.Fatalf("%s: %s as %s", c.name, got.Status, got.Header.Get("Content-Type"))
		}
		for _, want := range c.wants {
			if !strings.Contains(string(got.body), want) {
				t.Errorf("%s: no %q in it", c.name, want)
			}
		}
		for _, r := range web.Routes() {
			if !strings.Contains(strings.ReplaceAll(string(got.body), `\_`, "_"), r.Path) {
				t.Errorf("%s: %s is not in it", c.name, r.Path)
			}
		}
	}
	if got := n.get("/conformance", "Accept: image/png"); got.StatusCode != 406 {
		t.Errorf("as image/png: %s", got.Status)
	}
}

// TestAnswersCanBeHad asks each resource for each media type that it is said to answer with.
func TestAnswersCanBeHad(t *testing.T) {
	a, err := archive.Open(t.Context(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	worklist, err := ups.Open(t.Context(), ups.Config{Database: a})
	if err != nil {
		t.Fatal(err)
	}
	defer worklist.Close(context.Background())
	n := start(t, web.Config{Archive: a, Worklist: worklist, Jobs: append(someJobs(), jobs.Status{Study: study, State: jobs.Done, Changed: noon})})
	n.archive = a
	n.store(picture(t))
	if err := n.archive.Attach(t.Context(), study, "a.png", []byte("png")); err != nil {
		t.Fatal(err)
	}
	asking := `{"00081199":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.4"]},"00081155":{"vr":"UI","Value":["1.2"]}}]}}`
	n.do("POST", "/commitment-requests/2.25.1", strings.NewReader(asking), "Content-Type: application/dicom+json")
	const workitem = `{"00741000":{"vr":"CS","Value":["SCHEDULED"]},"00741200":{"vr":"CS","Value":["HIGH"]},"00741204":{"vr":"LO","Value":["read"]},` +
		`"00404005":{"vr":"DT","Value":["2026"]},"00404041":{"vr":"CS","Value":["READY"]}}`
	if got := n.do("POST", "/workitems?2.25.1", strings.NewReader(workitem), "Content-Type: application/dicom+json"); got.StatusCode != 201 {
		t.Fatalf("create a workitem: %s %s", got.Status, got.body)
	}
	fill := strings.NewReplacer("{study}", study, "{series}", series, "{instance}", series+".1", "{frames}", "1", "{path...}", "7FE00010", "{picture}", "a.png", "{transaction}", "2.25.1", "{workitem}", "2.25.1")
	asked := 0
	for _, r := range web.Routes() {
		path := fill.Replace(r.Path)
		if r.Method != "GET" || strings.Contains(path, "{") || strings.HasPrefix(path, "/viewer") || strings.HasSuffix(path, "findings.json") {
			continue // where nothing is there to be had: tested where it is
		}
		if path == "/wado" {
			path += "?requestType=WADO&frameNumber=1&studyUID=" + study + "&seriesUID=" + series + "&objectUID=" + series + ".1"
		}
		rendered := strings.HasSuffix(path, "/rendered") || r.Section == "9"
		for _, media := range r.Coverage().Answers {
			if rendered && !strings.HasPrefix(media, "image/") && media != "application/dicom" {
				continue // of reports and documents, in dicomweb/render
			}
			single := media == "application/dicom" || media == "application/octet-stream"
			if single && strings.HasPrefix(r.Section, "10.4.") && !strings.Contains(path, "/instances/") {
				continue // a single part is one instance
			}
			asked++
			at := path
			if single {
				at = strings.Replace(path, "&frameNumber=1", "", 1)
			}
			got := n.get(n.root+at, "Accept: "+media)
			name, _, _ := strings.Cut(media, ";")
			if got.StatusCode != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), name) {
				t.Errorf("%s %s, Accept %s: %s as %s %.150s", r.Method, r.Path, media, got.Status, got.Header.Get("Content-Type"), got.body)
			}
		}
	}
	if asked < 60 {
		t.Errorf("asked for %d answers only", asked)
	}
}
