package kernel

import "mome/gpu/kernel/vector"

// LayerNorm writes y = (x - mean) / sqrt(var + eps) · gamma + beta for each row of x: [Rows, Cols];
// gamma, beta: [Cols]. y may be x.
func LayerNorm(s NormShape, y, x, gamma, beta []float32) {
	gamma, beta = gamma[:s.Cols], beta[:s.Cols]
	parallel(s.Rows, grainFor(s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			in := s.row(x, r)
			mean, scale := moments(in, s.Eps)
			vector.NormAffine(s.row(y, r), in, gamma, beta, mean, scale)
		}
	})
}

// LayerNormGradInput writes dx from the forward input x, gamma and dy. dx may be dy.
//
// With h = (x - mean)·scale and g = dy·gamma: dx = scale·(g - mean(g) - h·mean(g h)).
func LayerNormGradInput(s NormShape, dx, x, gamma, dy []float32) {
	gamma = gamma[:s.Cols]
	parallel(s.Rows, grainFor(2*s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			in := s.row(x, r)
			mean, scale := moments(in, s.Eps)
			vector.NormAffineGrad(s.row(dx, r), in, s.row(dy, r), gamma, mean, scale)
		}
	})
}

// LayerNormGradScale writes dgamma[j] = Σ_i dy[i, j]·h[i, j] with h the normalised x. The gradient of beta is
// SumRows of dy.
func LayerNormGradScale(s NormShape, dgamma, x, dy []float32) {
	means, scales := make([]float64, s.Rows), make([]float64, s.Rows)
	parallel(s.Rows, grainFor(s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			means[r], scales[r] = moments(s.row(x, r), s.Eps)
		}
	})
	parallel(s.Cols, max(strip, grainFor(s.Rows)), func(from, to int) {
		sum := dgamma[from:to]
		clear(sum)
		for r := range s.Rows {
			vector.AddNormal(sum, s.row(x, r)[from:to], s.row(dy, r)[from:to], means[r], scales[r])
		}
	})
}
