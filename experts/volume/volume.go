// Package volume turns slices into volumes in patient space and samples them: geometry by PS3.3 C.7.6.2.1.1, mm,
// patient axes +x left, +y posterior, +z head. It does not know what a volume shows.
package volume

import "math"

// Vec is a point or direction in patient space: mm, +x left, +y posterior, +z head.
type Vec [3]float64

// Add returns a + b.
func (a Vec) Add(b Vec) Vec { return Vec{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

// Sub returns a - b.
func (a Vec) Sub(b Vec) Vec { return Vec{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

// Scale returns s a.
func (a Vec) Scale(s float64) Vec { return Vec{s * a[0], s * a[1], s * a[2]} }

// Dot returns the scalar product.
func (a Vec) Dot(b Vec) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

// Cross returns the vector product.
func (a Vec) Cross(b Vec) Vec {
	return Vec{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

// Norm returns the length in mm.
func (a Vec) Norm() float64 { return math.Sqrt(a.Dot(a)) }

// Grid is a regular lattice of voxels in patient space. Index i runs along a row (columns), j down the columns (rows),
// k over the slices in the direction of Axis[2]; the axes are unit vectors, orthogonal, but not always right-handed.
type Grid struct {
	Size             [3]int     // columns, rows, slices
	Origin           Vec        // mm, the centre of voxel (0,0,0)
	Axis             [3]Vec     // unit directions of i, j, k
	SpacingMM        [3]float64 // mm between voxel centres along i, j, k
	FrameOfReference string     // Frame of Reference UID
}

// Len returns the number of voxels.
func (g *Grid) Len() int { return g.Size[0] * g.Size[1] * g.Size[2] }

// Index returns the place of voxel (i,j,k) in Data: i runs fastest.
func (g *Grid) Index(i, j, k int) int { return (k*g.Size[1]+j)*g.Size[0] + i }

// Voxel is the inverse of Index.
func (g *Grid) Voxel(index int) (i, j, k int) {
	i = index % g.Size[0]
	index /= g.Size[0]
	return i, index % g.Size[1], index / g.Size[1]
}

// Contains reports whether (i,j,k) lies on the grid.
func (g *Grid) Contains(i, j, k int) bool {
	return i >= 0 && j >= 0 && k >= 0 && i < g.Size[0] && j < g.Size[1] && k < g.Size[2]
}

// Point returns the place of the (fractional) voxel index in patient space, mm.
func (g *Grid) Point(i, j, k float64) Vec {
	return g.Origin.
		Add(g.Axis[0].Scale(i * g.SpacingMM[0])).
		Add(g.Axis[1].Scale(j * g.SpacingMM[1])).
		Add(g.Axis[2].Scale(k * g.SpacingMM[2]))
}

// At is the inverse of Point: the fractional voxel index of a place in patient space.
func (g *Grid) At(p Vec) (i, j, k float64) {
	d := p.Sub(g.Origin)
	return d.Dot(g.Axis[0]) / g.SpacingMM[0], d.Dot(g.Axis[1]) / g.SpacingMM[1], d.Dot(g.Axis[2]) / g.SpacingMM[2]
}

// VoxelMM3 returns the volume of one voxel in mm3.
func (g *Grid) VoxelMM3() float64 { return g.SpacingMM[0] * g.SpacingMM[1] * g.SpacingMM[2] }

// Same reports whether both grids have their voxels at the same places, to within a hundredth of a voxel.
func (g *Grid) Same(o *Grid) bool {
	if g.Size != o.Size {
		return false
	}
	near := func(a, b Vec) bool {
		tolMM := 0.01 * min(g.SpacingMM[0], g.SpacingMM[1], g.SpacingMM[2])
		return a.Sub(b).Norm() <= tolMM
	}
	n := [3]float64{float64(g.Size[0] - 1), float64(g.Size[1] - 1), float64(g.Size[2] - 1)}
	return near(g.Origin, o.Origin) && near(g.Point(n[0], 0, 0), o.Point(n[0], 0, 0)) &&
		near(g.Point(0, n[1], 0), o.Point(0, n[1], 0)) && near(g.Point(0, 0, n[2]), o.Point(0, 0, n[2]))
}

// Volume is one value per voxel: signal in the scanner's arbitrary units, or a quantity whose unit its owner states.
type Volume struct {
	Grid
	Data []float32 // [slice, row, column], column fastest
}

// New returns a volume of zeros on g.
func New(g Grid) *Volume { return &Volume{Grid: g, Data: make([]float32, g.Len())} }

// Mask is a set of voxels of a grid.
type Mask struct {
	Grid
	Data []bool // [slice, row, column], column fastest
}

// NewMask returns the empty set on g.
func NewMask(g Grid) *Mask { return &Mask{Grid: g, Data: make([]bool, g.Len())} }

// Count returns the number of voxels in the set.
func (m *Mask) Count() int {
	n := 0
	for _, in := range m.Data {
		if in {
			n++
		}
	}
	return n
}

// VolumeCM3 returns the set's volume by voxel summation, cm3.
func (m *Mask) VolumeCM3() float64 { return float64(m.Count()) * m.VoxelMM3() / 1000 }
