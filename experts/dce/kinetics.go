package dce

import (
	"mome/experts"
)

// kinetics fills in l's kinetic quantities. Mean values are those of the mean curve over the mask, not means of voxels'
// ratios: a ratio of noisy voxels is biased, most of all where the pre-contrast signal is low.
func (r *reading) kinetics(l *experts.Lesion) {
	l.TimesS, l.Signal = make([]float64, len(r.s.DCE)), make([]float64, len(r.s.DCE))
	l.PEEarly, l.PEPeak, l.SER, l.TimeToPeak, l.FTVCM3 =
		experts.Quantity{}, experts.Quantity{}, experts.Quantity{}, experts.Quantity{}, experts.Quantity{}
	l.WorstCurve, l.CurveShare = "", nil
	var in []int
	for at, set := range l.Mask.Data {
		if set {
			in = append(in, at)
		}
	}
	if len(in) == 0 {
		return
	}
	for n, p := range r.s.DCE {
		sum := 0.0
		for _, at := range in {
			sum += float64(p.Volume.Data[at])
		}
		l.TimesS[n], l.Signal[n] = p.TimeS, sum/float64(len(in))
	}
	s0 := l.Signal[0]
	if s0 > 0 {
		peak := 1
		for n := range l.Signal[1:] {
			if l.Signal[n+1] > l.Signal[peak] {
				peak = n + 1
			}
		}
		l.PEEarly = experts.Known(100 * (l.Signal[r.early] - s0) / s0)
		l.PEPeak = experts.Known(100 * (l.Signal[peak] - s0) / s0)
		l.TimeToPeak = experts.Known(l.TimesS[peak]) // on the clock of TimesS
		if r.late >= 0 && l.Signal[r.late] > s0 {
			l.SER = experts.Known((l.Signal[r.early] - s0) / (l.Signal[r.late] - s0))
		}
	}
	l.FTVCM3 = experts.Known(r.ftv(l, in))
	if r.late >= 0 {
		r.curves(l, in)
	}
}

// ftv returns the functional tumour volume inside the mask, cm3 (UCSF/I-SPY). The region of the percentile is the mask
// itself, which a reader's box around the tumour would be in their work: fat of a series without suppression does not
// reach it. SER >= 0 is asked for only where there is a delayed phase.
func (r *reading) ftv(l *experts.Lesion, in []int) float64 {
	pre, early := r.s.DCE[0].Volume, r.s.DCE[r.early].Volume
	signal := make([]float32, len(in))
	for n, at := range in {
		signal[n] = pre.Data[at]
	}
	least := float32(r.cfg.FTVBackground) * percentile(signal, 0.95)
	kept := map[int]bool{}
	for _, at := range in {
		s0 := pre.Data[at]
		rise := early.Data[at] - s0
		if !(s0 >= least) || s0 <= 0 || float64(100*rise/s0) < r.cfg.FTVMinPE {
			continue
		}
		if r.late >= 0 && r.s.DCE[r.late].Volume.Data[at] <= s0 { // SER < 0, or none
			continue
		}
		kept[at] = true
	}
	count := 0
	for at := range kept {
		i, j, k := pre.Voxel(at)
		neighbours := -1 // the voxel itself
		for dk := -1; dk <= 1; dk++ {
			for dj := -1; dj <= 1; dj++ {
				for di := -1; di <= 1; di++ {
					if pre.Contains(i+di, j+dj, k+dk) && kept[pre.Index(i+di, j+dj, k+dk)] {
						neighbours++
					}
				}
			}
		}
		if neighbours >= r.cfg.FTVNeighbours {
			count++
		}
	}
	return float64(count) * pre.VoxelMM3() / 1000
}

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
			if c := r.curve(pre.Voxel(at)); c > 0 {
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
func (r *reading) curve(i, j, k int) int {
	early, late := r.s.DCE[r.early].Volume, r.s.DCE[r.late].Volume
	var a, b float64
	for dk := max(k-1, 0); dk <= min(k+1, early.Size[2]-1); dk++ {
		for dj := max(j-1, 0); dj <= min(j+1, early.Size[1]-1); dj++ {
			at := early.Index(0, dj, dk)
			for di := max(i-1, 0); di <= min(i+1, early.Size[0]-1); di++ {
				a += float64(early.Data[at+di])
				b += float64(late.Data[at+di])
			}
		}
	}
	if a <= 0 {
		return 0
	}
	switch change := 100 * (b - a) / a; {
	case change > r.cfg.CurveChange:
		return 1
	case change < -r.cfg.CurveChange:
		return 3
	}
	return 2
}
