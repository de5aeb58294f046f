package op

import "mome/gpu/kernel/vector"

// Adam takes one step of Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1) with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and
// weight decay added to the gradient, on slices of one length; mean and square are the running moments:
//
//	g = gradient·factor + decay·w
//	mean = 0.9 mean + 0.1 g
//	square = 0.999 square + 0.001 g²
//	w = w - step·mean / (√square·unbias + ε)
//
// At iteration t, from 1, step is the learning rate / (1 - β₁^t) and unbias is 1 / √(1 - β₂^t). It is no operation of a
// graph: callers may run it on pieces of one array side by side.
func Adam(w, mean, square, gradient []float32, step, unbias, decay, factor float32) {
	vector.Adam(w, mean, square, gradient, step, unbias, decay, factor)
}
