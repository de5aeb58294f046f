package kernel

import (
	"math"

	"golang.org/x/sys/cpu"
)

// BFloat16Native says whether this CPU multiplies bfloat16 itself. Where it does not, the reduced forms of this
// package compute the same numbers, but no faster than the full ones.
func BFloat16Native() bool { return cpu.X86.HasAVX512F && cpu.X86.HasAVX512BF16 }

// MatMulBFloat16 is MatMul with a and b rounded to bfloat16, to nearest even; sums are float32.
func MatMulBFloat16(s MatMulShape, c, a, b []float32) {
	MatMul(s, c, rounded(a[:s.M*s.K]), rounded(b[:s.K*s.N]))
}

// LinearBFloat16 is Linear with x and w rounded to bfloat16, to nearest even; the bias and sums are float32.
func LinearBFloat16(s LinearShape, y, x, w, b []float32) {
	Linear(s, y, rounded(x[:s.Rows*s.In]), rounded(w[:s.Out*s.In]), b)
}

// GroupedLinearBFloat16 is GroupedLinear with x and w rounded to bfloat16, to nearest even; the bias and sums are
// float32.
func GroupedLinearBFloat16(s GroupedShape, y, x, w, b []float32) {
	GroupedLinear(s, y, rounded(x[:s.Groups*s.Slots*s.In]), rounded(w[:s.Groups*s.In*s.Out]), b)
}

// Conv3dBFloat16 is Conv3d with x and w rounded to bfloat16, to nearest even; sums are float32.
func Conv3dBFloat16(s Conv3dShape, y, x, w []float32) {
	Conv3d(s, y, rounded(x[:s.Batch*s.In*volume(s.Size)]), rounded(w[:s.Out*s.patch()]))
}

// AttentionBFloat16 is Attention with query, key, value and the softmax of the scores rounded to bfloat16, to nearest
// even; scores and sums are float32.
func AttentionBFloat16(s AttentionShape, y, qkv []float32) {
	Attention(s, y, rounded(qkv[:s.Tokens*3*s.embed()]))
}

// rounded is a copy of x whose numbers have the 8 bits of mantissa of bfloat16.
func rounded(x []float32) []float32 {
	y := make([]float32, len(x))
	parallel(len(x), minWork, func(from, to int) {
		for i, v := range x[from:to] {
			y[from+i] = roundBFloat16(v)
		}
	})
	return y
}

// roundBFloat16 is the bfloat16 nearest to x, to even where two are equally near.
func roundBFloat16(x float32) float32 {
	bits := math.Float32bits(x)
	if x != x {
		return math.Float32frombits(bits&0xffff0000 | 0x00400000) // a NaN stays one where its upper half was empty
	}
	return math.Float32frombits((bits + 0x7fff + bits>>16&1) & 0xffff0000)
}
