package detection

import (
	"math"
	"testing"

	"mome/experts"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fixtures/phantom/anatomy"
)

func grid() volume.Grid {
	return volume.Grid{Size: [3]int{24, 24, 24}, Axis: [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, SpacingMM: [3]float64{1, 1, 1}}
}

// cube is a candidate: the voxels from lo to hi, both included.
func cube(lo, hi [3]int, suspicion float64) *experts.Lesion {
	m := volume.NewMask(grid())
	for at := range m.Data {
		i, j, k := m.Voxel(at)
		m.Data[at] = i >= lo[0] && j >= lo[1] && k >= lo[2] && i <= hi[0] && j <= hi[1] && k <= hi[2]
	}
	return &experts.Lesion{Mask: m, Suspicion: suspicion, VolumeCM3: m.VolumeCM3(), LongAxisMM: float64(hi[0]-lo[0]+1) * math.Sqrt(3)}
}

// TestMatch plants two enhancing cubes and a cyst, in fat.
func TestMatch(t *testing.T) {
	g := grid()
	e := &exam{study: &experts.Study{}, labels: make([]uint8, g.Len()), tissue: make([]uint8, g.Len()), truth: phantom.Truth{Lesions: []phantom.Lesion{
		{Kind: phantom.Malignant, DiametersMM: [3]float64{6, 6, 6}, EnhancementPct: []float64{0, 120}},
		{Kind: phantom.Benign, DiametersMM: [3]float64{6, 6, 6}, EnhancementPct: []float64{0, 80}},
		{Kind: phantom.Cyst, DiametersMM: [3]float64{4, 4, 4}, EnhancementPct: []float64{0, 0}},
	}}}
	for n := range 2 {
		v := volume.New(g)
		for at := range v.Data {
			v.Data[at] = float32(100 + 50*n)
		}
		e.study.DCE = append(e.study.DCE, experts.Phase{TimeS: 90 * float64(n), Volume: v})
	}
	paint := func(lo, hi [3]int, label uint8, tissue anatomy.Tissue) {
		for at, in := range cube(lo, hi, 0).Mask.Data {
			if in {
				e.labels[at], e.tissue[at] = label, uint8(tissue)
			}
		}
	}
	for at := range e.tissue {
		e.tissue[at] = uint8(anatomy.Fat)
	}
	paint([3]int{2, 2, 2}, [3]int{7, 7, 7}, 1, anatomy.FirstLesion)
	paint([3]int{12, 2, 2}, [3]int{17, 7, 7}, 2, anatomy.FirstLesion+1)
	paint([3]int{2, 12, 2}, [3]int{5, 15, 5}, 3, anatomy.FirstLesion+2)
	paint([3]int{0, 0, 20}, [3]int{23, 23, 23}, 0, anatomy.Gland)
	planted, candidates := newTruth(e).match([]*experts.Lesion{
		cube([3]int{2, 2, 2}, [3]int{7, 7, 4}, 9),        // the lower half of the first: Dice 2/3
		cube([3]int{2, 2, 2}, [3]int{7, 7, 6}, 8),        // more of it: Dice 10/11, wins
		cube([3]int{17, 7, 2}, [3]int{22, 12, 7}, 7),     // an edge of the second: Dice 1/36
		cube([3]int{2, 12, 2}, [3]int{5, 15, 5}, 6),      // the cyst
		cube([3]int{12, 12, 2}, [3]int{15, 15, 5}, 5),    // fat
		cube([3]int{12, 12, 20}, [3]int{15, 15, 22}, 4),  // gland
		cube([3]int{12, 12, 18}, [3]int{15, 15, 22}, 14), // gland for three fifths
	})
	if len(planted) != 2 || planted[0].Candidate != 1 || planted[1].Candidate != -1 {
		t.Fatalf("planted %+v, want the first found by candidate 1 and the second missed", planted)
	}
	o := planted[0].Outline
	// 6 x 6 x 5 of 6 x 6 x 6 voxels: one face lies 1 mm off, and the rims of four others.
	if math.Abs(o.Dice-10./11) > 1e-12 || math.Abs(o.Volume-5./6) > 1e-9 || !(o.SurfaceMM > 0.15 && o.SurfaceMM < 0.4) || o.Surface95 > 1.01 {
		t.Errorf("outline %+v", o)
	}
	for n, want := range []Kind{Split, "", Vessel, Cyst, Vessel, Gland, Gland} {
		if c := candidates[n]; c.What != want || (c.Found == 0) != (n == 1) {
			t.Errorf("candidate %d is %q, finds %d; want %q", n, c.What, c.Found, want)
		}
	}
}

func TestFROC(t *testing.T) {
	readings := []Reading{
		{Planted: []Planted{{SizeMM: 9, Candidate: 0, Score: 5}, {SizeMM: 9, Candidate: -1}},
			Candidates: []Candidate{{Score: 5, Found: 0}, {Score: 3, Found: -1}}},
		{Planted: []Planted{{SizeMM: 9, Candidate: 1, Score: 2}, {SizeMM: 3, Candidate: 2, Score: 1}},
			Candidates: []Candidate{{Score: 4, Found: -1}, {Score: 2, Found: 0}, {Score: 1, Found: 1}, {Score: 1, Found: -1}}},
	}
	points := froc(readings, func(_ *Reading, p *Planted) bool { return p.SizeMM >= leastMM })
	want := []Point{{5, 0, 1. / 3}, {4, 0.5, 1. / 3}, {3, 1, 1. / 3}, {2, 1, 2. / 3}, {1, 1.5, 2. / 3}}
	if len(points) != len(want) {
		t.Fatalf("%d corners %v, want %v", len(points), points, want)
	}
	for n, p := range points {
		if math.Abs(p.Threshold-want[n].Threshold)+math.Abs(p.FalsePer-want[n].FalsePer)+math.Abs(p.Sensitivity-want[n].Sensitivity) > 1e-12 {
			t.Errorf("corner %d: %v, want %v", n, p, want[n])
		}
	}
	for rate, want := range map[float64]float64{0: 1. / 3, 0.99: 1. / 3, 1: 2. / 3, 4: 2. / 3} {
		if got := sensitivityAt(points, rate); math.Abs(got-want) > 1e-12 {
			t.Errorf("sensitivity at %g: %g, want %g", rate, got, want)
		}
	}
	r := Measure(readings, 1)
	if r.Threshold != 2 {
		t.Errorf("threshold for one false positive a study %g, want 2", r.Threshold)
	}
	if l := r.Lines[0]; l.Lesions != 3 || l.Found != 2 || math.Abs(l.AtOne.Estimate-2./3) > 1e-12 {
		t.Errorf("first line %+v", l)
	}
	if v := r.AtRate[3]; v.Estimate != 2./3 || !(v.Low <= v.Estimate && v.Estimate <= v.High) {
		t.Errorf("at one false positive a study: %+v", v)
	}
}

// TestRegions draws one breast: air, skin, fat with gland, muscle, in layers from the front.
func TestRegions(t *testing.T) {
	g := grid()
	e := &exam{study: &experts.Study{DCE: []experts.Phase{{Volume: volume.New(g)}, {TimeS: 90, Volume: volume.New(g)}}}, labels: make([]uint8, g.Len()), tissue: make([]uint8, g.Len())}
	region, gland := volume.NewMask(g), volume.NewMask(g)
	for at := range e.tissue {
		i, j, k := g.Voxel(at)
		switch {
		case j < 4:
		case j < 5:
			e.tissue[at] = uint8(anatomy.Skin)
		case j < 20:
			e.tissue[at] = uint8(anatomy.Fat)
			if j >= 8 && j < 12 && i > 0 {
				e.tissue[at] = uint8(anatomy.Gland)
			}
		default:
			e.tissue[at] = uint8(anatomy.Muscle)
		}
		region.Data[at] = i > 0 && j >= 4 && j < 17+2*(k%2)*3 // every second slice reaches 3 mm into muscle, the others end 3 mm before it
		gland.Data[at] = region.Data[at] && j >= 8 && j < 10
	}
	r := newTruth(e).regions([]experts.Breast{{Side: experts.Left, Mask: region, Fibroglandular: gland}})[0]
	if math.Abs(r.WallMM) > 1e-9 || math.Abs(r.WallAbsMM-3) > 1e-9 {
		t.Errorf("wall %+.2f, absolute %.2f mm, want 0 and 3", r.WallMM, r.WallAbsMM)
	}
	if math.Abs(r.Gland-2./3) > 1e-12 || r.GlandInside != 1 || math.Abs(r.Behind-3./(13+19)) > 1e-12 {
		t.Errorf("gland Dice %.3f, inside %.3f, behind the wall %.3f; want 0.667, 1, 0.094", r.Gland, r.GlandInside, r.Behind)
	}
	if want := 2 * (13. + 16) / (13 + 19 + 16 + 16); math.Abs(r.Dice-want) > 1e-12 {
		t.Errorf("Dice %.3f, want %.3f", r.Dice, want)
	}
	if !math.IsNaN(r.NippleMM) || !math.IsNaN(r.LesionIn) {
		t.Errorf("nipple %g mm, lesions inside %g, want none: there are none", r.NippleMM, r.LesionIn)
	}
}
