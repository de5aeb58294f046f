package kernel

import "math"

// GELU writes y = x Φ(x) with Φ the normal distribution function, exact by erf (Hendrycks and Gimpel,
// arXiv 1606.08415, eq. 2 of section 2). y may be x.
func GELU(y, x []float32) {
	y = y[:len(x)]
	parallel(len(x), minWork/16, func(from, to int) {
		for i := from; i < to; i++ {
			v := float64(x[i])
			y[i] = float32(v * normal(v))
		}
	})
}

// GELUGrad writes dx = dy (Φ(x) + x φ(x)) with φ the normal density. dx may be dy.
func GELUGrad(dx, x, dy []float32) {
	dx, dy = dx[:len(x)], dy[:len(x)]
	parallel(len(x), minWork/32, func(from, to int) {
		for i := from; i < to; i++ {
			v := float64(x[i])
			density := math.Exp(-v*v/2) / math.Sqrt(2*math.Pi)
			dx[i] = dy[i] * float32(normal(v)+v*density)
		}
	})
}

func normal(x float64) float64 { return 0.5 * (1 + math.Erf(x/math.Sqrt2)) }

// Sum writes y = Σ_k terms[k], element by element. y may be one of the terms only if it is the first.
func Sum(y []float32, terms ...[]float32) {
	copy(y, terms[0])
	for _, t := range terms[1:] {
		t = t[:len(y)]
		for i, v := range t {
			y[i] += v
		}
	}
}
