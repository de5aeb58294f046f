package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/kernel"
)

// GELUKernel is x Φ(x), exact.
type GELUKernel struct{ Rows, Cols int }

// GELU applies the Gaussian error linear unit to every element of x: [rows, cols].
func GELU(x *gorgonia.Node) (*gorgonia.Node, error) {
	rows, cols, err := matrix("gelu", x)
	if err != nil {
		return nil, err
	}
	return apply(GELUKernel{Rows: rows, Cols: cols}, x)
}

// Shapes implements Kernel.
func (k GELUKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	return []tensor.Shape{s}, s
}

// Run implements Kernel.
func (k GELUKernel) Run(out []float32, in [][]float32) { kernel.GELU(out, in[0]) }

// InPlace implements InPlace.
func (k GELUKernel) InPlace() {}

func (k GELUKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(GELUGradKernel(k), grad, in[0])
	return gorgonia.Nodes{dx}, err
}

// GELUGradKernel is the gradient of GELUKernel, from the output's gradient and the input.
type GELUGradKernel GELUKernel

// Shapes implements Kernel.
func (k GELUGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	return []tensor.Shape{s, s}, s
}

// Run implements Kernel.
func (k GELUGradKernel) Run(out []float32, in [][]float32) { kernel.GELUGrad(out, in[1], in[0]) }

// InPlace implements InPlace.
func (k GELUGradKernel) InPlace() {}

// SumKernel adds matrices of one shape.
type SumKernel struct{ Rows, Cols, Terms int }

// Sum adds terms: [rows, cols] each.
func Sum(terms ...*gorgonia.Node) (*gorgonia.Node, error) {
	if len(terms) == 0 {
		return nil, fmt.Errorf("sum: no terms")
	}
	rows, cols, err := matrix("sum", terms[0])
	if err != nil {
		return nil, err
	}
	return apply(SumKernel{Rows: rows, Cols: cols, Terms: len(terms)}, terms...)
}

// Shapes implements Kernel.
func (k SumKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	in := make([]tensor.Shape, k.Terms)
	for i := range in {
		in[i] = s
	}
	return in, s
}

// Run implements Kernel.
func (k SumKernel) Run(out []float32, in [][]float32) { kernel.Sum(out, in...) }

// InPlace implements InPlace.
func (k SumKernel) InPlace() {}

// gradients: every term has the gradient of the sum itself.
func (k SumKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	all := make(gorgonia.Nodes, len(in))
	for i := range all {
		all[i] = grad
	}
	return all, nil
}

// ScaleKernel multiplies a matrix by one number.
type ScaleKernel struct{ Rows, Cols int }

// Scale is x·s for x: [rows, cols] and s: [1]. Only x has a gradient: s is a setting of one run, such as whether a
// branch is left out of it.
func Scale(x, s *gorgonia.Node) (*gorgonia.Node, error) {
	rows, cols, err := matrix("scale", x)
	if err != nil {
		return nil, err
	}
	return apply(ScaleKernel{Rows: rows, Cols: cols}, x, s)
}

// Shapes implements Kernel.
func (k ScaleKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	return []tensor.Shape{s, {1}}, s
}

// Run implements Kernel. A factor of 0 gives 0 whatever x holds, also where it is not finite.
func (k ScaleKernel) Run(out []float32, in [][]float32) {
	factor := in[1][0]
	if factor == 0 {
		clear(out)
		return
	}
	for i, v := range in[0] {
		out[i] = v * factor
	}
}

// InPlace implements InPlace.
func (k ScaleKernel) InPlace() {}

func (k ScaleKernel) varies(input int) bool { return input == 0 }

func (k ScaleKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Scale(grad, in[1])
	return gorgonia.Nodes{dx, nil}, err
}

// CrossEntropyKernel is the mean over rows of the cross-entropy of softmax(logits) against a target distribution.
type CrossEntropyKernel struct{ Rows, Classes int }

// CrossEntropy is a scalar from logits and target: [rows, classes]. The target has no gradient.
func CrossEntropy(logits, target *gorgonia.Node) (*gorgonia.Node, error) {
	rows, classes, err := matrix("cross-entropy", logits)
	if err != nil {
		return nil, err
	}
	return apply(CrossEntropyKernel{Rows: rows, Classes: classes}, logits, target)
}

// Shapes implements Kernel.
func (k CrossEntropyKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Classes}
	return []tensor.Shape{s, s}, tensor.ScalarShape()
}

// Run implements Kernel.
func (k CrossEntropyKernel) Run(out []float32, in [][]float32) {
	out[0] = kernel.CrossEntropy(k.Rows, k.Classes, in[0], in[1])
}

func (k CrossEntropyKernel) varies(input int) bool { return input == 0 }

func (k CrossEntropyKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	d, err := apply(CrossEntropyGradKernel(k), in[0], in[1], grad)
	return gorgonia.Nodes{d, nil}, err
}

// CrossEntropyGradKernel is the gradient of CrossEntropyKernel by the logits, from both inputs and the loss's gradient.
type CrossEntropyGradKernel CrossEntropyKernel

// Shapes implements Kernel.
func (k CrossEntropyGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Classes}
	return []tensor.Shape{s, s, tensor.ScalarShape()}, s
}

// Run implements Kernel.
func (k CrossEntropyGradKernel) Run(out []float32, in [][]float32) {
	kernel.CrossEntropyGrad(k.Rows, k.Classes, out, in[0], in[1], in[2][0])
}
