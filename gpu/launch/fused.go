package launch

import (
	"gorgonia.org/tensor"

	"mome/gpu/kernel"
	"mome/gpu/op"
)

// MaxTerms is the largest number of terms of a LinearFused that a device computes.
const MaxTerms = 4

// LinearFused is y = [gelu](x Wᵀ + b) + the sum of so many terms, in one kernel where op has one for each. Inputs are x, w and b
// as of op.LinearKernel, and the terms: [Rows, Out].
type LinearFused struct {
	kernel.LinearShape
	GELU  bool
	Terms int
}

var _ op.Kernel = LinearFused{}

// Shapes implements op.Kernel.
func (k LinearFused) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := op.LinearKernel{LinearShape: k.LinearShape}.Shapes()
	for range k.Terms {
		in = append(in, out)
	}
	return in, out
}

// Run implements op.Kernel.
func (k LinearFused) Run(out []float32, in [][]float32) {
	kernel.Linear(k.LinearShape, out, in[0], in[1], in[2])
	if k.GELU {
		kernel.GELU(out, out)
	}
	kernel.Sum(out, append([][]float32{out}, in[3:]...)...)
}
