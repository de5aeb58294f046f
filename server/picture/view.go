package picture

import (
	"math"

	"mome/experts/volume"
)

// view says how a grid is looked at: which of its axes run to the right, down and through the picture, as radiologists
// hold images: the patient's right on the left of transverse views, anterior on the left of sagittal ones.
type view struct {
	name                 string
	axis                 [3]int  // of the grid: to the right, down, through
	flip                 [3]bool // against the direction of the grid's axis
	left, right, up, low string  // letters of the patient's directions at the picture's edges
}

// transverse looks from the feet: patient left to the right, posterior down.
func transverse(g *volume.Grid) view {
	v := along(g, volume.Vec{1, 0, 0}, volume.Vec{0, 1, 0}, volume.Vec{0, 0, 1})
	v.name, v.left, v.right, v.up, v.low = "transverse", "R", "L", "A", "P"
	return v
}

// sagittal looks from the patient's left: posterior to the right, feet down.
func sagittal(g *volume.Grid) view {
	v := along(g, volume.Vec{0, 1, 0}, volume.Vec{0, 0, -1}, volume.Vec{1, 0, 0})
	v.name, v.left, v.right, v.up, v.low = "sagittal", "A", "P", "H", "F"
	return v
}

// along gives each direction the grid's axis that runs most along it; that through the picture chooses first.
func along(g *volume.Grid, toRight, down, through volume.Vec) (v view) {
	var used [3]bool
	for _, n := range [3]int{2, 0, 1} {
		want, best := [3]volume.Vec{toRight, down, through}[n], -1
		for a := range 3 {
			if !used[a] && (best < 0 || math.Abs(g.Axis[a].Dot(want)) > math.Abs(g.Axis[best].Dot(want))) {
				best = a
			}
		}
		used[best] = true
		v.axis[n], v.flip[n] = best, g.Axis[best].Dot(want) < 0
	}
	return v
}

// direction returns the unit vector of the picture's direction n: 0 to the right, 1 down, 2 through.
func (v view) direction(g *volume.Grid, n int) volume.Vec {
	if v.flip[n] {
		return g.Axis[v.axis[n]].Scale(-1)
	}
	return g.Axis[v.axis[n]]
}

// box is a range of voxels, both ends included; lo > hi is empty.
type box struct{ lo, hi [3]int }

func emptyBox() box {
	return box{[3]int{math.MaxInt, math.MaxInt, math.MaxInt}, [3]int{-1, -1, -1}}
}

func (b box) empty() bool { return b.hi[0] < b.lo[0] }

// with returns the least box that also holds the mask, which may be nil.
func (b box) with(m *volume.Mask) box {
	if m == nil {
		return b
	}
	for at, in := range m.Data {
		if !in {
			continue
		}
		i, j, k := m.Voxel(at)
		for a, n := range [3]int{i, j, k} {
			b.lo[a], b.hi[a] = min(b.lo[a], n), max(b.hi[a], n)
		}
	}
	return b
}

// wider returns the box grown by a margin in mm, within the grid.
func (b box) wider(g *volume.Grid, marginMM float64) box {
	for a := range 3 {
		n := int(math.Ceil(marginMM / g.SpacingMM[a]))
		b.lo[a], b.hi[a] = max(b.lo[a]-n, 0), min(b.hi[a]+n, g.Size[a]-1)
	}
	return b
}

// lattice is a flat grid of pixels in patient space: the geometry of a section or of a projection. Index i runs to the
// right, j down; the third axis points through the picture.
func (v view) lattice(g *volume.Grid, b box) volume.Grid {
	out := volume.Grid{FrameOfReference: g.FrameOfReference}
	var corner [3]float64
	for n := range 3 {
		a := v.axis[n]
		out.Axis[n], out.SpacingMM[n] = v.direction(g, n), g.SpacingMM[a]
		out.Size[n] = b.hi[a] - b.lo[a] + 1
		corner[a] = float64(b.lo[a])
		if v.flip[n] {
			corner[a] = float64(b.hi[a])
		}
	}
	out.Origin = g.Point(corner[0], corner[1], corner[2])
	return out
}
