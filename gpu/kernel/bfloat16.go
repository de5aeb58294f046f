package kernel

import "mome/gpu/kernel/gemm"

// BFloat16Native says whether this CPU multiplies bfloat16 itself. Where it does not, the reduced forms of this
// package compute the same numbers, but no faster than the full ones.
func BFloat16Native() bool { return gemm.Best(gemm.BFloat16).Native() }

// MatMulBFloat16 is MatMul with a and b rounded to bfloat16, to nearest even; sums are float32.
func MatMulBFloat16(s MatMulShape, c, a, b []float32) {
	multiply(gemm.Best(gemm.BFloat16), s.product(c, a, b))
}

// LinearBFloat16 is Linear with x and w rounded to bfloat16, to nearest even; the bias and sums are float32.
func LinearBFloat16(s LinearShape, y, x, w, b []float32) {
	linear(gemm.Best(gemm.BFloat16), s, y, x, w, b)
}

// GroupedLinearBFloat16 is GroupedLinear with x and w rounded to bfloat16, to nearest even; the bias and sums are
// float32.
func GroupedLinearBFloat16(s GroupedShape, y, x, w, b []float32) {
	groupedLinear(gemm.Best(gemm.BFloat16), s, y, x, w, b)
}

// Conv3dBFloat16 is Conv3d with x and w rounded to bfloat16, to nearest even; sums are float32.
func Conv3dBFloat16(s Conv3dShape, y, x, w []float32) {
	conv3d(gemm.Best(gemm.BFloat16), s, y, x, w)
}

// AttentionBFloat16 is Attention with scaled query, key, value and the exponentials of the scores rounded to bfloat16,
// to nearest even; scores and sums are float32.
func AttentionBFloat16(s AttentionShape, y, qkv []float32) {
	attention(gemm.Best(gemm.BFloat16), s, y, qkv)
}
