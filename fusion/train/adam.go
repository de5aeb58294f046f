package train

import "math"

// Constants of Adam as published with the network.
const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// adam is Kingma and Ba's optimizer (arXiv 1412.6980, algorithm 1) over flat arrays, with weight decay added to the
// gradient. A tensor without a gradient in a step, because no sample of the batch had its modality, keeps its weights
// and moments, and the step does not count for it.
type adam struct {
	mean, square []float32 // moments
	steps        []int     // of each tensor
}

func newAdam(l layout) *adam {
	return &adam{mean: make([]float32, l.size()), square: make([]float32, l.size()), steps: make([]int, len(l.specs))}
}

// update changes the weights of the i-th tensor by scale times their gradient.
func (a *adam) update(l layout, i int, flat, gradient []float32, scale, rate, decay float64) {
	a.steps[i]++
	step := rate / (1 - math.Pow(beta1, float64(a.steps[i])))
	unbias := 1 / math.Sqrt(1-math.Pow(beta2, float64(a.steps[i])))
	adamStep(l.of(flat, i), l.of(gradient, i), l.of(a.mean, i), l.of(a.square, i), float32(scale), float32(step), float32(unbias), float32(decay))
}

// adamStep is one step over arrays of one length:
//
//	g = scale gradient + decay w;  mean = β1 mean + (1-β1) g;  square = β2 square + (1-β2) g²
//	w = w - step mean / (unbias √square + ε)
func adamStep(w, gradient, mean, square []float32, scale, step, unbias, decay float32) {
	gradient, mean, square = gradient[:len(w)], mean[:len(w)], square[:len(w)]
	for i, v := range w {
		g := gradient[i]*scale + decay*v
		mean[i] = beta1*mean[i] + (1-beta1)*g
		square[i] = beta2*square[i] + (1-beta2)*g*g
		w[i] = v - step*mean[i]/(float32(math.Sqrt(float64(square[i])))*unbias+epsilon)
	}
}

// accumulate adds factor times the gradient to a sum.
func accumulate(sum, gradient []float32, factor float32) {
	gradient = gradient[:len(sum)]
	for i, v := range gradient {
		sum[i] += factor * v
	}
}

// norm is the Euclidean length.
func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
