package lesion

import (
	"cmp"
	"slices"
)

// When a set is several lesions that touch, this project's criterion on its distance map: balls of equal size part where
// their centres are 0.71 diameters apart or more; bosses of one lobulated lesion lie nearer.
const (
	// neckShare is the radius of the neck between two lobes, over that of the largest ball in the lesser one, below which
	// they are lesions of their own.
	neckShare = 0.7
	// lobeRadiusMM is the least radius of the largest ball in such a lobe: smaller ones are spicules, vessels and foci.
	lobeRadiusMM = 2.5
)

// lobes parts a set at its necks: the watershed of its distance map (Beucher and Lantuejoul 1979; flooding in order of
// depth, Vincent and Soille, IEEE PAMI 1991;13:583), where two basins become one unless the lesser is deep and the saddle
// between them shallow. The deepest lobe comes first.
func (f *finder) lobes(set []int) [][]int {
	depth := f.depthIn(set)
	order := make([]int, len(set)) // places in set, the deepest first
	place := make(map[int]int, len(set))
	for n, at := range set {
		order[n], place[at] = n, n
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(depth[b], depth[a]) })
	basin := make([]int, len(set)) // a voxel on the way to the deepest of its basin, which has itself; -1 not flooded yet
	for n := range basin {
		basin[n] = -1
	}
	bottom := func(n int) int {
		for basin[n] != n {
			basin[n] = basin[basin[n]]
			n = basin[n]
		}
		return n
	}
	rank := make([]int, len(set)) // place in order: of two basins the lower one is the deeper
	for r, n := range order {
		rank[n] = r
		var wet []int
		f.neighbours(set[n], func(to int) {
			if m, in := place[to]; in && basin[m] >= 0 {
				wet = append(wet, m)
			}
		})
		basin[n] = n
		if len(wet) == 0 {
			continue
		}
		basin[n] = bottom(slices.MinFunc(wet, func(a, b int) int { return cmp.Compare(depth[b], depth[a]) })) // the steepest way down
		for _, m := range wet {
			a, b := bottom(n), bottom(m)
			if rank[a] > rank[b] {
				a, b = b, a
			}
			if a != b && (depth[b] < lobeRadiusMM || depth[n] >= neckShare*depth[b]) {
				basin[b] = a
			}
		}
	}
	lobe := map[int]int{}
	var out [][]int
	for _, n := range order {
		if b := bottom(n); b == n {
			lobe[n] = len(out)
			out = append(out, nil)
		}
	}
	for n, at := range set {
		l := lobe[bottom(n)]
		out[l] = append(out[l], at)
	}
	return out
}
