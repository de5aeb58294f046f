package analysis_test

import (
	"testing"

	"mome/experts"
	"mome/fixtures/phantom"
	"mome/server/analysis"
)

// rising is a Progress that fails the test where it falls.
func rising(t *testing.T) analysis.Progress {
	last := 0.0
	return func(stage string, fraction float64) {
		if fraction < last-1e-9 { // rounding
			t.Errorf("progress falls from %g to %g at %s", last, fraction, stage)
		}
		last = fraction
	}
}

// TestOtherBreast: where each breast has a dynamic series of its own both are read, each on its own images.
func TestOtherBreast(t *testing.T) {
	s, err := phantom.New(phantom.Config{
		Seed: 12, Phases: 3, Without: []string{"T2", "DWI"},
		Acquisition: phantom.Acquisition{Plane: phantom.Sagittal, Split: true},
		Lesions: []phantom.Lesion{
			{Kind: phantom.Malignant, Side: phantom.Right, DiametersMM: [3]float64{20, 18, 16}},
			{Kind: phantom.Benign, Side: phantom.Left, DiametersMM: [3]float64{18, 17, 16}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer(t, false).Read(t.Context(), objectsOf(t, s), rising(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Other == nil || len(r.All()) != 2 {
		t.Fatal("one reading, want one for each breast")
	}
	found := map[experts.Side]bool{}
	for _, one := range r.All() {
		if len(one.Assessment.Breasts) != 1 || one.Assessment.Reference.SeriesUID == "" {
			t.Fatalf("%d breasts on series %q, want one", len(one.Assessment.Breasts), one.Assessment.Reference.SeriesUID)
		}
		side := one.Assessment.Breasts[0].Side
		for _, f := range one.Assessment.Findings {
			if f.Side != side {
				t.Errorf("%s of the %s breast lies in the %s one", f.Label, side, f.Side)
			}
			for _, planted := range s.Truth.Lesions {
				if f.CentreMM.Sub(planted.CentreMM).Norm() < 4 {
					found[side] = true
				}
			}
		}
	}
	if r.Assessment.Reference.SeriesUID == r.Other.Assessment.Reference.SeriesUID || !found[experts.Left] || !found[experts.Right] {
		t.Errorf("found in %v, on series %s and %s", found, r.Assessment.Reference.SeriesUID, r.Other.Assessment.Reference.SeriesUID)
	}
}
