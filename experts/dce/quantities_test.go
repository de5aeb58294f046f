package dce_test

import (
	"math"
	"slices"
	"testing"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/volume"
)

func near(t *testing.T, what string, got experts.Quantity, want, tolerance float64) {
	t.Helper()
	if !got.Known || !(math.Abs(got.Value-want) <= tolerance) {
		t.Errorf("%s: %+v, want %g within %g", what, got, want, tolerance)
	}
}

// TestFurtherKinetics: worked out by hand. float32 signals leave 1e-4 of a per cent.
func TestFurtherKinetics(t *testing.T) {
	mask := ball(16, 6)
	for _, c := range []struct {
		name                     string
		times, pe                []float64
		initial                  float64 // %
		class                    experts.InitialPhase
		washIn, delayed, washOut float64 // %/min, %, %/min
		curve                    experts.Curve
	}{
		// Phases of 90 s: their middles are 45 and 135 s after arrival, only the first lies within 2 min. 120 % in 0.75 min.
		// Early 250, late and last 190: -24 %, in the 4.5 min from 270 to 540 s.
		{name: "washout", times: times, pe: []float64{1.2, 1.6, 1.5, 1.2, 1.0, 0.9},
			initial: 120, class: experts.Fast, washIn: 160, delayed: -24, washOut: -24 / 4.5, curve: experts.Washout},
		// Phases of 60 s: middles 30 and 90 s, the second is the highest of the two, 75 % in 1.5 min. Early is 160 s after
		// 60 s: that of 180 s, signal 180; late 450 s after: that of 480 s, 207; last 540 s, 216, 6 min after the early one.
		{name: "persistent", times: []float64{0, 60, 120, 180, 240, 300, 360, 420, 480, 540},
			pe:      []float64{0.4, 0.75, 0.8, 0.8, 0.9, 0.95, 1, 1.07, 1.16},
			initial: 75, class: experts.Medium, washIn: 50, delayed: 15, washOut: 20. / 6, curve: experts.Persistent},
		// A pause before the injection does not make a phase longer: 60 s, its middle 30 s after 100 s.
		{name: "slow after a pause", times: []float64{0, 100, 160, 220, 280, 340, 400}, pe: []float64{0.2, 0.3, 0.4, 0.4, 0.4, 0.4},
			initial: 30, class: experts.Slow, washIn: 20, delayed: 0, washOut: 0, curve: experts.Plateau},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
			if _, err := expert(t, dce.Config{}).Read(t.Context(), study(c.times, c.pe, mask, 0, 1), nil, []*experts.Lesion{l}); err != nil {
				t.Fatal(err)
			}
			near(t, "initial enhancement, %", l.PEInitial, c.initial, 1e-3)
			near(t, "wash-in, %/min", l.WashIn, c.washIn, 1e-3)
			near(t, "delayed change, %", l.DelayedChange, c.delayed, 1e-3)
			near(t, "wash-out, %/min", l.WashOut, c.washOut, 1e-3)
			if l.InitialPhase != c.class || l.MeanCurve != c.curve {
				t.Errorf("%s and %s, want %s and %s", l.InitialPhase, l.MeanCurve, c.class, c.curve)
			}
		})
	}
}

// TestHotSpot: a cube of 27 voxels that enhances more and washes out, in a persistent lesion, is found and typed.
func TestHotSpot(t *testing.T) {
	mask := ball(24, 8)
	s := study(times, []float64{0.5, 0.6, 0.7, 0.9, 1.1, 1.3}, mask, 0, 1)
	hot := volume.Vec{14, 10, 12}
	for at := range mask.Data {
		i, j, k := mask.Voxel(at)
		if d := mask.Point(float64(i), float64(j), float64(k)).Sub(hot); max(math.Abs(d[0]), math.Abs(d[1]), math.Abs(d[2])) <= 1 {
			for n, e := range []float64{1.2, 1.6, 1.5, 1.2, 1.0, 0.9} {
				s.DCE[n+1].Volume.Data[at] = float32(100 * (1 + e))
			}
		}
	}
	// Hotter still, but single voxels at the surface, where no cube has half of its voxels in the lesion: not the spot.
	edge := slices.Index(mask.Data, true)
	s.DCE[3].Volume.Data[edge] = 1000
	small := &experts.Lesion{Label: "Lesion 2", Mask: volume.NewMask(mask.Grid)}
	small.Mask.Data[edge] = true
	l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
	if _, err := expert(t, dce.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{l, small}); err != nil {
		t.Fatal(err)
	}
	if l.HotSpot.CentreMM != hot || l.HotSpot.Voxels != 27 {
		t.Errorf("hot spot of %d voxels at %v, want 27 at %v", l.HotSpot.Voxels, l.HotSpot.CentreMM, hot)
	}
	near(t, "its early enhancement", l.HotSpot.PEEarly, 150, 1e-3)
	near(t, "its SER", l.HotSpot.SER, 1.5/0.9, 1e-5)
	if l.HotSpot.Curve != experts.Washout || l.HotSpot.Initial != experts.Fast || l.MeanCurve != experts.Persistent {
		t.Errorf("hot spot %s and %s, lesion %s; want washout, fast, persistent", l.HotSpot.Curve, l.HotSpot.Initial, l.MeanCurve)
	}
	if small.HotSpot.Voxels != 1 {
		t.Errorf("a lesion of one voxel has a hot spot of %d", small.HotSpot.Voxels)
	}
}

// TestFTVByHand: a plate of 3 x 3 voxels, in a region of 27 voxels of signal 100. Its corners have 3 neighbours in the
// plate, its edges 5, its middle 8: with at least 4 neighbours 5 of the 9 voxels of 1 mm3 count.
func TestFTVByHand(t *testing.T) {
	const pre, early, late = 0, 3, 6
	for _, c := range []struct {
		name  string
		phase int
		value float32 // of the plate's middle voxel; 0: as the others
		want  int     // voxels
	}{
		{"plate", 0, 0, 5},
		// The middle falls out; its four edge neighbours keep 4 of their 5 neighbours, the corners 2.
		{"middle enhances by 69 %", early, 169, 4},
		{"middle enhances by 70 %", early, 170, 5},
		{"late signal below the start", late, 99, 4},
		{"late signal at the start", late, 100, 4},
		// The 95th percentile is 100, as 26 of 27 voxels have it. A rise from 59 or 60 to 250 is far above 70 %.
		{"dark before contrast", pre, 59, 4},
		{"just bright enough", pre, 60, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			mask := volume.NewMask(cube(9))
			for k := 3; k < 6; k++ {
				for j := 3; j < 6; j++ {
					for i := 3; i < 6; i++ {
						mask.Data[mask.Index(i, j, k)] = true
					}
				}
			}
			s := study(times, make([]float64, 6), mask, 0, 1)
			for j := 3; j < 6; j++ {
				for i := 3; i < 6; i++ {
					for n := 1; n < 7; n++ {
						s.DCE[n].Volume.Data[mask.Index(i, j, 4)] = 250
					}
				}
			}
			if c.value > 0 {
				s.DCE[c.phase].Volume.Data[mask.Index(4, 4, 4)] = c.value
			}
			l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
			if _, err := expert(t, dce.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{l}); err != nil {
				t.Fatal(err)
			}
			near(t, "FTV, cm3", l.FTVCM3, float64(c.want)/1000, 1e-9)
		})
	}
}

func TestFurtherMaps(t *testing.T) {
	mask := ball(16, 5)
	op, err := expert(t, dce.Config{}).Read(t.Context(), study(times, []float64{1.2, 1.6, 1.5, 1.2, 1.0, 0.9}, mask, 0, 1), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	inside := mask.Index(8, 8, 8)
	for name, want := range map[string][2]float64{ // in the lesion; outside, where 5 % are too little for what needs a curve
		"wash_in": {160, 5 / 0.75}, "wash_out": {-24 / 4.5, 0}, "TTP": {180, 0},
	} {
		m := op.Maps[name]
		if m == nil {
			t.Fatalf("no map %q", name)
		}
		if got := [2]float64{float64(m.Data[inside]), float64(m.Data[0])}; math.Abs(got[0]-want[0]) > 1e-3 || math.Abs(got[1]-want[1]) > 1e-3 {
			t.Errorf("%s is %g in the lesion and outside, want %g", name, got, want)
		}
	}
}

// TestSettings: a program can tell which phases were read, and that times were assumed.
func TestSettings(t *testing.T) {
	mask := ball(12, 4)
	s := study(times, make([]float64, 6), mask, 0, 1)
	s.TimesKnown = false
	op, err := expert(t, dce.Config{FTVMinPE: 80}).Read(t.Context(), s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]experts.Setting{}
	for _, set := range op.Settings {
		if _, twice := seen[set.Name]; twice {
			t.Errorf("%q is stated twice", set.Name)
		}
		seen[set.Name] = set
	}
	for name, want := range map[string]experts.Setting{
		"phase times":                      {Text: "assumed"},
		"early phase":                      {Value: 4, Unit: "1"},
		"early phase begins after arrival": {Value: 180, Unit: "s"},
		"late phase begins after arrival":  {Value: 450, Unit: "s"},
		"duration of a phase":              {Value: 90, Unit: "s"},
		"FTV least early enhancement":      {Value: 80, Unit: "%"},
		"FTV least pre-contrast signal":    {Value: 60, Unit: "%"},
		"BPE marked from":                  {Value: 75, Unit: "%"},
		"FGT b from":                       {Value: 25, Unit: "%"},
	} {
		want.Name = name
		if seen[name] != want {
			t.Errorf("%q is stated as %+v, want %+v", name, seen[name], want)
		}
	}
}
