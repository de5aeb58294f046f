package main

import (
	"encoding/csv"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"mome/fixtures/phantom"
)

// TestBenchDetection runs the command as a user would, on one small phantom.
func TestBenchDetection(t *testing.T) {
	if testing.Short() {
		t.Skip("registers a phantom")
	}
	dir := t.TempDir()
	table, picture := filepath.Join(dir, "lesions.csv"), filepath.Join(dir, "froc.png")
	args := []string{"bench", "detection", "--studies", "1", "--first", "11", "--resolution", "small", "--json", "--csv", table, "--plot", picture}
	if status := run(t.Context(), args); status != 0 {
		t.Fatalf("exit status %d", status)
	}
	f, err := os.Open(table)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	study, err := phantom.New(phantom.Config{Seed: 11})
	if err != nil {
		t.Fatal(err)
	}
	want, got := 0, 0
	for _, l := range study.Truth.Lesions {
		if l.Kind != phantom.Cyst {
			want++
		}
	}
	for _, row := range rows[1:] {
		if row[5] == "planted" {
			got++
		}
	}
	if got != want || want == 0 {
		t.Errorf("%d planted lesions in the table, want the %d that enhance", got, want)
	}
	g, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := png.Decode(g); err != nil {
		t.Error(err)
	}
	if status := run(t.Context(), []string{"bench", "detection", "--studies", "0"}); status != 1 {
		t.Errorf("no studies: exit status %d, want 1", status)
	}
}

// TestDetectionPhantoms: none of those that are measured on by default is one that training draws from, and every dozen has
// each vendor with each amount of motion.
func TestDetectionPhantoms(t *testing.T) {
	type pair struct {
		vendor phantom.Vendor
		motion float64
	}
	seen := map[pair]bool{}
	for _, c := range (&benchDetectionCommand{Studies: 12, Resolution: "standard"}).phantoms() {
		seen[pair{c.Vendor, c.MotionMM}] = true
	}
	if len(seen) != 12 {
		t.Errorf("%d pairs of vendor and motion in 12 phantoms, want 12", len(seen))
	}
	held := dataFlags{Seed: 1, HeldOut: 200}
	if first := held.heldOutPhantoms("standard")[0].Seed; first != 1_500_000 {
		t.Errorf("held-out phantoms begin at seed %d, --first at 1500000", first)
	}
}
