package dce

import (
	"context"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

// curveCode is a curve type as the map "curve" stores it; 0 is "not typed".
var curveOf = [4]experts.Curve{1: experts.Persistent, 2: experts.Plateau, 3: experts.Washout}

// maps computes the parameter maps on the part of the grid that holds the breasts and the lesions, or all of it where
// none of them is known.
func (r *reading) maps(ctx context.Context, breasts []experts.Breast, lesions []*experts.Lesion) (map[string]*volume.Volume, error) {
	grid := &r.s.DCE[0].Volume.Grid
	lo, hi := extent(grid, breasts, lesions)
	part := *grid
	part.Origin = grid.Point(float64(lo[0]), float64(lo[1]), float64(lo[2]))
	for a := range 3 {
		part.Size[a] = hi[a] - lo[a] + 1
	}
	least := r.leastSignal(breasts)
	peEarly, washIn, ttp := volume.New(part), volume.New(part), volume.New(part)
	out := map[string]*volume.Volume{"PE_early": peEarly, "wash_in": washIn, "TTP": ttp}
	var peLate, ser, curve, washOut *volume.Volume
	if r.late >= 0 {
		peLate, ser, curve, washOut = volume.New(part), volume.New(part), volume.New(part), volume.New(part)
		out["PE_late"], out["SER"], out["curve"], out["wash_out"] = peLate, ser, curve, washOut
	}
	minutes := make([]float32, r.initial) // from arrival to the middle of a phase
	for n := range minutes {
		minutes[n] = float32(r.middleS(n) / 60)
	}
	last := len(r.s.DCE) - 1
	fallMin := float32(r.s.DCE[last].TimeS-r.s.DCE[r.early].TimeS) / 60
	pre, early := r.s.DCE[0].Volume, r.s.DCE[r.early].Volume
	err := experts.EachSlice(ctx, part.Size[2], func(k int) {
		signal := make([]float32, len(r.s.DCE))
		for j := range part.Size[1] {
			for i := range part.Size[0] {
				to, at := part.Index(i, j, k), grid.Index(i+lo[0], j+lo[1], k+lo[2])
				s0 := pre.Data[at]
				if !(s0 > least) {
					continue
				}
				for n := range signal {
					signal[n] = r.s.DCE[n].Volume.Data[at]
				}
				rise := early.Data[at] - s0
				peEarly.Data[to] = 100 * rise / s0
				if n := highest(signal, r.initial); minutes[n] > 0 {
					washIn.Data[to] = 100 * (signal[n] - s0) / s0 / minutes[n]
				}
				if float64(peEarly.Data[to]) >= r.cfg.CurveMinPE {
					ttp.Data[to] = float32(r.s.DCE[highest(signal, len(signal))].TimeS)
				}
				if r.late < 0 {
					continue
				}
				lateRise := signal[r.late] - s0
				peLate.Data[to] = 100 * lateRise / s0
				if float64(peEarly.Data[to]) < r.cfg.CurveMinPE {
					continue
				}
				if lateRise > 0 {
					ser.Data[to] = min(rise/lateRise, serMax)
				}
				curve.Data[to] = float32(r.curve(at))
				washOut.Data[to] = 100 * (signal[last] - early.Data[at]) / early.Data[at] / fallMin
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// serMax bounds the map of SER: UCSF's colour scale ends at 3, and a late signal that returns to its start has no ratio.
const serMax = 10

// extent returns the range of voxels that the breasts and lesions take up, the whole grid where there are none.
func extent(g *volume.Grid, breasts []experts.Breast, lesions []*experts.Lesion) (lo, hi [3]int) {
	lo, hi = g.Size, [3]int{-1, -1, -1}
	add := func(m *volume.Mask) {
		if m == nil || !m.Same(g) {
			return
		}
		for k := range g.Size[2] {
			for j := range g.Size[1] {
				row := m.Data[g.Index(0, j, k) : g.Index(0, j, k)+g.Size[0]]
				first := slices.Index(row, true)
				if first < 0 {
					continue
				}
				last := first
				for i := g.Size[0] - 1; i > first; i-- {
					if row[i] {
						last = i
						break
					}
				}
				lo = [3]int{min(lo[0], first), min(lo[1], j), min(lo[2], k)}
				hi = [3]int{max(hi[0], last), max(hi[1], j), max(hi[2], k)}
			}
		}
	}
	for _, b := range breasts {
		add(b.Mask)
	}
	for _, l := range lesions {
		add(l.Mask)
	}
	if hi[0] < 0 {
		return [3]int{}, [3]int{g.Size[0] - 1, g.Size[1] - 1, g.Size[2] - 1}
	}
	return lo, hi
}

// leastSignal returns the pre-contrast signal below which no ratio is formed.
func (r *reading) leastSignal(breasts []experts.Breast) float32 {
	pre := r.s.DCE[0].Volume
	const samples = 200_000
	var signal []float32
	step := max(len(pre.Data)/samples, 1)
	for at := 0; at < len(pre.Data); at += step {
		if len(breasts) == 0 || inAny(breasts, at) {
			signal = append(signal, pre.Data[at])
		}
	}
	return max(float32(r.cfg.MinSignal)*percentile(signal, 0.95), 0)
}

func inAny(breasts []experts.Breast, at int) bool {
	for _, b := range breasts {
		if b.Mask != nil && at < len(b.Mask.Data) && b.Mask.Data[at] {
			return true
		}
	}
	return false
}

// percentile returns the p-th part (0..1) of the values in order, 0 of none; it sorts values.
func percentile(values []float32, p float64) float32 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[int(p*float64(len(values)-1)+0.5)]
}
