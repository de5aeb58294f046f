package lesion_test

import (
	"fmt"
	"math"
	"testing"

	"mome/experts/lesion"
	"mome/experts/volume"
)

// several is a study as one has, of several shapes.
func several(mm float64, lesions ...ball) synthetic {
	s := one(mm, ball{})
	s.lesions = lesions
	return s
}

// round is a ball that enhances by these parts of the signal.
func round(x, y, z, radiusMM float64, pe []float64) ball {
	return ball{centre: volume.Vec{x, y, z}, radius: [3]float64{radiusMM, radiusMM, radiusMM}, pe: pe}
}

// TestTouching: of lesions that touch, of one with bosses and of one in fragments, how many findings come out, where, and
// how large. Rims of 4 mm with a gap, and a lesser ball of 10 mm, need voxels finer than 2.2 mm: they are told from
// one another by two voxels there.
func TestTouching(t *testing.T) {
	weak, faint, dark := []float64{0.8, 1.1}, []float64{0.6, 0.85}, []float64{0.02, 0.03}
	one := func(x, y, z, radiusMM float64) ball { return round(x, y, z, radiusMM, nil) }
	two := []ball{one(63, -20, 0, 7), one(77, -20, 0, 7)}
	both := []float64{1.5, 2.2}
	for _, c := range []struct {
		name string
		mm   []float64 // voxels
		draw []ball
		want []ball // where findings are due; the radius is that of the ball of their volume
	}{
		{"touching", both, []ball{round(63, -20, 0, 7, washout), round(77, -20, 0, 7, washout)}, two},
		{"overlapping", both, []ball{round(64, -20, 0, 7, washout), round(76, -20, 0, 7, washout)},
			[]ball{one(64, -20, 0, 6.9), one(76, -20, 0, 6.9)}},
		{"a millimetre apart", both, []ball{round(62.5, -20, 0, 7, washout), round(77.5, -20, 0, 7, washout)},
			[]ball{one(62.5, -20, 0, 7), one(77.5, -20, 0, 7)}},
		{"across slices", both, []ball{round(70, -20, -7, 7, washout), round(70, -20, 6, 7, washout)},
			[]ball{one(70, -20, -7, 7), one(70, -20, 6, 7)}},
		{"weaker", both, []ball{round(63, -20, 0, 7, washout), round(77, -20, 0, 7, weak)}, two},
		{"faint", both, []ball{round(63, -20, 0, 7, washout), round(77, -20, 0, 7, faint)}, two},
		{"weaker, overlapping", both, []ball{round(64, -20, 0, 7, washout), round(76, -20, 0, 7, weak)},
			[]ball{one(64, -20, 0, 7), one(76, -20, 0, 6.8)}},
		{"lesser", []float64{1.5}, []ball{round(63, -20, 0, 8, washout), round(75, -20, 0, 5, washout)},
			[]ball{one(63, -20, 0, 8), one(75, -20, 0, 5)}},
		{"dumbbell", both, []ball{round(60, -20, 0, 6, washout), round(80, -20, 0, 6, washout),
			{centre: volume.Vec{70, -20, 0}, radius: [3]float64{8, 2.5, 2.5}, pe: washout}},
			[]ball{one(60, -20, 0, 6), one(80, -20, 0, 6)}},
		{"lobulated", both, []ball{round(66, -20, 0, 7, washout), round(74, -20, 0, 7, washout), round(70, -25, 3, 6, washout)},
			[]ball{one(70, -21, 0.7, 8.7)}},
		{"oval", both, []ball{{centre: volume.Vec{70, -20, 0}, radius: [3]float64{13, 6, 6}, pe: washout}}, []ball{one(70, -20, 0, 7.8)}},
		{"rim with a gap", []float64{1.5}, []ball{round(70, -20, 0, 6, dark),
			{centre: volume.Vec{79, -20, 0}, radius: [3]float64{4, 1.2, 12}, pe: dark}, round(70, -20, 0, 10, washout)},
			[]ball{one(70, -20, 0, 10)}},
		{"rim in two arcs", []float64{1.5}, []ball{round(70, -20, 0, 5, dark),
			{centre: volume.Vec{70, -20, 0}, radius: [3]float64{14, 1.2, 14}, pe: dark}, round(70, -20, 0, 10, washout)},
			[]ball{one(70, -20, 0, 10)}},
		{"vessel through it", both, []ball{
			{centre: volume.Vec{70, -20, 0}, radius: [3]float64{1.5, 0, 0}, vessel: true, halfLen: 24, pe: washout}, round(70, -20, 0, 7, washout)},
			[]ball{one(70, -20, 0, 7.25)}}, // with the vessel's first millimetres
	} {
		for _, mm := range c.mm {
			t.Run(fmt.Sprintf("%s at %g mm", c.name, mm), func(t *testing.T) {
				s := several(mm, c.draw...)
				_, found, _ := read(t, s.study(t, 3), lesion.Config{})
				if len(found) != len(c.want) {
					t.Errorf("%d findings, want %d", len(found), len(c.want))
				}
				for _, w := range c.want {
					l := near(found, w.centre, 1.2) // of the parts of two balls that overlap, half of the cap's shift
					if l == nil {
						t.Errorf("no finding at %.0f", w.centre)
						continue
					}
					// Where two are parted along a plane of voxels, half a voxel is an eighth of a ball of 14 mm at 2.2 mm.
					want := 4 * math.Pi / 3 * math.Pow(w.radius[0], 3) / 1000
					if r := l.VolumeCM3 / want; r < 0.85 || r > 1.15 {
						t.Errorf("volume %.2f cm3 at %.0f, want %.2f", l.VolumeCM3, w.centre, want)
					}
				}
			})
		}
	}
}

// TestNeighbours: two lesions as close as fragments may be, with gland between, are two, and each is told of the other; so
// are two that touch.
func TestNeighbours(t *testing.T) {
	for _, c := range []struct {
		name  string
		apart float64 // mm from surface to surface
		pe    []float64
	}{
		{"touching", 0, washout},
		{"gland between", 3, washout},
		{"another curve", 2, []float64{0.7, 1.2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			flat := func(y float64, pe []float64) ball {
				return ball{centre: volume.Vec{72, y, 4}, radius: [3]float64{8, 5, 8}, pe: pe}
			}
			s := several(1.5, flat(-20-5-c.apart/2, washout), flat(-20+5+c.apart/2, c.pe))
			_, found, _ := read(t, s.study(t, 3), lesion.Config{})
			if len(found) != 2 {
				t.Fatalf("%d findings, want 2", len(found))
			}
			for n, l := range found {
				if len(l.Neighbours) != 1 || l.Neighbours[0].To != found[1-n] || l.Neighbours[0].Spread == "" {
					t.Errorf("%s: neighbours %v, want the other one", l.Label, l.Neighbours)
				} else if gap := l.Neighbours[0].GapMM; math.Abs(gap-c.apart) > 1.5 {
					t.Errorf("%s: gap %.1f mm, want %.1f within a voxel", l.Label, gap, c.apart)
				}
			}
		})
	}
}
