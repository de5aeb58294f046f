package lesion_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// turn returns the grid with its axes in another order and direction: order[a] is the old axis that becomes a.
func turn(g volume.Grid, order [3]int, flip [3]bool) volume.Grid {
	out := g
	var corner [3]float64
	for a, old := range order {
		out.Size[a], out.SpacingMM[a], out.Axis[a] = g.Size[old], g.SpacingMM[old], g.Axis[old]
		if flip[a] {
			out.Axis[a] = out.Axis[a].Scale(-1)
			corner[old] = float64(g.Size[old] - 1)
		}
	}
	out.Origin = g.Point(corner[0], corner[1], corner[2])
	return out
}

// half returns the part of the grid on one side, with this much beyond the midline.
func half(g volume.Grid, side experts.Side, beyondMM float64) volume.Grid {
	n := int((float64(g.Size[0])*g.SpacingMM[0]/2 + beyondMM) / g.SpacingMM[0])
	if side == experts.Left {
		g.Origin[0] += float64(g.Size[0]-n) * g.SpacingMM[0]
	}
	g.Size[0] = n
	return g
}

func TestBreasts(t *testing.T) {
	wide := axial(130, 66, 62, [3]float64{2.5, 2.5, 2.5})
	for _, c := range []struct {
		name        string
		change      func(*synthetic)
		left, right bool
		dice        float64 // least, against skin to muscle of the drawn breasts
		note        string
	}{
		{"fat-suppressed", func(*synthetic) {}, true, true, 0.9, ""},
		{"not suppressed", func(s *synthetic) { s.suppressed = false }, true, true, 0.9, ""},
		{"small breasts", func(s *synthetic) { s.breastMM = 30 }, true, true, 0.85, ""},
		{"flat, as supine", func(s *synthetic) { s.breastMM = 14 }, true, true, 0.75, ""},
		{"noisy", func(s *synthetic) { s.noise = 8 }, true, true, 0.88, ""},
		{"bottom up", func(s *synthetic) { s.grid = turn(wide, [3]int{0, 1, 2}, [3]bool{true, true, true}) }, true, true, 0.9, ""},
		{"sagittal", func(s *synthetic) { s.grid = turn(wide, [3]int{1, 2, 0}, [3]bool{false, true, false}) }, true, true, 0.9, ""},
		{"coronal", func(s *synthetic) { s.grid = turn(wide, [3]int{0, 2, 1}, [3]bool{false, true, true}) }, true, true, 0.9, ""},
		{"left only", func(s *synthetic) { s.grid = half(wide, experts.Left, 0) }, true, false, 0.85, "No right breast"},
		{"right only, past the midline", func(s *synthetic) { s.grid = half(wide, experts.Right, 25) }, false, true, 0.85, "No left breast"},
		{"sagittal, right only", func(s *synthetic) {
			s.grid = turn(half(wide, experts.Right, 0), [3]int{1, 2, 0}, [3]bool{false, true, false})
		}, false, true, 0.85, "No left breast"},
		{"thick slices", func(s *synthetic) { s.grid = axial(160, 82, 31, [3]float64{2, 2, 5}) }, true, true, 0.88, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := bilateral()
			s.grid, s.lesions = wide, nil
			c.change(&s)
			breasts, notes, err := lesion.Breasts(t.Context(), s.study(t, 1))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(notes, " "), c.note) {
				t.Errorf("notes %q do not say %q", notes, c.note)
			}
			var want []experts.Side
			if c.left {
				want = append(want, experts.Left)
			}
			if c.right {
				want = append(want, experts.Right)
			}
			if len(breasts) != len(want) {
				t.Fatalf("%d breasts, want %q; notes %q", len(breasts), want, notes)
			}
			for n, b := range breasts {
				if b.Side != want[n] {
					t.Errorf("breast %d is %q, want %q", n, b.Side, want[n])
				}
				s.check(t, b, c.dice)
			}
		})
	}
}

// TestWall: the region ends where the images show the muscle, also where the chest is not built as most are.
func TestWall(t *testing.T) {
	for _, suppressed := range [2]bool{true, false} {
		for _, deeperMM := range [3]float64{-3, 0, 9} {
			s := bilateral()
			s.grid, s.lesions, s.suppressed, s.deeperMM = axial(130, 66, 62, [3]float64{2.5, 2.5, 2.5}), nil, suppressed, deeperMM
			breasts, _, err := lesion.Breasts(t.Context(), s.study(t, 1))
			if err != nil {
				t.Fatal(err)
			}
			if len(breasts) != 2 {
				t.Fatalf("%d breasts, want 2", len(breasts))
			}
			for _, b := range breasts {
				g := &b.Mask.Grid
				var off []float64
				for k := range g.Size[2] {
					for i := range g.Size[0] {
						p := g.Point(float64(i), 0, float64(k))
						if math.Hypot(math.Abs(p[0])-breastX, p[2]) > 40 || (p[0] > 0) != (b.Side == experts.Left) {
							continue
						}
						half, deep := thoraxA-wallDepth-deeperMM, thoraxB-wallDepth-deeperMM
						muscle := sternumY + thoraxB - deep*math.Sqrt(1-p[0]*p[0]/(half*half))
						back := math.Inf(-1)
						for j := range g.Size[1] {
							if b.Mask.Data[g.Index(i, j, k)] {
								back = g.Point(0, float64(j)+0.5, 0)[1]
							}
						}
						off = append(off, math.Abs(back-muscle))
					}
				}
				slices.Sort(off)
				if middle := off[len(off)/2]; middle > 1.5 { // a little more than half a voxel
					t.Errorf("%s breast, fat suppressed %t, muscle %+.0f mm: the wall is off by %.1f mm, want 1.5", b.Side, suppressed, deeperMM, middle)
				}
			}
		}
	}
}

// check compares a breast's region with the drawn one: Dice overlap, nothing of heart and lung, and the gland.
func (s *synthetic) check(t *testing.T, b experts.Breast, dice float64) {
	t.Helper()
	g := &b.Mask.Grid
	var both, found, drawn, deep, glandBoth, gland float64
	for at, in := range b.Mask.Data {
		i, j, k := g.Voxel(at)
		p := g.Point(float64(i), float64(j), float64(k))
		d := volume.Vec{math.Abs(p[0]) - breastX, p[1] - sternumY - 25, p[2]}
		muscle := squares(p[0]/(thoraxA-wallDepth), (p[1]-sternumY-thoraxB)/(thoraxB-wallDepth), 0) <= 1
		front := d[1]
		if front > 0 {
			front = 0
		}
		inside := !muscle && d[1] < 35 && (p[0] > 0) == (b.Side == experts.Left) &&
			squares(d[0]/breastR, front/(s.breastMM+25), d[2]/breastR) <= 1
		lobule := inside && squares(d[0]/35, (d[1]/(s.breastMM+25)+.35)/.45, d[2]/35) <= 1 &&
			int(math.Floor(p[0]/8)+math.Floor(p[1]/8)+math.Floor(p[2]/8))&3 != 0
		count := func(n *float64, yes bool) {
			if yes {
				*n++
			}
		}
		count(&found, in)
		count(&drawn, inside)
		count(&both, in && inside)
		count(&deep, in && squares(p[0]/(thoraxA-wallDepth-15), (p[1]-sternumY-thoraxB)/(thoraxB-wallDepth-15), 0) <= 1)
		count(&gland, lobule)
		count(&glandBoth, lobule && b.Fibroglandular != nil && b.Fibroglandular.Data[at])
	}
	if d := 2 * both / (found + drawn); d < dice {
		t.Errorf("%s breast: Dice %.3f with the drawn one, want %.2f at least (%.0f cm3 found, %.0f drawn)",
			b.Side, d, dice, found*g.VoxelMM3()/1000, drawn*g.VoxelMM3()/1000)
	}
	if deep > 0 {
		t.Errorf("%s breast holds %.1f cm3 of the chest's inside", b.Side, deep*g.VoxelMM3()/1000)
	}
	if b.Fibroglandular == nil {
		t.Errorf("%s breast: no fibroglandular tissue", b.Side)
	} else if glandBoth < 0.7*gland { // lobules of 8 mm are three voxels wide: more surface than inside
		t.Errorf("%s breast: %.0f%% of the drawn gland found, want 70%% at least", b.Side, 100*glandBoth/gland)
	}
}
