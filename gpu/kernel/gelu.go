package kernel

import "mome/gpu/kernel/vector"

// elementPiece is the number of numbers that make one piece of work where every number is on its own.
const elementPiece = minWork / 4

// GELU writes y = x Φ(x) with Φ the normal distribution function, the form by erf (Hendrycks and Gimpel,
// arXiv 1606.08415, section 2), to within 2e-7 max(1, |x|). y may be x.
func GELU(y, x []float32) {
	parallel(len(x), elementPiece, func(from, to int) {
		vector.GELU(y[from:to], x[from:to])
	})
}

// GELUGrad writes dx = dy (Φ(x) + x φ(x)) with φ the normal density. dx may be dy.
func GELUGrad(dx, x, dy []float32) {
	parallel(len(x), elementPiece, func(from, to int) {
		vector.GELUGrad(dx[from:to], x[from:to], dy[from:to])
	})
}

// Sum writes y = Σ_k terms[k], element by element. y may be one of the terms only if it is the first.
func Sum(y []float32, terms ...[]float32) {
	parallel(len(y), elementPiece, func(from, to int) {
		copy(y[from:to], terms[0][from:to])
		for _, t := range terms[1:] {
			vector.Add(y[from:to], t[from:to])
		}
	})
}
