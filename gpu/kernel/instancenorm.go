package kernel

import (
	"math"

	"mome/gpu/kernel/vector"
)

// NormShape is the shape of a normalisation of Rows rows of Cols numbers each, with Eps added to the variance.
// For an instance norm a row is one channel of one sample; for a layer norm it is one token.
type NormShape struct {
	Rows, Cols int
	Eps        float64
}

// row is row r of x: [Rows, Cols].
func (s NormShape) row(x []float32, r int) []float32 { return x[r*s.Cols : (r+1)*s.Cols] }

// moments are the mean and 1/sqrt(biased variance + eps) of one row.
func moments(row []float32, eps float64) (mean, scale float64) {
	mean, variance := vector.Moments(row)
	return mean, 1 / math.Sqrt(variance+eps)
}

// InstanceNormReLU writes y = max(0, (x - mean) / sqrt(var + eps)) row by row, without affine map. y may be x.
func InstanceNormReLU(s NormShape, y, x []float32) {
	parallel(s.Rows, grainFor(s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			in := s.row(x, r)
			mean, scale := moments(in, s.Eps)
			vector.NormReLU(s.row(y, r), in, mean, scale)
		}
	})
}

// InstanceNormReLUGrad writes dx from the forward input x and dy. dx may be dy.
//
// With h = (x - mean)·scale, g = dy where h > 0 and 0 elsewhere: dx = scale·(g - mean(g) - h·mean(g h)).
func InstanceNormReLUGrad(s NormShape, dx, x, dy []float32) {
	parallel(s.Rows, grainFor(2*s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			in := s.row(x, r)
			mean, scale := moments(in, s.Eps)
			vector.NormReLUGrad(s.row(dx, r), in, s.row(dy, r), mean, scale)
		}
	})
}
