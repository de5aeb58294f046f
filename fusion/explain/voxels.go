package explain

import (
	"math"

	"mome/experts/nn"
)

// block is the distance in voxels of neighbouring tokens.
const block = 16

// spread brings the tokens' attributions down to voxels. A token is made of all voxels that reach it through the stem, 15
// before and 15 after the one at its place times 16 along each axis; of its attribution each of them gets a part in
// proportion to |x dS/dx|, summed over channels, where S is the sum of all attributions as the stem makes it of the
// volume x, with the mean gradients held fixed. Neighbouring tokens overlap and add up, so all voxels sum to all tokens. A
// token whose voxels have no gradient, such as an empty one, is spread evenly.
//
// This says where in its reach a token found what it speaks of, by one backward pass, and no more. Blocks of 16 voxels
// that do not overlap are no alternative: at the edge of a box that 16 does not divide they are small, and peaks gather there.
//
// volume and slope are [channel, H, W, D]; the answer is [H, W, D], log-odds.
func spread(box nn.Box, tokens []float64, volume, slope []float32) []float32 {
	weight := relevance(box, volume, slope)
	grid := box.Grid()
	out := make([]float32, len(weight))
	for t, value := range tokens {
		at := [3]int{t / (grid[1] * grid[2]), t / grid[2] % grid[1], t % grid[2]}
		total, count := 0.0, 0
		eachVoxel(box, at, func(v int) {
			total += weight[v]
			count++
		})
		eachVoxel(box, at, func(v int) {
			if total > 0 {
				out[v] += float32(value * (weight[v] / total))
			} else {
				out[v] += float32(value / float64(count))
			}
		})
	}
	return out
}

// relevance is |x dS/dx| of every voxel, summed over channels.
func relevance(box nn.Box, volume, slope []float32) []float64 {
	n := box.Size[0] * box.Size[1] * box.Size[2]
	out := make([]float64, n)
	for i, v := range volume {
		out[i%n] += math.Abs(float64(v) * float64(slope[i]))
	}
	return out
}

// eachVoxel visits the voxels that token at, h w d, is made of.
func eachVoxel(box nn.Box, at [3]int, visit func(voxel int)) {
	var from, to [3]int
	for a := range to {
		from[a] = max(0, at[a]*block-block+1)
		to[a] = min(at[a]*block+block, box.Size[a])
	}
	for h := from[0]; h < to[0]; h++ {
		for w := from[1]; w < to[1]; w++ {
			for d := from[2]; d < to[2]; d++ {
				visit((h*box.Size[1]+w)*box.Size[2] + d)
			}
		}
	}
}
