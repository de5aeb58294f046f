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
	volume[at(2, 3, 4)], slope[at(2, 3, 4)] = 2, -1 // weight 2
	volume[n+at(2, 3, 4)], slope[n+at(2, 3, 4)] = 1, 1
	volume[at(15, 0, 15)], slope[at(15, 0, 15)] = 0.5, 2 // weight 1
	volume[at(5, 5, 5)] = 7                              // bright and without effect
	volume[at(0, 0, 17)], slope[at(0, 0, 17)] = 1, 1e-9  // beyond the first token
	tokens := []float64{8, -3, 0.64, 0.64}
	got := spread(box, tokens, volume, slope)
	all := 8 - 3 + 0.64*2
	for _, c := range []struct {
		name string
		at   int
		want float64
	}{
		{"both channels add up, over all tokens", at(2, 3, 4), all * 3 / 4},
		{"the rest of what the tokens see", at(15, 0, 15), all / 4},
		{"bright without effect", at(5, 5, 5), 0},
		{"seen by the second token alone", at(0, 0, 17), -3 * 1e-9 / 4},
	} {
		if math.Abs(float64(got[c.at])-c.want) > 1e-6 {
			t.Errorf("%s: %g, want %g", c.name, got[c.at], c.want)
		}
	}
	clear(slope)
	even := spread(box, tokens, volume, slope) // tokens of 16 or 16 by 16 by 16 or 19 voxels
	if want := 8./(16*16*16) - 3./(16*16*19) + 0.64/(16*16*16) + 0.64/(16*16*19); math.Abs(float64(even[at(3, 3, 3)])-want) > 1e-7 {
		t.Errorf("without gradient: %g, want %g", even[at(3, 3, 3)], want)
	}
	if want := 8. / (16 * 16 * 16); math.Abs(float64(even[at(0, 3, 0)])-want) > 1e-7 {
		t.Errorf("without gradient, in the corner that one token sees: %g, want %g", even[at(0, 3, 0)], want)
	}
	for name, voxels := range map[string][]float32{"weighted": got, "even": even} {
		sum := 0.0
		for _, v := range voxels {
			sum += float64(v)
		}
		if math.Abs(sum-all) > 1e-4 {
			t.Errorf("%s: voxels sum to %g, want %g", name, sum, all)
		}
	}
}
