package detection

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mome/fixtures/phantom"
)

// TestRead reads a phantom twice, from its making and from the cache: a planted ball is found, and both say the same.
func TestRead(t *testing.T) {
	if testing.Short() {
		t.Skip("registers a phantom")
	}
	config := phantom.Config{Seed: 31, MotionMM: 2, Phases: 3, Lesions: []phantom.Lesion{
		{Kind: phantom.Malignant, Side: phantom.Left, DiametersMM: [3]float64{18, 17, 16}, Irregularity: 1e-9, Spiculation: 1e-9, Rim: 1e-9, KtransPerMin: 0.3, Ve: 0.4},
		{Kind: phantom.Cyst, Side: phantom.Right},
	}}
	cfg := Config{Cache: t.TempDir()}
	var cached []int
	cfg.Progress = func(_, _, fromCache int) { cached = append(cached, fromCache) }
	var first, second []Reading
	var err error
	if first, err = Read(t.Context(), []phantom.Config{config}, cfg); err != nil {
		t.Fatal(err)
	}
	if second, err = Read(t.Context(), []phantom.Config{config}, cfg); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(cached, []int{0, 1}) {
		t.Errorf("from the cache %v, want 0 and then 1", cached)
	}
	first[0].Took, second[0].Took = 0, 0
	for _, r := range [][]Reading{first, second} {
		for n := range r[0].Regions { // no number equals itself there
			r[0].Regions[n].LesionIn = 0
		}
	}
	if !reflect.DeepEqual(first, second) {
		t.Errorf("%+v\nand then %+v", first, second)
	}
	r := first[0]
	if len(r.Planted) != 1 || r.Planted[0].Candidate < 0 || r.Planted[0].Outline.Dice < 0.8 {
		t.Errorf("planted %+v, want one, found, with a Dice coefficient of 0.8 at voxels of 2.7 mm", r.Planted)
	}
	if len(r.Regions) != 2 || r.Missing != 0 {
		t.Errorf("%d breasts, %d missing", len(r.Regions), r.Missing)
	}

	files, err := filepath.Glob(filepath.Join(cfg.Cache, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, error %v, want one", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(t.Context(), []phantom.Config{config}, cfg); err == nil {
		t.Error("half a file was read without an error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, []phantom.Config{config}, Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

// TestName: an option that is not used does not change what a prepared phantom is called, one that is used does.
func TestName(t *testing.T) {
	seen := map[string]int{}
	for n, c := range []phantom.Config{
		{Seed: 1}, {Seed: 2}, {Seed: 1, MotionMM: 2}, {Seed: 1, Acquisition: phantom.Acquisition{FatBright: true}},
		{Seed: 1, Acquisition: phantom.Acquisition{Plane: phantom.Sagittal}}, {Seed: 1, Lesions: []phantom.Lesion{}}, {Seed: 1, Lesions: []phantom.Lesion{{Kind: phantom.Cyst}}},
	} {
		path, err := name("dir", c)
		if err != nil {
			t.Fatal(err)
		}
		if m, is := seen[path]; is {
			t.Errorf("configurations %d and %d share %s", m, n, path)
		}
		seen[path] = n
	}
}
