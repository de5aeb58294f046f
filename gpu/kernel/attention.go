package kernel

// AttentionShape is the shape of multi-head self-attention over Tokens rows that hold query, key and value side by
// side: qkv: [Tokens, 3·Heads·Width], output: [Tokens, Heads·Width]. Scale multiplies every query.
type AttentionShape struct {
	Tokens, Heads, Width int
	Scale                float32
}

// queryBlock is the number of queries that are held against all keys at once: scores of a block at the published
// size (4481 tokens) are 1.1 MB.
const queryBlock = 64

func (s AttentionShape) embed() int { return s.Heads * s.Width }

// scores writes softmax(scale q kᵀ) of the queries [from, to) of one head: [to-from, Tokens].
func (s AttentionShape) scores(p, qkv []float32, head, from, to int) {
	row := 3 * s.embed()
	query := qkv[from*row+head*s.Width:]
	key := qkv[s.embed()+head*s.Width:]
	gemm1(MatMulShape{M: to - from, N: s.Tokens, K: s.Width, TransB: true}, p, s.Tokens, query, row, key, row, 0)
	for i := range (to - from) * s.Tokens {
		p[i] *= s.Scale
	}
	for i := range to - from {
		line := p[i*s.Tokens : (i+1)*s.Tokens]
		softmaxRow(line, line)
	}
}

// Attention writes softmax(scale q kᵀ) v head by head (Vaswani et al., arXiv 1706.03762, eq. 1). Scores are never
// held for more than one block of queries.
func Attention(s AttentionShape, y, qkv []float32) {
	row := 3 * s.embed()
	blocks := (s.Tokens + queryBlock - 1) / queryBlock
	cost := 4 * min(s.Tokens, queryBlock) * s.Tokens * s.Width
	parallel(s.Heads*blocks, grainFor(cost), func(first, last int) {
		p := make([]float32, min(s.Tokens, queryBlock)*s.Tokens)
		for i := first; i < last; i++ {
			head, from := i/blocks, i%blocks*queryBlock
			to := min(from+queryBlock, s.Tokens)
			s.scores(p, qkv, head, from, to)
			gemm1(MatMulShape{M: to - from, N: s.Width, K: s.Tokens}, y[from*s.embed()+head*s.Width:], s.embed(),
				p, s.Tokens, qkv[2*s.embed()+head*s.Width:], row, 0)
		}
	})
}

// AttentionGrad writes dqkv: [Tokens, 3·Heads·Width] from the forward input and dy: [Tokens, Heads·Width].
// The scores are computed again instead of kept.
//
// With P the softmax: dv = Pᵀ dy, dS = P (dy vᵀ - rowsum(P dy vᵀ)), dq = scale dS k, dk = scale dSᵀ q.
func AttentionGrad(s AttentionShape, dqkv, qkv, dy []float32) {
	embed, row := s.embed(), 3*s.embed()
	clear(dqkv[:s.Tokens*row])
	cost := 10 * s.Tokens * s.Tokens * s.Width
	parallel(s.Heads, grainFor(cost), func(first, last int) {
		size := min(s.Tokens, queryBlock) * s.Tokens
		p, ds := make([]float32, size), make([]float32, size)
		for head := first; head < last; head++ {
			at := head * s.Width
			for from := 0; from < s.Tokens; from += queryBlock {
				to := min(from+queryBlock, s.Tokens)
				n := to - from
				grad := dy[from*embed+at:]
				s.scores(p, qkv, head, from, to)
				gemm1(MatMulShape{M: s.Tokens, N: s.Width, K: n, TransA: true}, dqkv[2*embed+at:], row, p, s.Tokens, grad, embed, 1)
				gemm1(MatMulShape{M: n, N: s.Tokens, K: s.Width, TransB: true}, ds, s.Tokens, grad, embed, qkv[2*embed+at:], row, 0)
				for i := range n {
					line := ds[i*s.Tokens : (i+1)*s.Tokens]
					softmaxRowGrad(line, p[i*s.Tokens:(i+1)*s.Tokens], line)
				}
				for i := range n * s.Tokens {
					ds[i] *= s.Scale
				}
				gemm1(MatMulShape{M: n, N: s.Width, K: s.Tokens}, dqkv[from*row+at:], row, ds, s.Tokens, qkv[embed+at:], row, 0)
				gemm1(MatMulShape{M: s.Tokens, N: s.Width, K: n, TransA: true}, dqkv[embed+at:], row, ds, s.Tokens, qkv[from*row+at:], row, 1)
			}
		}
	})
}
