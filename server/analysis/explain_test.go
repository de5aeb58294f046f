package analysis_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/t2"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/fusion/pretrained"
	"mome/server/analysis"
)

// panel is one expert for each modality.
func panel(t testing.TB) []experts.Expert {
	t.Helper()
	d, err := dce.New(dce.Config{})
	if err != nil {
		t.Fatal(err)
	}
	z, err := t2.New(t2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := dwi.New(dwi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return []experts.Expert{d, z, w}
}

// analyzer has the whole panel, the built-in model where asked, and further ones.
func analyzer(t testing.TB, judging bool, further ...*fusion.Model) *analysis.Analyzer {
	t.Helper()
	c := analysis.Config{Panel: panel(t), Further: further}
	if judging {
		set, err := pretrained.Phantom()
		if err != nil {
			t.Fatal(err)
		}
		if c.Model, err = fusion.New(set, fusion.Options{Branches: fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := analysis.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func objectsOf(t testing.TB, study *phantom.Study) []analysis.Object {
	t.Helper()
	objects, err := analysis.FromDatasets(t.Context(), study.Instances())
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func part10(t testing.TB, ds *dicom.Dataset) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// planted is the distance from a place to the nearest voxel of a planted lesion, mm.
func planted(study *phantom.Study, placeMM volume.Vec) float64 {
	g, nearest := &study.Truth.Grid, math.Inf(1)
	for at, label := range study.Labels() {
		if label != 0 {
			i, j, k := at%g.Size[0], at/g.Size[0]%g.Size[1], at/(g.Size[0]*g.Size[1])
			nearest = min(nearest, volume.Vec(g.Point(float64(i), float64(j), float64(k))).Sub(placeMM).Norm())
		}
	}
	return nearest
}

func TestExplanationPointsAtTheLesion(t *testing.T) {
	if testing.Short() {
		t.Skip("reads whole studies: slow with the race detector")
	}
	for _, vendor := range []phantom.Vendor{phantom.Siemens, phantom.GE} { // slices counted from either end
		t.Run(string(vendor), func(t *testing.T) {
			study, err := phantom.New(phantom.Config{Seed: 11, Vendor: vendor, Lesions: []phantom.Lesion{
				{Kind: phantom.Malignant, DiametersMM: [3]float64{24, 22, 20}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			a, err := analyzer(t, true).Explaining()
			if err != nil {
				t.Fatal(err)
			}
			r, err := a.Read(context.Background(), objectsOf(t, study), rising(t))
			if err != nil {
				t.Fatal(err)
			}
			findings := analysis.FindingsOf(r, "")
			if len(findings.Lesions) == 0 || len(r.Explanations) != len(findings.Lesions) {
				t.Fatalf("%d findings, %d explanations", len(findings.Lesions), len(r.Explanations))
			}
			first := findings.Lesions[0].Explanation
			if first.PeakMM == nil || planted(study, *first.PeakMM) > 3 {
				t.Errorf("the peak of the most suspicious finding lies at %v, not on the planted lesion", first.PeakMM)
			}
			for n, l := range findings.Lesions {
				e := l.Explanation
				if odds := math.Log(*l.Probability / (1 - *l.Probability)); math.Abs(odds-e.LogOdds) > 1e-4 {
					t.Errorf("lesion %d: log-odds %g explained, the finding has %g", n+1, e.LogOdds, odds)
				}
				sum := e.Baseline
				for _, v := range e.Attribution {
					sum += v
				}
				if math.Abs(sum-e.LogOdds) > e.CompletenessError+1e-6 || e.CompletenessError > 2e-3*math.Abs(e.LogOdds-e.Baseline) {
					t.Errorf("lesion %d: baseline and attributions sum to %g, log-odds %g, error said to be %g", n+1, sum, e.LogOdds, e.CompletenessError)
				}
			}
			if !r.Attribution.Same(&r.Assessment.Grid) {
				t.Errorf("the heat map has %v voxels, the masks %v", r.Attribution.Size, r.Assessment.Grid.Size)
			}
			kept := keptNames(t, r)
			for _, name := range []string{"attribution", "attribution_lesion_1_dce", "attribution_lesion_1_t2", "attribution_lesion_1_dwi"} {
				if !slices.Contains(kept, name) {
					t.Errorf("%s is not kept, but %v", name, kept)
				}
			}
		})
	}
}

func keptNames(t *testing.T, r *analysis.Reading) (names []string) {
	t.Helper()
	err := r.Keep(func(name string, to func(io.Writer) error) error {
		names = append(names, name)
		return to(io.Discard)
	}, volume.WriteNIfTI, volume.WriteMaskNIfTI)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestNothingIsExplainedUnasked(t *testing.T) {
	study, err := phantom.New(phantom.Config{Seed: 11, Without: []string{"T2", "DWI"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer(t, true).Read(context.Background(), objectsOf(t, study), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Assessment.Findings) == 0 || r.Explanations != nil || r.Attribution != nil {
		t.Errorf("%d findings, %d explanations, want none", len(r.Assessment.Findings), len(r.Explanations))
	}
	if slices.Contains(keptNames(t, r), "attribution") {
		t.Error("a heat map is kept that nobody asked for")
	}
	for _, l := range analysis.FindingsOf(r, "").Lesions {
		if l.Explanation != nil {
			t.Errorf("%s has an explanation", l.Label)
		}
	}
	if _, err := analyzer(t, false).Explaining(); !errors.Is(err, analysis.ErrNothingToExplain) {
		t.Errorf("explaining without a model: error %v", err)
	}
}
