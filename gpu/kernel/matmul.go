package kernel

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// MatMulShape is the shape of a product C = op(A) op(B) with C: [M, N] and inner length K.
// A is [M, K], or [K, M] with TransA; B is [K, N], or [N, K] with TransB.
type MatMulShape struct {
	M, N, K        int
	TransA, TransB bool
}

// MatMul writes c = op(a) op(b).
func MatMul(s MatMulShape, c, a, b []float32) {
	lda, ldb := s.K, s.N
	if s.TransA {
		lda = s.M
	}
	if s.TransB {
		ldb = s.K
	}
	gemm(s, c, s.N, a, lda, b, ldb, 0)
}

// gemm writes c = op(a) op(b) + keep c for matrices whose rows are ldc, lda and ldb apart.
func gemm(s MatMulShape, c []float32, ldc int, a []float32, lda int, b []float32, ldb int, keep float32) {
	if s.M == 0 || s.N == 0 {
		return
	}
	gonum.Implementation{}.Sgemm(transpose(s.TransA), transpose(s.TransB), s.M, s.N, s.K,
		1, a, max(1, lda), b, max(1, ldb), keep, c, ldc)
}

func transpose(yes bool) blas.Transpose {
	if yes {
		return blas.Trans
	}
	return blas.NoTrans
}

// LinearShape is the shape of y = x Wᵀ + b with x: [Rows, In], W: [Out, In], b: [Out], y: [Rows, Out].
type LinearShape struct {
	Rows, In, Out int
}

// Linear writes y = x wᵀ + b.
func Linear(s LinearShape, y, x, w, b []float32) {
	for r := range s.Rows {
		copy(y[r*s.Out:(r+1)*s.Out], b[:s.Out])
	}
	gemm(MatMulShape{M: s.Rows, N: s.Out, K: s.In, TransB: true}, y, s.Out, x, s.In, w, s.In, 1)
}

// SumRows writes sum[j] = Σ_i x[i, j] for x: [rows, cols].
func SumRows(rows, cols int, sum, x []float32) {
	sum = sum[:cols]
	clear(sum)
	for r := range rows {
		for j, v := range x[r*cols : (r+1)*cols] {
			sum[j] += v
		}
	}
}

// GroupedShape is the shape of a linear map whose weights differ from group to group of rows: row r belongs to group
// r / Slots. x: [Groups·Slots, In], W: [Groups, In, Out], b: [Groups, Out], y: [Groups·Slots, Out].
type GroupedShape struct {
	Groups, Slots, In, Out int
}

// GroupedLinear writes y_r = x_r W_g + b_g.
func GroupedLinear(s GroupedShape, y, x, w, b []float32) {
	parallel(s.Groups, grainFor(s.Slots*s.In*s.Out), func(from, to int) {
		for g := from; g < to; g++ {
			rows := y[g*s.Slots*s.Out : (g+1)*s.Slots*s.Out]
			for r := range s.Slots {
				copy(rows[r*s.Out:(r+1)*s.Out], b[g*s.Out:(g+1)*s.Out])
			}
			gemm(MatMulShape{M: s.Slots, N: s.Out, K: s.In}, rows, s.Out,
				x[g*s.Slots*s.In:], s.In, w[g*s.In*s.Out:], s.Out, 1)
		}
	})
}

// GroupedLinearGradInput writes dx_r = dy_r W_gᵀ.
func GroupedLinearGradInput(s GroupedShape, dx, w, dy []float32) {
	parallel(s.Groups, grainFor(s.Slots*s.In*s.Out), func(from, to int) {
		for g := from; g < to; g++ {
			gemm(MatMulShape{M: s.Slots, N: s.In, K: s.Out, TransB: true}, dx[g*s.Slots*s.In:], s.In,
				dy[g*s.Slots*s.Out:], s.Out, w[g*s.In*s.Out:], s.Out, 0)
		}
	})
}

// GroupedLinearGradWeight writes dW_g = x_gᵀ dy_g.
func GroupedLinearGradWeight(s GroupedShape, dw, x, dy []float32) {
	parallel(s.Groups, grainFor(s.Slots*s.In*s.Out), func(from, to int) {
		for g := from; g < to; g++ {
			gemm(MatMulShape{M: s.In, N: s.Out, K: s.Slots, TransA: true}, dw[g*s.In*s.Out:], s.Out,
				x[g*s.Slots*s.In:], s.In, dy[g*s.Slots*s.Out:], s.Out, 0)
		}
	})
}

// GroupedLinearGradBias writes db_g = Σ over the group's rows of dy.
func GroupedLinearGradBias(s GroupedShape, db, dy []float32) {
	for g := range s.Groups {
		SumRows(s.Slots, s.Out, db[g*s.Out:(g+1)*s.Out], dy[g*s.Slots*s.Out:])
	}
}
