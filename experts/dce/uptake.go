package dce

import (
	"context"
	"fmt"

	"mome/experts"
	"mome/experts/pharmacokinetics"
	"mome/experts/volume"
)

// What a dynamic series must be for a pharmacokinetic fit to be tried. Three parameters from five phases leave two degrees
// of freedom; a first phase that lasts longer than 90 s has averaged the rise away, and a series that ends within four
// minutes does not show the way back.
const (
	leastPost     = 5
	mostDurationS = 90.
	leastLastS    = 240.
	extendedS     = 10. // longest phase that tells plasma from tissue, the temporal resolution that QIBA's DCE-MRI profile asks for

	mapMarginMM = 5.      // around the lesions
	mostVoxels  = 300_000 // that are fitted for the maps: 6 us each on one core
)

// uptake fits pharmacokinetic models, or says why not.
type uptake struct {
	fitter *pharmacokinetics.Fitter // nil: not computed
	reason string
	model  pharmacokinetics.Model
}

// newUptake decides whether a fit is tried. The arterial curve is the population's, and arrives when the first
// post-contrast phase begins.
func (r *reading) newUptake() *uptake {
	n := len(r.s.DCE)
	switch {
	case !r.s.TimesKnown:
		return &uptake{reason: "the times of the phases are not known"}
	case r.s.Echo == nil:
		return &uptake{reason: "repetition time and flip angle are not stated"}
	case n-1 < leastPost:
		return &uptake{reason: fmt.Sprintf("%d post-contrast phases, %d are needed", n-1, leastPost)}
	case !(r.durationS > 0 && r.durationS <= mostDurationS+0.5):
		return &uptake{reason: fmt.Sprintf("phases of %.0f s, at most %.0f are needed", r.durationS, mostDurationS)}
	case r.middleS(n-1) < leastLastS:
		return &uptake{reason: fmt.Sprintf("the last phase is %.0f s after arrival, %.0f are needed", r.middleS(n-1), leastLastS)}
	}
	timesS := make([]float64, n-1)
	for k := range timesS {
		timesS[k] = r.middleS(k + 1)
	}
	model := pharmacokinetics.Tofts
	if r.durationS <= extendedS {
		model = pharmacokinetics.Extended
	}
	return &uptake{model: model, fitter: pharmacokinetics.NewFitter(model, pharmacokinetics.Population(timesS[n-2]), timesS)}
}

// settings states what the fit rests on.
func (u *uptake) settings(r *reading) []experts.Setting {
	const name = "pharmacokinetics"
	if u.fitter == nil {
		return []experts.Setting{{Name: name, Text: "not computed: " + u.reason}}
	}
	out := []experts.Setting{
		{Name: name, Text: string(u.model) + " model, relative"},
		{Name: "arterial curve", Text: "population average (Parker 2006), arriving with the first post-contrast phase"},
		{Name: "relaxivity r1", Value: r.cfg.R1PerMMS, Unit: "L/mmol/s"},
		{Name: "repetition time", Value: 1000 * r.s.Echo.TRS, Unit: "ms"},
		{Name: "flip angle", Value: r.s.Echo.FlipRad, Unit: "rad"},
	}
	if r.s.T1 == nil {
		return append(out, experts.Setting{Name: "assumed T1 of lesions", Value: r.cfg.LesionT1S, Unit: "s"})
	}
	return append(out, experts.Setting{Name: "T1", Text: "measured"})
}

// concentrations fills mM with the post-contrast concentrations of a curve; ok is false where one of them has none.
func (r *reading) concentrations(signal, mM []float64, t1S float64) (ok bool) {
	if !(signal[0] > 0) {
		return false
	}
	for k := range mM {
		if mM[k], ok = pharmacokinetics.Concentration(signal[k+1]/signal[0], t1S, r.cfg.R1PerMMS, *r.s.Echo); !ok {
			return false
		}
	}
	return true
}

// uptake fits the mean curve of a lesion.
func (r *reading) uptake(l *experts.Lesion, signal []float64) experts.Uptake {
	if r.tofts.fitter == nil {
		return experts.Uptake{}
	}
	out := experts.Uptake{Model: string(r.tofts.model), T1S: r.cfg.LesionT1S}
	if t1S := r.measuredT1(l.Mask); t1S > 0 {
		out.T1S, out.T1Measured = t1S, true
	}
	mM := make([]float64, len(signal)-1)
	if !r.concentrations(signal, mM, out.T1S) {
		return experts.Uptake{}
	}
	p := r.tofts.fitter.Fit(mM)
	out.Ktrans = experts.Known(p.KtransPerMin)
	if p.KtransPerMin > 0 {
		out.Kep, out.Ve = experts.Known(p.KepPerMin), experts.Known(p.Ve)
	}
	if r.tofts.model == pharmacokinetics.Extended {
		out.Vp = experts.Known(p.Vp)
	}
	out.IAUC60, out.IAUC90 = r.area(mM, 60), r.area(mM, 90)
	return out
}

// measuredT1 returns the mean T1 of the mask, 0 where it was not measured.
func (r *reading) measuredT1(m *volume.Mask) float64 {
	if r.s.T1 == nil || !r.s.T1.Same(&m.Grid) {
		return 0
	}
	sum, n := 0.0, 0
	for at, in := range m.Data {
		if v := float64(r.s.T1.Data[at]); in && v > 0 {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(max(n, 1))
}

// area returns the area under the concentration curve, linear between 0 at arrival and the phases' middles, up to endS.
func (r *reading) area(mM []float64, endS float64) experts.Quantity {
	const leastWithin = 2 // phases that make a curve within the time
	if r.middleS(leastWithin) > endS {
		return experts.Quantity{}
	}
	sum, lastS, last := 0.0, 0.0, 0.0
	for k, c := range mM {
		t := r.middleS(k + 1)
		if t > endS {
			c = last + (c-last)*(endS-lastS)/(t-lastS)
			t = endS
		}
		sum += (t - lastS) * (c + last) / 2
		if lastS, last = t, c; t == endS {
			return experts.Known(sum)
		}
	}
	return experts.Quantity{}
}

// uptakeMaps adds the maps of the parameters in and around the lesions, the most suspicious first until mostVoxels are
// taken.
func (r *reading) uptakeMaps(ctx context.Context, maps map[string]*volume.Volume, lesions []*experts.Lesion) error {
	if r.tofts.fitter == nil || len(lesions) == 0 {
		return nil
	}
	t1 := "T1 was measured"
	if r.s.T1 == nil {
		t1 = fmt.Sprintf("T1 was assumed to be %.2f s", r.cfg.LesionT1S)
	}
	r.note("Ktrans, kep and ve are relative: the arterial curve is a population's, phases last %.0f s, %s.", r.durationS, t1)
	grid := &r.s.DCE[0].Volume.Grid
	part := maps["PE_early"].Grid
	var todo []int
	taken := make([]bool, grid.Len())
	for n := range lesions {
		more := indices(around(grid, lesions[n:n+1], mapMarginMM))
		if len(todo)+len(more) > mostVoxels {
			r.note("The maps of Ktrans, kep and ve hold the %d most suspicious regions.", n)
			break
		}
		for _, at := range more {
			if !taken[at] {
				taken[at] = true
				todo = append(todo, at)
			}
		}
	}
	ktrans, kep, ve, vp := volume.New(part), volume.New(part), volume.New(part), volume.New(part)
	maps["Ktrans"], maps["kep"], maps["ve"] = ktrans, kep, ve
	if r.tofts.model == pharmacokinetics.Extended {
		maps["vp"] = vp
	}
	i0, j0, k0 := grid.At(part.Origin)
	const chunk = 1 << 12 // voxels between two looks at ctx
	return experts.EachSlice(ctx, (len(todo)+chunk-1)/chunk, func(n int) {
		signal, mM := make([]float64, len(r.s.DCE)), make([]float64, len(r.s.DCE)-1)
		for _, at := range todo[n*chunk : min((n+1)*chunk, len(todo))] {
			i, j, k := grid.Voxel(at)
			i, j, k = i-int(i0+0.5), j-int(j0+0.5), k-int(k0+0.5)
			if !part.Contains(i, j, k) {
				continue
			}
			for p := range signal {
				signal[p] = float64(r.s.DCE[p].Volume.Data[at])
			}
			t1S := r.cfg.LesionT1S
			if r.s.T1 != nil {
				t1S = float64(r.s.T1.Data[at])
			}
			if !(t1S > 0) || !r.concentrations(signal, mM, t1S) {
				continue
			}
			p, to := r.tofts.fitter.Fit(mM), part.Index(i, j, k)
			ktrans.Data[to], kep.Data[to] = float32(p.KtransPerMin), float32(p.KepPerMin)
			ve.Data[to], vp.Data[to] = float32(p.Ve), float32(p.Vp)
		}
	})
}
