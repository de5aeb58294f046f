package web_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/server/jobs"
	"mome/server/web"
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

func TestPage(t *testing.T) {
	clock := func() time.Time { return noon }
	n := start(t, web.Config{Jobs: someJobs(), Node: "Node <7>", Model: "phantom 1", Version: "0.1.0", Now: clock})
	n.store(object{number: 1, patient: "Secret^Name"}.bytes(t), object{number: 2, patient: "Secret^Name"}.bytes(t))
	got := n.get(n.root + "/")
	page := string(got.body)
	if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s %s", got.Status, got.Header.Get("Content-Type"))
	}
	for _, want := range []string{
		"Node &lt;7&gt;", "phantom 1", "0.1.0", n.dicom + "/studies", "<dt>Instances</dt><dd>2</dd>", "<dt>Studies</dt><dd>1</dd>",
		`http-equiv="refresh"`, `value="42"`, "registration, 42 %", "(attempt 2)", "no DCE series &lt;b&gt;", "2 findings", "3 s ago", "2 h 0 min ago", "2 days ago",
		`href="dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/metadata?accept=application/json">report<`, ">segmentation<", `href="dicom-web/studies/1.2.1/metadata?accept=application/json"`,
		"Not for clinical use", `name="viewport"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page:\n%s", want, page)
		}
	}
	for _, not := range []string{"Secret", "<script", "<b>"} {
		if strings.Contains(page, not) {
			t.Errorf("%q in the page", not)
		}
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
