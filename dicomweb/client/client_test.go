package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/client"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/qido"
	"mome/dicomweb/query"
	"mome/dicomweb/stow"
	"mome/dicomweb/wado"
)

// server is a DICOMweb server in the test's process; before may answer in its place.
func server(t *testing.T, before func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	a, err := archive.Open(context.Background(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	var base string
	at := func(*http.Request) string { return base }
	st, err := stow.New(stow.Config{Archive: a, BaseURL: at})
	if err != nil {
		t.Fatal(err)
	}
	qi, err := qido.New(qido.Config{Archive: a, BaseURL: at})
	if err != nil {
		t.Fatal(err)
	}
	wa, err := wado.New(wado.Config{Archive: a, BaseURL: at})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request, dicomweb.Ref) error{
		"POST /root/studies":               st.Store,
		"POST /root/studies/{study}":       st.Store,
		"GET /root/studies":                qi.Studies,
		"GET /root/studies/{study}/series": qi.Series,
		"GET /root/studies/{study}":        wa.Instances,
		"GET /root/studies/{study}/series/{series}/instances/{instance}":        wa.Instances,
		"GET /root/studies/{study}/metadata":                                    wa.Metadata,
		"GET /root/studies/{study}/series/{series}/instances/{instance}/frames": wa.Frames,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if before != nil && before(w, r) {
				return
			}
			ref := dicomweb.Ref{Study: r.PathValue("study"), Series: r.PathValue("series"), Instance: r.PathValue("instance")}
			if err := h(w, r, ref); err != nil {
				http.Error(w, err.Error(), dicomweb.KindOf(err).Status())
			}
		})
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	base = s.URL + "/root"
	return base
}

// connect returns a client that never waits, and the pauses that it would have made.
func connect(t *testing.T, url string) (*client.Client, *[]time.Duration) {
	t.Helper()
	var pauses []time.Duration
	c, err := client.New(client.Config{URL: url, Parallel: 1, Attempts: 3, Sleep: func(ctx context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c, &pauses
}

func object(t *testing.T, study string, number int, patient string) []byte {
	t.Helper()
	d := dicom.New()
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	d.Set(tag.StudyInstanceUID, study)
	d.Set(tag.SeriesInstanceUID, study+".1")
	d.Set(tag.SOPInstanceUID, fmt.Sprintf("%s.1.%d", study, number))
	d.Set(tag.InstanceNumber, number)
	d.Set(tag.PatientName, patient)
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sources(list ...client.Source) iter.Seq2[client.Source, error] {
	return func(yield func(client.Source, error) bool) {
		for _, s := range list {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func TestStoreAndBack(t *testing.T) {
	c, err := client.New(client.Config{URL: server(t, nil) + "/", Parallel: 3})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	want := map[string][]byte{}
	for i := range 9 {
		b := object(t, "1.2.3", i, "A")
		want[string(b)] = b
		name := filepath.Join(folder, fmt.Sprintf("s%d", i%2), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"README.txt", "DICOMDIR", ".hidden", "empty"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name)[:len(name)%5], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var calls []client.Progress
	report, err := c.Store(context.Background(), client.Folder(folder), client.StoreOptions{Progress: func(p client.Progress) { calls = append(calls, p) }})
	if err != nil || report.Stored != 9 || len(report.Failures) != 0 || !slices.Equal(report.Skipped, []string{"README.txt", "empty"}) || !slices.Equal(report.Studies, []string{"1.2.3"}) {
		t.Fatalf("report %+v, %v", report, err)
	}
	if last := calls[len(calls)-1]; len(calls) != 11 || last.Stored != 9 || last.Skipped != 2 || last.Bytes != report.Bytes || report.Bytes == 0 {
		t.Errorf("%d calls of Progress, the last %+v", len(calls), last)
	}
	err = c.Retrieve(context.Background(), dicomweb.Ref{Study: "1.2.3"}, func(p client.Part) error {
		b, err := io.ReadAll(p)
		if p.TransferSyntax != uid.ExplicitVRLittleEndian || want[string(b)] == nil {
			t.Errorf("part %s of %d bytes was never stored", p.TransferSyntax, len(b))
		}
		delete(want, string(b))
		return err
	})
	if err != nil || len(want) != 0 {
		t.Errorf("retrieve: %v, %d instances did not come back", err, len(want))
	}
	studies, more, err := c.Search(context.Background(), query.Study, dicomweb.Ref{}, url.Values{"PatientName": {"A"}})
	if err != nil || len(studies) != 1 || more {
		t.Errorf("search: %d studies, more %t, %v", len(studies), more, err)
	}
	if none, _, err := c.Search(context.Background(), query.Series, dicomweb.Ref{Study: "9.9"}, nil); err != nil || len(none) != 0 {
		t.Errorf("search for nothing: %v, %v", none, err)
	}
	if data, err := c.Metadata(context.Background(), dicomweb.Ref{Study: "1.2.3"}); err != nil || len(data) != 9 {
		t.Errorf("metadata: %d data sets, %v", len(data), err)
	}
}

func TestSearchTellsWhetherThereIsMore(t *testing.T) {
	c, _ := connect(t, server(t, nil))
	a, b := client.Bytes("a", object(t, "1.2.3", 1, "A")), client.Bytes("b", object(t, "1.2.4", 1, "B"))
	if _, err := c.Store(context.Background(), sources(a, b), client.StoreOptions{}); err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[string]bool{"0": true, "1": false} {
		got, more, err := c.Search(context.Background(), query.Study, dicomweb.Ref{}, url.Values{"limit": {"1"}, "offset": {offset}})
		if err != nil || len(got) != 1 || more != want {
			t.Errorf("offset %s: %d results, more %t, %v, want more %t", offset, len(got), more, err, want)
		}
	}
}

func TestStoreReportsEachFile(t *testing.T) {
	c, _ := connect(t, server(t, nil))
	one := object(t, "1.2.3", 1, "A")
	report, err := c.Store(context.Background(), sources(
		client.Bytes("one", one),
		client.Bytes("again", one),
		client.Bytes("changed", object(t, "1.2.3", 1, "B")),
		client.Bytes("other study", object(t, "1.2.4", 1, "A")),
		client.Bytes("cut", one[:len(one)-1]),
		client.Bytes("text", []byte("hello")),
		client.Source{Name: "gone", Size: 5, Open: func() (io.ReadCloser, error) { return nil, os.ErrNotExist }},
		client.Source{Name: "of unknown size", Size: -1, Open: client.Bytes("", object(t, "1.2.3", 2, "A")).Open},
	), client.StoreOptions{Study: "1.2.3"})
	if err != nil || report.Stored != 4 || !slices.Equal(report.Skipped, []string{"text"}) {
		t.Fatalf("report %+v, %v", report, err)
	}
	if w := report.Warnings; len(w) != 1 || w[0].Name != "changed" || w[0].Reason != dicomweb.CoercedElements {
		t.Errorf("warnings %v", w)
	}
	var got []string
	for _, f := range report.Failures {
		got = append(got, f.String())
	}
	text := strings.Join(got, "\n")
	if len(got) != 3 || !strings.Contains(text, "other study: the instance belongs to another study than the request (0110H)") ||
		!strings.Contains(text, "gone: cannot be opened") || !strings.Contains(text, "cut: ") {
		t.Errorf("failures:\n%s", text)
	}
}

func TestRetries(t *testing.T) {
	one := client.Bytes("one", object(t, "1.2.3", 1, "A"))
	for _, c := range []struct {
		name     string
		failures int32
		fail     func(http.ResponseWriter)
		stored   int
		attempts int32
		pause    time.Duration // the longest one
	}{
		{"503 and a time", 2, func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(503) }, 1, 3, 7 * time.Second},
		{"503 for good", 99, func(w http.ResponseWriter) { w.WriteHeader(503) }, 0, 3, 2 * time.Second},
		{"an endless Retry-After", 1, func(w http.ResponseWriter) { w.Header().Set("Retry-After", "99999"); w.WriteHeader(503) }, 1, 2, 2 * time.Minute},
		{"connection broken off", 1, func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 1, 2, time.Second},
		{"400 is not tried again", 99, func(w http.ResponseWriter) { w.WriteHeader(400) }, 0, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var attempts atomic.Int32
			cl, pauses := connect(t, server(t, func(w http.ResponseWriter, r *http.Request) bool {
				if attempts.Add(1) > c.failures {
					return false
				}
				c.fail(w)
				return true
			}))
			report, err := cl.Store(context.Background(), sources(one), client.StoreOptions{})
			if err != nil || report.Stored != c.stored || len(report.Failures) != 1-c.stored || attempts.Load() != c.attempts {
				t.Errorf("report %+v, %v after %d attempts, want %d stored after %d", report, err, attempts.Load(), c.stored, c.attempts)
			}
			longest := time.Duration(0)
			for _, p := range *pauses {
				longest = max(longest, p)
			}
			if longest != c.pause {
				t.Errorf("pauses %v, want the longest to be %s", *pauses, c.pause)
			}
		})
	}
}

func TestStoreGivesUp(t *testing.T) {
	one := object(t, "1.2.3", 1, "A")
	var requests atomic.Int32
	root := server(t, func(w http.ResponseWriter, r *http.Request) bool {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(401)
		io.WriteString(w, `{"detail":"who are you?"}`)
		return true
	})
	c, _ := connect(t, root)
	_, err := c.Store(context.Background(), sources(client.Bytes("1", one), client.Bytes("2", one), client.Bytes("3", one)), client.StoreOptions{})
	var status *client.StatusError
	if !errors.As(err, &status) || status.Status != 401 || status.Detail != "who are you?" || requests.Load() > 2 {
		t.Errorf("%v after %d requests, want 401 after one", err, requests.Load())
	}
	boom := errors.New("boom")
	_, err = c.Store(context.Background(), func(yield func(client.Source, error) bool) { yield(client.Source{}, boom) }, client.StoreOptions{})
	if !errors.Is(err, boom) {
		t.Errorf("sources that end with an error: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Store(ctx, sources(client.Bytes("1", one)), client.StoreOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRetrieveTellsABrokenAnswer(t *testing.T) {
	root := server(t, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", `multipart/related; type=application/dicom; boundary=b`)
		io.WriteString(w, "--b\r\nContent-Type: application/dicom\r\n\r\none\r\n--b\r\n\r\ntw")
		return true
	})
	c, _ := connect(t, root)
	whole := 0
	err := c.Retrieve(context.Background(), dicomweb.Ref{Study: "1.2.3"}, func(p client.Part) error {
		b, err := io.ReadAll(p)
		if string(b) == "one" {
			whole++
		}
		return err
	})
	if err == nil || whole != 1 {
		t.Errorf("%d whole parts and %v, want one and an error", whole, err)
	}
}

func TestErrors(t *testing.T) {
	for _, u := range []string{"", "pacs:8042", "ftp://pacs", "http://", "http://pacs/?x=y"} {
		if _, err := client.New(client.Config{URL: u}); err == nil {
			t.Errorf("New took the URL %q", u)
		}
	}
	c, _ := connect(t, server(t, nil))
	var status *client.StatusError
	_, err := c.Metadata(context.Background(), dicomweb.Ref{Study: "9.9"})
	if !errors.As(err, &status) || status.Status != 404 || !strings.Contains(status.Detail, "nothing is stored") {
		t.Errorf("metadata of an unknown study: %v", err)
	}
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	c, pauses := connect(t, down.URL)
	if _, err := c.Metadata(context.Background(), dicomweb.Ref{Study: "9.9"}); err == nil || len(*pauses) != 2 {
		t.Errorf("nobody listens: %v after %d pauses, want an error after 2", err, len(*pauses))
	}
}
