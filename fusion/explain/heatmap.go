package explain

import (
	"fmt"
	"math"

	"mome/experts/volume"
	"mome/fusion"
)

// Map is the modality's attribution in patient space, for an input that fusion.Crop cut around centreMM: on the grid of
// its own box, log-odds per voxel. It shares Voxels. It fails for weights that state no field of view; see MapOn.
func (p *Part) Map(centreMM volume.Vec, frameOfReference string) (*volume.Volume, error) {
	if p.Box.FieldOfViewMM == [3]float64{} {
		return nil, fmt.Errorf("map of %s: the weights state no field of view", p.Modality)
	}
	return p.MapOn(fusion.BoxGrid(p.Box, centreMM, frameOfReference))
}

// MapOn is Map for a box that lies on the given grid, such as fusion.WholeGrid gives.
func (p *Part) MapOn(g volume.Grid) (*volume.Volume, error) {
	if want := [3]int{p.Box.Size[2], p.Box.Size[1], p.Box.Size[0]}; g.Size != want {
		return nil, fmt.Errorf("map of %s: a grid of %v voxels, the box has %v", p.Modality, g.Size, want)
	}
	return &volume.Volume{Grid: g, Data: p.Voxels}, nil
}

// Heatmap is the attribution of all modalities together, for an input that fusion.Crop cut around centreMM, on a grid
// of the patient such as that of the dynamic series: see HeatmapOf.
func (e *Explanation) Heatmap(centreMM volume.Vec, onto volume.Grid) (*volume.Volume, error) {
	maps := make([]*volume.Volume, len(e.Parts))
	for i := range e.Parts {
		var err error
		if maps[i], err = e.Parts[i].Map(centreMM, onto.FrameOfReference); err != nil {
			return nil, err
		}
	}
	return HeatmapOf(onto, maps...), nil
}

// HeatmapOf adds up maps of modalities on another grid: log-odds per voxel of that grid, 0 outside the maps.
//
// Each map is resampled as a density, log-odds per mm3, and multiplied by the grid's voxel volume. The sum stays that
// of the maps to within a few per cent, less what lies beyond the grid's edge.
func HeatmapOf(onto volume.Grid, maps ...*volume.Volume) *volume.Volume {
	out := volume.New(onto)
	for _, m := range maps {
		addDensity(out, m)
	}
	return out
}

// addDensity adds m to out, both in a quantity per voxel. Voxels of out that are larger than those of m are sampled at
// several points.
func addDensity(out, m *volume.Volume) {
	low, high := reach(&out.Grid, &m.Grid)
	var fine [3]int
	for a := range fine {
		fine[a] = max(1, int(math.Ceil(out.SpacingMM[a]/min(m.SpacingMM[0], m.SpacingMM[1], m.SpacingMM[2]))))
	}
	scale := out.VoxelMM3() / m.VoxelMM3() / float64(fine[0]*fine[1]*fine[2])
	for k := low[2]; k <= high[2]; k++ {
		for j := low[1]; j <= high[1]; j++ {
			for i := low[0]; i <= high[0]; i++ {
				sum := 0.0
				for s := range fine[0] * fine[1] * fine[2] {
					sub := [3]int{s % fine[0], s / fine[0] % fine[1], s / (fine[0] * fine[1])}
					p := out.Point(within(i, sub[0], fine[0]), within(j, sub[1], fine[1]), within(k, sub[2], fine[2]))
					sum += float64(m.Sample(m.At(p)))
				}
				out.Data[out.Index(i, j, k)] += float32(scale * sum)
			}
		}
	}
}

// within is the place of part sub of n in voxel i.
func within(i, sub, n int) float64 { return float64(i) + (float64(sub)+0.5)/float64(n) - 0.5 }

// reach are the first and last voxels of g that b can touch, along i, j, k; last is before first where there are none.
func reach(g, b *volume.Grid) (low, high [3]int) {
	least, most := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}, [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for corner := range 8 {
		var at [3]float64
		for a := range at {
			at[a] = -0.5
			if corner>>a&1 == 1 {
				at[a] = float64(b.Size[a]) - 0.5
			}
		}
		var p [3]float64
		p[0], p[1], p[2] = g.At(b.Point(at[0], at[1], at[2]))
		for a, v := range p {
			least[a], most[a] = min(least[a], v), max(most[a], v)
		}
	}
	for a := range low {
		low[a], high[a] = max(0, int(math.Floor(least[a]))), min(g.Size[a]-1, int(math.Ceil(most[a])))
	}
	return low, high
}

// Combine joins the heat maps of several findings of one study, all on one grid: every voxel keeps the value of largest
// magnitude, the first of equals, so that where boxes overlap no finding's peak is changed by another's surroundings.
// Without maps it is nil.
func Combine(maps ...*volume.Volume) (*volume.Volume, error) {
	if len(maps) == 0 {
		return nil, nil
	}
	out := volume.New(maps[0].Grid)
	for _, m := range maps {
		if !m.Same(&out.Grid) {
			return nil, fmt.Errorf("combine heat maps: one is on another grid")
		}
		for i, v := range m.Data {
			if math.Abs(float64(v)) > math.Abs(float64(out.Data[i])) {
				out.Data[i] = v
			}
		}
	}
	return out, nil
}

// Peak is the voxel of a heat map that speaks most for the class, and its value. It is the first of equals; a map
// without positive values has none.
func Peak(m *volume.Volume) (i, j, k int, value float32, ok bool) {
	best := -1
	for at, v := range m.Data {
		if v > value {
			best, value = at, v
		}
	}
	if best < 0 {
		return 0, 0, 0, 0, false
	}
	i, j, k = m.Voxel(best)
	return i, j, k, value, true
}

// PeakMM is the place of the peak in the patient, mm.
func PeakMM(m *volume.Volume) (volume.Vec, bool) {
	i, j, k, _, ok := Peak(m)
	if !ok {
		return volume.Vec{}, false
	}
	return m.Point(float64(i), float64(j), float64(k)), true
}
