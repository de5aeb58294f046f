package lesion

import (
	"context"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// frame names a grid's axes by the patient's: canonical axis 0 runs to the left, 1 to posterior, 2 to the head, each
// along the grid axis that lies nearest to it. Axial, sagittal and coronal stacks then look alike.
type frame struct {
	grid *volume.Grid
	axis [3]int  // of the grid, for each canonical axis
	flip [3]bool // whether the grid axis runs against it
	n    [3]int  // voxels along each canonical axis
	mm   [3]float64
}

func newFrame(g *volume.Grid) frame {
	orders := [6][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	f := frame{grid: g}
	most := -1.0
	for _, o := range orders {
		if fit := math.Abs(g.Axis[o[0]][0]) + math.Abs(g.Axis[o[1]][1]) + math.Abs(g.Axis[o[2]][2]); fit > most {
			most, f.axis = fit, o
		}
	}
	for c, a := range f.axis {
		f.flip[c], f.n[c], f.mm[c] = g.Axis[a][c] < 0, g.Size[a], g.SpacingMM[a]
	}
	return f
}

// canonical turns voxel (i,j,k) of the grid into indices along the patient's axes.
func (f *frame) canonical(i, j, k int) [3]int {
	v := [3]int{i, j, k}
	var c [3]int
	for d, a := range f.axis {
		c[d] = v[a]
		if f.flip[d] {
			c[d] = f.n[d] - 1 - v[a]
		}
	}
	return c
}

// place is the inverse of canonical for fractional indices, in patient space.
func (f *frame) place(c [3]float64) volume.Vec {
	var v [3]float64
	for d, a := range f.axis {
		v[a] = c[d]
		if f.flip[d] {
			v[a] = float64(f.n[d]-1) - c[d]
		}
	}
	return f.grid.Point(v[0], v[1], v[2])
}

// coarse is a volume averaged over blocks of voxels to cells of about cellMM, along the patient's axes.
type coarse struct {
	frame
	factor [3]int     // voxels per cell
	size   [3]int     // cells: left, posterior, head
	cellMM [3]float64 // size of a cell
	value  []float32  // [z][y][x]
	soft   []float32  // value smoothed by 1-2-1 along each axis: air's noise is then narrow even where a cell is one voxel
}

// cellMM is the size of the cells in which anatomy is found: fine against the centimetres of the chest wall, and the
// mean over a cell has a third of a voxel's noise.
const cellMM = 2.2

func (c *coarse) at(x, y, z int) int { return (z*c.size[1]+y)*c.size[0] + x }

func (c *coarse) len() int { return c.size[0] * c.size[1] * c.size[2] }

func newCoarse(ctx context.Context, v *volume.Volume) (*coarse, error) {
	c := &coarse{frame: newFrame(&v.Grid)}
	for d := range 3 {
		c.factor[d] = max(int(math.Round(cellMM/c.mm[d])), 1)
		c.size[d] = (c.n[d] + c.factor[d] - 1) / c.factor[d]
		c.cellMM[d] = c.mm[d] * float64(c.factor[d])
	}
	var err error
	if c.value, err = c.average(ctx, v); err != nil {
		return nil, err
	}
	c.soft = c.smooth(c.value)
	return c, ctx.Err()
}

// smooth returns v weighted 1-2-1 along each axis.
func (c *coarse) smooth(v []float32) []float32 {
	out := append([]float32(nil), v...)
	steps := [3]int{1, c.size[0], c.size[0] * c.size[1]}
	for a, step := range steps {
		n := c.size[a]
		line := make([]float32, n)
		for start := range out {
			if start/step%n != 0 {
				continue
			}
			for p := range n {
				line[p] = out[start+p*step]
			}
			for p := range n {
				out[start+p*step] = (line[max(p-1, 0)] + 2*line[p] + line[min(p+1, n-1)]) / 4
			}
		}
	}
	return out
}

// average returns v averaged over the cells.
func (c *coarse) average(ctx context.Context, v *volume.Volume) ([]float32, error) {
	out := make([]float32, c.len())
	var stride [3]int // of the grid's Data, for each canonical axis
	steps := [3]int{1, v.Size[0], v.Size[0] * v.Size[1]}
	start := 0
	for d, a := range c.axis {
		stride[d] = steps[a]
		if c.flip[d] {
			start += (c.n[d] - 1) * steps[a]
			stride[d] = -steps[a]
		}
	}
	err := experts.EachSlice(ctx, c.size[2], func(z int) {
		for y := range c.size[1] {
			for x := range c.size[0] {
				sum, n := 0.0, 0
				for fz := z * c.factor[2]; fz < min((z+1)*c.factor[2], c.n[2]); fz++ {
					for fy := y * c.factor[1]; fy < min((y+1)*c.factor[1], c.n[1]); fy++ {
						for fx := x * c.factor[0]; fx < min((x+1)*c.factor[0], c.n[0]); fx++ {
							sum += float64(v.Data[start+fx*stride[0]+fy*stride[1]+fz*stride[2]])
							n++
						}
					}
				}
				out[c.at(x, y, z)] = float32(sum / float64(n))
			}
		}
	})
	return out, err
}

// patientX returns the patient's x, mm, of the centre of column x in the middle of the volume.
func (c *coarse) patientX(x int) float64 {
	return c.place([3]float64{
		(float64(x)+0.5)*float64(c.factor[0]) - 0.5, float64(c.n[1]-1) / 2, float64(c.n[2]-1) / 2,
	})[0]
}
