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

// Conv3dNorm is op.Conv3dKernel followed by op.InstanceNormReLUKernel, which need not look for the moments of the whole volume
// where they are one. Inputs are x and w.
type Conv3dNorm struct {
	kernel.Conv3dShape
	Eps float64
}

var _ op.Kernel = Conv3dNorm{}

// Shapes implements op.Kernel.
func (k Conv3dNorm) Shapes() ([]tensor.Shape, tensor.Shape) {
	return op.Conv3dKernel{Conv3dShape: k.Conv3dShape}.Shapes()
}

// Run implements op.Kernel.
func (k Conv3dNorm) Run(out []float32, in [][]float32) {
	kernel.Conv3d(k.Conv3dShape, out, in[0], in[1])
	rows := k.Batch * k.Out
	kernel.InstanceNormReLU(kernel.NormShape{Rows: rows, Cols: len(out) / rows, Eps: k.Eps}, out, out)
}
