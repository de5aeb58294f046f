package analysis_test

import (
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom/tag"
	"mome/fixtures/phantom"
	"mome/server/analysis"
)

// TestChecks: what the scanner computed from the dynamic series is the same as what is computed here, and a subtraction of
// another study's phases is not.
func TestChecks(t *testing.T) {
	config := phantom.Config{Seed: 4, Phases: 3, Distractors: true, Without: []string{"T2", "DWI"}, Resolution: phantom.Tiny}
	s, err := phantom.New(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Seed = 5
	stranger, err := phantom.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer(t, false).Read(t.Context(), objectsOf(t, s), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Assessment.Checks); n != 6 { // two subtractions, two projections each
		t.Errorf("%d checks, want 6", n)
	}
	for _, c := range r.Assessment.Checks {
		if !c.Agrees || c.MaxDifference.Value != 0 {
			t.Errorf("%+v, want the same in every voxel", c)
		}
	}
	pixels := map[string][]byte{} // of a subtraction, by Instance Number
	for _, d := range stranger.Instances() {
		if strings.HasSuffix(d.String(tag.SeriesDescription), "_SUB") {
			pixels[d.String(tag.InstanceNumber)] = slices.Clone(d.Get(tag.PixelData).Value)
		}
	}
	var changed []analysis.Object
	swapped := 0
	for _, d := range s.Instances() {
		if strings.HasSuffix(d.String(tag.SeriesDescription), "_SUB") {
			d.Get(tag.PixelData).Value = pixels[d.String(tag.InstanceNumber)]
			swapped++
		}
		changed = append(changed, analysis.FromMemory(part10(t, d)))
	}
	if swapped == 0 {
		t.Fatal("the phantom has no subtraction")
	}
	if r, err = analyzer(t, false).Read(t.Context(), changed, nil); err != nil {
		t.Fatal(err)
	}
	differ := 0
	for _, c := range r.Assessment.Checks {
		if !c.Agrees && strings.Contains(c.Text, "does not agree") {
			differ++
		}
	}
	if differ != 2 {
		t.Errorf("%d of two strange subtractions were found: %+v", differ, r.Assessment.Checks)
	}
}
