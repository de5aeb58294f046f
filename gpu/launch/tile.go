package launch

import "mome/gpu/op"

// tile is one of gemm.cuh's: the part of a product that a block computes. Cost is the time of a multiplication in it, compared
// with that in large ones.
type tile struct {
	name                string
	rows, cols, threads int
	warpCols            int // columns of a warp's part
	cost                float64
}

const (
	tileDepth  = 32
	tileStages = 3
)

// tiles are those of matrices, volumeTiles those of convolutions.
func tiles(p op.Precision) []tile {
	if p == op.Float32 {
		return []tile{largeExact, {"small", 64, 64, 128, 32, 1.2}}
	}
	return []tile{huge, large, {"small", 64, 64, 128, 32, 1.6}}
}

func volumeTiles(p op.Precision) []tile {
	if p == op.Float32 {
		return []tile{largeExact, {"flat", 64, 128, 128, 64, 1.1}}
	}
	return []tile{huge, large, {"flat", 64, 128, 128, 64, 1.25}}
}

// Huge tiles read each factor fewer times from L2, which is no limit where every multiplication is done three times.
var (
	huge       = tile{"huge", 256, 128, 256, 64, 0.85}
	large      = tile{"large", 128, 128, 128, 64, 1}
	largeExact = tile{"large", 128, 64, 256, 32, 1}
)

// shared is the shared memory in bytes of a block that multiplies so deep: a ring of slices of the factors, where the tile lies
// at the end.
func (t tile) shared(depth int) int {
	return 4 * max(min(blocks(depth, tileDepth), tileStages)*(t.rows+t.cols)*tileDepth, t.rows*t.cols)
}

func (t tile) count(rows, cols int) int { return blocks(rows, t.rows) * blocks(cols, t.cols) }

// What an H100 or H200 has and does, roughly: it decides how work is cut, not what comes out.
const (
	multiprocessors = 132
	bytesPerSecond  = 3.5e12
	launchSeconds   = 2e-6
	endDepth        = 96 // what beginning and ending a tile costs, in depth
)

// multiplications are those that a multiprocessor does in a second.
func multiplications(p op.Precision) float64 {
	switch p {
	case op.Float32:
		return 0.35e12
	case op.TF32:
		return 1e12
	default:
		return 1.6e12
	}
}

// seconds is how long products side by side take, each in so many parts of its depth.
func (t tile) seconds(p op.Precision, products, rows, cols, depth, parts int) float64 {
	busiest := blocks(products*t.count(rows, cols)*parts, multiprocessors) // tiles of a multiprocessor
	warps := float64(min(busiest*t.threads/32, 12))                        // that hide each other's waiting
	s := float64(busiest*t.rows*t.cols*(partDepth(depth, parts)+endDepth)) * t.cost * (1 + 1.2/warps) / multiplications(p)
	if parts > 1 {
		s += launchSeconds + float64(4*products*rows*cols*2*parts)/bytesPerSecond
	}
	return s
}

// split chooses the tile of products side by side and into how many parts their depth is cut, at most, so that all
// multiprocessors have work; another kernel adds the parts.
func split(p op.Precision, of []tile, products, rows, cols, depth, most int) (best tile, parts int) {
	least := 0.0
	for _, t := range of {
		for n := 1; n <= most && (n == 1 || depth/n >= 4*tileDepth); n++ {
			if s := t.seconds(p, products, rows, cols, depth, n); least == 0 || s < least {
				best, parts, least = t, blocks(depth, partDepth(depth, n)), s
			}
		}
	}
	return best, parts
}

// mostParts is the largest number of parts of a product's depth.
const mostParts = 64

// partDepth is the depth of all parts of n but the last, which has the rest: whole slices.
func partDepth(depth, n int) int { return blocks(blocks(depth, n), tileDepth) * tileDepth }
