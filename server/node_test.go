package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/client"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/query"
	"mome/experts"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/server/jobs"
)

// startNode runs a node over dir on a free port until the test ends.
func startNode(t *testing.T, dir string, edit ...func(*nodeFlags)) *node {
	t.Helper()
	flags := nodeFlags{Addr: "127.0.0.1:0", Data: dir, Settle: 2 * time.Second, Workers: 1, Attempts: 2, MaxInstance: 64, Serial: "test"}
	for _, e := range edit {
		e(&flags)
	}
	n, err := openNode(t.Context(), flags, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- n.serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error("serve:", err)
		}
		if err := n.close(); err != nil {
			t.Error("close:", err)
		}
	})
	return n
}

// study is a phantom with one lesion of each kind in known places, as small as the analysis can still read well.
func study(t *testing.T, c phantom.Config) *phantom.Study {
	t.Helper()
	if c.Lesions == nil {
		c.Lesions = []phantom.Lesion{
			{Kind: phantom.Malignant, Side: phantom.Right, DiametersMM: [3]float64{22, 20, 18}},
			{Kind: phantom.Benign, Side: phantom.Left, DiametersMM: [3]float64{18, 16, 16}},
		}
	}
	s, err := phantom.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// push sends a study and waits for its analysis.
func push(t *testing.T, n *node, s *phantom.Study) (*client.Client, jobs.Status) {
	t.Helper()
	remote, err := client.New(client.Config{URL: n.url() + "/dicom-web"})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := remote.Store(t.Context(), instances(s), client.StoreOptions{})
	if err != nil || sent.Stored != s.Len() {
		t.Fatalf("stored %d of %d instances, failures %v, error %v", sent.Stored, s.Len(), sent.Failures, err)
	}
	status, err := await(t.Context(), n.queue, s.Truth.StudyInstanceUID, newProgressLine(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	return remote, status
}

func TestStudyInReportOut(t *testing.T) {
	n := startNode(t, t.TempDir())
	for _, c := range []struct {
		name    string
		phantom phantom.Config
		outcome fusion.Outcome
		present []experts.Modality
		seg     bool
	}{
		{"every modality, Siemens", phantom.Config{Seed: 11}, fusion.WithFindings, []experts.Modality{experts.DCE, experts.T2, experts.DWI}, true},
		{"DCE alone, GE", phantom.Config{Seed: 12, Vendor: phantom.GE, Without: []string{"T2", "DWI", "ADC"}}, fusion.WithFindings, []experts.Modality{experts.DCE}, true},
		{"no DCE, Philips", phantom.Config{Seed: 13, Vendor: phantom.Philips, Without: []string{"DCE"}}, fusion.NotDone, []experts.Modality{experts.T2, experts.DWI}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := study(t, c.phantom)
			remote, status := push(t, n, s)
			if got := len(status.Results.SEG) == 1; len(status.Results.SR) != 1 || got != c.seg {
				t.Fatalf("results %+v, want one SR, SEG %v", status.Results, c.seg)
			}
			a, err := fetch(t.Context(), remote, status.Results)
			if err != nil {
				t.Fatal(err)
			}
			if a.Outcome != c.outcome {
				t.Errorf("outcome %q, want %q", a.Outcome, c.outcome)
			}
			checkPage(t, n, s.Truth.StudyInstanceUID, a)
			present := map[experts.Modality]bool{}
			for _, m := range c.present {
				present[m] = true
			}
			for _, m := range experts.Modalities {
				if a.Present[m] != present[m] {
					t.Errorf("%s present: %v, want %v", m, a.Present[m], present[m])
				}
			}
			if c.outcome == fusion.WithFindings && !compare(s.Truth.Lesions, a.Findings) {
				t.Errorf("a planted lesion was missed; found %d", len(a.Findings))
			}
			for _, f := range a.Findings {
				if len(f.Contributions) != len(c.present) || !f.Probability.Known {
					t.Errorf("%s: probability %v, contributions %v, want one of each of %v", f.Label, f.Probability, f.Contributions, c.present)
				}
			}
			searchable(t, remote, s.Truth.StudyInstanceUID, c.seg)
		})
	}
}

// searchable checks that the results are found as any client looks for them.
func searchable(t *testing.T, remote *client.Client, study string, seg bool) {
	t.Helper()
	for modality, want := range map[string]int{"SR": 1, "SEG": map[bool]int{true: 1}[seg]} {
		found, _, err := remote.Search(t.Context(), query.Series, dicomweb.Ref{Study: study}, url.Values{"Modality": {modality}})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != want {
			t.Errorf("QIDO finds %d series of %s, want %d", len(found), modality, want)
		}
	}
}

func TestResultsNeverTriggerAndAreStoredOnce(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	s := study(t, phantom.Config{Seed: 21, Resolution: phantom.Tiny})
	remote, first := push(t, n, s)

	// A PACS sends the results back, and the study once more.
	for _, ref := range append(first.Results.SR, first.Results.SEG...) {
		err := remote.Retrieve(t.Context(), ref, func(p client.Part) error {
			part10, err := io.ReadAll(p)
			if err != nil {
				return err
			}
			r, err := remote.Store(t.Context(), func(yield func(client.Source, error) bool) { yield(client.Bytes("result", part10), nil) }, client.StoreOptions{})
			if err == nil && r.Stored != 1 {
				t.Errorf("result sent back: %+v", r)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, again := push(t, n, s)
	if again.Revision != first.Revision || again.Attempts != first.Attempts {
		t.Errorf("revision %d, attempts %d after results and study came again, want %d, %d", again.Revision, again.Attempts, first.Revision, first.Attempts)
	}

	// Asked for once more, the same analysis stores nothing new.
	if err := n.queue.Requeue(t.Context(), s.Truth.StudyInstanceUID); err != nil {
		t.Fatal(err)
	}
	status, err := await(t.Context(), n.queue, s.Truth.StudyInstanceUID, newProgressLine(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	if status.Results.SR[0] != first.Results.SR[0] {
		t.Errorf("SR %v after the same analysis, want %v", status.Results.SR, first.Results.SR)
	}
	all, err := n.archive.Instances(t.Context(), dicomweb.Ref{Study: s.Truth.StudyInstanceUID})
	if err != nil {
		t.Fatal(err)
	}
	if want := s.Len() + len(first.Results.SR) + len(first.Results.SEG); len(all) != want {
		t.Errorf("%d instances stored, want %d", len(all), want)
	}
}

func TestLateInstancesLeadToANewReport(t *testing.T) {
	n := startNode(t, t.TempDir())
	s := study(t, phantom.Config{Seed: 22, Resolution: phantom.Tiny})
	remote, err := client.New(client.Config{URL: n.url() + "/dicom-web"})
	if err != nil {
		t.Fatal(err)
	}
	// The T2 series come after the answer.
	late := map[string][]byte{}
	var early []client.Source
	for name, ds := range s.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(ds.String(tag.SeriesDescription), "t2") {
			late[name] = b.Bytes()
			continue
		}
		early = append(early, client.Bytes(name, b.Bytes()))
	}
	if len(late) == 0 {
		t.Fatal("the phantom has no T2 series")
	}
	store := func(sources []client.Source) jobs.Status {
		t.Helper()
		before, _, err := n.archive.StudyRevision(t.Context(), s.Truth.StudyInstanceUID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := remote.Store(t.Context(), func(yield func(client.Source, error) bool) {
			for _, s := range sources {
				if !yield(s, nil) {
					return
				}
			}
		}, client.StoreOptions{}); err != nil {
			t.Fatal(err)
		}
		for {
			changed := n.queue.Watch()
			status, err := n.queue.Status(t.Context(), s.Truth.StudyInstanceUID)
			if err == nil && status.State == jobs.Done && status.Revision == before+int64(len(sources)) {
				return status
			}
			<-changed
		}
	}
	first := store(early)
	var rest []client.Source
	for name, b := range late {
		rest = append(rest, client.Bytes(name, b))
	}
	second := store(rest)
	if second.Results.SR[0] == first.Results.SR[0] {
		t.Error("the report is the same though T2 came")
	}
	sr, _, err := object(t.Context(), remote, second.Results.SR[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(sr.Items(tag.PredecessorDocumentsSequence)) != 1 {
		t.Error("the second report does not name the first as its predecessor")
	}
}

// program returns the path of a program that the test drives, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// buildServer compiles the command once for a test that needs it as a process.
func buildServer(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}
