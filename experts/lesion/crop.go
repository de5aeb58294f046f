package lesion

import (
	"context"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

// workMM is about the size of the voxels that lesions are looked for in. Coarser ones are divided: shapes of a few
// millimetres have no thickness in voxels of 3 mm.
const workMM = 1.5

// crop is a box of the dynamic series' grid with its own dense arrays, i fastest, coarse voxels divided.
type crop struct {
	box
	grid *volume.Grid
	part [3]int     // pieces that a voxel of the grid is divided into along each axis
	n    [3]int     // voxels of the crop
	mm   [3]float64 // their size
}

func newCrop(g *volume.Grid, b box) *crop {
	c := &crop{box: b, grid: g}
	if b.empty() {
		return c
	}
	for a := range 3 {
		c.part[a] = max(int(math.Round(g.SpacingMM[a]/workMM)), 1)
		c.n[a] = (b.hi[a] - b.lo[a] + 1) * c.part[a]
		c.mm[a] = g.SpacingMM[a] / float64(c.part[a])
	}
	return c
}

func (c *crop) len() int { return c.n[0] * c.n[1] * c.n[2] }

func (c *crop) voxelMM3() float64 { return c.mm[0] * c.mm[1] * c.mm[2] }

func (c *crop) voxel(at int) (i, j, k int) {
	return at % c.n[0], at / c.n[0] % c.n[1], at / (c.n[0] * c.n[1])
}

// index returns the place in the grid's Data of the voxel that the crop's voxel at lies in.
func (c *crop) index(at int) int {
	i, j, k := c.voxel(at)
	return c.grid.Index(i/c.part[0]+c.lo[0], j/c.part[1]+c.lo[1], k/c.part[2]+c.lo[2])
}

// point returns the place of a fractional index of the crop in patient space.
func (c *crop) point(p [3]float64) volume.Vec {
	for a := range 3 {
		p[a] = (p[a]+0.5)/float64(c.part[a]) - 0.5 + float64(c.lo[a])
	}
	return c.grid.Point(p[0], p[1], p[2])
}

// onGrid returns the grid's voxels, in order, of which at least half lies in the set.
func (c *crop) onGrid(set []int) []int {
	count := make(map[int]int, len(set))
	for _, at := range set {
		count[c.index(at)]++
	}
	var out []int
	for index, n := range count {
		if 2*n >= c.part[0]*c.part[1]*c.part[2] {
			out = append(out, index)
		}
	}
	slices.Sort(out)
	return out
}

// smoothed returns f, given by the index into the grid's Data, on the crop, smoothed by a Gaussian of sigmaMM, along axes
// whose voxels are divided by a wider one that leaves no steps.
func (c *crop) smoothed(ctx context.Context, sigmaMM float64, f func(index int) float32) ([]float32, error) {
	out := make([]float32, c.len())
	plane := c.n[0] * c.n[1]
	var w [3][]float32
	for a := range 3 {
		sigma := sigmaMM
		if c.part[a] > 1 {
			sigma = math.Hypot(sigmaMM, 0.4*c.grid.SpacingMM[a]) // about the slope of linear interpolation
		}
		w[a] = kernel(sigma, c.mm[a])
	}
	err := experts.EachSlice(ctx, c.n[2], func(k int) {
		for j := range c.n[1] {
			from := c.grid.Index(c.lo[0], j/c.part[1]+c.lo[1], k/c.part[2]+c.lo[2])
			to := out[k*plane+j*c.n[0]:][:c.n[0]]
			for i := range to {
				to[i] = f(from + i/c.part[0])
			}
		}
		row := make([]float32, max(c.n[0], c.n[1]))
		slice := out[k*plane:][:plane]
		convolve(slice, row, c.n[0], 1, c.n[1], c.n[0], w[0])
		convolve(slice, row, c.n[1], c.n[0], c.n[0], 1, w[1])
	})
	if err != nil {
		return nil, err
	}
	err = experts.EachSlice(ctx, c.n[1], func(j int) {
		convolve(out[j*c.n[0]:], make([]float32, c.n[2]), c.n[2], plane, c.n[0], 1, w[2])
	})
	return out, err
}

// kernel returns the right half of a Gaussian's weights, the centre first, whose whole sums to 1.
func kernel(sigmaMM, spacingMM float64) []float32 {
	sigma := sigmaMM / spacingMM
	half := int(math.Ceil(2.5 * sigma))
	w := make([]float32, half+1)
	sum := 0.0
	for n := range w {
		v := math.Exp(-0.5 * float64(n*n) / (sigma * sigma))
		w[n] = float32(v)
		sum += v
		if n > 0 {
			sum += v
		}
	}
	for n := range w {
		w[n] /= float32(sum)
	}
	return w
}

// convolve smooths lines of n values that lie step apart; there are lines of them, lineStep apart. Beyond a line's ends
// its last value goes on. buffer has room for a line.
func convolve(v, buffer []float32, n, step, lines, lineStep int, w []float32) {
	if len(w) < 2 {
		return
	}
	for l := range lines {
		at := l * lineStep
		for p := range n {
			buffer[p] = v[at+p*step]
		}
		for p := range n {
			sum := w[0] * buffer[p]
			for h := 1; h < len(w); h++ {
				sum += w[h] * (buffer[max(p-h, 0)] + buffer[min(p+h, n-1)])
			}
			v[at+p*step] = sum
		}
	}
}

// neighbours calls do for each of the up to 26 voxels around at.
func (c *crop) neighbours(at int, do func(n int)) {
	i, j, k := c.voxel(at)
	for dk := max(k-1, 0); dk <= min(k+1, c.n[2]-1); dk++ {
		for dj := max(j-1, 0); dj <= min(j+1, c.n[1]-1); dj++ {
			for di := max(i-1, 0); di <= min(i+1, c.n[0]-1); di++ {
				if n := (dk*c.n[1]+dj)*c.n[0] + di; n != at {
					do(n)
				}
			}
		}
	}
}
