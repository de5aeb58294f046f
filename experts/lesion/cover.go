package lesion

import (
	"math"

	"mome/experts/volume"
)

// Part is a voxel of another grid and how much of it a mask covers.
type Part struct {
	Index    int     // into the other grid's Data
	Fraction float64 // of the voxel's volume, 0..1
}

// Cover returns the voxels of grid onto that m covers in part, in order of index: each voxel of onto is sampled at
// samples^3 evenly spaced places (1: its centre alone), and Fraction is the share of them whose nearest voxel of m is in
// the set. It moves a lesion drawn on the DCE grid to where diffusion and T2 were measured without resampling those.
// Patient positions are taken as common to both grids; whether the patient moved in between is not known here.
func Cover(m *volume.Mask, onto *volume.Grid, samples int) []Part {
	b := bounds(m)
	if b.empty() || onto.Len() == 0 {
		return nil
	}
	samples = max(samples, 1)
	reach := reach(m, b, onto)
	if reach.empty() {
		return nil
	}
	// at is the fractional voxel of m at onto's (i,j,k): an affine map.
	var origin [3]float64
	var step [3][3]float64
	origin[0], origin[1], origin[2] = m.At(onto.Point(0, 0, 0))
	for a := range 3 {
		var unit [3]float64
		unit[a] = 1
		p0, p1, p2 := m.At(onto.Point(unit[0], unit[1], unit[2]))
		step[a] = [3]float64{p0 - origin[0], p1 - origin[1], p2 - origin[2]}
	}
	in := func(i, j, k float64) bool {
		var v [3]int
		for a := range 3 {
			v[a] = int(math.Floor(origin[a] + i*step[0][a] + j*step[1][a] + k*step[2][a] + 0.5))
			if v[a] < b.lo[a] || v[a] > b.hi[a] {
				return false
			}
		}
		return m.Data[m.Index(v[0], v[1], v[2])]
	}
	offset := make([]float64, samples)
	for n := range offset {
		offset[n] = (float64(n)+0.5)/float64(samples) - 0.5
	}
	var parts []Part
	all := float64(samples * samples * samples)
	for k := reach.lo[2]; k <= reach.hi[2]; k++ {
		for j := reach.lo[1]; j <= reach.hi[1]; j++ {
			for i := reach.lo[0]; i <= reach.hi[0]; i++ {
				hits := 0
				for _, c := range offset {
					for _, r := range offset {
						for _, x := range offset {
							if in(float64(i)+x, float64(j)+r, float64(k)+c) {
								hits++
							}
						}
					}
				}
				if hits > 0 {
					parts = append(parts, Part{onto.Index(i, j, k), float64(hits) / all})
				}
			}
		}
	}
	return parts
}

// reach returns the voxels of onto that b on m's grid may touch.
func reach(m *volume.Mask, b box, onto *volume.Grid) box {
	lo := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	hi := [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for corner := range 8 {
		var v [3]float64
		for a := range 3 {
			v[a] = float64(b.lo[a]) - 0.5
			if corner>>a&1 == 1 {
				v[a] = float64(b.hi[a]) + 0.5
			}
		}
		i, j, k := onto.At(m.Point(v[0], v[1], v[2]))
		for a, x := range [3]float64{i, j, k} {
			lo[a], hi[a] = min(lo[a], x), max(hi[a], x)
		}
	}
	out := box{}
	for a := range 3 {
		if !(hi[a] > -0.5) || !(lo[a] < float64(onto.Size[a])-0.5) { // outside, or a degenerate geometry's NaN
			return emptyBox()
		}
		out.lo[a] = int(math.Floor(max(lo[a]+0.5, 0)))
		out.hi[a] = int(math.Floor(min(hi[a]+0.5, float64(onto.Size[a]-1))))
	}
	return out
}
