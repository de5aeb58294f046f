package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/client"
	"mome/fixtures/phantom"
)

// TestIndexDeletedWhileStopped: the index is made anew from the files, and every answer is as before.
func TestIndexDeletedWhileStopped(t *testing.T) {
	dir := t.TempDir()
	s := study(t, phantom.Config{Seed: 61, Resolution: phantom.Tiny})
	var before map[string]string
	for round := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		n, err := openNode(ctx, nodeFlags{Addr: "127.0.0.1:0", Data: dir, Settle: time.Hour, Workers: 1, Attempts: 2, MaxInstance: 64, Serial: "test"}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- n.serve(ctx) }()
		if round == 0 {
			remote, err := client.New(client.Config{URL: n.url() + "/dicom-web"})
			if err != nil {
				t.Fatal(err)
			}
			if r, err := remote.Store(ctx, instances(s), client.StoreOptions{}); err != nil || r.Stored != s.Len() {
				t.Fatalf("stored %d of %d, %v", r.Stored, s.Len(), err)
			}
			before = answers(t, n, s.Truth.StudyInstanceUID)
		} else {
			after := answers(t, n, s.Truth.StudyInstanceUID)
			for resource, want := range before {
				if got := after[resource]; got != want {
					t.Errorf("%s: after the index was made anew\n%.1000s\nbefore\n%.1000s", resource, got, want)
				}
			}
		}
		stop()
		if err := <-served; err != nil {
			t.Fatal(err)
		}
		if err := n.close(); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			gone, err := filepath.Glob(filepath.Join(dir, "index.db*"))
			if err != nil || len(gone) == 0 {
				t.Fatalf("no index in %s: %v", dir, err)
			}
			for _, path := range gone {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// answers are what the node answers about a study, by resource, without its own address.
func answers(t *testing.T, n *node, study string) map[string]string {
	t.Helper()
	at := "/studies/" + study
	out := map[string]string{}
	ask := func(resource, accept string) string {
		b := body(t.Context(), t, n.url()+"/dicom-web"+resource, accept)
		text := strings.ReplaceAll(string(b), n.url(), "http://node")
		if accept != "application/dicom+json" { // its boundary is random
			_, whole, _ := strings.Cut(text, "\r\n\r\n")
			boundary := text[:strings.Index(text, "\r\n")]
			text = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.ReplaceAll(whole, boundary, "--"))))
		}
		out[resource] = text
		return text
	}
	for _, resource := range []string{
		"/studies", "/studies?includefield=all", at + "/series?includefield=all", at + "/instances?includefield=all", "/instances?limit=7&offset=3",
		"/studies?PatientName=phantom*", "/series?Modality=MR&includefield=00081030", at + "/metadata",
	} {
		ask(resource, "application/dicom+json")
	}
	ask(at, `multipart/related; type="application/dicom"; transfer-syntax=*`)
	for _, ref := range instancesOf(t, n, study) {
		ask("/"+ref.Path()+"/frames/1", "multipart/related; type=application/octet-stream; transfer-syntax=*")
	}
	return out
}
