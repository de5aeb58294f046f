package kernel

import (
	"math"
	"runtime"
	"sync"

	"mome/gpu/kernel/gemm"
	"mome/gpu/kernel/vector"
)

// AttentionShape is the shape of multi-head self-attention over Tokens rows that hold query, key and value side by
// side: qkv: [Tokens, 3·Heads·Width], output: [Tokens, Heads·Width]. Scale multiplies every query.
type AttentionShape struct {
	Tokens, Heads, Width int
	Scale                float32
}

// Scores are computed for queryBlock queries and keyBlock keys at a time: 150 kB, which stay in a second-level cache
// beside the packed keys and values of the block.
const (
	queryBlock = 96
	keyBlock   = 384
)

// MaxHeadWidth is the greatest Width: a block of keys is packed in its whole depth.
const MaxHeadWidth = gemm.MaxDepth

func (s AttentionShape) embed() int { return s.Heads * s.Width }

// Query, key, value and output of one head as matrices [Tokens, Width], the rows from the one given on.
func (s AttentionShape) query(qkv []float32, head, from int) gemm.View {
	return s.part(qkv, 0, head, from)
}
func (s AttentionShape) key(qkv []float32, head, from int) gemm.View {
	return s.part(qkv, 1, head, from)
}
func (s AttentionShape) value(qkv []float32, head, from int) gemm.View {
	return s.part(qkv, 2, head, from)
}

func (s AttentionShape) part(qkv []float32, part, head, from int) gemm.View {
	stride := 3 * s.embed()
	return gemm.View{Data: qkv[from*stride+part*s.embed()+head*s.Width:], Stride: stride}
}

func (s AttentionShape) output(y []float32, head, from int) gemm.View {
	return gemm.View{Data: y[from*s.embed()+head*s.Width:], Stride: s.embed()}
}

// attentionSpace is what one goroutine needs for a head.
type attentionSpace struct {
	keys, values []gemm.Packed  // by blocks of keyBlock rows
	transposed   [2]gemm.Packed // of all keys, of all values
	query        []float32      // a block of queries, scaled: [queryBlock, Width]
	p, ds        []float32      // scores
	top          [queryBlock]float32
	sum          [queryBlock]float64
}

var attentionSpaces = sync.Pool{New: func() any { return new(attentionSpace) }}

// numbers is x with room for n numbers, whose values are arbitrary.
func numbers(x []float32, n int) []float32 {
	if cap(x) < n {
		return make([]float32, n)
	}
	return x[:n]
}

// Attention writes softmax(scale q kᵀ) v head by head (Vaswani et al., arXiv 1706.03762, eq. 1). Scores exist for one
// block of queries and keys only: sums are rescaled whenever a later block holds a greater score (Milakov and
// Gimelshein, arXiv 1805.02867, algorithm 3).
func Attention(s AttentionShape, y, qkv []float32) {
	attention(gemm.Best(gemm.Float32), s, y, qkv)
}

func attention(k *gemm.Kernel, s AttentionShape, y, qkv []float32) {
	// Each piece packs its head's keys and values for itself, so heads are cut only where there are too few of them.
	blocks := (s.Tokens + queryBlock - 1) / queryBlock
	pieces := min(blocks, max(1, (4*runtime.GOMAXPROCS(0)+s.Heads-1)/max(1, s.Heads)))
	perPiece := (blocks + pieces - 1) / max(1, pieces)
	parallel(s.Heads*pieces, max(1, smallProduct/max(1, 2*perPiece*queryBlock*s.Tokens*s.Width)), func(first, last int) {
		space := attentionSpaces.Get().(*attentionSpace)
		defer attentionSpaces.Put(space)
		packed := -1
		for i := first; i < last; i++ {
			head, block := i/pieces, i%pieces*perPiece
			if head != packed {
				space.pack(k, s, qkv, head)
				packed = head
			}
			for ; block < min((i%pieces+1)*perPiece, blocks); block++ {
				space.attend(k, s, y, qkv, head, block*queryBlock)
			}
		}
	})
}

// pack packs the keys, transposed, and the values of a head.
func (a *attentionSpace) pack(k *gemm.Kernel, s AttentionShape, qkv []float32, head int) {
	for i := 0; i*keyBlock < s.Tokens; i++ {
		if i == len(a.keys) {
			a.keys, a.values = append(a.keys, gemm.Packed{}), append(a.values, gemm.Packed{})
		}
		n := min(keyBlock, s.Tokens-i*keyBlock)
		key := s.key(qkv, head, i*keyBlock)
		key.Trans = true
		k.Pack(&a.keys[i], key, s.Width, n)
		k.Pack(&a.values[i], s.value(qkv, head, i*keyBlock), n, s.Width)
	}
}

// scaledQuery copies the queries [from, from+n) of a head, scaled.
func (a *attentionSpace) scaledQuery(s AttentionShape, qkv []float32, head, from, n int) gemm.View {
	a.query = numbers(a.query, queryBlock*s.Width)
	query := s.query(qkv, head, from)
	for i := range n {
		copy(a.query[i*s.Width:][:s.Width], query.Data[i*query.Stride:])
	}
	vector.Scale(a.query[:n*s.Width], s.Scale)
	return gemm.View{Data: a.query, Stride: s.Width}
}

// scoreStride is the distance between rows of scores: sixteen more than their length keeps rows of a power of two
// apart in the caches.
func scoreStride(keys int) int { return (keys+15)&^15 + 16 }

// attend writes the output of a block of queries of one head, whose keys and values are packed.
func (a *attentionSpace) attend(k *gemm.Kernel, s AttentionShape, y, qkv []float32, head, from int) {
	n := min(queryBlock, s.Tokens-from)
	stride := scoreStride(min(keyBlock, s.Tokens))
	a.p = numbers(a.p, queryBlock*stride)
	query := a.scaledQuery(s, qkv, head, from, n)
	out := s.output(y, head, from)
	score := gemm.View{Data: a.p, Stride: stride}
	for block := 0; block*keyBlock < s.Tokens; block++ {
		keys := min(keyBlock, s.Tokens-block*keyBlock)
		k.Multiply(gemm.Product{M: n, N: keys, K: s.Width, A: query, Packed: &a.keys[block], C: score})
		for i := range n {
			row := a.p[i*stride:][:keys]
			top := vector.Max(row)
			if block > 0 {
				if top = max(top, a.top[i]); top != a.top[i] {
					shrink := math.Exp(float64(a.top[i] - top))
					a.sum[i] *= shrink
					vector.Scale(out.Data[i*out.Stride:][:s.Width], float32(shrink))
				}
			} else {
				a.sum[i] = 0
			}
			a.top[i] = top
			a.sum[i] += vector.ExpSub(row, row, top)
		}
		k.Multiply(gemm.Product{M: n, N: s.Width, K: keys, A: score, Packed: &a.values[block], C: out, Add: block > 0})
	}
	for i := range n {
		vector.Scale(out.Data[i*out.Stride:][:s.Width], float32(1/a.sum[i]))
	}
}
