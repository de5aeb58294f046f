package vector

import "math"

// portable is the form that runs everywhere.
func portable() implementation {
	return implementation{
		name:       "portable",
		exp:        expPortable,
		expSub:     expSubPortable,
		max:        maxPortable,
		scale:      scalePortable,
		add:        addPortable,
		addScaled:  addScaledPortable,
		maxEach:    maxEachPortable,
		sums:       sumsPortable,
		dot:        dotPortable,
		gelu:       geluPortable,
		geluGrad:   geluGradPortable,
		normAffine: normAffinePortable,
		normReLU:   normReLUPortable,

		affineGradSums: affineGradSumsPortable,
		affineGrad:     affineGradPortable,
		reluGradSums:   reluGradSumsPortable,
		reluGrad:       reluGradPortable,
		addNormal:      addNormalPortable,
		softmaxGrad:    softmaxGradPortable,

		adam:      adamPortable,
		transpose: transposePortable,
	}
}

// e^x is 0 below expLeast = ln 2^-126 and infinite above expMost, the greatest float32 below ln 2^128.
const (
	expLeast = -87.33654475
	expMost  = 88.72283173
)

// exp32 is e^x with x = n ln 2 + r, ln 2 split in two (Cody and Waite, Software Manual for the Elementary Functions,
// 1980, chapter 6), and e^r by its Taylor polynomial of degree 7, |r| <= ln 2 / 2: the first term left out is 5e-9.
func exp32(x float32) float32 {
	const (
		log2e = 1.4426950408889634
		ln2Hi = 0.693359375 // 355/512: exact times any n here
		ln2Lo = -2.1219444005469057e-4
	)
	switch {
	case x != x:
		return x
	case x < expLeast:
		return 0
	case x > expMost:
		return float32(math.Inf(1))
	}
	half := float32(0.5)
	if x < 0 {
		half = -0.5
	}
	n := int32(x*log2e + half)
	f := float32(n)
	r := x - f*ln2Hi - f*ln2Lo
	p := float32(1.0 / 5040)
	p = p*r + 1.0/720
	p = p*r + 1.0/120
	p = p*r + 1.0/24
	p = p*r + 1.0/6
	p = p*r + 0.5
	p = p*r + 1
	p = p*r + 1
	return math.Float32frombits(math.Float32bits(p) + uint32(n)<<23)
}

func expPortable(y, x []float32) {
	for i, v := range x {
		y[i] = exp32(v)
	}
}

func expSubPortable(y, x []float32, top float32) (sum float64) {
	for i, v := range x {
		e := exp32(v - top)
		y[i] = e
		sum += float64(e)
	}
	return sum
}

func maxPortable(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	return top
}

func scalePortable(y []float32, a float32) {
	for i := range y {
		y[i] *= a
	}
}

func addPortable(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}

func addScaledPortable(y, x []float32, a float32) {
	for i, v := range x {
		y[i] += a * v
	}
}

func maxEachPortable(y, x []float32) {
	for i, v := range x {
		y[i] = max(y[i], v)
	}
}

// sumsPortable returns Σ (x - shift) and Σ (x - shift)².
func sumsPortable(x []float32, shift float32) (sum, squares float64) {
	for _, v := range x {
		d := float64(v) - float64(shift)
		sum += d
		squares += d * d
	}
	return sum, squares
}

func dotPortable(x, y []float32) (sum float64) {
	for i, v := range y {
		sum += float64(x[i]) * float64(v)
	}
	return sum
}

func geluPortable(y, x []float32) {
	for i, v := range x {
		tail, _ := upperTail(v)
		y[i] = max(v, 0) - min(abs(v), farOut)*tail
	}
}

func geluGradPortable(dx, x, dy []float32) {
	for i, v := range x {
		tail, density := upperTail(v)
		distribution := 1 - tail
		if v < 0 {
			distribution = tail
		}
		dx[i] = dy[i] * (distribution + max(-farOut, min(v, farOut))*density)
	}
}

// farOut is an |x| beyond which Φ(-|x|) and |x| φ(x) count for nothing, not even beside 1e-37, while e^(-x²/2) is
// still a normal number.
const farOut = 13

// erfc(u) = (a1 t + ... + a8 t⁸) e^(-u²) with t = 1/(1 + p u), the form of Hastings (Abramowitz and Stegun, Handbook of
// Mathematical Functions, 1964, formula 7.1.26) with three terms more: theirs is true to 1.5e-7 of erf's range, this
// one to 8.4e-8 of erfc itself for 0 <= u <= 9.2. The constants are those of least greatest relative error, by Lawson's
// weighted least squares on 501 Chebyshev nodes, for the best p of two digits.
const (
	erfP  = 0.43
	erfA1 = 0.242514612
	erfA2 = 0.2443753815
	erfA3 = 0.204951491
	erfA4 = 0.2468431098
	erfA5 = -0.08572315648
	erfA6 = 0.3837027842
	erfA7 = -0.3103716271
	erfA8 = 0.0737074888
)

// upperTail returns 1 - Φ(|x|) = erfc(|x|/√2)/2 and φ(x).
func upperTail(x float32) (tail, density float32) {
	a := min(abs(x), farOut)
	e := exp32(-0.5 * a * a)
	t := 1 / (1 + float32(erfP/math.Sqrt2)*a)
	p := float32(erfA8 / 2)
	p = p*t + erfA7/2
	p = p*t + erfA6/2
	p = p*t + erfA5/2
	p = p*t + erfA4/2
	p = p*t + erfA3/2
	p = p*t + erfA2/2
	p = p*t + erfA1/2
	return p * t * e, e * float32(1/math.Sqrt2/math.SqrtPi)
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func normAffinePortable(y, x, gamma, beta []float32, mean, rest, scale float32) {
	for i, v := range x {
		y[i] = (v-mean-rest)*scale*gamma[i] + beta[i]
	}
}

func normReLUPortable(y, x []float32, mean, rest, scale float32) {
	for i, v := range x {
		y[i] = max(0, (v-mean-rest)*scale)
	}
}

func affineGradSumsPortable(x, dy, gamma []float32, mean, rest, scale float32) (g, gh float64) {
	for i, v := range gamma {
		v *= dy[i]
		g += float64(v)
		gh += float64(v * ((x[i] - mean - rest) * scale))
	}
	return g, gh
}

func affineGradPortable(dx, x, dy, gamma []float32, mean, rest, scale, meanG, meanGH float32) {
	for i, v := range gamma {
		dx[i] = scale * (v*dy[i] - meanG - (x[i]-mean-rest)*scale*meanGH)
	}
}

func reluGradSumsPortable(x, dy []float32, mean, rest, scale float32) (g, gh float64) {
	for i, v := range dy {
		if h := (x[i] - mean - rest) * scale; h > 0 {
			g += float64(v)
			gh += float64(v * h)
		}
	}
	return g, gh
}

func reluGradPortable(dx, x, dy []float32, mean, rest, scale, meanG, meanGH float32) {
	for i, v := range dy {
		h := (x[i] - mean - rest) * scale
		if !(h > 0) {
			v = 0
		}
		dx[i] = scale * (v - meanG - h*meanGH)
	}
}

func addNormalPortable(y, x, dy []float32, mean, rest, scale float32) {
	for i, v := range dy {
		y[i] += v * ((x[i] - mean - rest) * scale)
	}
}

func softmaxGradPortable(dx, y, dy []float32, dot float32) {
	for i, v := range dy {
		dx[i] = y[i] * (v - dot)
	}
}

func adamPortable(w, mean, square, gradient []float32, step, unbias, decay, factor float32) {
	for i, g := range gradient {
		g = g*factor + decay*w[i]
		mean[i] = 0.9*mean[i] + 0.1*g
		square[i] = 0.999*square[i] + 0.001*g*g
		w[i] -= step * mean[i] / (float32(math.Sqrt(float64(square[i])))*unbias + 1e-8)
	}
}

func transposePortable(y []float32, yStride int, x []float32, xStride, blocks int) {
	for r := 0; r < 8*blocks; r += 8 { // what is read and written in turn stays in the first-level cache
		turn(r, r+8, 0, 8, y, yStride, x, xStride)
	}
}
