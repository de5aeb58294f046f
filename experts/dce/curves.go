package dce

import "mome/experts"

// curves sets the shares of curve types among the lesion's voxels that enhance by CurveMinPE or, where none does, among
// all of them, and the worst type that at least WorstShare of them show.
func (r *reading) curves(l *experts.Lesion, in []int) {
	pre, early := r.s.DCE[0].Volume, r.s.DCE[r.early].Volume
	for _, leastPE := range [2]float64{r.cfg.CurveMinPE, -1e9} {
		var count [4]int
		all := 0
		for _, at := range in {
			s0 := float64(pre.Data[at])
			if s0 <= 0 || 100*(float64(early.Data[at])-s0)/s0 < leastPE {
				continue
			}
			if c := r.curve(at); c > 0 {
				count[c]++
				all++
			}
		}
		if all == 0 {
			continue
		}
		l.CurveShare = map[experts.Curve]float64{}
		for code := 1; code <= 3; code++ {
			l.CurveShare[curveOf[code]] = float64(count[code]) / float64(all)
			if l.CurveShare[curveOf[code]] >= r.cfg.WorstShare {
				l.WorstCurve = curveOf[code]
			}
		}
		return
	}
}

// curve types the curve of a voxel by the change of signal from the early to the late phase, in percent of the early
// signal: more than CurveChange up is 1 (persistent), down 3 (washout), else 2 (plateau); 0 without signal. Signals are
// means over the 3x3x3 voxels around it, which divides the noise by up to five: at SNR 20 the change is then known to
// 2 %, well inside the limit of 10 %.
func (r *reading) curve(at int) int {
	early, late := r.s.DCE[r.early].Volume, r.s.DCE[r.late].Volume
	var a, b float64
	eachAround(&early.Grid, at, func(other int) {
		a += float64(early.Data[other])
		b += float64(late.Data[other])
	})
	return r.curveType(a, b)
}

// curveType returns the code of the change from the early signal to the late one.
func (r *reading) curveType(early, late float64) int {
	if early <= 0 {
		return 0
	}
	switch change := 100 * (late - early) / early; {
	case change > r.cfg.CurveChange:
		return 1
	case change < -r.cfg.CurveChange:
		return 3
	}
	return 2
}
