package kernel

import "math"

// NormShape is the shape of a normalisation of Rows rows of Cols numbers each, with Eps added to the variance.
// For an instance norm a row is one channel of one sample; for a layer norm it is one token.
type NormShape struct {
	Rows, Cols int
	Eps        float64
}

// moments are the mean and 1/sqrt(biased variance + eps) of one row, summed in double precision: a channel at the
// published size has 1.6 million voxels.
func moments(row []float32, eps float64) (mean, scale float64) {
	for _, v := range row {
		mean += float64(v)
	}
	mean /= float64(len(row))
	variance := 0.0
	for _, v := range row {
		d := float64(v) - mean
		variance += d * d
	}
	variance /= float64(len(row))
	return mean, 1 / math.Sqrt(variance+eps)
}

// InstanceNormReLU writes y = max(0, (x - mean) / sqrt(var + eps)) row by row, without affine map. y may be x.
func InstanceNormReLU(s NormShape, y, x []float32) {
	parallel(s.Rows, grainFor(4*s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			in, out := x[r*s.Cols:(r+1)*s.Cols], y[r*s.Cols:(r+1)*s.Cols]
			mean, scale := moments(in, s.Eps)
			for i, v := range in {
				out[i] = max(0, float32((float64(v)-mean)*scale))
			}
		}
	})
}

// InstanceNormReLUGrad writes dx from the forward input x and dy. dx may be dy.
//
// With h = (x - mean)·scale, g = dy where h > 0 and 0 elsewhere: dx = scale·(g - mean(g) - h·mean(g h)).
func InstanceNormReLUGrad(s NormShape, dx, x, dy []float32) {
	parallel(s.Rows, grainFor(8*s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			in, grad, out := x[r*s.Cols:(r+1)*s.Cols], dy[r*s.Cols:(r+1)*s.Cols], dx[r*s.Cols:(r+1)*s.Cols]
			mean, scale := moments(in, s.Eps)
			meanG, meanGH := 0.0, 0.0
			for i, v := range in {
				if h := (float64(v) - mean) * scale; h > 0 {
					meanG += float64(grad[i])
					meanGH += float64(grad[i]) * h
				}
			}
			meanG /= float64(s.Cols)
			meanGH /= float64(s.Cols)
			for i, v := range in {
				h := (float64(v) - mean) * scale
				g := 0.0
				if h > 0 {
					g = float64(grad[i])
				}
				out[i] = float32(scale * (g - meanG - h*meanGH))
			}
		}
	})
}
