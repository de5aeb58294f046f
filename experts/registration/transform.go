package registration

import (
	"math"

	"mome/experts/volume"
)

// Transform maps places of the fixed volume to places of the moving one: a rotation about a centre, a translation, and
// a deformation that is added to them. The zero value is the identity. It is immutable and safe for concurrent use.
type Transform struct {
	Centre        volume.Vec // of the rotation, mm, patient space
	RotationRad   volume.Vec // axis times angle, radians, right-handed about patient axes
	TranslationMM volume.Vec

	spline *spline // nil: rigid
}

// At returns the place in the moving volume of what the fixed one shows at p, mm.
func (t Transform) At(p volume.Vec) volume.Vec {
	r := rotation(t.RotationRad)
	q := r.apply(p.Sub(t.Centre)).Add(t.Centre).Add(t.TranslationMM)
	if t.spline != nil {
		q = q.Add(t.spline.at(p))
	}
	return q
}

// Identity reports whether t moves nothing.
func (t Transform) Identity() bool {
	return t.spline == nil && t.RotationRad == volume.Vec{} && t.TranslationMM == volume.Vec{}
}

// Deforms reports whether t is more than a rigid motion.
func (t Transform) Deforms() bool { return t.spline != nil }

// matrix holds rows.
type matrix [3]volume.Vec

func (m *matrix) apply(v volume.Vec) volume.Vec {
	return volume.Vec{m[0].Dot(v), m[1].Dot(v), m[2].Dot(v)}
}

// transposed returns m's transpose applied to v.
func (m *matrix) transposed(v volume.Vec) volume.Vec {
	return m[0].Scale(v[0]).Add(m[1].Scale(v[1])).Add(m[2].Scale(v[2]))
}

// combination returns a I + b [w]x + c w w'.
func combination(a, b, c float64, w volume.Vec) matrix {
	return matrix{
		{a + c*w[0]*w[0], c*w[0]*w[1] - b*w[2], c*w[0]*w[2] + b*w[1]},
		{c*w[1]*w[0] + b*w[2], a + c*w[1]*w[1], c*w[1]*w[2] - b*w[0]},
		{c*w[2]*w[0] - b*w[1], c*w[2]*w[1] + b*w[0], a + c*w[2]*w[2]},
	}
}

// rotation returns exp([w]x), Rodrigues' formula.
func rotation(w volume.Vec) matrix {
	angle := w.Norm()
	if angle < 1e-6 {
		return combination(1-angle*angle/2, 1, 0.5, w)
	}
	s, c := math.Sincos(angle)
	return combination(c, s/angle, (1-c)/(angle*angle), w)
}

// leftJacobian returns the matrix J with d(exp([w]x) y) = -[exp([w]x) y]x J dw (Sola et al., arXiv:1812.01537, eq. 145).
func leftJacobian(w volume.Vec) matrix {
	angle := w.Norm()
	if angle < 1e-6 {
		return combination(1, 0.5, 1./6, w)
	}
	s, c := math.Sincos(angle)
	return combination(s/angle, (1-c)/(angle*angle), (1-s/angle)/(angle*angle), w)
}

// indexMap takes a voxel of one grid, and a displacement, to fractional voxel indices of another: origin + i step[0] +
// j step[1] + k step[2] + perMM u.
type indexMap struct {
	origin volume.Vec
	step   [3]volume.Vec
	perMM  matrix // indices per mm of displacement in patient space
}

// newIndexMap composes grid, the rigid part of t and the inverse of the moving volume's grid.
func newIndexMap(grid *volume.Grid, t *Transform, moving *volume.Grid) indexMap {
	var m indexMap
	for a := range 3 {
		m.perMM[a] = moving.Axis[a].Scale(1 / moving.SpacingMM[a])
	}
	r := rotation(t.RotationRad)
	first := r.apply(grid.Origin.Sub(t.Centre)).Add(t.Centre).Add(t.TranslationMM)
	m.origin = m.perMM.apply(first.Sub(moving.Origin))
	for a := range 3 {
		m.step[a] = m.perMM.apply(r.apply(grid.Axis[a].Scale(grid.SpacingMM[a])))
	}
	return m
}

// row returns the indices of voxel (0,j,k).
func (m *indexMap) row(j, k int) volume.Vec {
	return m.origin.Add(m.step[1].Scale(float64(j))).Add(m.step[2].Scale(float64(k)))
}
