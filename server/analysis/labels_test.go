package analysis_test

import (
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/server/analysis"
)

// TestNotesNameFindings: experts speak of candidates by conspicuity, findings are numbered by suspicion; a note about a
// lesion names the finding. Of three lesions one lies outside what is left of the T2 images.
func TestNotesNameFindings(t *testing.T) {
	s, err := phantom.New(phantom.Config{Seed: 6, Without: []string{"DWI"}, Lesions: []phantom.Lesion{
		{Kind: phantom.Benign, Side: phantom.Left, DiametersMM: [3]float64{26, 24, 22}, CentreMM: [3]float64{70, -5, 30}},
		{Kind: phantom.Malignant, Side: phantom.Right, DiametersMM: [3]float64{18, 16, 15}, CentreMM: [3]float64{-70, -5, -20}},
		{Kind: phantom.Benign, Side: phantom.Right, DiametersMM: [3]float64{14, 14, 12}, CentreMM: [3]float64{-60, -10, 8}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var objects []analysis.Object
	for _, d := range s.Instances() {
		if place := d.Floats(tag.ImagePositionPatient); strings.HasPrefix(d.String(tag.SeriesDescription), "t2_tirm") && place[2] > 10 {
			continue
		}
		objects = append(objects, analysis.FromMemory(part10(t, d)))
	}
	r, err := analyzer(t, true).Read(t.Context(), objects, nil)
	if err != nil {
		t.Fatal(err)
	}
	outside := 0
	for _, n := range r.Assessment.Notes {
		label, rest, ok := strings.Cut(n, " lies outside the T2-weighted images")
		if !ok || !strings.HasPrefix(label, "Lesion ") {
			continue
		}
		outside++
		i := slices.IndexFunc(r.Assessment.Findings, func(f fusion.Finding) bool { return f.Label == label })
		if i < 0 || r.Assessment.Findings[i].T2Ratio.Known {
			t.Errorf("note %q%s: finding %d has a T2 ratio, or is none", label, rest, i+1)
		}
	}
	if outside == 0 {
		t.Errorf("no lesion lies outside the T2 images: %q", r.Assessment.Notes)
	}
}

// TestChecksOfMovedImages: the vendor's ADC map is held against the images as acquired, however far they were moved since.
func TestChecksOfMovedImages(t *testing.T) {
	s, err := phantom.New(phantom.Config{Seed: 8, Vendor: phantom.GE, Phases: 2, MotionMM: 6, Without: []string{"T2"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer(t, false).Read(t.Context(), objectsOf(t, s), nil)
	if err != nil {
		t.Fatal(err)
	}
	moved := slices.ContainsFunc(r.Assessment.Motion, func(m experts.Motion) bool { return m.Name == "DWI" && m.Corrected })
	adc := slices.IndexFunc(r.Assessment.Checks, func(c experts.Check) bool { return strings.HasPrefix(c.Name, "ADC") })
	if !moved || adc < 0 || !r.Assessment.Checks[adc].Agrees {
		t.Errorf("moved %v, checks %+v; want one of the ADC that agrees", moved, r.Assessment.Checks)
	}
}
