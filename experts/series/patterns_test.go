package series_test

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/series"
	"mome/experts/volume"
	"mome/fixtures/phantom"
)

// pattern is what a vendor's way of storing a study tells, with its attributes and after anonymisation.
type pattern struct {
	vendor    phantom.Vendor
	dce       string // in the reason of the dynamic series
	anonDCE   string
	times     string
	anonTimes string
	dwi       string // in the reason of the diffusion series
	anonDWI   string
	bs        []float64
	anonBs    int
}

var patterns = []pattern{
	{phantom.Siemens, "3 series of one geometry", "3 series of one geometry", "Content Time", "order only", "(0019,xx0C)", "Sequence Name", []float64{50, 400, 800}, 3},
	{phantom.GE, "repeats of each position", "repeats of each position", "order only", "order only", "(0043,xx39)", "no attribute tells a b-value", []float64{50, 400, 800}, 0},
	{phantom.Philips, "told apart by Temporal Position", "told apart by Temporal Position", "Trigger Time", "Trigger Time", "(0018,9087)", "(0018,9087)", []float64{50, 400, 800}, 3},
	{phantom.SiemensXA, "told apart by Temporal Position", "told apart by Temporal Position", "Frame Acquisition DateTime", "order only", "(0018,9087)", "(0018,9087)", []float64{50, 400, 800}, 3},
	{phantom.Canon, "told apart by Temporal Position", "told apart by Temporal Position", "Frame Acquisition DateTime", "order only", "(0018,9087)", "(0018,9087)", []float64{50, 400, 800}, 3},
	{phantom.UIH, "told apart by Content Time", "repeats of each position", "Content Time", "order only", "(0065,xx09)", "no attribute tells a b-value", []float64{50.27, 398.64, 797.31}, 0},
	{phantom.GESplit, "3 series of one geometry", "3 series of one geometry", "order only", "order only", "(0043,xx39)", "no attribute tells a b-value", []float64{50, 400, 800}, 0},
}

// planted are the roles of the phantom's series, by what it calls them.
var planted = []struct {
	name *regexp.Regexp
	role experts.Role
}{
	{regexp.MustCompile(`(?i)loc|survey|scout`), experts.RoleExcluded},
	{regexp.MustCompile(`ADC`), experts.RoleADC},
	{regexp.MustCompile(`SUB|MIP|\)-\(|sdyn|_WI|_WO|_PEI|t1_tse|(tra|sag|cor)_VIEWS`), experts.RoleExcluded},
	{regexp.MustCompile(`(?i)t2`), experts.RoleT2},
	{regexp.MustCompile(`(?i)dwi|diff`), experts.RoleDWI},
	{regexp.MustCompile(``), experts.RoleDCE},
}

func plantedRole(description string) experts.Role {
	for _, p := range planted {
		if p.name.MatchString(description) {
			return p.role
		}
	}
	return ""
}

// TestPatterns reads whole studies with distractors as every vendor stores them, in every plane, with and without fat
// suppression, of one breast and of each by itself, before and after anonymisation: the role of every series, phases,
// times, b-values, the reasons, and volumes on the grid and with the lesion at the place that the phantom tells.
func TestPatterns(t *testing.T) {
	if n := len(phantom.AllVendors()); n != len(patterns) {
		t.Errorf("%d patterns for %d vendors", len(patterns), n)
	}
	for _, p := range patterns {
		for i, a := range []phantom.Acquisition{
			{}, {Plane: phantom.Sagittal}, {Plane: phantom.Coronal}, {FatBright: true}, {Unilateral: phantom.Left}, {Split: true},
		} {
			t.Run(fmt.Sprintf("%s, %+v", p.vendor, a), func(t *testing.T) {
				p.check(t, phantom.Config{Vendor: p.vendor, Acquisition: a, ObliqueDeg: 7, Anonymised: i%2 == 1})
				if i == 0 {
					p.check(t, phantom.Config{Vendor: p.vendor, Acquisition: a, Anonymised: true})
				}
			})
		}
	}
}

func (p pattern) check(t *testing.T, c phantom.Config) {
	const phases = 3
	c.Resolution, c.Phases, c.Ideal, c.Distractors, c.Lesions = phantom.Tiny, phases, true, true, []phantom.Lesion{{
		Kind: phantom.Malignant, Side: phantom.Left, DiametersMM: [3]float64{26, 26, 26}, Irregularity: 1e-9, Spiculation: 1e-9, Rim: 1e-9, KtransPerMin: 0.4}}
	study, err := phantom.New(c)
	if err != nil {
		t.Fatal(err)
	}
	e := &exam{}
	for _, h := range study.Instances() {
		e.instances = append(e.instances, series.Instance{Header: h, TransferSyntax: explicit})
	}
	r := series.Sort(e.instances)
	dce, times, dwi, bs := p.dce, p.times, p.dwi, len(p.bs)
	if c.Anonymised {
		dce, times, dwi, bs = p.anonDCE, p.anonTimes, p.anonDWI, p.anonBs
	}
	for _, u := range r.Series {
		want, in := plantedRole(u.Description), ""
		switch want {
		case experts.RoleDCE:
			if in = dce; !u.Used {
				in = "shows the other breast"
			}
		case experts.RoleDWI:
			if in = dwi; bs == 0 {
				want = experts.RoleUncertain
			}
		}
		if u.Role != want || !strings.Contains(u.Reason, in) || u.Confidence < 0.3 {
			t.Errorf("series %d (%s) is %s, confidence %.1f, want %s: %s Want it to tell %q", u.Number, u.Description, u.Role, u.Confidence, want, u.Reason, in)
		}
		if u.Role == experts.RoleDCE && u.Used && !strings.Contains(u.Reason, "Times: "+times) {
			t.Errorf("times of series %d: %s Want %q", u.Number, u.Reason, times)
		}
	}
	if len(r.DWI) != bs || r.T2 == nil || r.ADC == nil || (r.Other != nil) != c.Split {
		t.Errorf("%d b-values, T2 %v, ADC %v, other breast %v\n%s", len(r.DWI), r.T2 != nil, r.ADC != nil, r.Other != nil, summary(r))
	}
	for i, b := range r.DWI {
		if b.BSPerMM2 != p.bs[i] {
			t.Errorf("b %g, want %g", b.BSPerMM2, p.bs[i])
		}
	}
	checkDynamic(t, e, r, &study.Truth, &study.Truth.Grid)
	if c.Split && r.Other != nil {
		checkDynamic(t, e, *r.Other, &study.Truth, study.Truth.RightGrid)
	}
}

// checkDynamic reads the volumes and holds them against the truth.
func checkDynamic(t *testing.T, e *exam, r series.Result, truth *phantom.Truth, grid *phantom.Grid) {
	t.Helper()
	if len(r.DCE) != len(truth.PhaseTimesS) {
		t.Fatalf("%d phases, want %d\n%s", len(r.DCE), len(truth.PhaseTimesS), summary(r))
	}
	for i, p := range r.DCE {
		if want := truth.PhaseTimesS[i]; r.TimesKnown && p.TimeS != want || !r.TimesKnown && p.TimeS != 60*float64(i) {
			t.Errorf("phase %d at %g s (known %v), want %g", i, p.TimeS, r.TimesKnown, want)
		}
	}
	s, err := series.Assemble(t.Context(), e.instances, r, e.opener(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	pre, post := s.DCE[0].Volume, s.DCE[1].Volume
	if pre.Size != grid.Size {
		t.Fatalf("size %v, want %v", pre.Size, grid.Size)
	}
	for _, corner := range [][3]int{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 1}} {
		var at [3]float64
		for a := range at {
			at[a] = float64(corner[a] * (grid.Size[a] - 1))
		}
		want := volume.Vec(grid.Point(at[0], at[1], at[2]))
		if flipped := volume.Vec(grid.Axis[2]).Dot(pre.Axis[2]) < 0; flipped { // slices are counted along the normal
			at[2] = float64(grid.Size[2]-1) - at[2]
		}
		if off := pre.Point(at[0], at[1], at[2]).Sub(want).Norm(); off > 1e-3 {
			t.Errorf("corner %v is %g mm off", corner, off)
		}
	}
	l := truth.Lesions[0]
	i, j, k := pre.At(l.CentreMM)
	if !pre.Contains(int(math.Round(i)), int(math.Round(j)), int(math.Round(k))) {
		return // the other breast
	}
	var sum volume.Vec
	n := 0.0
	for v, before := range pre.Data {
		at := pre.Point(voxel(pre, v))
		if rise := post.Data[v] / max(before, 1); at.Sub(l.CentreMM).Norm() < 20 && rise > 1.5 && before > 0 {
			sum, n = sum.Add(at), n+1
		}
	}
	if off := sum.Scale(1 / max(n, 1)).Sub(l.CentreMM).Norm(); n < 20 || off > 2.7 {
		t.Errorf("%g voxels enhance around the lesion, their middle is %.1f mm off, want half a voxel at most", n, off)
	}
}

func voxel(v *volume.Volume, n int) (i, j, k float64) {
	a, b, c := v.Voxel(n)
	return float64(a), float64(b), float64(c)
}
