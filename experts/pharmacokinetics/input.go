package pharmacokinetics

import "math"

// Input is the concentration of contrast agent in arterial plasma, linear between its samples, nothing before the first
// and level after the last.
type Input struct {
	timesS, mM []float64
}

// NewInput takes the plasma concentration in mM at ascending times in s.
func NewInput(timesS, mM []float64) *Input { return &Input{timesS, mM} }

// Hematocrit is the share of cells in blood, which contrast agent does not enter.
const Hematocrit = 0.45

// populationStepS samples the population's curve: the narrower of its two Gaussians is 3.4 s wide.
const populationStepS = 0.5

// Population returns the population average of Parker et al. (Magn Reson Med 2006;56:993, equation 1 and table 1; 0.1
// mmol/kg) from its arrival at time 0 to durationS, as plasma: blood over 1 - hematocrit.
func Population(durationS float64) *Input {
	in := &Input{}
	for t := 0.0; t < durationS+populationStepS; t += populationStepS {
		in.timesS = append(in.timesS, t)
		in.mM = append(in.mM, Parker(t)/(1-Hematocrit))
	}
	return in
}

// Parker returns the population average of the concentration in arterial blood, mM, timeS after it begins to arrive.
func Parker(timeS float64) float64 {
	if timeS < 0 {
		return 0
	}
	t := timeS / 60
	blood := 1.050 * math.Exp(-0.1685*t) / (1 + math.Exp(-38.078*(t-0.483)))
	for _, pass := range [2]struct{ area, centre, width float64 }{{0.809, 0.17046, 0.0563}, {0.330, 0.365, 0.132}} {
		z := (t - pass.centre) / pass.width
		blood += pass.area / (pass.width * math.Sqrt(2*math.Pi)) * math.Exp(-z*z/2)
	}
	return blood
}

// at returns the concentration at each of the ascending times.
func (in *Input) at(timesS []float64) []float64 {
	out := make([]float64, len(timesS))
	n := 0
	for k, t := range timesS {
		for n+1 < len(in.timesS) && in.timesS[n+1] <= t {
			n++
		}
		switch {
		case t < in.timesS[0]:
		case n+1 == len(in.timesS):
			out[k] = in.mM[n]
		default:
			out[k] = in.mM[n] + (in.mM[n+1]-in.mM[n])*(t-in.timesS[n])/(in.timesS[n+1]-in.timesS[n])
		}
	}
	return out
}

// convolve returns the integral of C(u) exp(-kep (t - u)) du up to each of the ascending times, mM min, for kep in 1/min:
// exact for a curve that is linear between its samples, by recursion over them (Flouri et al., Magn Reson Med 2016;76:998,
// appendix).
func (in *Input) convolve(kepPerMin float64, timesS []float64) []float64 {
	out := make([]float64, len(timesS))
	integral, n := 0.0, 0 // up to sample n
	var stepMin float64
	var w weights
	for k, t := range timesS {
		for n+1 < len(in.timesS) && in.timesS[n+1] <= t {
			if d := (in.timesS[n+1] - in.timesS[n]) / 60; d != stepMin {
				stepMin, w = d, weightsOf(kepPerMin, d)
			}
			integral = w.decay*integral + w.from*in.mM[n] + w.to*in.mM[n+1]
			n++
		}
		if t < in.timesS[0] {
			continue
		}
		end := in.mM[n]
		if n+1 < len(in.timesS) {
			end += (in.mM[n+1] - in.mM[n]) * (t - in.timesS[n]) / (in.timesS[n+1] - in.timesS[n])
		}
		rest := weightsOf(kepPerMin, (t-in.timesS[n])/60)
		out[k] = rest.decay*integral + rest.from*in.mM[n] + rest.to*end
	}
	return out
}

// weights is what one step makes of the integral so far and of the curve at the step's two ends.
type weights struct{ decay, from, to float64 }

func weightsOf(kepPerMin, stepMin float64) weights {
	x := kepPerMin * stepMin
	if x < 1e-5 { // the limit of what follows, which loses its digits there
		return weights{1 - x, stepMin / 2, stepMin / 2}
	}
	decay := math.Exp(-x)
	mean := (1 - decay) / x // of exp over the step
	return weights{decay, stepMin * (mean - decay) / x, stepMin * (1 - mean) / x}
}
