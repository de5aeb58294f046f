package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/server/jobs"
	"mome/server/web"
	"mome/server/words"
)

var noon = time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)

// queue is a fixed list of jobs.
type queue []jobs.Status

func (q queue) List(_ context.Context, limit int) ([]jobs.Status, error) {
	return q[:min(limit, len(q))], nil
}

func (q queue) Status(_ context.Context, study string) (jobs.Status, error) {
	for _, j := range q {
		if j.Study == study {
			return j, nil
		}
	}
	return jobs.Status{}, dicomweb.Errorf(dicomweb.NotFound, "no analysis")
}

func someJobs() queue {
	return queue{
		{Study: "1.2.1", State: jobs.Running, Stage: "registration", Progress: 0.42, Attempts: 2, Changed: noon.Add(-3 * time.Second)},
		{Study: "1.2.2", State: jobs.Failed, Reason: "no DCE series <b>", Attempts: 1, Changed: noon.Add(-2 * time.Hour)},
		{Study: "1.2.3", State: jobs.Done, Progress: 1, Summary: "2 findings", Changed: noon.Add(-48 * time.Hour), Results: jobs.Results{
			SR:  []dicomweb.Ref{{Study: "1.2.3", Series: "1.2.3.1", Instance: "1.2.3.1.1"}},
			SEG: []dicomweb.Ref{{Study: "1.2.3", Series: "1.2.3.2", Instance: "1.2.3.2.1"}},
		}},
	}
}

// TestPage fetches the pages as a browser does; what they say is for package page to test.
func TestPage(t *testing.T) {
	clock := func() time.Time { return noon }
	all := append(someJobs(), jobs.Status{Study: study, State: jobs.Running, Changed: noon})
	n := start(t, web.Config{Jobs: all, Node: "Node <7>", Model: "phantom 1", Version: "0.1.0", Now: clock, Language: words.Korean})
	n.store(object{number: 1}.bytes(t), object{number: 2}.bytes(t))
	if err := n.archive.Attach(t.Context(), study, "a.png", []byte("png")); err != nil {
		t.Fatal(err)
	}
	for path, wants := range map[string][]string{
		"/":                                   {"Node &lt;7&gt;", "phantom 1", "0.1.0", n.dicom + "/studies", `href="study/` + study + `"`, "no DCE series &lt;b&gt;", "2 findings", `lang="ko-KR"`},
		"/study/" + study:                     {`href="../"`, "Phantom, One", `http-equiv="refresh"`, `lang="ko-KR"`},
		"/study/" + study + "?lang=en":        {`href="../?lang=en"`, "Being analysed", `lang="en-US"`},
		"/study/" + study + "/pictures/a.png": {"png"},
		"/favicon.ico":                        {"<svg "},
	} {
		got := n.get(n.root + path)
		if got.StatusCode != 200 {
			t.Errorf("%s: %s %s", path, got.Status, got.body)
		}
		for _, want := range wants {
			if !strings.Contains(string(got.body), want) {
				t.Errorf("%s: no %q in the page:\n%s", path, want, got.body)
			}
		}
	}
	for path, want := range map[string]int{"/study/9.9": 404, "/study/x": 400, "/study/" + study + "/findings.json": 404, "/study/" + study + "/pictures/b.png": 404} {
		if got := n.get(n.root + path); got.StatusCode != want {
			t.Errorf("%s: got %s, want %d", path, got.Status, want)
		}
	}
	request, err := http.NewRequest("GET", n.root+"/study/"+study+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 308 || response.Header.Get("Location") != "../"+study {
		t.Errorf("with a slash at its end: %s to %q", response.Status, response.Header.Get("Location"))
	}
}

func TestPageRefreshesOnlyWhileSomethingRuns(t *testing.T) {
	for _, q := range []queue{nil, someJobs()[1:]} {
		n := start(t, web.Config{Jobs: q})
		if got := n.get(n.root); strings.Contains(string(got.body), "http-equiv") {
			t.Errorf("refresh with jobs %v", q)
		}
	}
}

func TestJobs(t *testing.T) {
	n := start(t, web.Config{Jobs: someJobs()})
	var list []map[string]any
	if got := n.get(n.root + "/jobs?limit=2"); json.Unmarshal(got.body, &list) != nil || len(list) != 2 {
		t.Errorf("GET /jobs?limit=2: %s %s", got.Status, got.body)
	}
	var one struct {
		State    string
		Progress float64
		Metadata string
		Retrieve []string
	}
	got := n.get(n.root + "/jobs/1.2.3")
	if err := json.Unmarshal(got.body, &one); err != nil || one.State != "done" || one.Metadata != n.dicom+"/studies/1.2.3/metadata" ||
		len(one.Retrieve) != 2 || one.Retrieve[0] != n.dicom+"/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1" {
		t.Errorf("GET /jobs/1.2.3: %s %s, %v", got.Status, got.body, err)
	}
	for path, want := range map[string]int{"/jobs/9.9": 404, "/jobs/x": 400, "/jobs?limit=0": 400, "/jobs/": 200, "/healthz": 200} {
		if got := n.get(n.root + path); got.StatusCode != want {
			t.Errorf("GET %s: %s %s, want %d", path, got.Status, got.body, want)
		}
	}
}
