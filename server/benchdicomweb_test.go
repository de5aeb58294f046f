package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mome/server/benchmark"
)

// TestBenchDICOMweb measures the node as a process of its own, and Orthanc where it is installed, on very little.
func TestBenchDICOMweb(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not in -short")
	}
	binary, dir, profiles := buildServer(t), t.TempDir(), t.TempDir()
	args := []string{"bench", "dicomweb", "--node", binary, "--slices", "2", "--studies", "2", "--dir", dir, "--cpuprofile", profiles, "--json"}
	targets := 1
	if _, err := exec.LookPath("Orthanc"); err == nil {
		args, targets = append(args, "--against-orthanc"), 2
	}
	var r benchmark.Result
	if err := json.Unmarshal(printed(t, func() { command(t, args...) }), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Targets) != targets || r.Targets[0].PeakMB <= 0 {
		t.Fatalf("targets %+v, want %d", r.Targets, targets)
	}
	if targets == 2 && !strings.Contains(r.Targets[1].Version, "plug-in") {
		t.Errorf("Orthanc's version is %q", r.Targets[1].Version)
	}
	for _, p := range r.Phases {
		for k := range targets {
			if len(p.Samples[k]) == 0 || p.Samples[k][0].CPUS <= 0 {
				t.Errorf("%s of %s: %+v %s", p.Name, r.Targets[k].Name, p.Samples[k], p.Missing[k])
			}
		}
	}
	for _, name := range []string{"store-batches-of-10-1.prof", "frame-1-2.prof"} {
		if info, err := os.Stat(filepath.Join(profiles, name)); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}

	text := string(printed(t, func() { command(t, "bench", "archive", "--node", binary, "--instances", "200,400", "--dir", dir) }))
	if !strings.Contains(text, "400 instances") || !strings.Contains(text, "resident now") {
		t.Errorf("bench archive prints\n%s", text)
	}
	for _, args := range [][]string{
		{"bench", "dicomweb", "--url", "nowhere"},
		{"bench", "dicomweb", "--url", "http://127.0.0.1:1/x", "--pid", "1,2"},
		{"bench", "dicomweb", "--node", binary, "--slices", "0"},
		{"bench", "archive", "--node", binary, "--instances", "123"},
		{"serve", "--profile-addr", "192.0.2.1:80", "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data")},
	} {
		if status := run(t.Context(), args); status != 1 {
			t.Errorf("server %v: exit status %d, want 1", args, status)
		}
	}
}
