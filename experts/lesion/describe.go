package lesion

import (
	"cmp"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

// How BI-RADS' words for internal enhancement are told from the features, this project's operationalisation, see form.go:
// rim from rimFrom on, else heterogeneous from heterogeneousCV on, else homogeneous.
const (
	rimFrom         = 1.20
	heterogeneousCV = 0.20
	// minInnerVoxels is the least number of voxels of a core, which is a fifth of the mask, whose enhancement is told.
	minInnerVoxels = 8
	shells         = 5 // of equal volume, from the surface to the core
)

// Describe fills in what the early subtraction (early - pre, on the grid of l.Mask) tells of l beside its mask; values
// that are no numbers leave unknown what they take part in. Nothing is smoothed: a voxel's size bounds what is seen.
//
//   - Sharpness, 1/mm: mean over the mask's surface voxels of |g|, the gradient of the subtraction by central differences,
//     over the subtraction's upper decile in the mask (the margin gradient of Gilhuijs et al., Med Phys 1998;25:1647,
//     made free of the scanner's units). A step between two voxels has 1/(2 x spacing).
//   - RadialGradient, -1..1: the sum over those voxels of -g . r over the sum of |g|, r being the unit vector from the
//     centroid (Kupinski and Giger, IEEE Trans Med Imaging 1998;17:510): 1 for a ball, less for what is irregular, has
//     spicules or is drawn out.
//   - The mask is parted into five shells of equal volume by the voxels' depth, the deepest being the core. RimRatio is the
//     largest mean subtraction of a shell outside the core over that of the core; unevenness of the surface's partial
//     volume cannot bring it above 1. At a core without enhancement it is at most 10.
//   - EnhancementCV: standard deviation over mean of the subtraction in the three inner shells. The variance of noise is
//     taken off: that of second differences along the axes over 6 (after Immerkaer, CVIU 1996;64:300), to which pattern of
//     more than two voxels hardly adds.
//   - Internal: rim from a RimRatio of 1.2 on, else heterogeneous from an EnhancementCV of 0.2 on, else homogeneous. It
//     is told where the core has 8 voxels. Septations are not looked for.
func Describe(l *experts.Lesion, pre, early *volume.Volume) {
	if l.Mask == nil || pre == nil || early == nil || !l.Mask.Same(&pre.Grid) || !l.Mask.Same(&early.Grid) {
		return
	}
	b := bounds(l.Mask)
	if b.empty() || len(pre.Data) != pre.Len() || len(early.Data) != early.Len() {
		return
	}
	r := &rise{block: newBlock(l.Mask, b)}
	r.value = make([]float64, len(r.in))
	for at := range r.value {
		v := r.voxel(at)
		for a := range 3 { // beyond the grid lies what lies at its border
			v[a] = min(max(v[a]+r.lo[a], 0), r.grid.Size[a]-1)
		}
		index := r.grid.Index(v[0], v[1], v[2])
		r.value[at] = float64(early.Data[index]) - float64(pre.Data[index])
		if math.IsNaN(r.value[at]) || math.IsInf(r.value[at], 0) {
			return
		}
	}
	if len(r.set) < minFormVoxels {
		return
	}
	r.edge(l)
	r.inside(l)
}

// rise is the early subtraction in a block.
type rise struct {
	*block
	value []float64
}

// edge fills in Sharpness and RadialGradient.
func (r *rise) edge(l *experts.Lesion) {
	in := make([]float64, len(r.set))
	for n, at := range r.set {
		in[n] = r.value[at]
	}
	slices.Sort(in)
	height := in[int(0.9*float64(len(in)-1)+0.5)]
	if !(height > 0) {
		return
	}
	centre, _ := r.moments()
	steps := [3]int{1, r.n[0], r.n[0] * r.n[1]}
	seen := make([]bool, len(r.in))
	var n, length, inward float64
	r.faces(func(at, _, _ int) {
		if seen[at] {
			return
		}
		seen[at] = true
		var g volume.Vec
		for a, step := range steps {
			g[a] = (r.value[at+step] - r.value[at-step]) / (2 * r.mm[a])
		}
		n, length = n+1, length+g.Norm()
		if d := r.place(r.voxel(at)).Sub(centre); d.Norm() > 0 {
			inward -= g.Dot(d) / d.Norm()
		}
	})
	l.Sharpness = experts.Known(length / n / height)
	if length > 0 {
		l.RadialGradient = experts.Known(inward / length)
	}
}

// inside fills in RimRatio, EnhancementCV and Internal.
func (r *rise) inside(l *experts.Lesion) {
	depth := r.depth()
	order := slices.Clone(r.set)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(depth[a], depth[b]) })
	if len(order) < shells*minInnerVoxels {
		return
	}
	var mean [shells]float64
	for n := range mean {
		part := order[n*len(order)/shells : (n+1)*len(order)/shells]
		for _, at := range part {
			mean[n] += r.value[at] / float64(len(part))
		}
	}
	core, rim := mean[shells-1], slices.Max(mean[:shells-1])
	if !(rim > 0) {
		return
	}
	const mostRim = 10
	l.RimRatio = experts.Known(min(rim/max(core, rim/mostRim), mostRim))

	inner := order[2*len(order)/shells:]
	var sum, squares float64
	chosen := make([]bool, len(r.in))
	for _, at := range inner {
		sum, squares = sum+r.value[at], squares+r.value[at]*r.value[at]
		chosen[at] = true
	}
	count := float64(len(inner))
	average := sum / count
	if !(average > 0) {
		return
	}
	variance := squares/count - average*average
	l.EnhancementCV = experts.Known(math.Sqrt(max(variance-r.noise(inner, chosen), 0)) / average)
	switch {
	case l.RimRatio.Value >= rimFrom:
		l.Internal = experts.Rim
	case l.EnhancementCV.Value >= heterogeneousCV:
		l.Internal = experts.Heterogeneous
	default:
		l.Internal = experts.Homogeneous
	}
}

// noise returns the variance of the noise from second differences between voxels that are all chosen.
func (r *rise) noise(set []int, chosen []bool) float64 {
	sum, n := 0.0, 0.0
	for _, at := range set {
		for _, step := range [3]int{1, r.n[0], r.n[0] * r.n[1]} {
			if chosen[at-step] && chosen[at+step] {
				d := r.value[at-step] - 2*r.value[at] + r.value[at+step]
				sum, n = sum+d*d, n+1
			}
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n / 6 // the squares of the weights 1, -2, 1
}
