package lesion_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// drawn returns the mask of the voxels whose centres are in.
func drawn(g volume.Grid, in func(p volume.Vec) bool) *volume.Mask {
	m := volume.NewMask(g)
	for at := range m.Data {
		i, j, k := g.Voxel(at)
		m.Data[at] = in(g.Point(float64(i), float64(j), float64(k)))
	}
	return m
}

// cube returns a grid of n voxels a side around the origin.
func cube(n int, mm [3]float64) volume.Grid {
	g := volume.Grid{
		Size:      [3]int{n, n, n},
		Axis:      [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		SpacingMM: mm,
	}
	for a := range 3 {
		g.Origin[a] = -mm[a] * float64(n-1) / 2
	}
	return g
}

func TestMeasureShape(t *testing.T) {
	ellipsoid := func(a, b, c, turn float64) func(volume.Vec) bool {
		sin, cos := math.Sincos(turn)
		return func(p volume.Vec) bool {
			x, y := cos*p[0]+sin*p[1], cos*p[1]-sin*p[0]
			return math.Hypot(math.Hypot(x/a, y/b), p[2]/c) <= 1
		}
	}
	box := func(x, y, z float64) func(volume.Vec) bool {
		return func(p volume.Vec) bool {
			return math.Abs(p[0]) <= x/2 && math.Abs(p[1]) <= y/2 && math.Abs(p[2]) <= z/2
		}
	}
	iso, thick := [3]float64{1, 1, 1}, [3]float64{0.8, 0.8, 2}
	for _, c := range []struct {
		name                                string
		grid                                volume.Grid
		in                                  func(volume.Vec) bool
		cm3, longMM, shortMM, sphericity    float64
		tolCM3, tolLong, tolShort, tolSpher float64
	}{
		// A voxel's faces lie 1 mm apart; as the smallest digital shape its surface has no meaning beyond "compact".
		{"one voxel", cube(5, iso), box(1, 1, 1), 0.001, 1, 0.71, 0.9, 0, 1e-9, 0.35, 0.1},
		// Ends at the outer faces of the first and last voxel: 11 mm. Surfaces one voxel apart are not told by lines.
		{"rod", cube(21, iso), box(11, 1, 1), 0.011, 11, 1, 0.52, 0, 1e-6, 0.1, 0.3},
		// A digital ball is known to about half a voxel across and its area to a few per cent.
		{"ball", cube(31, iso), ellipsoid(10, 10, 10, 0), 4.189, 20, 20, 1, 0.06, 1, 1, 0.04},
		{"ball of thick slices", cube(41, thick), ellipsoid(10, 10, 10, 0), 4.189, 20, 20, 1, 0.1, 2, 2, 0.05},
		{"small ball", cube(9, iso), ellipsoid(2.5, 2.5, 2.5, 0), 0.0654, 5, 5, 1, 0.02, 1, 1, 0.1},
		// Sphericity of an ellipsoid of half axes 15, 7, 7 by Thomsen's formula for its surface.
		{"turned ellipsoid", cube(35, iso), ellipsoid(15, 7, 7, 0.6), 3.079, 30, 14, 0.910, 0.06, 1, 1, 0.05},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &experts.Lesion{Mask: drawn(c.grid, c.in)}
			lesion.Measure(l, nil)
			for _, q := range []struct {
				name           string
				got, want, tol float64
			}{
				{"volume, cm3", l.VolumeCM3, c.cm3, c.tolCM3 + 1e-9},
				{"long axis, mm", l.LongAxisMM, c.longMM, c.tolLong},
				{"short axis, mm", l.ShortAxisMM, c.shortMM, c.tolShort},
				{"sphericity", l.Sphericity, c.sphericity, c.tolSpher},
				{"centre, mm", l.CentreMM.Norm(), 0, 0.01},
			} {
				if math.Abs(q.got-q.want) > q.tol {
					t.Errorf("%s: got %.4f, want %.4f within %.4f", q.name, q.got, q.want, q.tol)
				}
			}
		})
	}
}

// TestLongAxisExact compares with all pairs of face centres: the hulls must not lose the farthest one.
func TestLongAxisExact(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		g := cube(14, [3]float64{0.7, 0.9, 1.7})
		m := volume.NewMask(g)
		for range 1 + rng.IntN(60) {
			m.Data[g.Index(rng.IntN(14), rng.IntN(14), rng.IntN(14))] = true
		}
		var faces []volume.Vec
		for at, in := range m.Data {
			i, j, k := g.Voxel(at)
			for axis := range 3 {
				for _, side := range [2]float64{-0.5, 0.5} {
					p := [3]float64{float64(i), float64(j), float64(k)}
					p[axis] += side
					if in { // inner faces cannot be farther out than outer ones
						faces = append(faces, g.Point(p[0], p[1], p[2]))
					}
				}
			}
		}
		want := 0.0
		for a, p := range faces {
			for _, q := range faces[a+1:] {
				want = max(want, p.Sub(q).Norm())
			}
		}
		l := &experts.Lesion{Mask: m}
		lesion.Measure(l, nil)
		if math.Abs(l.LongAxisMM-want) > 1e-9 {
			t.Errorf("seed %d: long axis %.6f mm, want %.6f", seed, l.LongAxisMM, want)
		}
		if l.ShortAxisMM > l.LongAxisMM {
			t.Errorf("seed %d: short axis %.3f mm is longer than the long axis %.3f", seed, l.ShortAxisMM, l.LongAxisMM)
		}
	}
}

func TestMeasurePlace(t *testing.T) {
	g := axial(60, 30, 30, [3]float64{5, 5, 5}) // breasts reach from y -60 to 30 at x = +-80
	breast := func(side experts.Side, x float64) experts.Breast {
		return experts.Breast{Side: side, Mask: drawn(g, func(p volume.Vec) bool {
			return p[1] < 30 && math.Hypot(math.Hypot((p[0]-x)/50, (p[1]-30)/90), p[2]/50) <= 1
		})}
	}
	breasts := []experts.Breast{breast(experts.Left, 80), breast(experts.Right, -80)}
	for _, c := range []struct {
		name     string
		at       volume.Vec
		breasts  []experts.Breast
		side     experts.Side
		quadrant string
	}{
		{"left outer", volume.Vec{105, 0, 20}, breasts, experts.Left, "upper outer"},
		{"left inner", volume.Vec{55, 0, 20}, breasts, experts.Left, "upper inner"},
		{"right outer", volume.Vec{-105, 0, -20}, breasts, experts.Right, "lower outer"},
		{"right inner", volume.Vec{-55, 0, -20}, breasts, experts.Right, "lower inner"},
		{"no breasts, left", volume.Vec{20, 0, 0}, nil, experts.Left, ""},
		{"no breasts, right", volume.Vec{-20, 0, 0}, nil, experts.Right, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &experts.Lesion{Mask: drawn(g, func(p volume.Vec) bool { return p.Sub(c.at).Norm() <= 8 })}
			lesion.Measure(l, c.breasts)
			if l.Side != c.side || l.Quadrant != c.quadrant {
				t.Errorf("lesion at %v: got %q %q, want %q %q", c.at, l.Side, l.Quadrant, c.side, c.quadrant)
			}
		})
	}
}

func TestMeasureEmpty(t *testing.T) {
	for name, m := range map[string]*volume.Mask{"none": nil, "empty": volume.NewMask(cube(4, [3]float64{1, 1, 1}))} {
		l := &experts.Lesion{Mask: m, LongAxisMM: 7}
		lesion.Measure(l, nil)
		if l.LongAxisMM != 7 || l.VolumeCM3 != 0 {
			t.Errorf("mask %s: lesion was changed to long axis %g mm, volume %g cm3", name, l.LongAxisMM, l.VolumeCM3)
		}
	}
}

func TestCover(t *testing.T) {
	g := cube(40, [3]float64{1, 1, 1})
	ball := drawn(g, func(p volume.Vec) bool { return p.Sub(volume.Vec{3, -2, 1}).Norm() <= 8 })
	sin, cos := math.Sincos(0.4)
	turned := cube(30, [3]float64{2, 1.5, 3})
	turned.Axis = [3]volume.Vec{{cos, sin, 0}, {-sin, cos, 0}, {0, 0, -1}}
	turned.Origin = volume.Vec{}
	turned.Origin = turned.Point(-14.5, -14.5, -14.5)
	far := cube(10, [3]float64{1, 1, 1})
	far.Origin = volume.Vec{500, 0, 0}
	broken := cube(10, [3]float64{0, 1, 1})
	for _, c := range []struct {
		name    string
		onto    volume.Grid
		samples int
		want    float64 // of the ball's volume
		tol     float64
	}{
		{"same grid", g, 1, 1, 0},
		{"finer", cube(80, [3]float64{0.5, 0.5, 0.5}), 1, 1, 0.001},
		{"turned, other spacing", turned, 4, 1, 0.02}, // 64 samples a voxel
		{"thick voxels", cube(5, [3]float64{30, 30, 30}), 8, 1, 0.1},
		{"elsewhere", far, 3, 0, 0},
		{"no extent", broken, 3, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			sum, last := 0.0, -1
			for _, p := range lesion.Cover(ball, &c.onto, c.samples) {
				if p.Index <= last || p.Index >= c.onto.Len() || !(p.Fraction > 0 && p.Fraction <= 1) {
					t.Fatalf("part %+v after index %d", p, last)
				}
				last = p.Index
				sum += p.Fraction * c.onto.VoxelMM3()
			}
			if got := sum / 1000 / ball.VolumeCM3(); math.Abs(got-c.want) > c.tol {
				t.Errorf("covers %.4f of the mask's volume, want %.4f within %.4f", got, c.want, c.tol)
			}
		})
	}
}
