package benchmark_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/server/benchmark"
	"mome/server/web"
)

// template is as much of a header as the requests ask about.
func template() *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	d.Set(tag.Modality, "MR")
	d.Set(tag.StudyDescription, "breast")
	d.Set(tag.SeriesDescription, "t1")
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	return d
}

// node is the node's HTTP side in this process; spoil, which may be nil, changes what it answers.
func node(t *testing.T, spoil func(http.Handler) http.Handler) *benchmark.Target {
	t.Helper()
	a, err := archive.Open(context.Background(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	s, err := web.New(web.Config{Archive: a})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Handler(s)
	if spoil != nil {
		h = spoil(s)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	target, err := benchmark.At("node", server.URL+"/dicom-web/", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	})
	return target
}

func TestEveryPhaseIsMeasured(t *testing.T) {
	r, err := benchmark.Run(t.Context(), benchmark.Config{Template: template(), Slices: 2, Small: 3, Seed: "1", Clients: []int{2, 3}}, node(t, nil), node(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if r.Instances != 16 || len(r.Phases) < 12 {
		t.Errorf("%d instances, %d phases, want 16 and all", r.Instances, len(r.Phases))
	}
	units := map[string]int{"store, batches of 10": 16, "store, small studies": 12, "frame 1": 16, "instance": 16, "series metadata": 16, "OHIF opens the study": 44}
	for _, p := range r.Phases {
		for k, samples := range p.Samples {
			if p.Missing[k] != "" {
				t.Errorf("%s is missing: %s", p.Name, p.Missing[k])
				continue
			}
			want := 3
			if strings.HasPrefix(p.Name, "store") {
				want = 1
			}
			if len(samples) != want {
				t.Fatalf("%s: %d passes, want %d", p.Name, len(samples), want)
			}
			for _, s := range samples {
				if s.CPUS <= 0 || s.WallS <= 0 || s.P50MS <= 0 || s.P99MS < s.P50MS || s.PeakMB <= 0 || s.Requests == 0 || s.Megabytes <= 0 {
					t.Errorf("%s: %+v", p.Name, s)
				}
			}
			if n, ok := units[p.Name]; ok && samples[0].Units != n {
				t.Errorf("%s: %d units, want %d", p.Name, samples[0].Units, n)
			}
		}
	}
	var text, markdown bytes.Buffer
	if err := r.Write(&text, false); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(&markdown, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| frame 1 | frame |", "|---|---|---:|", "again, 3 clients"} {
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("Markdown lacks %q:\n%s", want, markdown.String())
		}
	}
	if !strings.Contains(text.String(), "node / node") {
		t.Errorf("the text lacks the ratio:\n%s", text.String())
	}
}

// TestWrongAnswersEndIt: nobody wins by answering wrongly.
func TestWrongAnswersEndIt(t *testing.T) {
	// changed answers requests that contain part with a body changed by edit.
	changed := func(part string, edit func([]byte) []byte) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, part) {
					h.ServeHTTP(w, r)
					return
				}
				r.Header.Del("Accept-Encoding")
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
				w.WriteHeader(rec.Code)
				w.Write(edit(rec.Body.Bytes()))
			})
		}
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	nothing := func([]byte) []byte { return []byte("[]") }
	for _, c := range []struct {
		name, want string
		spoil      func(http.Handler) http.Handler
	}{
		{"a bit of a frame", "frame 1", changed("/frames/1", flip)},
		{"a frame cut short", "frame 1", changed("/frames/1", func(b []byte) []byte { return b[:len(b)/2] })},
		{"no metadata", "metadata", changed("/metadata", nothing)},
		{"no studies", "studies, first 101", changed("/dicom-web/studies", func(b []byte) []byte {
			if bytes.HasPrefix(b, []byte("[")) {
				return nothing(b)
			}
			return b
		})},
		{"an error", "500", func(h http.Handler) http.Handler {
			var n atomic.Int64
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) == 30 {
					http.Error(w, "broken", http.StatusInternalServerError)
					return
				}
				h.ServeHTTP(w, r)
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := benchmark.Run(t.Context(), benchmark.Config{Template: template(), Slices: 1, Small: 1, Seed: "1"}, node(t, c.spoil))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one that names %q", err, c.want)
			}
		})
	}
}

func TestWhatAServerLacksIsLeftOut(t *testing.T) {
	without := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/rendered") {
				http.Error(w, "no pictures here", http.StatusNotFound)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	r, err := benchmark.Run(t.Context(), benchmark.Config{Template: template(), Slices: 1, Small: 1, Seed: "1"}, node(t, without))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Write(&b, false); err != nil || !strings.Contains(b.String(), "rendered JPEG: left out for node") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestGrowingArchive(t *testing.T) {
	c := benchmark.GrowthConfig{Sizes: []int{200, 600}, Config: benchmark.Config{Template: template(), Seed: "1"}}
	r, err := benchmark.Grow(t.Context(), c, node(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for k, s := range r.Sizes[0] {
		if s.Instances != c.Sizes[k] || s.Store.Units != []int{200, 400}[k] || len(s.Queries) < 15 || s.NowMB <= 0 || s.PeakMB < s.NowMB {
			t.Errorf("size %d: %+v", c.Sizes[k], s)
		}
	}
	var b bytes.Buffer
	if err := r.Write(&b, false); err != nil || !strings.Contains(b.String(), "600 instances") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestRefused(t *testing.T) {
	target := node(t, nil)
	for name, c := range map[string]benchmark.Config{
		"no template": {Slices: 1}, "no slices": {Template: template()}, "negative": {Template: template(), Slices: 1, Small: -1},
	} {
		if _, err := benchmark.Run(t.Context(), c, target); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, sizes := range [][]int{{100}, {400, 200}, {250}} {
		if _, err := benchmark.Grow(t.Context(), benchmark.GrowthConfig{Sizes: sizes, Config: benchmark.Config{Template: template()}}, target); err == nil {
			t.Errorf("sizes %v: no error", sizes)
		}
	}
	for _, address := range []string{"", "127.0.0.1:80", "ftp://host", "http://host/?q"} {
		if _, err := benchmark.At("x", address, 0); err == nil {
			t.Errorf("address %q: no error", address)
		}
	}
	if _, err := benchmark.StartNode(t.Context(), "x", "/bin/true", t.TempDir(), false); err == nil {
		t.Error("a program that is no node: no error")
	}
}

// TestSameSeedSameInstances: two servers are given the same.
func TestSameSeedSameInstances(t *testing.T) {
	digest := func(seed string) string {
		sum := sha256.New()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
			sum.Write(bytes.ReplaceAll(b, []byte(boundary), nil))
			http.Error(w, "enough", http.StatusTeapot)
		}))
		defer server.Close()
		target, err := benchmark.At("x", server.URL, 0)
		if err != nil {
			t.Fatal(err)
		}
		benchmark.Run(t.Context(), benchmark.Config{Template: template(), Slices: 1, Small: 0, Seed: seed, Clients: []int{1}}, target)
		return fmt.Sprintf("%x", sum.Sum(nil))
	}
	if digest("1") != digest("1") || digest("1") == digest("2") {
		t.Error("instances are not those of their seed")
	}
}
