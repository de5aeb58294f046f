package lesion

import (
	"context"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// crop is a box of the dynamic series' grid with its own dense arrays, i fastest.
type crop struct {
	box
	n    [3]int
	grid *volume.Grid
}

func newCrop(g *volume.Grid, b box) *crop {
	c := &crop{box: b, grid: g}
	if b.empty() {
		return c
	}
	for a := range 3 {
		c.n[a] = b.hi[a] - b.lo[a] + 1
	}
	return c
}

func (c *crop) len() int { return c.n[0] * c.n[1] * c.n[2] }

func (c *crop) voxel(at int) (i, j, k int) {
	return at % c.n[0], at / c.n[0] % c.n[1], at / (c.n[0] * c.n[1])
}

// index returns the place in the grid's Data of the crop's voxel at.
func (c *crop) index(at int) int {
	i, j, k := c.voxel(at)
	return c.grid.Index(i+c.lo[0], j+c.lo[1], k+c.lo[2])
}

// smoothed returns f, given by the index into the grid's Data, on the crop, smoothed by a Gaussian of sigmaMM.
func (c *crop) smoothed(ctx context.Context, sigmaMM float64, f func(index int) float32) ([]float32, error) {
	out := make([]float32, c.len())
	plane := c.n[0] * c.n[1]
	err := experts.EachSlice(ctx, c.n[2], func(k int) {
		for j := range c.n[1] {
			from := c.grid.Index(c.lo[0], j+c.lo[1], k+c.lo[2])
			to := out[k*plane+j*c.n[0]:][:c.n[0]]
			for i := range to {
				to[i] = f(from + i)
			}
		}
		row := make([]float32, max(c.n[0], c.n[1]))
		slice := out[k*plane:][:plane]
		convolve(slice, row, c.n[0], 1, c.n[1], c.n[0], kernel(sigmaMM, c.grid.SpacingMM[0]))
		convolve(slice, row, c.n[1], c.n[0], c.n[0], 1, kernel(sigmaMM, c.grid.SpacingMM[1]))
	})
	if err != nil {
		return nil, err
	}
	across := kernel(sigmaMM, c.grid.SpacingMM[2])
	err = experts.EachSlice(ctx, c.n[1], func(j int) {
		convolve(out[j*c.n[0]:], make([]float32, c.n[2]), c.n[2], plane, c.n[0], 1, across)
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
