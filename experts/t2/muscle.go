package t2

import (
	"math"
	"slices"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// Where the pectoral muscle is looked for, and by what it is told. Its T1 is near the fibroglandular tissue's, so before
// contrast both are about as bright on the dynamic series, with fat suppression or without, while fat, lung, cortical
// bone and air are not.
const (
	bandMM       = 20.0 // behind the breast's region, which ends at the chest wall: the pectoral muscles are 10 to 20 mm thick
	muscleLow    = 0.6  // pre-contrast signal over the fibroglandular median: bone, lung and suppressed fat lie below
	muscleHigh   = 1.25 // fat that is not suppressed lies above
	muscleMaxPE  = 100. // %: the heart and vessels enhance more in the first phase
	muscleSpread = 0.35 // MAD over median of the T2 signal: above it the region is no single tissue
)

// muscle returns the median T2 signal of the pectoral muscle behind a breast, 0 where it cannot be told: less than the
// least volume of it, signals that are no single tissue's, or no darker than the gland's, which muscle is on T2 (T2 about
// 35 ms against 55 to 70 ms). The median is not moved by the strips of fat and the ribs that the region holds.
func (e *Expert) muscle(s *experts.Study, b experts.Breast, gland float64, lesional map[int]bool) float64 {
	if len(s.DCE) < 2 || b.Fibroglandular == nil || !b.Mask.Same(&s.DCE[0].Volume.Grid) {
		return 0
	}
	region := behind(b.Mask, s.DCE[0].Volume, s.DCE[1].Volume, glandLevel(s.DCE[0].Volume, b.Fibroglandular))
	var signal []float64
	for _, p := range lesion.Cover(region, &s.T2.Grid, 1) {
		if !lesional[p.Index] {
			signal = append(signal, float64(s.T2.Data[p.Index]))
		}
	}
	if len(signal) == 0 || float64(len(signal))*s.T2.VoxelMM3() < e.cfg.MinReferenceMM3 {
		return 0
	}
	middle := median(signal)
	for n, v := range signal {
		signal[n] = math.Abs(v - middle)
	}
	if spread := median(signal); spread > muscleSpread*middle || gland > 0 && middle >= gland {
		return 0
	}
	return middle
}

// behind returns the voxels within bandMM behind the breast, along the axis of the grid that runs most nearly from front to
// back, that have muscle's signal before contrast and do not enhance like blood.
func behind(breast *volume.Mask, pre, post *volume.Volume, gland float64) *volume.Mask {
	g := &pre.Grid
	out := volume.NewMask(*g)
	axis := 0
	for a := 1; a < 3; a++ {
		if math.Abs(g.Axis[a][1]) > math.Abs(g.Axis[axis][1]) {
			axis = a
		}
	}
	step := [3]int{1, g.Size[0], g.Size[0] * g.Size[1]}[axis]
	last, towards := g.Size[axis]-1, 1
	if g.Axis[axis][1] < 0 { // the index runs forward
		last, towards = 0, -1
	}
	reach := int(bandMM / g.SpacingMM[axis])
	for at, in := range breast.Data {
		if !in {
			continue
		}
		i, j, k := g.Voxel(at)
		place := [3]int{i, j, k}[axis]
		if place != last && breast.Data[at+towards*step] {
			continue // not the hindmost of its column
		}
		for n := 1; n <= reach && place != last; n++ {
			place += towards
			voxel := at + n*towards*step
			s0, s1 := float64(pre.Data[voxel]), float64(post.Data[voxel])
			if s0 > muscleLow*gland && s0 < muscleHigh*gland && 100*(s1-s0)/s0 < muscleMaxPE {
				out.Data[voxel] = true
			}
		}
	}
	return out
}

// glandLevel returns the median signal of the fibroglandular tissue.
func glandLevel(pre *volume.Volume, gland *volume.Mask) float64 {
	var signal []float64
	for at, in := range gland.Data {
		if in {
			signal = append(signal, float64(pre.Data[at]))
		}
	}
	return median(signal)
}

// median returns the middle value, 0 of none; it sorts values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}
