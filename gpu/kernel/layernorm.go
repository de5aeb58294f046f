package kernel

// LayerNorm writes y = (x - mean) / sqrt(var + eps) · gamma + beta for each row of x: [Rows, Cols];
// gamma, beta: [Cols]. y may be x.
func LayerNorm(s NormShape, y, x, gamma, beta []float32) {
	gamma, beta = gamma[:s.Cols], beta[:s.Cols]
	parallel(s.Rows, grainFor(8*s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			in, out := x[r*s.Cols:(r+1)*s.Cols], y[r*s.Cols:(r+1)*s.Cols]
			mean, scale := moments(in, s.Eps)
			for i, v := range in {
				out[i] = float32((float64(v)-mean)*scale)*gamma[i] + beta[i]
			}
		}
	})
}

// LayerNormGradInput writes dx from the forward input x, gamma and dy. dx may be dy.
//
// With h = (x - mean)·scale and g = dy·gamma: dx = scale·(g - mean(g) - h·mean(g h)).
func LayerNormGradInput(s NormShape, dx, x, gamma, dy []float32) {
	gamma = gamma[:s.Cols]
	parallel(s.Rows, grainFor(12*s.Cols), func(from, to int) {
		for r := from; r < to; r++ {
			in, grad, out := x[r*s.Cols:(r+1)*s.Cols], dy[r*s.Cols:(r+1)*s.Cols], dx[r*s.Cols:(r+1)*s.Cols]
			mean, scale := moments(in, s.Eps)
			meanG, meanGH := 0.0, 0.0
			for i, v := range in {
				g := float64(grad[i]) * float64(gamma[i])
				meanG += g
				meanGH += g * (float64(v) - mean) * scale
			}
			meanG /= float64(s.Cols)
			meanGH /= float64(s.Cols)
			for i, v := range in {
				g := float64(grad[i]) * float64(gamma[i])
				out[i] = float32(scale * (g - meanG - (float64(v)-mean)*scale*meanGH))
			}
		}
	})
}

// LayerNormGradScale writes dgamma[j] = Σ_i dy[i, j]·h[i, j] with h the normalised x. The gradient of beta is
// SumRows of dy.
func LayerNormGradScale(s NormShape, dgamma, x, dy []float32) {
	dgamma = dgamma[:s.Cols]
	clear(dgamma)
	for r := range s.Rows {
		in, grad := x[r*s.Cols:(r+1)*s.Cols], dy[r*s.Cols:(r+1)*s.Cols]
		mean, scale := moments(in, s.Eps)
		for i, v := range in {
			dgamma[i] += grad[i] * float32((float64(v)-mean)*scale)
		}
	}
}
