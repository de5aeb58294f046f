package kernel

import (
	"runtime"

	"mome/gpu/kernel/gemm"
)

// MatMulShape is the shape of a product C = op(A) op(B) with C: [M, N] and inner length K.
// A is [M, K], or [K, M] with TransA; B is [K, N], or [N, K] with TransB.
type MatMulShape struct {
	M, N, K        int
	TransA, TransB bool
}

// MatMul writes c = op(a) op(b).
func MatMul(s MatMulShape, c, a, b []float32) {
	multiply(gemm.Best(gemm.Float32), s.product(c, a, b))
}

// product is c = op(a) op(b) for matrices without gaps between their rows.
func (s MatMulShape) product(c, a, b []float32) gemm.Product {
	lda, ldb := s.K, s.N
	if s.TransA {
		lda = s.M
	}
	if s.TransB {
		ldb = s.K
	}
	return gemm.Product{
		M: s.M, N: s.N, K: s.K,
		A: gemm.View{Data: a, Stride: lda, Trans: s.TransA},
		B: gemm.View{Data: b, Stride: ldb, Trans: s.TransB},
		C: gemm.View{Data: c, Stride: s.N},
	}
}

// A product is cut into pieces of as many columns as are packed at once and pieceRows rows. Each piece packs its own
// factors, so that rows are cut again, to no fewer than fewRows, only where there are too few pieces for all cores.
const (
	pieceRows = 768
	fewRows   = 192
)

// smallProduct is the number of multiplications, about 20 microseconds, below which a product stays in one piece.
const smallProduct = 1 << 20

// multiply computes a product on all cores.
func multiply(k *gemm.Kernel, p gemm.Product) {
	if p.M*p.N*p.K <= smallProduct {
		k.Multiply(p)
		return
	}
	multiplyPieces(k, p)
}

func multiplyPieces(k *gemm.Kernel, p gemm.Product) {
	cols := (p.N + k.Width() - 1) / k.Width()
	rows := pieceRows
	for rows > fewRows && cols*((p.M+rows-1)/rows) < 4*runtime.GOMAXPROCS(0) {
		rows /= 2
	}
	parallel(cols*((p.M+rows-1)/rows), 1, func(from, to int) {
		for i := from; i < to; i++ {
			row, col := i/cols*rows, i%cols*k.Width()
			piece := p
			piece.M, piece.N = min(rows, p.M-row), min(k.Width(), p.N-col)
			piece.A, piece.B, piece.C = p.A.From(row, 0), p.B.From(0, col), p.C.From(row, col)
			if p.Bias != nil {
				piece.Bias = p.Bias[col:]
			}
			k.Multiply(piece)
		}
	})
}

// LinearShape is the shape of y = x Wᵀ + b with x: [Rows, In], W: [Out, In], b: [Out], y: [Rows, Out].
type LinearShape struct {
	Rows, In, Out int
}

// Linear writes y = x wᵀ + b.
func Linear(s LinearShape, y, x, w, b []float32) {
	linear(gemm.Best(gemm.Float32), s, y, x, w, b)
}

func linear(k *gemm.Kernel, s LinearShape, y, x, w, b []float32) {
	p := MatMulShape{M: s.Rows, N: s.Out, K: s.In, TransB: true}.product(y, x, w)
	p.Bias = b[:s.Out]
	multiply(k, p)
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
	groupedLinear(gemm.Best(gemm.Float32), s, y, x, w, b)
}

func groupedLinear(k *gemm.Kernel, s GroupedShape, y, x, w, b []float32) {
	s.each(func(g int) {
		p := MatMulShape{M: s.Slots, N: s.Out, K: s.In}.product(y[g*s.Slots*s.Out:], x[g*s.Slots*s.In:], w[g*s.In*s.Out:])
		p.Bias = b[g*s.Out : (g+1)*s.Out]
		k.Multiply(p)
	})
}

// GroupedLinearGradInput writes dx_r = dy_r W_gᵀ.
func GroupedLinearGradInput(s GroupedShape, dx, w, dy []float32) {
	s.each(func(g int) {
		gemm.Best(gemm.Float32).Multiply(MatMulShape{M: s.Slots, N: s.In, K: s.Out, TransB: true}.product(
			dx[g*s.Slots*s.In:], dy[g*s.Slots*s.Out:], w[g*s.In*s.Out:]))
	})
}

// GroupedLinearGradWeight writes dW_g = x_gᵀ dy_g.
func GroupedLinearGradWeight(s GroupedShape, dw, x, dy []float32) {
	s.each(func(g int) {
		gemm.Best(gemm.Float32).Multiply(MatMulShape{M: s.In, N: s.Out, K: s.Slots, TransA: true}.product(
			dw[g*s.In*s.Out:], x[g*s.Slots*s.In:], dy[g*s.Slots*s.Out:]))
	})
}

// each visits all groups, on all cores where there is work for them.
func (s GroupedShape) each(visit func(group int)) {
	parallel(s.Groups, max(1, smallProduct/max(1, s.Slots*s.In*s.Out)), func(from, to int) {
		for g := from; g < to; g++ {
			visit(g)
		}
	})
}

// GroupedLinearGradBias writes db_g = Σ over the group's rows of dy.
func GroupedLinearGradBias(s GroupedShape, db, dy []float32) {
	for g := range s.Groups {
		SumRows(s.Slots, s.Out, db[g*s.Out:(g+1)*s.Out], dy[g*s.Slots*s.Out:])
	}
}
