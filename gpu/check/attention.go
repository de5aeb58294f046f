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
		{43, 4, 24, false}, // the small model
		{63, 1, 40, false}, {64, 1, 64, false}, {65, 3, 64, false}, {129, 1, 72, false}, {65, 1, 128, false},
		{200, 2, 3, false}, {129, 12, 64, true}, {200, 4, 72, true}, {257, 1, 128, true},
		{3, 2, 129, false}, {33, 1, 384, false},
	} {
		all = append(all, attention(c.tokens, c.heads, c.width, c.slow)...)
	}
	return all
}

func attention(tokens, heads, width int, slow bool) []Case {
	s := kernel.AttentionShape{Tokens: tokens, Heads: heads, Width: width, Scale: float32(1 / math.Sqrt(float64(width)))}
	name := fmt.Sprintf("%d tokens, %d heads of %d", tokens, heads, width)
	return []Case{
		{Name: "attention of " + name, Kernel: op.AttentionKernel{AttentionShape: s}, Slow: slow},
		{Name: "attention grad of " + name, Kernel: op.AttentionGradKernel{AttentionShape: s}, Slow: slow},
	}
}

var _ = rand.New
