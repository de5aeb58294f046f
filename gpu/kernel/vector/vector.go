// Package vector holds the arithmetic that the kernels repeat over rows of float32 numbers: exponentials, sums and
// maxima, moments, normalisation, GELU, the optimiser's step. Every function has an AVX-512, an AVX2 and a portable
// form; which one runs is decided once, by what the processor offers, and all of them meet the same tolerances.
//
// A function that writes takes its destination first, writes as many numbers as its last slice holds and allows the
// destination to be one of its sources, but no other overlap. A slice that is too short is a programmer's error and
// panics. Nothing here starts a goroutine, and a result depends on the numbers given and the form chosen only.
//
// NaN comes through to wherever it contributes.
package vector

import "sync"

// implementation is one form of every function. Destinations and sources have been cut to one length.
type implementation struct {
	name       string
	exp        func(y, x []float32)
	expSub     func(y, x []float32, top float32) float64
	max        func(x []float32) float32
	scale      func(y []float32, a float32)
	add        func(y, x []float32)
	addScaled  func(y, x []float32, a float32)
	maxEach    func(y, x []float32)
	sums       func(x []float32, shift float32) (sum, squares float64)
	dot        func(x, y []float32) float64
	gelu       func(y, x []float32)
	geluGrad   func(dx, x, dy []float32)
	normAffine func(y, x, gamma, beta []float32, mean, rest, scale float32)
	normReLU   func(y, x []float32, mean, rest, scale float32)

	affineGradSums func(x, dy, gamma []float32, mean, rest, scale float32) (g, gh float64)
	affineGrad     func(dx, x, dy, gamma []float32, mean, rest, scale, meanG, meanGH float32)
	reluGradSums   func(x, dy []float32, mean, rest, scale float32) (g, gh float64)
	reluGrad       func(dx, x, dy []float32, mean, rest, scale, meanG, meanGH float32)
	addNormal      func(y, x, dy []float32, mean, rest, scale float32)
	softmaxGrad    func(dx, y, dy []float32, dot float32)

	adam func(w, mean, square, gradient []float32, step, unbias, decay, factor float32)

	// transpose turns 8·blocks rows of 8 numbers of x into 8 rows of 8·blocks numbers of y.
	transpose func(y []float32, yStride int, x []float32, xStride, blocks int)
}

// best is the fastest form that this processor can run.
var best = sync.OnceValue(func() *implementation {
	all := implementations()
	return &all[len(all)-1]
})

// Exp writes y = e^x to within 2 units in the last place. What would be less than the smallest normal number, 2^-126,
// is 0, so that nothing that follows slows down on denormal numbers; what would be more than the greatest is +Inf.
func Exp(y, x []float32) { best().exp(y[:len(x)], x) }

// ExpSub writes y = e^(x - top) as Exp does and returns the sum of what it wrote.
func ExpSub(y, x []float32, top float32) (sum float64) {
	// AVX-512 sums a block in single precision, 32 numbers in each of 32 running sums, so that their error stays
	// under a few 1e-7; from block to block and in the other forms precision is double.
	const block = 1024
	form := best()
	y = y[:len(x)]
	for len(x) > block {
		sum += form.expSub(y[:block], x[:block], top)
		y, x = y[block:], x[block:]
	}
	return sum + form.expSub(y, x, top)
}

// Max returns the greatest number of x, -Inf if there is none.
func Max(x []float32) float32 { return best().max(x) }

// Scale writes y = a·y.
func Scale(y []float32, a float32) { best().scale(y, a) }

// SoftmaxRow writes y = e^x / Σ e^x. The maximum is subtracted first, so that no exponential overflows.
func SoftmaxRow(y, x []float32) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x)]
	sum := ExpSub(y, x, Max(x))
	Scale(y, float32(1/sum))
}

// SoftmaxRowGrad writes dx = y (dy - Σ dy·y), the gradient of SoftmaxRow from what it wrote.
func SoftmaxRowGrad(dx, y, dy []float32) {
	n := len(dy)
	best().softmaxGrad(dx[:n], y[:n], dy, float32(Dot(y[:n], dy)))
}

// Add writes y = y + x.
func Add(y, x []float32) { best().add(y[:len(x)], x) }

// AddScaled writes y = y + a·x.
func AddScaled(y, x []float32, a float32) { best().addScaled(y[:len(x)], x, a) }

// MaxEach writes y = the greater of y and x, number by number.
func MaxEach(y, x []float32) { best().maxEach(y[:len(x)], x) }

// Moments returns mean and biased variance of x, both 0 if there is no number. Sums are kept in double precision and
// of x - x[0], so that neither the length of a row (1.6 million voxels in the first stem) nor a mean far from zero
// costs accuracy (Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance, 1983, section 3).
func Moments(x []float32) (mean, variance float64) {
	if len(x) == 0 {
		return 0, 0
	}
	n := float64(len(x))
	sum, squares := best().sums(x, x[0])
	mean = sum / n
	variance = squares/n - mean*mean
	if variance < 0 { // rounding of a row whose first number lies far from all others
		variance = 0
	}
	return mean + float64(x[0]), variance
}

// Dot returns Σ x·y in double precision.
func Dot(x, y []float32) float64 { return best().dot(x[:len(y)], y) }

// GELU writes y = x Φ(x) with Φ the normal distribution function (Hendrycks and Gimpel, arXiv 1606.08415, section 2),
// to within 2e-7 max(1, |x|): the form by erf, not the one by tanh.
func GELU(y, x []float32) { best().gelu(y[:len(x)], x) }

// GELUGrad writes dx = dy (Φ(x) + x φ(x)) with φ the normal density.
func GELUGrad(dx, x, dy []float32) { best().geluGrad(dx[:len(dy)], x[:len(dy)], dy) }

// NormAffine writes y = (x - mean)·scale·gamma + beta. The mean is subtracted with more than single precision.
func NormAffine(y, x, gamma, beta []float32, mean, scale float64) {
	n := len(beta)
	hi, lo := split(mean)
	best().normAffine(y[:n], x[:n], gamma[:n], beta, hi, lo, float32(scale))
}

// NormReLU writes y = max(0, (x - mean)·scale). The mean is subtracted with more than single precision.
func NormReLU(y, x []float32, mean, scale float64) {
	hi, lo := split(mean)
	best().normReLU(y[:len(x)], x, hi, lo, float32(scale))
}

// NormAffineGrad writes the gradient of NormAffine by x where mean and scale = 1/√(variance + ε) came from x itself:
// with h = (x - mean)·scale and g = dy·gamma, dx = scale·(g - mean(g) - h·mean(g h)).
func NormAffineGrad(dx, x, dy, gamma []float32, mean, scale float64) {
	n := len(gamma)
	form, a := best(), float32(scale)
	hi, lo := split(mean)
	g, gh := form.affineGradSums(x[:n], dy[:n], gamma, hi, lo, a)
	form.affineGrad(dx[:n], x[:n], dy[:n], gamma, hi, lo, a, float32(g/float64(n)), float32(gh/float64(n)))
}

// NormReLUGrad writes the gradient of NormReLU as NormAffineGrad does, with g = dy where h > 0 and 0 elsewhere.
func NormReLUGrad(dx, x, dy []float32, mean, scale float64) {
	n := len(dy)
	form, a := best(), float32(scale)
	hi, lo := split(mean)
	g, gh := form.reluGradSums(x[:n], dy, hi, lo, a)
	form.reluGrad(dx[:n], x[:n], dy, hi, lo, a, float32(g/float64(n)), float32(gh/float64(n)))
}

// AddNormal writes y = y + dy·(x - mean)·scale: what one row adds to the gradient of gamma.
func AddNormal(y, x, dy []float32, mean, scale float64) {
	n := len(dy)
	hi, lo := split(mean)
	best().addNormal(y[:n], x[:n], dy, hi, lo, float32(scale))
}

// split returns a in two parts, so that (x - hi) - lo is nearly x - a where x is near a: the first difference is exact
// (Sterbenz).
func split(a float64) (hi, lo float32) {
	hi = float32(a)
	return hi, float32(a - float64(hi))
}

// Adam takes one step of Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1) with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and
// weight decay added to the gradient:
//
//	g = gradient·factor + decay·w
//	mean = 0.9 mean + 0.1 g
//	square = 0.999 square + 0.001 g²
//	w = w - step·mean / (√square·unbias + ε)
//
// At iteration t step is the learning rate / (1 - β₁^t) and unbias is 1 / √(1 - β₂^t).
func Adam(w, mean, square, gradient []float32, step, unbias, decay, factor float32) {
	n := len(gradient)
	best().adam(w[:n], mean[:n], square[:n], gradient, step, unbias, decay, factor)
}

// Transpose writes y[c, r] = x[r, c] for rows x cols numbers of x; rows of x and y are xStride and yStride apart.
func Transpose(rows, cols int, y []float32, yStride int, x []float32, xStride int) {
	if rows == 0 || cols == 0 {
		return
	}
	y, x = y[:(cols-1)*yStride+rows], x[:(rows-1)*xStride+cols]
	whole := rows &^ 7
	c := 0
	for ; whole > 0 && c+8 <= cols; c += 8 {
		best().transpose(y[c*yStride:], yStride, x[c:], xStride, whole/8)
		turn(whole, rows, c, c+8, y, yStride, x, xStride)
	}
	turn(0, rows, c, cols, y, yStride, x, xStride)
}

// turn transposes the rows [r0, r1) of the columns [c0, c1) number by number.
func turn(r0, r1, c0, c1 int, y []float32, yStride int, x []float32, xStride int) {
	for r := r0; r < r1; r++ {
		for c := c0; c < c1; c++ {
			y[c*yStride+r] = x[r*xStride+c]
		}
	}
}
