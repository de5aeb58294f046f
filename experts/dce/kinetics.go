package dce

import "mome/experts"

// initialS is how long BI-RADS' initial phase lasts, s after the contrast agent arrived (ACR BI-RADS MRI, 2013).
const initialS = 120

// middleS returns the time of phase k's contrast, s after the contrast agent arrived: the middle of its acquisition.
func (r *reading) middleS(k int) float64 {
	return r.s.DCE[k].TimeS - r.s.DCE[1].TimeS + r.durationS/2
}

// durationS returns how long a phase takes, for which the least interval between two phases stands: pauses only lengthen
// intervals.
func durationS(phases []experts.Phase) float64 {
	least := phases[1].TimeS - phases[0].TimeS
	for k := 2; k < len(phases); k++ {
		least = min(least, phases[k].TimeS-phases[k-1].TimeS)
	}
	return max(least, 0)
}

// initialPhases returns the index after the last phase whose middle lies in the initial phase; the first post-contrast
// phase always does.
func (r *reading) initialPhases() int {
	end := 2
	for end < len(r.s.DCE) && r.durationS > 0 && r.middleS(end) <= initialS {
		end++
	}
	return end
}

// highest returns the first of the phases from 1 to end-1 with the highest signal.
func highest[T float32 | float64](signal []T, end int) int {
	peak := 1
	for k := 2; k < end; k++ {
		if signal[k] > signal[peak] {
			peak = k
		}
	}
	return peak
}

// describe reads a time-signal curve; what needs a signal before contrast, times or a delayed phase is unknown without.
func (r *reading) describe(signal []float64) experts.Kinetics {
	out := experts.Kinetics{Signal: signal}
	s0, last := signal[0], len(signal)-1
	if !(s0 > 0) {
		return out
	}
	pe := func(k int) float64 { return 100 * (signal[k] - s0) / s0 }
	peak, initial := highest(signal, len(signal)), highest(signal, r.initial)
	out.PEEarly = experts.Known(pe(r.early))
	out.PEPeak = experts.Known(pe(peak))
	out.TimeToPeak = experts.Known(r.s.DCE[peak].TimeS)
	out.PEInitial = experts.Known(pe(initial))
	out.Initial = experts.InitialPhaseOf(out.PEInitial)
	if at := r.middleS(initial); at > 0 {
		out.WashIn = experts.Known(pe(initial) / (at / 60))
	}
	if r.late < 0 || !(signal[r.early] > 0) {
		return out
	}
	if signal[r.late] > s0 {
		out.SER = experts.Known((signal[r.early] - s0) / (signal[r.late] - s0))
	}
	change := func(k int) float64 { return 100 * (signal[k] - signal[r.early]) / signal[r.early] }
	out.DelayedChange = experts.Known(change(r.late))
	out.Curve = curveOf[r.curveType(signal[r.early], signal[r.late])]
	out.WashOut = experts.Known(change(last) / ((r.s.DCE[last].TimeS - r.s.DCE[r.early].TimeS) / 60))
	return out
}

// mean returns the mean signal of the voxels in every phase.
func (r *reading) mean(in []int) []float64 {
	out := make([]float64, len(r.s.DCE))
	for n, p := range r.s.DCE {
		sum := 0.0
		for _, at := range in {
			sum += float64(p.Volume.Data[at])
		}
		out[n] = sum / float64(len(in))
	}
	return out
}

// kinetics fills in l's kinetic quantities. Mean values are those of the mean curve over the mask, not means of voxels'
// ratios: a ratio of noisy voxels is biased, most of all where the pre-contrast signal is low.
func (r *reading) kinetics(l *experts.Lesion) {
	l.TimesS = make([]float64, len(r.s.DCE))
	l.WorstCurve, l.CurveShare, l.HotSpot, l.FTVCM3 = "", nil, experts.HotSpot{}, experts.Quantity{}
	curve := experts.Kinetics{Signal: make([]float64, len(r.s.DCE))}
	if in := indices(l.Mask.Data); len(in) > 0 {
		for n, p := range r.s.DCE {
			l.TimesS[n] = p.TimeS
		}
		curve = r.describe(r.mean(in))
		l.HotSpot = r.hotSpot(l.Mask, in)
		l.FTVCM3 = experts.Known(r.ftv(in))
		if r.late >= 0 {
			r.curves(l, in)
		}
	}
	l.Signal, l.PEEarly, l.PEPeak, l.SER, l.TimeToPeak = curve.Signal, curve.PEEarly, curve.PEPeak, curve.SER, curve.TimeToPeak
	l.PEInitial, l.InitialPhase, l.WashIn, l.WashOut = curve.PEInitial, curve.Initial, curve.WashIn, curve.WashOut
	l.DelayedChange, l.MeanCurve = curve.DelayedChange, curve.Curve
	l.Uptake = r.uptake(l, curve.Signal)
}

// indices returns the places that are set.
func indices(set []bool) []int {
	var in []int
	for at, is := range set {
		if is {
			in = append(in, at)
		}
	}
	return in
}
