package train

import "math"

// Constants of Adam as published with the network.
const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// adam is Kingma and Ba's optimizer (arXiv 1412.6980, algorithm 1) over flat arrays, with weight decay added to the
// gradient.
type adam struct {
	mean, square []float32
	steps        int
	rate, decay  float64
}

func newAdam(size int) *adam {
	return &adam{mean: make([]float32, size), square: make([]float32, size)}
}

// begin starts the next step.
func (a *adam) begin(rate, decay float64) {
	a.steps++
	a.rate, a.decay = rate, decay
}

// update changes the weights that lie at the given place of the flat array by their gradient times scale.
func (a *adam) update(at int, w, gradient []float32, scale float64) {
	mean, square := a.mean[at:at+len(w)], a.square[at:at+len(w)]
	gradient = gradient[:len(w)]
	step := float32(a.rate / (1 - math.Pow(beta1, float64(a.steps))))
	unbias := float32(1 / math.Sqrt(1-math.Pow(beta2, float64(a.steps))))
	decay, factor := float32(a.decay), float32(scale)
	for i, v := range w {
		g := gradient[i]*factor + decay*v
		mean[i] = beta1*mean[i] + (1-beta1)*g
		square[i] = beta2*square[i] + (1-beta2)*g*g
		w[i] = v - step*mean[i]/(float32(math.Sqrt(float64(square[i])))*unbias+epsilon)
	}
}
