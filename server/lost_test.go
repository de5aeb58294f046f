package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/client"
)

// TestKilledInParallelStow kills a node among parallel requests of several instances, round after round over the same archive:
// each instance that was answered with 200 is there, byte for byte.
func TestKilledInParallelStow(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not in -short")
	}
	binary, dir := buildServer(t), t.TempDir()
	told := map[dicomweb.Ref][sha256.Size]byte{}
	for round := range 3 {
		p := startProcess(t, binary, dir, time.Hour)
		var mu sync.Mutex
		var clients sync.WaitGroup
		requests := 0
		for c := range 6 {
			clients.Go(func() {
				for i := 0; ; i++ {
					var files [][]byte
					sums := map[dicomweb.Ref][sha256.Size]byte{}
					for k := range 3 {
						ref, b := testImage(t, fmt.Sprint("kill", round, c%2), 1000*c+3*i+k, 100)
						files, sums[ref] = append(files, b), sha256.Sum256(b)
					}
					r, err := storeParts(t.Context(), t, p.url, files...)
					if err != nil {
						return // killed
					}
					if r.StatusCode != http.StatusOK {
						t.Errorf("store: %s", r.Status)
						return
					}
					mu.Lock()
					for ref, sum := range sums {
						told[ref] = sum
					}
					if requests++; requests == 20+15*round {
						p.cmd.Process.Kill()
					}
					mu.Unlock()
				}
			})
		}
		clients.Wait()
		p.kill()
		http.DefaultClient.CloseIdleConnections()
	}
	if len(told) < 3*60 {
		t.Fatalf("only %d instances were told", len(told))
	}
	p := startProcess(t, binary, dir, time.Hour)
	for ref, sum := range told {
		var got []byte
		if err := p.remote.Retrieve(t.Context(), ref, func(part client.Part) (err error) {
			got, err = io.ReadAll(part)
			return err
		}); err != nil || sha256.Sum256(got) != sum {
			t.Errorf("%s: %d bytes that are not those that were answered with 200, %v", ref.Path(), len(got), err)
		}
	}
	if left := incoming(t, dir); len(left) > 0 {
		t.Errorf("%d files are left of what was not taken in", len(left))
	}
}

// TestDiskFull fills a file system of its own: 503 with Retry-After, what was told stays, searches go on, and with room again
// so does storing.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not in -short")
	}
	mount := program(t, "mount")
	dir := t.TempDir()
	if out, err := exec.Command(mount, "-t", "tmpfs", "-o", "size=24m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no file system of a given size can be made here: %v %s", err, out)
	}
	p := startProcess(t, buildServer(t), dir, time.Hour)
	t.Cleanup(func() {
		p.kill()
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	told := map[dicomweb.Ref][]byte{}
	store := func(n int) *http.Response {
		ref, b := testImage(t, "full", n, 400)
		r, err := storeParts(t.Context(), t, p.url, b)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode == http.StatusOK {
			told[ref] = b
		}
		return r
	}
	number := 1
	for ; ; number++ {
		r := store(number)
		if r.StatusCode == http.StatusOK && number < 100 {
			continue
		}
		if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Fatalf("instance %d: %s, Retry-After %q, want 503 with a time", number, r.Status, r.Header.Get("Retry-After"))
		}
		break
	}
	whole := func() {
		t.Helper()
		for ref, want := range told {
			var got []byte
			if err := p.remote.Retrieve(t.Context(), ref, func(part client.Part) (err error) {
				got, err = io.ReadAll(part)
				return err
			}); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d of %d bytes, %v", ref.Path(), len(got), len(want), err)
			}
		}
		ref, _ := testImage(t, "full", 1, 4)
		found := body(t.Context(), t, p.url+"/dicom-web/studies/"+ref.Study+"/instances", "application/dicom+json")
		if n := bytes.Count(found, []byte(`"00080018"`)); n != len(told) {
			t.Errorf("%d instances are found, %d were told", n, len(told))
		}
	}
	whole()
	if left := incoming(t, dir); len(left) > 0 {
		t.Errorf("%d files are left of what found no room", len(left))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if r := store(number); r.StatusCode != http.StatusOK {
		t.Errorf("with room again: %s", r.Status)
	}
	whole()
}
