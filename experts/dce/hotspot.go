package dce

import (
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// hotSpotVoxels is the least part of a cube of 27 voxels that a lesion must fill for its mean to be a hot spot: half, so
// that cubes which only touch the surface, where partial volume and noise are largest, do not win. A lesion that fills
// nowhere so many is judged by the fullest cubes that it has.
const hotSpotVoxels = 14

// hotSpot returns the cube of 3 x 3 x 3 voxels around a voxel of the lesion whose mean signal, over its voxels in the
// lesion, enhances most in the early phase; of equals the first. The mean over the cube leaves a fifth of a voxel's noise,
// but the maximum over many cubes is biased upwards by about two standard deviations of what is left.
func (r *reading) hotSpot(mask *volume.Mask, in []int) experts.HotSpot {
	pre, early := r.s.DCE[0].Volume.Data, r.s.DCE[r.early].Volume.Data
	counts, pe := make([]int, len(in)), make([]float64, len(in))
	least := 0
	for n, at := range in {
		var s0, s1 float64
		eachAround(&mask.Grid, at, func(other int) {
			if mask.Data[other] {
				counts[n]++
				s0 += float64(pre[other])
				s1 += float64(early[other])
			}
		})
		pe[n] = math.Inf(-1)
		if s0 > 0 {
			pe[n] = s1/s0 - 1
		}
		least = max(least, min(counts[n], hotSpotVoxels))
	}
	best := -1
	for n := range in {
		if counts[n] >= least && !math.IsInf(pe[n], -1) && (best < 0 || pe[n] > pe[best]) {
			best = n
		}
	}
	if best < 0 {
		return experts.HotSpot{}
	}
	var cube []int
	eachAround(&mask.Grid, in[best], func(other int) {
		if mask.Data[other] {
			cube = append(cube, other)
		}
	})
	i, j, k := mask.Voxel(in[best])
	return experts.HotSpot{
		CentreMM: mask.Point(float64(i), float64(j), float64(k)), Voxels: len(cube),
		Kinetics: r.describe(r.mean(cube)),
	}
}

// eachAround calls do for the voxel at and those of its 26 neighbours that lie on the grid, in order of index.
func eachAround(g *volume.Grid, at int, do func(other int)) {
	i, j, k := g.Voxel(at)
	for dk := max(k-1, 0); dk <= min(k+1, g.Size[2]-1); dk++ {
		for dj := max(j-1, 0); dj <= min(j+1, g.Size[1]-1); dj++ {
			row := g.Index(0, dj, dk)
			for di := max(i-1, 0); di <= min(i+1, g.Size[0]-1); di++ {
				do(row + di)
			}
		}
	}
}
