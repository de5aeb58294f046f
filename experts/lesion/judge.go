package lesion

import (
	"math"
	"slices"

	"mome/experts/volume"
)

// What a candidate must be, beside large enough. Tuned on phantoms of 70 seeds.
const (
	// minProminence is the least part of a candidate's enhancement that it does not share with what lies 2 to 5 mm around
	// it (the upper quartile there): patches of background enhancement fade into one another, most below 0.3.
	minProminence = 0.2
	// minDistinction is the least distinction of a set that is worth an outline.
	minDistinction = 0.7
	// minSuspicion is the least suspicion of a candidate.
	minSuspicion = 1.6
	// clearlyCompact is the compactness of a first outline from which it stays where the final one runs out into what leads to
	// it; vessels have less.
	clearlyCompact = 0.4
	// leastDeviation is the least deviation of the background, %, that contrast is told against: noise alone makes as much.
	leastDeviation = 5.0
	// Within nippleMM of the nipple's place enhancement whose mean depth below the surface is up to nippleDepthMM is the
	// nipple's own; it enhances in every woman.
	nippleMM, nippleDepthMM = 10.0, 7.0
	// maxWallShare is the share of a candidate within wallMM of the chest wall from which it cannot be told from muscle.
	maxWallShare, wallMM = 0.8, 3.0
)

// judge turns a set into a candidate with its final outline, into several where that has necks, or into none where it is too
// small, background, the nipple or a part of the chest wall, or where the outline is a vessel's.
func (f *finder) judge(set []int) []*candidate {
	prominence := f.prominence(set)
	switch {
	case float64(len(set))*f.voxelMM3() < f.leastMM3(),
		slices.ContainsFunc(set, func(at int) bool { return f.taken[at] }),
		prominence < minProminence,
		f.distinction(set, prominence) < minDistinction,
		f.wallShare(set) > maxWallShare,
		f.hasNipple && f.centre(set).Sub(f.nipple).Norm() <= nippleMM && f.depthMM(set) <= nippleDepthMM:
		return nil
	}
	first := set
	if set = f.refined(set); !f.compact(set) {
		if f.compactness(first) < clearlyCompact {
			return nil
		}
		set = first
	}
	out := f.candidates(f.lobes(set), prominence)
	if out == nil { // a lobe that is no lesion by itself is a part of this one
		out = f.candidates([][]int{set}, prominence)
	}
	for _, c := range out {
		for _, at := range c.set {
			f.taken[at] = true
		}
	}
	return out
}

// candidates returns the sets as candidates, or none where one of them has too little suspicion. They stand
// out from what surrounds all of them.
func (f *finder) candidates(sets [][]int, prominence float64) []*candidate {
	var out []*candidate
	for _, set := range sets {
		c := &candidate{set: set, suspicion: f.suspicion(set, prominence)}
		if c.suspicion < minSuspicion {
			return nil
		}
		out = append(out, c)
	}
	return out
}

// minVoxels is the least number of a candidate's voxels: two each way, fewer have no shape to judge.
const minVoxels = 8

// leastMM3 returns the volume of a ball of MinDiameterMM, or of minVoxels where they are more.
func (f *finder) leastMM3() float64 {
	return max(math.Pi/6*math.Pow(f.cfg.MinDiameterMM, 3), minVoxels*f.voxelMM3())
}

// depthMM returns the set's mean depth below the body's surface.
func (f *finder) depthMM(set []int) float64 {
	sum := 0.0
	for _, at := range set {
		sum += f.skinDepthMM(f.index(at))
	}
	return sum / float64(len(set))
}

// centre returns the set's centroid in patient space.
func (f *finder) centre(set []int) volume.Vec {
	var sum [3]float64
	for _, at := range set {
		i, j, k := f.voxel(at)
		sum[0], sum[1], sum[2] = sum[0]+float64(i), sum[1]+float64(j), sum[2]+float64(k)
	}
	n := float64(len(set))
	return f.point([3]float64{sum[0] / n, sum[1] / n, sum[2] / n})
}

// prominence returns the part of the set's enhancement (its upper decile) by which it exceeds that of its surroundings, other
// candidates left out.
func (f *finder) prominence(set []int) float64 {
	const fromMM, toMM = 2.0, 5.0
	near := members(f.grown(set, fromMM))
	var around []float32
	for _, at := range f.grown(set, toMM) {
		if !near[at] && !f.taken[at] {
			around = append(around, f.rise[at])
		}
	}
	height := f.height(f.rise, set)
	if height <= 0 {
		return 0
	}
	return 1 - float64(percentile(around, 0.75))/height
}

// distinction weighs how far the set stands out from its surroundings, from a string's shape, from tissue that hardly
// enhances and from the breast's own background: prominence + compactness (core over length: a ball 1, a sheet or a string
// 0) + ln(enhancement / 100 %) + ln(contrast) / 2. What is weak in one must make up for it in the others. BI-RADS calls
// 100 % fast.
func (f *finder) distinction(set []int, prominence float64) float64 {
	return prominence + f.compactness(set) + math.Log(max(f.height(f.pe, set), 1)/100) + math.Log(f.contrast(set))/2
}

// suspicion orders candidates: distinction, the compactness of the final outline counting twice, since vessels and patches
// of gland are ragged; less the excess over the background of the late rise in units of the early one, since background
// goes on rising where cancers wash out (Kuhl et al., Radiology 1999;211:101); and a quarter of ln(diameter / 10 mm), that
// of the ball of equal volume. Planted lesions have 1.9 and more for the most part, false candidates less.
func (f *finder) suspicion(set []int, prominence float64) float64 {
	diameterMM := math.Cbrt(6 / math.Pi * float64(len(set)) * f.voxelMM3())
	return f.distinction(set, prominence) + f.compactness(set) - min(max(f.lateRise(set)-f.back.lateRise, -1), 1) + math.Log(diameterMM/10)/4
}

// compactness returns the diameter of the largest ball in the set over the set's length.
func (f *finder) compactness(set []int) float64 { return min(f.core(set)/f.lengthMM(set), 1) }

// contrast returns by how many of the background's deviations the set's enhancement (its upper decile) exceeds the median
// of the breast's own fibroglandular tissue, at least 0.1. Where the background enhances unevenly its patches reach any
// percentage, but not many deviations.
func (f *finder) contrast(set []int) float64 {
	return max((f.height(f.pe, set)-f.back.median)/max(f.back.deviation, leastDeviation), 0.1)
}

// height returns the upper decile of v in the set: its brightest part without the brightest voxels' noise.
func (f *finder) height(v []float32, set []int) float64 {
	in := make([]float32, len(set))
	for n, at := range set {
		in[n] = v[at]
	}
	return float64(percentile(in, 0.9))
}

// wallShare returns the share of the set that lies within wallMM of the chest wall, along y.
func (f *finder) wallShare(set []int) float64 {
	near := 0
	for _, at := range set {
		v := f.chest.canonical(f.grid.Voxel(f.index(at)))
		x := (float64(v[0])+0.5)/float64(f.chest.factor[0]) - 0.5
		if y := (float64(v[1]) + 0.5) * f.chest.mm[1]; !(f.chest.wallMM(x, v[2]/f.chest.factor[2])-y > wallMM) {
			near++
		}
	}
	return float64(near) / float64(len(set))
}

// lengthMM returns the set's length along its main axis: that of the ellipsoid with the same second moments, whose
// variance along an axis is a twentieth of the axis squared. A bent vessel's is shorter than the vessel, but still long.
func (f *finder) lengthMM(set []int) float64 {
	points := make([]volume.Vec, len(set))
	var mean volume.Vec
	for n, at := range set {
		i, j, k := f.voxel(at)
		points[n] = stepMM([3]int{i, j, k}, f.mm)
		mean = mean.Add(points[n].Scale(1 / float64(len(set))))
	}
	var cov [3][3]float64
	for _, p := range points {
		d := p.Sub(mean)
		for a := range 3 {
			for b := range 3 {
				cov[a][b] += d[a] * d[b] / float64(len(set))
			}
		}
	}
	for a := range 3 { // the extent of the voxels themselves
		cov[a][a] += f.mm[a] * f.mm[a] / 12
	}
	return math.Sqrt(20 * largestEigenvalue(cov))
}

// largestEigenvalue returns that of a symmetric matrix without negative eigenvalues, by squaring the matrix until its
// largest direction is all that remains.
func largestEigenvalue(m [3][3]float64) float64 {
	scale := m[0][0] + m[1][1] + m[2][2]
	if !(scale > 0) {
		return 0
	}
	power := m
	for range 12 { // 2^12-th power: a tenth of a percent of difference between eigenvalues is told
		var square [3][3]float64
		trace := 0.0
		for a := range 3 {
			for b := range 3 {
				for c := range 3 {
					square[a][b] += power[a][c] * power[c][b]
				}
			}
			trace += square[a][a]
		}
		for a := range 3 {
			for b := range 3 {
				power[a][b] = square[a][b] / trace
			}
		}
	}
	value := 0.0 // the trace of m times the projector on the largest direction
	for a := range 3 {
		for b := range 3 {
			value += m[a][b] * power[b][a]
		}
	}
	return value
}

// lateRise returns the set's rise from the pre-contrast to the late phase over that to the early one: less than 1 where it
// washes out; 1 where there is no late phase or no early rise.
func (f *finder) lateRise(set []int) float64 {
	if f.late < 0 {
		return 1
	}
	var early, late float64
	for _, at := range set {
		n := f.index(at)
		pre := float64(f.s.DCE[0].Volume.Data[n])
		early += float64(f.s.DCE[f.early].Volume.Data[n]) - pre
		late += float64(f.s.DCE[f.late].Volume.Data[n]) - pre
	}
	if !(early > 0) {
		return 1
	}
	return late / early
}
