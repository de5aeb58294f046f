package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/client"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/fixtures/malformed"
	"mome/fixtures/phantom"
)

// TestHostilePartsAmongGoodOnes sends every malformed stream between good instances in one request.
func TestHostilePartsAmongGoodOnes(t *testing.T) {
	n := startNode(t, t.TempDir())
	s := study(t, phantom.Config{Seed: 51, Resolution: phantom.Tiny})
	var good [][]byte
	for _, ds := range s.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		if good = append(good, b.Bytes()); len(good) == 2 {
			break
		}
	}
	parts, bad := [][]byte{good[0]}, 0
	for _, c := range malformed.Cases() {
		if !c.Large {
			parts, bad = append(parts, c.Bytes()), bad+1
		}
	}
	parts = append(parts, good[1])
	body, contentType := multipartOf(t, parts...)
	size := body.Len()

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	r, err := http.Post(n.url()+"/dicom-web/studies", contentType, body)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	runtime.ReadMemStats(&after)
	answers, err := dicom.ParseJSON(io.MultiReader(strings.NewReader("["), r.Body, strings.NewReader("]")), dicom.Limits{})
	if err != nil || len(answers) != 1 {
		t.Fatal(len(answers), err)
	}
	failures := answers[0].Items(tag.FailedSOPSequence)
	stored, failed := len(answers[0].Items(tag.ReferencedSOPSequence)), len(failures)
	if r.StatusCode != http.StatusAccepted || stored != 2 || failed != bad {
		t.Errorf("status %d, stored %d, failed %d, want 202, 2, %d", r.StatusCode, stored, failed, bad)
	}
	for k, f := range failures {
		if f.IntOr(tag.FailureReason, 0) == 0 {
			t.Errorf("failure %d has no Failure Reason", k)
		}
	}
	if grown := int64(after.Sys) - int64(before.Sys); grown > 256<<20 {
		t.Errorf("the process grew by %d MiB over a request of %d MiB", grown>>20, size>>20)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the request took %s", took)
	}
	for k, want := range [][]byte{good[0], good[1]} {
		f, err := dicom.Scan(bytes.NewReader(want), int64(len(want)), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		study, series, instance, _, _ := f.Ref()
		if got := retrieved(t, n, dicomweb.Ref{Study: study, Series: series, Instance: instance}); !bytes.Equal(got, want) {
			t.Errorf("good part %d came back with %d bytes, not as it was sent (%d bytes)", k, len(got), len(want))
		}
	}
}

// retrieved returns an instance as the node stores it.
func retrieved(t *testing.T, n *node, ref dicomweb.Ref) (part10 []byte) {
	t.Helper()
	remote, err := client.New(client.Config{URL: n.url() + "/dicom-web"})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Retrieve(t.Context(), ref, func(p client.Part) (err error) {
		part10, err = io.ReadAll(p)
		return err
	}); err != nil {
		t.Error(err)
	}
	return part10
}

// TestVendorFilesComeBackByteForByte stores real vendors' files where they are at hand.
func TestVendorFilesComeBackByteForByte(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join("..", "..", "shared", "data", "vendor-dicom", "*.zip"))
	if err != nil || len(archives) == 0 {
		t.Skip("no vendor files beside the checkout")
	}
	n := startNode(t, t.TempDir())
	remote, err := client.New(client.Config{URL: n.url() + "/dicom-web"})
	if err != nil {
		t.Fatal(err)
	}
	sent := map[dicomweb.Ref][32]byte{}
	var sources []client.Source
	for _, path := range archives {
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		taken := 0
		for _, entry := range z.File {
			b := contents(t, entry)
			f, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{})
			if err != nil || taken == 8 {
				continue
			}
			study, series, instance, _, err := f.Ref()
			if err != nil {
				t.Fatalf("%s: %v", entry.Name, err)
			}
			ref := dicomweb.Ref{Study: study, Series: series, Instance: instance}
			if _, twice := sent[ref]; twice {
				continue // some hand-edited files share one UID; the node keeps the first
			}
			taken++
			sent[ref] = sha256.Sum256(b)
			sources = append(sources, client.Bytes(entry.Name, b))
		}
	}
	report, err := remote.Store(t.Context(), func(yield func(client.Source, error) bool) {
		for _, s := range sources {
			if !yield(s, nil) {
				return
			}
		}
	}, client.StoreOptions{})
	if err != nil || report.Stored != len(sources) {
		t.Fatalf("stored %d of %d files: %v %v", report.Stored, len(sources), report.Failures, err)
	}
	for ref, sum := range sent {
		if sha256.Sum256(retrieved(t, n, ref)) != sum {
			t.Errorf("%s came back with other bytes", ref.Path())
		}
	}
	t.Logf("%d files of %d vendors' archives", len(sent), len(archives))
}

func contents(t *testing.T, entry *zip.File) []byte {
	t.Helper()
	r, err := entry.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
