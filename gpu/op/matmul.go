package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/kernel"
)

// MatMulKernel is C = op(A) op(B).
type MatMulKernel struct{ kernel.MatMulShape }

// MatMul multiplies two matrices, each transposed first where asked.
func MatMul(a, b *gorgonia.Node, transA, transB bool) (*gorgonia.Node, error) {
	m, k, err := matrix("matmul: left factor", a)
	if err != nil {
		return nil, err
	}
	l, n, err := matrix("matmul: right factor", b)
	if err != nil {
		return nil, err
	}
	if transA {
		m, k = k, m
	}
	if transB {
		l, n = n, l
	}
	if l != k {
		return nil, fmt.Errorf("matmul: inner lengths %d and %d differ", k, l)
	}
	return apply(MatMulKernel{kernel.MatMulShape{M: m, N: n, K: k, TransA: transA, TransB: transB}}, a, b)
}

// Shapes implements Kernel.
func (k MatMulKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	a, b := tensor.Shape{k.M, k.K}, tensor.Shape{k.K, k.N}
	if k.TransA {
		a = tensor.Shape{k.K, k.M}
	}
	if k.TransB {
		b = tensor.Shape{k.N, k.K}
	}
	return []tensor.Shape{a, b}, tensor.Shape{k.M, k.N}
}

// Run implements Kernel.
func (k MatMulKernel) Run(out []float32, in [][]float32) {
	kernel.MatMul(k.MatMulShape, out, in[0], in[1])
}

// RunBFloat16 implements Reducible.
func (k MatMulKernel) RunBFloat16(out []float32, in [][]float32) {
	kernel.MatMulBFloat16(k.MatMulShape, out, in[0], in[1])
}

// gradients: with C = A B, dA = dC Bᵀ and dB = Aᵀ dC; a transposed factor's gradient is transposed.
func (k MatMulKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	a, b := in[0], in[1]
	var da, db *gorgonia.Node
	var err error
	if k.TransA {
		da, err = MatMul(b, grad, k.TransB, true)
	} else {
		da, err = MatMul(grad, b, false, !k.TransB)
	}
	if err != nil {
		return nil, err
	}
	if k.TransB {
		db, err = MatMul(grad, a, true, k.TransA)
	} else {
		db, err = MatMul(a, grad, !k.TransA, false)
	}
	return gorgonia.Nodes{da, db}, err
}

// LinearKernel is y = x Wᵀ + b.
type LinearKernel struct{ kernel.LinearShape }

// Linear maps the rows of x: [rows, in] by w: [out, in] and b: [out] to [rows, out].
func Linear(x, w, b *gorgonia.Node) (*gorgonia.Node, error) {
	rows, _, err := matrix("linear: input", x)
	if err != nil {
		return nil, err
	}
	out, in, err := matrix("linear: weight", w)
	if err != nil {
		return nil, err
	}
	return apply(LinearKernel{kernel.LinearShape{Rows: rows, In: in, Out: out}}, x, w, b)
}

// Shapes implements Kernel.
func (k LinearKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	return []tensor.Shape{{k.Rows, k.In}, {k.Out, k.In}, {k.Out}}, tensor.Shape{k.Rows, k.Out}
}

// Run implements Kernel.
func (k LinearKernel) Run(out []float32, in [][]float32) {
	kernel.Linear(k.LinearShape, out, in[0], in[1], in[2])
}

// RunBFloat16 implements Reducible.
func (k LinearKernel) RunBFloat16(out []float32, in [][]float32) {
	kernel.LinearBFloat16(k.LinearShape, out, in[0], in[1], in[2])
}

func (k LinearKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := MatMul(grad, in[1], false, false)
	if err != nil {
		return nil, err
	}
	dw, err := MatMul(grad, in[0], true, false)
	if err != nil {
		return nil, err
	}
	db, err := apply(SumRowsKernel{Rows: k.Rows, Cols: k.Out}, grad)
	return gorgonia.Nodes{dx, dw, db}, err
}

// SumRowsKernel sums a matrix over its rows.
type SumRowsKernel struct{ Rows, Cols int }

// Shapes implements Kernel.
func (k SumRowsKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	return []tensor.Shape{{k.Rows, k.Cols}}, tensor.Shape{k.Cols}
}

// Run implements Kernel.
func (k SumRowsKernel) Run(out []float32, in [][]float32) { kernel.SumRows(k.Rows, k.Cols, out, in[0]) }

// GroupedLinearKernel is a linear map with weights of its own for every group of rows.
type GroupedLinearKernel struct{ kernel.GroupedShape }

// GroupedLinear maps the rows of x: [groups·slots, in] by w: [groups, in, out] and b: [groups, out] to
// [groups·slots, out]; row r belongs to group r / slots.
func GroupedLinear(x, w, b *gorgonia.Node) (*gorgonia.Node, error) {
	rows, in, err := matrix("grouped linear: input", x)
	if err != nil {
		return nil, err
	}
	if w == nil || len(w.Shape()) != 3 || rows%w.Shape()[0] != 0 {
		return nil, fmt.Errorf("grouped linear: weight %v does not divide %d rows into groups", w, rows)
	}
	groups := w.Shape()[0]
	return apply(GroupedLinearKernel{kernel.GroupedShape{Groups: groups, Slots: rows / groups, In: in, Out: w.Shape()[2]}}, x, w, b)
}

// Shapes implements Kernel.
func (k GroupedLinearKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	rows := k.Groups * k.Slots
	return []tensor.Shape{{rows, k.In}, {k.Groups, k.In, k.Out}, {k.Groups, k.Out}}, tensor.Shape{rows, k.Out}
}

// Run implements Kernel.
func (k GroupedLinearKernel) Run(out []float32, in [][]float32) {
	kernel.GroupedLinear(k.GroupedShape, out, in[0], in[1], in[2])
}

// RunBFloat16 implements Reducible.
func (k GroupedLinearKernel) RunBFloat16(out []float32, in [][]float32) {
	kernel.GroupedLinearBFloat16(k.GroupedShape, out, in[0], in[1], in[2])
}

func (k GroupedLinearKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(GroupedLinearGradInputKernel(k), in[1], grad)
	if err != nil {
		return nil, err
	}
	dw, err := apply(GroupedLinearGradWeightKernel(k), in[0], grad)
	if err != nil {
		return nil, err
	}
	db, err := apply(GroupedLinearGradBiasKernel(k), grad)
	return gorgonia.Nodes{dx, dw, db}, err
}

// GroupedLinearGradInputKernel is the gradient of GroupedLinearKernel by x, from w and the output's gradient.
type GroupedLinearGradInputKernel struct{ kernel.GroupedShape }

// Shapes implements Kernel.
func (k GroupedLinearGradInputKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := GroupedLinearKernel(k).Shapes()
	return []tensor.Shape{in[1], out}, in[0]
}

// Run implements Kernel.
func (k GroupedLinearGradInputKernel) Run(out []float32, in [][]float32) {
	kernel.GroupedLinearGradInput(k.GroupedShape, out, in[0], in[1])
}

// GroupedLinearGradWeightKernel is the gradient of GroupedLinearKernel by w, from x and the output's gradient.
type GroupedLinearGradWeightKernel struct{ kernel.GroupedShape }

// Shapes implements Kernel.
func (k GroupedLinearGradWeightKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := GroupedLinearKernel(k).Shapes()
	return []tensor.Shape{in[0], out}, in[1]
}

// Run implements Kernel.
func (k GroupedLinearGradWeightKernel) Run(out []float32, in [][]float32) {
	kernel.GroupedLinearGradWeight(k.GroupedShape, out, in[0], in[1])
}

// GroupedLinearGradBiasKernel is the gradient of GroupedLinearKernel by b, from the output's gradient.
type GroupedLinearGradBiasKernel struct{ kernel.GroupedShape }

// Shapes implements Kernel.
func (k GroupedLinearGradBiasKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := GroupedLinearKernel(k).Shapes()
	return []tensor.Shape{out}, in[2]
}

// Run implements Kernel.
func (k GroupedLinearGradBiasKernel) Run(out []float32, in [][]float32) {
	kernel.GroupedLinearGradBias(k.GroupedShape, out, in[0])
}
