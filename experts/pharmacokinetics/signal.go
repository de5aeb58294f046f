package pharmacokinetics

import (
	"math"

	"mome/experts"
)

// Concentration returns the concentration of contrast agent in mM from the ratio of the signal to that before contrast, in
// closed form for a spoiled gradient echo in its steady state: S is proportional to (1-E) / (1-E cos a) with
// E = exp(-TR R1), R1 = 1/T1 + r1 C (Schabel and Parker, Phys Med Biol 2008;53:2345). T2* is left out: at an echo time of
// 1.7 ms and 1 mM it takes away 1 % of the signal. ok is false where no concentration explains the ratio.
func Concentration(ratio, t1S, r1PerMMS float64, seq experts.SpoiledGradientEcho) (mM float64, ok bool) {
	e0, cos := math.Exp(-seq.TRS/t1S), math.Cos(seq.FlipRad)
	q := ratio * (1 - e0) / (1 - e0*cos)
	e := (1 - q) / (1 - q*cos)
	if !(e > 0 && e <= 1) {
		return 0, false
	}
	return (-math.Log(e)/seq.TRS - 1/t1S) / r1PerMMS, true
}

// Bounds of T1S, s: a reference object of T1 reaches down to 0.022, cerebrospinal fluid up to 4.
const leastT1S, mostT1S = 0.01, 10.

// T1S returns the T1 in s and the signal of full relaxation at 90 degrees from spoiled gradient echoes of several flip
// angles, by least squares over the signals (the linear form of Gupta, J Magn Reson 1977;25:231, weighs noise wrongly).
// For a given T1 the other is linear, so one parameter is searched. ok is false below two flip angles or without signal.
func T1S(flipRad []float64, trS float64, signal []float64) (t1S, s0 float64, ok bool) {
	if len(flipRad) < 2 || len(flipRad) != len(signal) {
		return 0, 0, false
	}
	fit := func(lnT1 float64) (missed, scale float64) {
		e := math.Exp(-trS / math.Exp(lnT1))
		var mm, ms, ss float64
		for n, a := range flipRad {
			m := math.Sin(a) * (1 - e) / (1 - e*math.Cos(a))
			mm, ms, ss = mm+m*m, ms+m*signal[n], ss+signal[n]*signal[n]
		}
		scale = ms / mm
		return ss - scale*ms, scale
	}
	low, high := math.Log(leastT1S), math.Log(mostT1S)
	at := minimum(low, high, func(x float64) float64 { missed, _ := fit(x); return missed })
	_, s0 = fit(at)
	return math.Exp(at), s0, s0 > 0
}

// minimum returns where f, which has one minimum between low and high, has it, by golden sections.
func minimum(low, high float64, f func(float64) float64) float64 {
	const golden = 0.6180339887498949
	a, b := high-golden*(high-low), low+golden*(high-low)
	fa, fb := f(a), f(b)
	for high-low > 1e-7 {
		if fa <= fb {
			high, b, fb = b, a, fa
			a = high - golden*(high-low)
			fa = f(a)
		} else {
			low, a, fa = a, b, fb
			b = low + golden*(high-low)
			fb = f(b)
		}
	}
	return (low + high) / 2
}
