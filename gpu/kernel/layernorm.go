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

// sumRows is the number of rows whose sum down the columns is one piece of work.
const sumRows = 256

// LayerNormGradScale writes dgamma[j] = Σ_i dy[i, j]·h[i, j] with h the normalised x. The gradient of beta is
// SumRows of dy. Sums of blocks of rows are added in the order of the blocks.
func LayerNormGradScale(s NormShape, dgamma, x, dy []float32) {
	dgamma = dgamma[:s.Cols]
	blocks := (s.Rows + sumRows - 1) / sumRows
	sums := make([]float32, blocks*s.Cols)
	parallel(blocks, grainFor(sumRows*s.Cols), func(from, to int) {
		for r := from * sumRows; r < min(to*sumRows, s.Rows); r++ {
			in := s.row(x, r)
			mean, scale := moments(in, s.Eps)
			vector.AddNormal(s.row(sums, r/sumRows), in, s.row(dy, r), mean, scale)
		}
	})
	clear(dgamma)
	for b := range blocks {
		vector.Add(dgamma, s.row(sums, b))
	}
}
