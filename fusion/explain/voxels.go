package explain

import (
	"math"

	"mome/experts/nn"
)

// block is the edge in voxels of the part of a box that becomes one token.
const block = 16

// spread brings the tokens' attributions down to voxels. A token covers a block of voxels; of its attribution each
// voxel there gets a part in proportion to |x dS/dx|, summed over channels, where S is the sum of all attributions as
// the stem makes it of the volume x, with the mean gradients held fixed. So voxels sum to their token. A block without
// gradient, such as an empty one, is spread evenly.
//
// This says where in its block a token found what it speaks of, by one backward pass, and no more: within a block all
// voxels have the token's sign, although the stem also sees 15 voxels before the block. Spreading over all that it sees,
// or by a backward pass for each token, or smoothing, hit planted lesions of phantoms no more often.
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
				out[v] = float32(value * (weight[v] / total))
			} else {
				out[v] = float32(value / float64(count))
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

// eachVoxel visits the voxels of the block of token at, h w d.
func eachVoxel(box nn.Box, at [3]int, visit func(voxel int)) {
	var to [3]int
	for a := range to {
		to[a] = min((at[a]+1)*block, box.Size[a])
	}
	for h := at[0] * block; h < to[0]; h++ {
		for w := at[1] * block; w < to[1]; w++ {
			for d := at[2] * block; d < to[2]; d++ {
				visit((h*box.Size[1]+w)*box.Size[2] + d)
			}
		}
	}
}
