package kernel

import (
	"slices"
	"testing"

	"mome/gpu/kernel/gemm"
)

// rounded is a copy of x whose numbers have the 8 bits of mantissa of bfloat16.
func rounded(x []float32) []float32 {
	y := slices.Clone(x)
	gemm.Round(y)
	return y
}

// The reduced forms must be the full ones of rounded factors, and not the full ones of the factors themselves.
func TestBFloat16(t *testing.T) {
	product := MatMulShape{M: 45, N: 70, K: 67, TransA: true}
	linear := LinearShape{Rows: 43, In: 97, Out: 50}
	grouped := GroupedShape{Groups: 5, Slots: 3, In: 21, Out: 34}
	conv := convolutions[len(convolutions)-1]
	for _, c := range []struct {
		name    string
		factors [2]int // their numbers
		size    int
		full    func(y, a, b []float32)
		reduced func(y, a, b []float32)
	}{
		{"product", [2]int{45 * 67, 70 * 67}, 45 * 70,
			func(y, a, b []float32) { MatMul(product, y, a, b) }, func(y, a, b []float32) { MatMulBFloat16(product, y, a, b) }},
		{"linear", [2]int{43 * 97, 97 * 50}, 43 * 50,
			func(y, a, b []float32) { Linear(linear, y, a, b, normals(5, 50)) },
			func(y, a, b []float32) { LinearBFloat16(linear, y, a, b, normals(5, 50)) }},
		{"grouped", [2]int{15 * 21, 5 * 21 * 34}, 15 * 34,
			func(y, a, b []float32) { GroupedLinear(grouped, y, a, b, normals(5, 5*34)) },
			func(y, a, b []float32) { GroupedLinearBFloat16(grouped, y, a, b, normals(5, 5*34)) }},
		{"convolution", [2]int{conv.In * volume(conv.Size), conv.Out * conv.patch()}, conv.Out * volume(conv.OutSize()),
			func(y, a, b []float32) { Conv3d(conv, y, a, b) }, func(y, a, b []float32) { Conv3dBFloat16(conv, y, a, b) }},
	} {
		a, b := normals(1, c.factors[0]), normals(2, c.factors[1])
		got, want, full := dirty(c.size), dirty(c.size), dirty(c.size)
		c.reduced(got, a, b)
		c.full(want, rounded(a), rounded(b))
		compare(t, c.name, got, wide(want), 1e-4)
		if c.full(full, a, b); slices.Equal(got, full) {
			t.Errorf("%s: factors are not rounded", c.name)
		}
	}
}

// Attention rounds exponentials too, whose rounding errors, 2^-9 at most, average out over the keys.
func TestAttentionBFloat16(t *testing.T) {
	for _, s := range []AttentionShape{
		{Tokens: 5, Heads: 3, Width: 4, Scale: 0.5},
		{Tokens: 500, Heads: 2, Width: 33, Scale: 0.125}, // two blocks of keys
	} {
		qkv := normals(1, s.Tokens*3*s.embed())
		got, want := dirty(s.Tokens*s.embed()), dirty(s.Tokens*s.embed())
		AttentionBFloat16(s, got, qkv)
		Attention(s, want, rounded(qkv)) // the scales are powers of two, so that scaled queries are rounded alike
		compare(t, "attention", got, wide(want), 4e-3)
	}
}
