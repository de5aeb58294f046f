package lesion_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// What is drawn into a mask, around the origin; mm.

func drawnBall(r float64) func(volume.Vec) bool { return drawnEllipsoid(r, r, r) }

func drawnEllipsoid(a, b, c float64) func(volume.Vec) bool {
	return func(p volume.Vec) bool { return squares(p[0]/a, p[1]/b, p[2]/c) <= 1 }
}

// drawnStar is a ball with cones along both directions of the axes.
func drawnStar(r, reach, width float64) func(volume.Vec) bool {
	return func(p volume.Vec) bool {
		if p.Norm() <= r {
			return true
		}
		for a := range 3 {
			off := math.Sqrt(max(p.Dot(p)-p[a]*p[a], 0))
			if along := math.Abs(p[a]); along <= reach && off <= width*(1-along/reach/2) {
				return true
			}
		}
		return false
	}
}

// drawnComb is a plate with teeth along y.
func drawnComb(p volume.Vec) bool {
	if math.Abs(p[0]) > 12 || math.Abs(p[2]) > 6 || p[1] < -9 || p[1] > 11 {
		return false
	}
	return p[1] < 3 || int(math.Floor(p[0]/2))&1 == 0
}

// drawnWaves is a ball whose radius varies with direction.
func drawnWaves(r, part float64) func(volume.Vec) bool {
	return func(p volume.Vec) bool {
		n := p.Norm()
		if n == 0 {
			return true
		}
		wave := math.Sin(5*math.Atan2(p[1], p[0])) * (1 - p[2]*p[2]/n/n)
		return n <= r*(1+part*wave)
	}
}

// TestForm: drawn shapes fall where a reader puts them, and their features are what geometry says.
func TestForm(t *testing.T) {
	iso, thick := [3]float64{1, 1, 1}, [3]float64{0.8, 0.8, 2}
	type span struct{ low, high float64 }
	for _, c := range []struct {
		name                                                   string
		grid                                                   volume.Grid
		in                                                     func(volume.Vec) bool
		shape                                                  experts.Shape
		margin                                                 experts.Margin
		solidity, elongation, flatness, roughness, spiculation span
	}{
		// Moments of an ellipsoid are in the ratio of its axes; a convex set has solidity 1, a drawn one loses its steps, the
		// more the smaller it is. A star's cones hold a sixth of it.
		{"ball", cube(31, iso), drawnBall(10), experts.Round, experts.Circumscribed,
			span{0.96, 1}, span{0.98, 1}, span{0.98, 1}, span{0, 0.02}, span{0, 0.03}},
		{"ball of thick slices", cube(41, thick), drawnBall(10), experts.Round, experts.Circumscribed,
			span{0.96, 1}, span{0.97, 1}, span{0.97, 1}, span{0, 0.04}, span{0, 0.05}},
		{"small ball", cube(13, iso), drawnBall(3.2), experts.Round, experts.Circumscribed,
			span{0.94, 1}, span{0.95, 1}, span{0.95, 1}, span{0, 0.06}, span{0, 0.1}},
		{"ellipsoid", cube(41, iso), drawnEllipsoid(15, 9, 7.5), experts.Oval, experts.Circumscribed,
			span{0.97, 1}, span{0.58, 0.62}, span{0.48, 0.52}, span{0, 0.02}, span{0, 0.05}},
		{"star", cube(61, iso), drawnStar(9, 24, 2.8), experts.IrregularShape, experts.Spiculated,
			span{0.4, 0.8}, span{0.95, 1}, span{0.95, 1}, span{0.15, 0.8}, span{0.12, 0.6}},
		{"comb", cube(31, iso), drawnComb, experts.IrregularShape, experts.Spiculated,
			span{0.5, 0.9}, span{0.6, 1}, span{0.3, 0.8}, span{0.08, 0.5}, span{0.12, 0.6}},
		{"waves", cube(41, iso), drawnWaves(11, 0.25), experts.IrregularShape, experts.IrregularMargin,
			span{0.7, 0.9}, span{0.9, 1}, span{0.8, 1}, span{0.09, 0.25}, span{0, 0.12}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &experts.Lesion{Mask: drawn(c.grid, c.in)}
			lesion.Measure(l, nil)
			for _, q := range []struct {
				name string
				got  experts.Quantity
				want span
			}{
				{"solidity", l.Solidity, c.solidity},
				{"elongation", l.Elongation, c.elongation},
				{"flatness", l.Flatness, c.flatness},
				{"roughness", l.Roughness, c.roughness},
				{"spiculation", l.Spiculation, c.spiculation},
			} {
				if !q.got.Known || q.got.Value < q.want.low || q.got.Value > q.want.high {
					t.Errorf("%s: got %.4f (known: %t), want %.2f to %.2f", q.name, q.got.Value, q.got.Known, q.want.low, q.want.high)
				}
			}
			if l.Shape != c.shape || l.Margin != c.margin {
				t.Errorf("got %q, %q, want %q, %q; sphericity %.3f", l.Shape, l.Margin, c.shape, c.margin, l.Sphericity)
			}
		})
	}
}

// TestFormTooSmall: 18 voxels have no shape, and nothing is said of one.
func TestFormTooSmall(t *testing.T) {
	g := cube(9, [3]float64{3, 3, 3})
	l := &experts.Lesion{Mask: drawn(g, func(p volume.Vec) bool {
		return math.Abs(p[0]) <= 4 && math.Abs(p[1]) <= 4 && p[2] >= -1 && p[2] <= 4
	})}
	lesion.Measure(l, nil)
	lesion.Describe(l, volume.New(g), volume.New(g))
	if n := l.Mask.Count(); n != 18 {
		t.Fatalf("drew %d voxels, want 18", n)
	}
	if l.Shape != "" || l.Margin != "" || l.Internal != "" || l.Solidity.Known || l.Sharpness.Known || l.RimRatio.Known {
		t.Errorf("18 voxels: shape %q, margin %q, internal %q, solidity %v, sharpness %v, rim ratio %v; want none",
			l.Shape, l.Margin, l.Internal, l.Solidity, l.Sharpness, l.RimRatio)
	}
}

// TestMarginUnseen: the voxels of a ball of 4.6 voxels cannot show spicules, so its margin is not told; its shape is.
func TestMarginUnseen(t *testing.T) {
	l := &experts.Lesion{Mask: drawn(cube(9, [3]float64{1, 1, 1}), drawnBall(2.3))}
	lesion.Measure(l, nil)
	if l.Spiculation.Known || l.Margin != "" || l.Shape != experts.Round {
		t.Errorf("%d voxels: spiculation %v, margin %q, shape %q, want none, none, round", l.Mask.Count(), l.Spiculation, l.Margin, l.Shape)
	}
}

// TestFormTurns: features do not depend on how the grid lies in the patient.
func TestFormTurns(t *testing.T) {
	g := cube(51, [3]float64{1, 1, 1})
	sin, cos := math.Sincos(0.5)
	turned := g
	turned.Axis = [3]volume.Vec{{0, 0, -1}, {sin, cos, 0}, {cos, -sin, 0}}
	turned.Origin = volume.Vec{}
	turned.Origin = turned.Point(-25, -25, -25)
	var got [2]experts.Lesion
	for n, grid := range [2]volume.Grid{g, turned} {
		l := &experts.Lesion{Mask: drawn(grid, drawnEllipsoid(16, 11, 7))}
		lesion.Measure(l, nil)
		got[n] = *l
	}
	for _, q := range []struct {
		name string
		a, b float64
		tol  float64
	}{
		{"solidity", got[0].Solidity.Value, got[1].Solidity.Value, 0.02},
		{"elongation", got[0].Elongation.Value, got[1].Elongation.Value, 0.01},
		{"flatness", got[0].Flatness.Value, got[1].Flatness.Value, 0.01},
		{"roughness", got[0].Roughness.Value, got[1].Roughness.Value, 0.02},
		{"spiculation", got[0].Spiculation.Value, got[1].Spiculation.Value, 0.03},
	} {
		if math.Abs(q.a-q.b) > q.tol {
			t.Errorf("%s: %.4f, on a turned grid %.4f", q.name, q.a, q.b)
		}
	}
}

// lit returns the phases before and after contrast of a lesion that enhances by f, in tissue that does not.
func lit(g volume.Grid, noise float64, f func(p volume.Vec) float64) (pre, early *volume.Volume) {
	pre, early = volume.New(g), volume.New(g)
	rng := rand.New(rand.NewPCG(3, 4))
	for at := range pre.Data {
		i, j, k := g.Voxel(at)
		pre.Data[at] = 100 + float32(noise*rng.NormFloat64())
		early.Data[at] = 100 + float32(f(g.Point(float64(i), float64(j), float64(k)))+noise*rng.NormFloat64())
	}
	return pre, early
}

func TestDescribe(t *testing.T) {
	g := cube(33, [3]float64{1, 1, 1})
	const r = 11.0
	// edge is a surface over which the enhancement falls linearly within this width.
	edge := func(widthMM, height float64) func(volume.Vec) float64 {
		return func(p volume.Vec) float64 { return height * min(max((r-p.Norm())/widthMM+0.5, 0), 1) }
	}
	for _, c := range []struct {
		name                      string
		noise                     float64
		f                         func(volume.Vec) float64
		internal                  experts.Internal
		cv, rim, sharpness, point float64
		tolCV, tolRim, tolSharp   float64
	}{
		// The slope of a ramp is 1 over its width; central differences over 2 mm show that of a step as 1/2 across a face and
		// as 0.87 across a corner. Of a ramp of 6 mm the inner three fifths of the mask see the first 1.3 mm.
		{"even, sharp", 0, edge(1, 80), experts.Homogeneous, 0, 1, 0.6, 1, 0.01, 0.01, 0.1},
		{"even, blurred", 0, edge(6, 80), experts.Homogeneous, 0.05, 1, 0.17, 1, 0.03, 0.02, 0.03},
		{"even in noise", 10, edge(1, 80), experts.Homogeneous, 0, 1, 0.6, 0.9, 0.05, 0.03, 0.15},
		// 7 of 9.3 mm, the radius of the inner three fifths, are 0.43 of them.
		{"ring", 0, func(p volume.Vec) float64 {
			if n := p.Norm(); n > r {
				return 0
			} else if n < 7 {
				return 40
			}
			return 100
		}, experts.Rim, 0.40, 2.5, 0.67, 1, 0.1, 0.1, 0.1},
		{"dead core", 0, func(p volume.Vec) float64 {
			if n := p.Norm(); n > r || n < 7 {
				return 0
			}
			return 100
		}, experts.Rim, 0.87, 10, 0.67, 1, 0.15, 1e-9, 0.1},
		{"mottled", 0, func(p volume.Vec) float64 { // slabs of 4 mm at 50 and 100: 25 over 75
			if p.Norm() > r {
				return 0
			}
			return 50 + 50*float64(int(math.Floor((p[0]+2)/4))&1)
		}, experts.Heterogeneous, 0.33, 1, 0.6, 0.9, 0.05, 0.1, 0.15},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &experts.Lesion{Mask: drawn(g, drawnBall(r))}
			pre, early := lit(g, c.noise, c.f)
			lesion.Describe(l, pre, early)
			for _, q := range []struct {
				name      string
				got       experts.Quantity
				want, tol float64
			}{
				{"coefficient of variation", l.EnhancementCV, c.cv, c.tolCV},
				{"rim ratio", l.RimRatio, c.rim, c.tolRim},
				{"sharpness, 1/mm", l.Sharpness, c.sharpness, c.tolSharp},
				{"radial gradient", l.RadialGradient, c.point, 0.1},
			} {
				if !q.got.Known || math.Abs(q.got.Value-q.want) > q.tol {
					t.Errorf("%s: got %.4f (known: %t), want %.3f within %.3f", q.name, q.got.Value, q.got.Known, q.want, q.tol)
				}
			}
			if l.Internal != c.internal {
				t.Errorf("internal enhancement %q, want %q", l.Internal, c.internal)
			}
		})
	}
}

// TestDescribeSpicules: the gradient of a star's surface points less to the centre than that of its ball.
func TestDescribeSpicules(t *testing.T) {
	g := cube(61, [3]float64{1, 1, 1})
	var got [2]float64
	for n, in := range [2]func(volume.Vec) bool{drawnBall(10), drawnStar(10, 26, 3)} {
		l := &experts.Lesion{Mask: drawn(g, in)}
		pre, early := lit(g, 0, func(p volume.Vec) float64 {
			if in(p) {
				return 90
			}
			return 0
		})
		lesion.Describe(l, pre, early)
		got[n] = l.RadialGradient.Value
	}
	if !(got[0] > 0.9 && got[1] < 0.7) { // the gradient of a ball of voxels points along their axes
		t.Errorf("radial gradient of a ball %.3f, of a star %.3f; want above 0.9 and below 0.7", got[0], got[1])
	}
}

// TestDescribeRefuses: what cannot be described stays undescribed, and nothing panics.
func TestDescribeRefuses(t *testing.T) {
	g := cube(15, [3]float64{1, 1, 1})
	nan := volume.New(g)
	for at := range nan.Data {
		nan.Data[at] = float32(math.NaN())
	}
	falling := volume.New(g)
	for at := range falling.Data {
		falling.Data[at] = -5
	}
	full := drawn(g, func(volume.Vec) bool { return true })
	for name, c := range map[string]struct {
		mask       *volume.Mask
		pre, early *volume.Volume
	}{
		"no mask":       {nil, volume.New(g), volume.New(g)},
		"empty mask":    {volume.NewMask(g), volume.New(g), volume.New(g)},
		"no volume":     {full, nil, volume.New(g)},
		"other grid":    {full, volume.New(cube(9, g.SpacingMM)), volume.New(g)},
		"no values":     {full, volume.New(g), &volume.Volume{Grid: g}},
		"not numbers":   {full, volume.New(g), nan},
		"no rise":       {full, volume.New(g), volume.New(g)},
		"signal falls":  {full, volume.New(g), falling},
		"whole, not nm": {full, nan, nan},
	} {
		l := &experts.Lesion{Mask: c.mask}
		lesion.Describe(l, c.pre, c.early)
		if l.Internal != "" || l.EnhancementCV.Known || l.RimRatio.Known || l.Sharpness.Known {
			t.Errorf("%s: internal %q, cv %v, rim ratio %v, sharpness %v; want none", name, l.Internal, l.EnhancementCV, l.RimRatio, l.Sharpness)
		}
	}
}
