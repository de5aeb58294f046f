package explain

import (
	"math"
	"testing"

	"mome/experts/nn"
)

func TestSpread(t *testing.T) {
	box := nn.Box{Channels: 2, Size: [3]int{17, 16, 20}} // 2, 1, 2 tokens
	n := 17 * 16 * 20
	volume, slope := make([]float32, 2*n), make([]float32, 2*n)
	at := func(h, w, d int) int { return (h*16+w)*20 + d }
	volume[at(2, 3, 4)], slope[at(2, 3, 4)] = 2, -1 // weight 2 of the first token
	volume[n+at(2, 3, 4)], slope[n+at(2, 3, 4)] = 1, 1
	volume[at(15, 0, 15)], slope[at(15, 0, 15)] = 0.5, 2 // weight 1
	volume[at(5, 5, 5)] = 7                              // bright and without effect
	volume[at(0, 0, 17)], slope[at(0, 0, 17)] = 1, 1e-9  // the second token's only one
	tokens := []float64{8, -3, 0.64, 0.64}
	got := spread(box, tokens, volume, slope)

	for _, c := range []struct {
		name string
		at   int
		want float64
	}{
		{"both channels add up", at(2, 3, 4), 6},
		{"the rest of the block", at(15, 0, 15), 2},
		{"bright without effect", at(5, 5, 5), 0},
		{"a small gradient decides where there is no other", at(0, 0, 17), -3},
		{"a block without gradient is even: 1 x 16 x 16 voxels", at(16, 9, 3), 0.64 / 256},
		{"and its smaller neighbour: 1 x 16 x 4", at(16, 9, 17), 0.64 / 64},
	} {
		if math.Abs(float64(got[c.at])-c.want) > 1e-6 {
			t.Errorf("%s: %g, want %g", c.name, got[c.at], c.want)
		}
	}
	sum := 0.0
	for _, v := range got {
		sum += float64(v)
	}
	if want := 8 - 3 + 0.64*2; math.Abs(sum-want) > 1e-5 {
		t.Errorf("voxels sum to %g, want %g", sum, want)
	}
}
