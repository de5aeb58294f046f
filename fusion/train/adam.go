package train

import (
	"math"

	"mome/gpu/op"
)

// Decays of op.Adam's moments.
const (
	beta1 = 0.9
	beta2 = 0.999
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
	op.Adam(l.of(flat, i), l.of(a.mean, i), l.of(a.square, i), l.of(gradient, i), float32(step), float32(unbias), float32(decay), float32(scale))
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
