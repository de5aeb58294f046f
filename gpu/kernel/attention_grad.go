package kernel

import (
	"mome/gpu/kernel/gemm"
	"mome/gpu/kernel/vector"
)

// gradQueries is the number of queries that AttentionGrad holds against all keys at once: two blocks of scores of
// 0.9 MB each at the published size (4481 tokens).
const gradQueries = 48

// AttentionGrad writes dqkv: [Tokens, 3·Heads·Width] from the forward input and dy: [Tokens, Heads·Width].
// The scores are computed again instead of kept.
//
// With P the softmax: dv = Pᵀ dy, dS = P (dy vᵀ - rowsum(P dy vᵀ)), dq = scale dS k, dk = scale dSᵀ q.
func AttentionGrad(s AttentionShape, dqkv, qkv, dy []float32) {
	k := gemm.Best(gemm.Float32)
	parallel(s.Heads, max(1, smallProduct/max(1, 5*s.Tokens*s.Tokens*s.Width)), func(first, last int) {
		space := attentionSpaces.Get().(*attentionSpace)
		defer attentionSpaces.Put(space)
		for head := first; head < last; head++ {
			space.packGrad(k, s, qkv, head)
			for from := 0; from < s.Tokens; from += gradQueries {
				space.attendGrad(k, s, dqkv, qkv, dy, head, from)
			}
		}
	})
}

// packGrad packs the keys of a head as they are, and keys and values transposed.
func (a *attentionSpace) packGrad(k *gemm.Kernel, s AttentionShape, qkv []float32, head int) {
	key, value := s.key(qkv, head, 0), s.value(qkv, head, 0)
	key.Trans, value.Trans = true, true
	for i := 0; i*keyBlock < s.Tokens; i++ {
		if i == len(a.keys) {
			a.keys, a.values = append(a.keys, gemm.Packed{}), append(a.values, gemm.Packed{})
		}
		n := min(keyBlock, s.Tokens-i*keyBlock)
		k.Pack(&a.keys[i], s.key(qkv, head, i*keyBlock), n, s.Width)
	}
	k.Pack(&a.transposed[0], key, s.Width, s.Tokens)
	k.Pack(&a.transposed[1], value, s.Width, s.Tokens)
}

// attendGrad writes the gradient of a block of queries of one head and adds their share of those of keys and values.
func (a *attentionSpace) attendGrad(k *gemm.Kernel, s AttentionShape, dqkv, qkv, dy []float32, head, from int) {
	n := min(gradQueries, s.Tokens-from)
	stride := scoreStride(s.Tokens)
	a.p, a.ds = numbers(a.p, gradQueries*stride), numbers(a.ds, gradQueries*stride)
	query, grad := a.scaledQuery(s, qkv, head, from, n), s.output(dy, head, from)
	p, ds := gemm.View{Data: a.p, Stride: stride}, gemm.View{Data: a.ds, Stride: stride}
	k.Multiply(gemm.Product{M: n, N: s.Tokens, K: s.Width, A: query, Packed: &a.transposed[0], C: p})
	k.Multiply(gemm.Product{M: n, N: s.Tokens, K: s.Width, A: grad, Packed: &a.transposed[1], C: ds})
	for i := range n {
		row, slope := a.p[i*stride:][:s.Tokens], a.ds[i*stride:][:s.Tokens]
		vector.SoftmaxRow(row, row)
		vector.SoftmaxRowGrad(slope, row, slope)
	}
	dq := s.query(dqkv, head, from)
	for block := 0; block*keyBlock < s.Tokens; block++ {
		keys := min(keyBlock, s.Tokens-block*keyBlock)
		k.Multiply(gemm.Product{M: n, N: s.Width, K: keys, A: ds.From(0, block*keyBlock), Packed: &a.keys[block], C: dq, Add: block > 0})
	}
	for i := range n {
		vector.Scale(dq.Data[i*dq.Stride:][:s.Width], s.Scale)
	}
	p.Trans, ds.Trans = true, true
	k.Multiply(gemm.Product{M: s.Tokens, N: s.Width, K: n, A: ds, B: query, C: s.key(dqkv, head, 0), Add: from > 0})
	k.Multiply(gemm.Product{M: s.Tokens, N: s.Width, K: n, A: p, B: grad, C: s.value(dqkv, head, 0), Add: from > 0})
}
