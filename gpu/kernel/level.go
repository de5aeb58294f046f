package kernel

import "math"

// LevelShape is the shape of a volume whose last Absolute channels are in units of their own: x: [Channels, Size...].
// Step is the distance of voxels along H, W, D and Sigma the deviation of the window, in the same unit.
type LevelShape struct {
	Channels, Absolute int
	Size               [3]int
	Step               [3]float64
	Sigma              float64
}

// leastLevel keeps an empty volume empty.
const leastLevel = 1e-20

// Level writes y: all channels but the absolute ones divided by their common root mean square, and the absolute ones
// times a Gaussian window around the middle of the volume. y may be x.
func Level(s LevelShape, y, x []float32) {
	relative, _ := s.parts()
	scale := 1 / s.level(x[:relative])
	for i, v := range x[:relative] {
		y[i] = float32(float64(v) * scale)
	}
	s.window(y[relative:], x[relative:])
}

// LevelGrad writes dx from the forward input x and dy. dx may be dy.
//
// With r the root mean square of n values and y = x/r: dx = (dy - y mean(dy y)) / r; a window's gradient is the window.
func LevelGrad(s LevelShape, dx, x, dy []float32) {
	relative, _ := s.parts()
	r := s.level(x[:relative])
	along := 0.0
	for i, v := range x[:relative] {
		along += float64(v) / r * float64(dy[i])
	}
	along /= float64(max(relative, 1))
	for i, v := range x[:relative] {
		dx[i] = float32((float64(dy[i]) - float64(v)/r*along) / r)
	}
	s.window(dx[relative:], dy[relative:])
}

// parts are the numbers of values of the relative and of the absolute channels.
func (s LevelShape) parts() (relative, absolute int) {
	n := volume(s.Size)
	return (s.Channels - s.Absolute) * n, s.Absolute * n
}

func (s LevelShape) level(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return max(math.Sqrt(sum/float64(max(len(x), 1))), leastLevel)
}

// window multiplies channels by the Gaussian, which is a product over the axes.
func (s LevelShape) window(y, x []float32) {
	var along [3][]float32
	for a, n := range s.Size {
		along[a] = make([]float32, n)
		for i := range n {
			d := (float64(i) - float64(n-1)/2) * s.Step[a] / s.Sigma
			along[a][i] = float32(math.Exp(-d * d / 2))
		}
	}
	row := s.Size[2]
	parallel(s.Absolute*s.Size[0]*s.Size[1], grainFor(row), func(from, to int) {
		for r := from; r < to; r++ {
			across := along[0][r/s.Size[1]%s.Size[0]] * along[1][r%s.Size[1]]
			for i, v := range x[r*row : (r+1)*row] {
				y[r*row+i] = v * across * along[2][i]
			}
		}
	})
}
