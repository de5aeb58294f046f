package kernel

import gm "mome/gpu/kernel/gemm"

func gemm1(s MatMulShape, c []float32, ldc int, a []float32, lda int, b []float32, ldb int, keep float32) {
	gm.Best(gm.Float32).Multiply(gm.Product{M: s.M, N: s.N, K: s.K, A: gm.View{Data: a, Stride: lda, Trans: s.TransA},
		B: gm.View{Data: b, Stride: ldb, Trans: s.TransB}, C: gm.View{Data: c, Stride: ldc}, Add: keep != 0})
}
