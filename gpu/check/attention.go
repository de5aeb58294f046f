package check

import (
	"fmt"
	"math"
	"math/rand/v2"

	"mome/gpu/kernel"
	"mome/gpu/op"
)

func attentions() []Case {
	var all []Case
	for _, c := range []struct {
		tokens, heads, width int
		slow                 bool
	}{
		{1, 1, 1, false}, {2, 3, 3, false}, {15, 1, 8, false}, {16, 3, 24, false}, {17, 4, 32, false},
		{31, 3, 33, false}, {32, 1, 40, false}, {33, 12, 2, false},
		{43, 4, 24, false}, // the small model
		{63, 1, 40, false}, {64, 1, 64, false}, {65, 3, 64, false}, {65, 1, 128, false},
		{127, 1, 12, false}, {128, 3, 8, false}, {129, 1, 72, false}, {200, 3, 16, false},
		{256, 2, 64, true}, // the published DWI, two of its heads
		{200, 1, 72, false}, {257, 1, 128, true},
		{1, 1, 129, false}, {33, 1, 384, false}, {6, 4, 130, false}, // wider than tiles
	} {
		s := kernel.AttentionShape{Tokens: c.tokens, Heads: c.heads, Width: c.width, Scale: float32(1 / math.Sqrt(float64(c.width)))}
		all = append(all, attention(fmt.Sprintf("%d tokens, %d heads of %d", c.tokens, c.heads, c.width), s, nil, c.slow)...)
	}
	large := kernel.AttentionShape{Tokens: 129, Heads: 3, Width: 64, Scale: 0.125}
	all = append(all, attention("large scores", large, largeScores(large), false)...)
	large = kernel.AttentionShape{Tokens: 20, Heads: 2, Width: 256, Scale: 0.125}
	all = append(all, attention("large scores of wide heads", large, largeScores(large), false)...)
	low := kernel.AttentionShape{Tokens: 43, Heads: 2, Width: 1, Scale: 1}
	all = append(all, attention("low scores", low, lowScores(low), false)...)
	rising := kernel.AttentionShape{Tokens: 300, Heads: 1, Width: 1, Scale: 0.5}
	return append(all, Case{Name: "attention of rising scores", Kernel: op.AttentionKernel{AttentionShape: rising}, Fill: risingScores(rising)})
}

// attention is a case for the output and one for the gradient.
func attention(name string, s kernel.AttentionShape, fill func(input, i int, random *rand.Rand) float32, slow bool) []Case {
	return []Case{
		{Name: "attention of " + name, Kernel: op.AttentionKernel{AttentionShape: s}, Fill: fill, Slow: slow},
		{Name: "attention gradient of " + name, Kernel: op.AttentionGradKernel{AttentionShape: s}, Fill: fill, Slow: slow},
	}
}

// largeScores makes scores beyond ±50. Half of each query and key are integers, which bfloat16 holds, so that the scores are large
// and known at every precision; the others, and values, are random numbers of full precision.
func largeScores(s kernel.AttentionShape) func(input, i int, random *rand.Rand) float32 {
	return func(input, i int, random *rand.Rand) float32 {
		part := i / (s.Heads * s.Width) % 3
		if input > 0 || part == 2 || i%s.Width%2 == 1 {
			return float32(random.NormFloat64())
		}
		x := float32(random.IntN(9) - 4)
		if part == 0 {
			return 4 * x
		}
		return x
	}
}

// lowScores makes scores from -99 to -96. Keys beyond the last, all zero, have greater ones, whose probabilities would overflow.
func lowScores(s kernel.AttentionShape) func(input, i int, random *rand.Rand) float32 {
	return func(input, i int, random *rand.Rand) float32 {
		part := i / (s.Heads * s.Width) % 3
		switch {
		case input > 0 || part == 2:
			return float32(random.NormFloat64())
		case part == 0:
			return 64
		}
		return -1.5 - float32(random.IntN(4))/64
	}
}

// risingScores makes keys whose scores rise from -70 to 79 for half of the queries, and fall for the others: sums are rescaled
// at every block of keys, and the least probabilities vanish.
func risingScores(s kernel.AttentionShape) func(input, i int, random *rand.Rand) float32 {
	return func(input, i int, random *rand.Rand) float32 {
		token, part := i/3/s.Heads/s.Width, i/s.Heads/s.Width%3
		switch {
		case input > 0 || part == 2:
			return float32(random.NormFloat64())
		case part == 0:
			return float32(token%2*2 - 1)
		}
		return float32(token/2*2 - 140)
	}
}
