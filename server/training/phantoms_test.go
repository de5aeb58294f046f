package training

import (
	"testing"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/t2"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/server/analysis"
)

func analyzer(t *testing.T) *analysis.Analyzer {
	t.Helper()
	d, err := dce.New(dce.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := t2.New(t2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := dwi.New(dwi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := analysis.New(analysis.Config{Panel: []experts.Expert{d, s, w}, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func preparer(t *testing.T, c *Cache) *Preparer {
	t.Helper()
	boxes := testBoxes()
	boxes.DCE.Channels = 6
	p, err := NewPreparer(t.Context(), Config{Analyzer: analyzer(t), Boxes: boxes, Version: "test", Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every vendor's way of ordering slices, rows and columns must lead to the same truth.
func TestPhantomsAreLabelledWhateverTheVendor(t *testing.T) {
	if testing.Short() {
		t.Skip("reads whole studies: slow with the race detector")
	}
	lesions := []phantom.Lesion{
		{Kind: phantom.Malignant, Side: phantom.Right, DiametersMM: [3]float64{22, 20, 18}},
		{Kind: phantom.Benign, Side: phantom.Left, DiametersMM: [3]float64{18, 16, 16}},
		{Kind: phantom.Cyst, Side: phantom.Left, DiametersMM: [3]float64{10, 10, 10}},
	}
	var configs []phantom.Config
	for _, v := range phantom.Vendors() {
		configs = append(configs, phantom.Config{Seed: 11, Vendor: v, Lesions: lesions})
	}
	p, err := preparer(t, nil).Phantoms(t.Context(), "test", configs)
	if err != nil {
		t.Fatal(err)
	}
	for n, s := range p.Studies {
		sides := map[Kind]experts.Side{}
		for _, c := range s.Cases {
			if c.Missed {
				t.Errorf("%s: the %s lesion was not found", s.Vendor, c.Kind)
			}
			if want := c.Kind == Malignant; (c.Label == 1) != want {
				t.Errorf("%s: a %s candidate has label %d", s.Vendor, c.Kind, c.Label)
			}
			if c.Kind != Other {
				sides[c.Kind] = c.Side
			}
		}
		if sides[Malignant] != experts.Right || sides[Benign] != experts.Left {
			t.Errorf("%s: malignant on side %q, benign on side %q, want R and L", s.Vendor, sides[Malignant], sides[Benign])
		}
		if s.Label != 1 || !s.AgeYears.Known || s.Vendor != string(configs[n].Vendor) {
			t.Errorf("%s: study with label %d, age %v, vendor %q", configs[n].Vendor, s.Label, s.AgeYears, s.Vendor)
		}
	}
	if p.Tally.Known != 6 || p.Tally.Found != 6 {
		t.Errorf("tally %+v, want 6 of 6 lesions found", p.Tally)
	}
}

func TestPhantomsComeFromTheCache(t *testing.T) {
	dir := t.TempDir()
	configs := []phantom.Config{{Seed: 4, Vendor: phantom.GE}}
	read := func() (cases []Case, fromCache int) {
		c, err := OpenCache(dir, t0)
		if err != nil {
			t.Fatal(err)
		}
		p := preparer(t, c)
		p.cfg.Progress = func(s Progress) { fromCache = s.FromCache }
		out, err := p.Phantoms(t.Context(), "test", configs)
		if err != nil {
			t.Fatal(err)
		}
		return out.Labelled(), fromCache
	}
	first, fromCache := read()
	if fromCache != 0 || len(first) == 0 {
		t.Fatalf("first: %d cases, %d studies from the cache, want some and 0", len(first), fromCache)
	}
	second, fromCache := read()
	if fromCache != len(configs) || len(second) != len(first) {
		t.Fatalf("second: %d cases, %d studies from the cache, want %d and %d", len(second), fromCache, len(first), len(configs))
	}
	for n := range first {
		a, b := first[n], second[n]
		x, err := a.Input()
		if err != nil {
			t.Fatal(err)
		}
		y, err := b.Input()
		if err != nil {
			t.Fatal(err)
		}
		if a.Label != b.Label || a.Kind != b.Kind || a.CentreMM != b.CentreMM || a.Facts != b.Facts || !same(x, y) {
			t.Errorf("case %d differs: %+v, %+v", n, a, b)
		}
	}
}

func same(a, b fusion.Input) bool {
	for _, m := range experts.Modalities {
		x, y := a.Of(m), b.Of(m)
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if x[i] != y[i] {
				return false
			}
		}
	}
	return true
}
