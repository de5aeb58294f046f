package registration

import (
	"math"

	"mome/experts/volume"
)

// spline is a displacement field of uniform cubic B-splines, patient space, mm (Rueckert et al. 1999, eq. 2). Beyond its
// knots it falls to zero, smoothly.
type spline struct {
	grid  volume.Grid  // of the knots
	coeff [3][]float32 // x, y, z of each knot's coefficient, mm; [k, j, i], i fastest
}

// maxKnots bounds a lattice: 4 Mi knots are 48 MiB, and hours of work.
const maxKnots = 1 << 22

// newSpline returns a field of zeros over the box of g, two knots wider on each side so that it can fade.
func newSpline(g *volume.Grid, knotMM float64) *spline {
	lattice := volume.Grid{Axis: g.Axis, Origin: g.Origin, FrameOfReference: g.FrameOfReference}
	for a := range 3 {
		extentMM := float64(g.Size[a]-1) * g.SpacingMM[a]
		n := int(math.Ceil(extentMM/knotMM)) + 1
		rimMM := (float64(n-1)*knotMM - extentMM) / 2
		lattice.Size[a], lattice.SpacingMM[a] = n+4, knotMM
		lattice.Origin = lattice.Origin.Sub(g.Axis[a].Scale(2*knotMM + rimMM))
	}
	s := &spline{grid: lattice}
	for a := range s.coeff {
		s.coeff[a] = make([]float32, lattice.Len())
	}
	return s
}

// splineTap holds the four knots along one axis that a place depends on, and their weights.
type splineTap struct {
	at [4]int // index along the axis
	w  [4]float32
}

// tapAt returns the knots around x, in units of knots, of n. Knots beyond the lattice weigh nothing.
func splineTapAt(x float64, n int) splineTap {
	base := math.Floor(x)
	f := x - base
	g := 1 - f
	w := [4]float64{g * g * g / 6, (3*f*f*f - 6*f*f + 4) / 6, (3*g*g*g - 6*g*g + 4) / 6, f * f * f / 6}
	var t splineTap
	if !(base > -4 && base < float64(n)+4) {
		return t
	}
	for m := range 4 {
		if at := int(base) - 1 + m; at >= 0 && at < n {
			t.at[m], t.w[m] = at, float32(w[m])
		}
	}
	return t
}

// at returns the displacement of p.
func (s *spline) at(p volume.Vec) volume.Vec {
	x, y, z := s.grid.At(p)
	tx, ty, tz := splineTapAt(x, s.grid.Size[0]), splineTapAt(y, s.grid.Size[1]), splineTapAt(z, s.grid.Size[2])
	var u volume.Vec
	for c := range 4 {
		for b := range 4 {
			wyz := tz.w[c] * ty.w[b]
			if wyz == 0 {
				continue
			}
			row := s.grid.Index(0, ty.at[b], tz.at[c])
			for a := range 4 {
				w := float64(wyz * tx.w[a])
				at := row + tx.at[a]
				u[0] += w * float64(s.coeff[0][at])
				u[1] += w * float64(s.coeff[1][at])
				u[2] += w * float64(s.coeff[2][at])
			}
		}
	}
	return u
}

// tables are the taps of every index of a grid whose axes run along the lattice's: B-splines are separable.
type tables struct {
	size  [3]int
	knots [3]int
	tap   [3][]splineTap
}

// on returns the tables of g; ok is false where its axes are not the lattice's.
func (s *spline) on(g *volume.Grid) (t *tables, ok bool) {
	t = &tables{size: g.Size, knots: s.grid.Size}
	for a := range 3 {
		for b := range 3 {
			along := g.Axis[a].Dot(s.grid.Axis[b])
			if a != b && math.Abs(along)*g.SpacingMM[a]*float64(g.Size[a]) > 1e-3*s.grid.SpacingMM[b] || a == b && math.Abs(along) < 0.999 {
				return nil, false
			}
		}
	}
	x0, y0, z0 := s.grid.At(g.Origin)
	for a, first := range [3]float64{x0, y0, z0} {
		step := g.Axis[a].Dot(s.grid.Axis[a]) * g.SpacingMM[a] / s.grid.SpacingMM[a]
		t.tap[a] = make([]splineTap, g.Size[a])
		for i := range t.tap[a] {
			t.tap[a][i] = splineTapAt(first+float64(i)*step, s.grid.Size[a])
		}
	}
	return t, true
}

// expand writes the displacements of slice k to out, per component [row, column].
func (t *tables) expand(s *spline, k int, out *[3][]float32) {
	mx, my := t.knots[0], t.knots[1]
	plane, row := make([]float32, mx*my), make([]float32, mx)
	for c := range 3 {
		combine(plane, s.coeff[c], &t.tap[2][k], mx*my)
		for j := range t.size[1] {
			combine(row, plane, &t.tap[1][j], mx)
			to := out[c][j*t.size[0]:][:t.size[0]]
			for i := range to {
				x := &t.tap[0][i]
				to[i] = x.w[0]*row[x.at[0]] + x.w[1]*row[x.at[1]] + x.w[2]*row[x.at[2]] + x.w[3]*row[x.at[3]]
			}
		}
	}
}

// combine sets dst to the weighted sum of four lines of src that are stride apart.
func combine(dst, src []float32, t *splineTap, stride int) {
	a, b, c, d := src[t.at[0]*stride:][:len(dst)], src[t.at[1]*stride:][:len(dst)], src[t.at[2]*stride:][:len(dst)], src[t.at[3]*stride:][:len(dst)]
	for i := range dst {
		dst[i] = t.w[0]*a[i] + t.w[1]*b[i] + t.w[2]*c[i] + t.w[3]*d[i]
	}
}

// reduce is the adjoint of expand within a slice: it sums forces, [row, column], into the knots of one plane, [j, i].
func (t *tables) reduce(force *[3][]float32, out *[3][]float32) {
	mx := t.knots[0]
	row := make([]float32, mx)
	for c := range 3 {
		clear(out[c])
		for j := range t.size[1] {
			clear(row)
			for i, f := range force[c][j*t.size[0]:][:t.size[0]] {
				if f == 0 {
					continue
				}
				x := &t.tap[0][i]
				for m := range 4 {
					row[x.at[m]] += x.w[m] * f
				}
			}
			y := &t.tap[1][j]
			for m := range 4 {
				if y.w[m] == 0 {
					continue
				}
				to := out[c][y.at[m]*mx:][:mx]
				for i, v := range row {
					to[i] += y.w[m] * v
				}
			}
		}
	}
}
