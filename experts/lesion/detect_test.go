package lesion_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

var (
	washout    = []float64{1.2, 1.6, 1.4, 1.3, 1.2, 1.1} // of the signal
	persistent = []float64{0.5, 0.8, 1.0, 1.2, 1.3, 1.4}
	minimal    = []float64{.05, .1, .12, .15, .15, .15}
	marked     = []float64{.3, .5, .6, .7, .7, .7}
)

// bilateral is a study of both breasts at 2.2 mm with three lesions, a vessel and a heart.
func bilateral() synthetic {
	return synthetic{
		grid: axial(146, 70, 66, [3]float64{2.2, 2.2, 2.2}), breastMM: 60, suppressed: true, noise: 4, seed: 1,
		background: minimal, left: true, right: true,
		lesions: []ball{
			{centre: volume.Vec{70, -20, 5}, radius: [3]float64{8, 8, 8}, pe: washout},
			{centre: volume.Vec{-90, -10, -15}, radius: [3]float64{4, 4, 4}, pe: persistent},
			{centre: volume.Vec{-75, -35, 18}, radius: [3]float64{9, 6, 6}, pe: persistent},
			{centre: volume.Vec{105, 5, 0}, radius: [3]float64{1.5, 0, 0}, vessel: true, halfLen: 28, pe: washout},
		},
	}
}

// read finds the breasts and lesions of s.
func read(t *testing.T, st *experts.Study, cfg lesion.Config) ([]experts.Breast, []*experts.Lesion, []string) {
	t.Helper()
	breasts, notes, err := lesion.Breasts(t.Context(), st)
	if err != nil {
		t.Fatalf("Breasts: %v", err)
	}
	found, more, err := lesion.Detect(t.Context(), st, breasts, cfg)
	if err != nil {
		t.Fatalf("Detect: %v", err)
	}
	return breasts, found, append(notes, more...)
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*synthetic)
	}{
		{"fat-suppressed", func(*synthetic) {}},
		{"not suppressed", func(s *synthetic) { s.suppressed = false }},
		{"marked background", func(s *synthetic) { // what enhances little more than the gland is not found: all wash out
			s.background = marked
			s.lesions[1].pe, s.lesions[2].pe = washout, washout
		}},
		{"noisy", func(s *synthetic) { s.noise, s.seed = 7, 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := bilateral()
			c.change(&s)
			_, found, notes := read(t, s.study(t, 6), lesion.Config{})
			if len(found) != 3 {
				t.Errorf("found %d candidates, want the 3 lesions; notes %q", len(found), notes)
			}
			for _, want := range s.lesions[:3] {
				cm3 := 4 * math.Pi / 3 * want.radius[0] * want.radius[1] * want.radius[2] / 1000
				nearest, off := (*experts.Lesion)(nil), math.Inf(1)
				for _, l := range found {
					if d := l.CentreMM.Sub(want.centre).Norm(); d < off {
						nearest, off = l, d
					}
				}
				if off > 2 { // a voxel
					t.Errorf("lesion at %v: nearest candidate is %.1f mm away", want.centre, off)
					continue
				}
				// A ball of 8 mm has seven tenths of its voxels at its surface.
				if r := nearest.VolumeCM3 / cm3; r < 0.75 || r > 1.35 {
					t.Errorf("%s at %v: volume %.3f cm3, want %.3f within a third", nearest.Label, want.centre, nearest.VolumeCM3, cm3)
				}
				if side := map[bool]experts.Side{true: experts.Left, false: experts.Right}[want.centre[0] > 0]; nearest.Side != side {
					t.Errorf("%s at %v: side %q, want %q", nearest.Label, want.centre, nearest.Side, side)
				}
			}
			for n := range found {
				if n > 0 && !(found[n].Suspicion <= found[n-1].Suspicion) {
					t.Errorf("%s has a suspicion of %g, the one before it of %g", found[n].Label, found[n].Suspicion, found[n-1].Suspicion)
				}
			}
			if len(found) > 0 && (found[0].Label != "Lesion 1" || found[0].CentreMM.Sub(s.lesions[0].centre).Norm() > 2) {
				t.Errorf("first is %q at %.0f, want Lesion 1, the large one with washout", found[0].Label, found[0].CentreMM)
			}
		})
	}
}

func TestDetectNothing(t *testing.T) {
	s := bilateral()
	s.lesions = s.lesions[3:] // the vessel
	_, found, notes := read(t, s.study(t, 6), lesion.Config{})
	for _, l := range found {
		t.Errorf("%s at %.0f, %.2f cm3 in a study without lesions", l.Label, l.CentreMM, l.VolumeCM3)
	}
	if len(notes) != 0 {
		t.Errorf("notes %q, want none", notes)
	}
}

// TestDetectSettings reads one study in several ways.
func TestDetectSettings(t *testing.T) {
	s := bilateral()
	st := s.study(t, 6)
	t.Run("most", func(t *testing.T) {
		_, found, notes := read(t, st, lesion.Config{MaxLesions: 1})
		if len(found) != 1 || found[0].CentreMM.Sub(s.lesions[0].centre).Norm() > 2 {
			t.Errorf("with MaxLesions 1: %d candidates, want the most suspicious alone", len(found))
		}
		if !strings.Contains(strings.Join(notes, " "), "3 regions") {
			t.Errorf("notes %q do not say that 3 regions were found", notes)
		}
	})
	t.Run("two phases", func(t *testing.T) { // the early phase is all there is
		two := *st
		two.DCE = []experts.Phase{st.DCE[0], st.DCE[2]}
		if _, found, _ := read(t, &two, lesion.Config{}); len(found) != 3 {
			t.Errorf("found %d candidates, want 3", len(found))
		}
	})
	t.Run("same again", func(t *testing.T) {
		_, first, _ := read(t, st, lesion.Config{})
		_, second, _ := read(t, st, lesion.Config{})
		if len(first) != len(second) {
			t.Fatalf("%d candidates, then %d", len(first), len(second))
		}
		for n := range first {
			if !slices.Equal(first[n].Mask.Data, second[n].Mask.Data) {
				t.Errorf("%s differs between two readings of one study", first[n].Label)
			}
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		breasts, _, _ := read(t, st, lesion.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := lesion.Breasts(ctx, st); !errors.Is(err, context.Canceled) {
			t.Errorf("Breasts: error %v, want context.Canceled", err)
		}
		if _, _, err := lesion.Detect(ctx, st, breasts, lesion.Config{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Detect: error %v, want context.Canceled", err)
		}
	})
}

func TestRefuses(t *testing.T) {
	g := cube(4, [3]float64{1, 1, 1})
	phases := func(volumes ...*volume.Volume) *experts.Study {
		st := &experts.Study{}
		for n, v := range volumes {
			st.DCE = append(st.DCE, experts.Phase{TimeS: 90 * float64(n), Volume: v})
		}
		return st
	}
	fine := phases(volume.New(g), volume.New(g))
	for _, c := range []struct {
		name    string
		study   *experts.Study
		breasts []experts.Breast
		cfg     lesion.Config
		want    string
	}{
		{"no phases", phases(), nil, lesion.Config{}, lesion.ErrNoDynamic.Error()},
		{"one phase", phases(volume.New(g)), nil, lesion.Config{}, lesion.ErrNoDynamic.Error()},
		{"no volume", phases(volume.New(g), nil), nil, lesion.Config{}, "dynamic phase 2"},
		{"other grid", phases(volume.New(g), volume.New(cube(5, g.SpacingMM))), nil, lesion.Config{}, "dynamic phase 2"},
		{"breast elsewhere", fine, []experts.Breast{{Side: experts.Left, Mask: volume.NewMask(cube(5, g.SpacingMM))}}, lesion.Config{}, "left breast"},
		{"breast without mask", fine, []experts.Breast{{Side: experts.Right}}, lesion.Config{}, "right breast"},
		{"negative setting", fine, nil, lesion.Config{MinPE: -1}, "MinPE"},
		{"not a number", fine, nil, lesion.Config{SmoothMM: math.NaN()}, "SmoothMM"},
		{"negative count", fine, nil, lesion.Config{MaxLesions: -1}, "MaxLesions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := lesion.Detect(t.Context(), c.study, c.breasts, c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, _, err := lesion.Breasts(t.Context(), phases()); !errors.Is(err, lesion.ErrNoDynamic) {
		t.Errorf("Breasts of no phases: error %v, want ErrNoDynamic", err)
	}
	if _, _, err := lesion.Breasts(t.Context(), phases(&volume.Volume{Grid: g})); err == nil {
		t.Error("Breasts of a volume without values: no error")
	}
}

// TestOddVolumes: none of these shows a breast; none may fail or be taken for one.
func TestOddVolumes(t *testing.T) {
	fill := func(g volume.Grid, f func(at int) float32) *volume.Volume {
		v := volume.New(g)
		for at := range v.Data {
			v.Data[at] = f(at)
		}
		return v
	}
	mm := [3]float64{3, 3, 3}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, v := range map[string]*volume.Volume{
		"zeros":        volume.New(cube(20, mm)),
		"one value":    fill(cube(20, mm), func(int) float32 { return 100 }),
		"not numbers":  fill(cube(20, mm), func(int) float32 { return nan }),
		"infinite":     fill(cube(20, mm), func(at int) float32 { return [2]float32{0, inf}[at&1] }),
		"negative":     fill(cube(20, mm), func(at int) float32 { return -float32(at) }),
		"one voxel":    fill(cube(1, mm), func(int) float32 { return 1 }),
		"huge voxels":  fill(cube(6, [3]float64{90, 90, 90}), func(at int) float32 { return float32(at) }),
		"noise":        fill(cube(30, mm), func(at int) float32 { return float32(at*7919%101) - 50 }),
		"no direction": fill(volume.Grid{Size: [3]int{8, 8, 8}, SpacingMM: mm}, func(at int) float32 { return float32(at) }),
	} {
		t.Run(name, func(t *testing.T) {
			st := &experts.Study{DCE: []experts.Phase{{Volume: v}, {TimeS: 90, Volume: v}}}
			breasts, _, err := lesion.Breasts(t.Context(), st)
			if err != nil {
				t.Fatal(err)
			}
			if found, _, err := lesion.Detect(t.Context(), st, breasts, lesion.Config{}); err != nil || len(found) > 0 {
				t.Errorf("%d candidates, error %v", len(found), err)
			}
		})
	}
}
