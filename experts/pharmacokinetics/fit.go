package pharmacokinetics

import "math"

// Model is one of Tofts' models (Tofts et al., J Magn Reson Imaging 1999;10:223).
type Model string

// Models.
const (
	Tofts    Model = "Tofts"          // C(t) = Ktrans integral of Cp(u) exp(-kep (t-u)) du
	Extended Model = "extended Tofts" // and vp Cp(t) more
)

// Parameters describe how a tissue takes up contrast agent.
type Parameters struct {
	KtransPerMin float64 // transfer constant, 1/min
	KepPerMin    float64 // rate constant back, Ktrans / ve, 1/min
	Ve           float64 // extravascular extracellular volume, 0..1 of the tissue
	Vp           float64 // plasma volume, 0..1 of the tissue; 0 in the plain model
	Residual     float64 // mM, root of the mean squared difference of curve and model
}

// Bounds of kep, 1/min: of an exam of minutes nothing slower can be told from a tissue that keeps the agent, and nothing
// faster from a plasma volume. The grid's steps are 19 %, its basis is interpolated by cubics, to 1e-5 of it.
const (
	leastKep, mostKep = 0.005, 50.
	gridSteps         = 54
	ktransMost        = 5. // 1/min
)

// Fitter fits curves of one timing. It is safe for concurrent use.
//
// Given kep, the models are linear in Ktrans and vp, so only kep is searched (variable projection: Golub and Pereyra, SIAM J
// Numer Anal 1973;10:413): over a grid of all that is possible, then by golden sections beside the best. That is the least
// squares estimate within the bounds 0 <= vp, ve <= 1 that Levenberg and Marquardt's method finds from a good start, without
// a start and without local minima.
type Fitter struct {
	model Model
	times int
	cp    []float64   // plasma at the times
	basis [][]float64 // [grid of ln kep][time], the convolution
}

// NewFitter prepares for curves that are sampled at timesS, ascending, on the clock of the input.
func NewFitter(model Model, in *Input, timesS []float64) *Fitter {
	f := &Fitter{model: model, times: len(timesS), cp: in.at(timesS)}
	for n := range gridSteps {
		f.basis = append(f.basis, in.convolve(math.Exp(lnKep(float64(n))), timesS))
	}
	return f
}

// lnKep returns ln kep at a place of the grid.
func lnKep(at float64) float64 {
	return math.Log(leastKep) + at/(gridSteps-1)*math.Log(mostKep/leastKep)
}

// Fit returns the parameters that explain the concentrations best. Without any uptake all are 0.
func (f *Fitter) Fit(mM []float64) Parameters {
	best, least := 0, math.Inf(1)
	for n, e := range f.basis {
		if _, _, missed := f.project(mM, e, math.Exp(lnKep(float64(n)))); missed < least {
			best, least = n, missed
		}
	}
	e := make([]float64, f.times)
	missedAt := func(at float64) float64 {
		_, _, missed := f.project(mM, f.between(at, e), math.Exp(lnKep(at)))
		return missed
	}
	at := minimum(float64(max(best-1, 0)), float64(min(best+1, gridSteps-1)), missedAt)
	kep := math.Exp(lnKep(at))
	ktrans, vp, missed := f.project(mM, f.between(at, e), kep)
	out := Parameters{KtransPerMin: ktrans, Vp: vp, Residual: math.Sqrt(max(missed, 0) / float64(f.times))}
	if ktrans > 0 {
		out.KepPerMin, out.Ve = kep, ktrans/kep
	}
	return out
}

// between interpolates the basis at a place of the grid, by the cubic through the four nearest of its points, into e.
func (f *Fitter) between(at float64, e []float64) []float64 {
	n := min(max(int(at)-1, 0), gridSteps-4)
	x := at - float64(n)
	w := [4]float64{
		-(x - 1) * (x - 2) * (x - 3) / 6, x * (x - 2) * (x - 3) / 2,
		-x * (x - 1) * (x - 3) / 2, x * (x - 1) * (x - 2) / 6,
	}
	a, b, c, d := f.basis[n], f.basis[n+1], f.basis[n+2], f.basis[n+3]
	for t := range e {
		e[t] = w[0]*a[t] + w[1]*b[t] + w[2]*c[t] + w[3]*d[t]
	}
	return e
}

// project returns the best Ktrans and vp within their bounds for a given kep, whose basis is e, and the sum of the squared
// differences that they leave.
func (f *Fitter) project(mM, e []float64, kep float64) (ktrans, vp, missed float64) {
	var ee, ep, pp, ec, pc, cc float64
	for t, c := range mM {
		ee, ec, cc = ee+e[t]*e[t], ec+e[t]*c, cc+c*c
		if f.model == Extended {
			p := f.cp[t]
			ep, pp, pc = ep+e[t]*p, pp+p*p, pc+p*c
		}
	}
	most := min(kep, ktransMost) // ve = Ktrans / kep <= 1
	left := func(k, v float64) float64 { return cc - 2*(k*ec+v*pc) + k*k*ee + 2*k*v*ep + v*v*pp }
	ratio := func(a, b float64) float64 {
		if b > 0 {
			return a / b
		}
		return 0
	}
	if det := ee*pp - ep*ep; det > 1e-12*ee*pp {
		k, v := (ec*pp-pc*ep)/det, (pc*ee-ec*ep)/det
		if k >= 0 && k <= most && v >= 0 && v <= 1 {
			return k, v, left(k, v)
		}
	}
	// The least lies on an edge of the box: one parameter at a bound, the other free within its own.
	missed = math.Inf(1)
	try := func(k, v float64) {
		if l := left(k, v); l < missed {
			ktrans, vp, missed = k, v, l
		}
	}
	try(min(max(ratio(ec, ee), 0), most), 0)
	if f.model == Extended {
		try(min(max(ratio(ec-ep, ee), 0), most), 1)
		for _, k := range [2]float64{0, most} {
			try(k, min(max(ratio(pc-k*ep, pp), 0), 1))
		}
	}
	return ktrans, vp, missed
}

// Concentrations returns the model's curve at the ascending times, on the clock of the input.
func Concentrations(model Model, in *Input, p Parameters, timesS []float64) []float64 {
	out := in.convolve(p.KepPerMin, timesS)
	cp := in.at(timesS)
	for t := range out {
		out[t] *= p.KtransPerMin
		if model == Extended {
			out[t] += p.Vp * cp[t]
		}
	}
	return out
}
