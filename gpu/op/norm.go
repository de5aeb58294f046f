package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/kernel"
)

// InstanceNormReLUKernel normalises every channel of every sample over its voxels and clips at zero.
type InstanceNormReLUKernel struct {
	Batch, Channels int
	Size            [3]int
	Eps             float64
}

// InstanceNormReLU is ReLU(InstanceNorm(x)) without affine map for x: [batch, channel, H, W, D].
func InstanceNormReLU(x *gorgonia.Node, eps float64) (*gorgonia.Node, error) {
	batch, channels, size, err := volume("instance norm", x)
	if err != nil {
		return nil, err
	}
	return apply(InstanceNormReLUKernel{Batch: batch, Channels: channels, Size: size, Eps: eps}, x)
}

func (k InstanceNormReLUKernel) norm() kernel.NormShape {
	return kernel.NormShape{Rows: k.Batch * k.Channels, Cols: k.Size[0] * k.Size[1] * k.Size[2], Eps: k.Eps}
}

// Shapes implements Kernel.
func (k InstanceNormReLUKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Batch, k.Channels, k.Size[0], k.Size[1], k.Size[2]}
	return []tensor.Shape{s}, s
}

// Run implements Kernel.
func (k InstanceNormReLUKernel) Run(out []float32, in [][]float32) {
	kernel.InstanceNormReLU(k.norm(), out, in[0])
}

// InPlace implements InPlace.
func (k InstanceNormReLUKernel) InPlace() {}

func (k InstanceNormReLUKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(InstanceNormReLUGradKernel(k), grad, in[0])
	return gorgonia.Nodes{dx}, err
}

// InstanceNormReLUGradKernel is the gradient of InstanceNormReLUKernel, from the output's gradient and the input.
type InstanceNormReLUGradKernel InstanceNormReLUKernel

// Shapes implements Kernel.
func (k InstanceNormReLUGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := InstanceNormReLUKernel(k).Shapes()
	return []tensor.Shape{out, in[0]}, in[0]
}

// Run implements Kernel.
func (k InstanceNormReLUGradKernel) Run(out []float32, in [][]float32) {
	kernel.InstanceNormReLUGrad(InstanceNormReLUKernel(k).norm(), out, in[1], in[0])
}

// InPlace implements InPlace.
func (k InstanceNormReLUGradKernel) InPlace() {}

// LayerNormKernel normalises every row and applies an affine map.
type LayerNormKernel struct{ kernel.NormShape }

// LayerNorm normalises the rows of x: [rows, cols] and maps them by gamma and beta: [cols].
func LayerNorm(x, gamma, beta *gorgonia.Node, eps float64) (*gorgonia.Node, error) {
	rows, cols, err := matrix("layer norm", x)
	if err != nil {
		return nil, err
	}
	return apply(LayerNormKernel{kernel.NormShape{Rows: rows, Cols: cols, Eps: eps}}, x, gamma, beta)
}

// Shapes implements Kernel.
func (k LayerNormKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	return []tensor.Shape{s, {k.Cols}, {k.Cols}}, s
}

// Run implements Kernel.
func (k LayerNormKernel) Run(out []float32, in [][]float32) {
	kernel.LayerNorm(k.NormShape, out, in[0], in[1], in[2])
}

// InPlace implements InPlace.
func (k LayerNormKernel) InPlace() {}

func (k LayerNormKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(LayerNormGradInputKernel(k), grad, in[0], in[1])
	if err != nil {
		return nil, err
	}
	dgamma, err := apply(LayerNormGradScaleKernel(k), in[0], grad)
	if err != nil {
		return nil, err
	}
	dbeta, err := apply(SumRowsKernel{Rows: k.Rows, Cols: k.Cols}, grad)
	return gorgonia.Nodes{dx, dgamma, dbeta}, err
}

// LayerNormGradInputKernel is the gradient of LayerNormKernel by x, from the output's gradient, x and gamma.
type LayerNormGradInputKernel struct{ kernel.NormShape }

// Shapes implements Kernel.
func (k LayerNormGradInputKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	return []tensor.Shape{s, s, {k.Cols}}, s
}

// Run implements Kernel.
func (k LayerNormGradInputKernel) Run(out []float32, in [][]float32) {
	kernel.LayerNormGradInput(k.NormShape, out, in[1], in[2], in[0])
}

// InPlace implements InPlace.
func (k LayerNormGradInputKernel) InPlace() {}

// LayerNormGradScaleKernel is the gradient of LayerNormKernel by gamma, from x and the output's gradient.
type LayerNormGradScaleKernel struct{ kernel.NormShape }

// Shapes implements Kernel.
func (k LayerNormGradScaleKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	return []tensor.Shape{s, s}, tensor.Shape{k.Cols}
}

// Run implements Kernel.
func (k LayerNormGradScaleKernel) Run(out []float32, in [][]float32) {
	kernel.LayerNormGradScale(k.NormShape, out, in[0], in[1])
}

// SoftmaxKernel is softmax along Axis of a matrix: 0 over the rows of each column, 1 over the columns of each row.
type SoftmaxKernel struct{ Rows, Cols, Axis int }

// Softmax normalises x: [rows, cols] along the axis.
func Softmax(x *gorgonia.Node, axis int) (*gorgonia.Node, error) {
	rows, cols, err := matrix("softmax", x)
	if err != nil {
		return nil, err
	}
	if axis != 0 && axis != 1 {
		return nil, fmt.Errorf("softmax: axis %d of a matrix", axis)
	}
	return apply(SoftmaxKernel{Rows: rows, Cols: cols, Axis: axis}, x)
}

// Shapes implements Kernel.
func (k SoftmaxKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	return []tensor.Shape{s}, s
}

// Run implements Kernel.
func (k SoftmaxKernel) Run(out []float32, in [][]float32) {
	if k.Axis == 0 {
		kernel.SoftmaxCols(k.Rows, k.Cols, out, in[0])
		return
	}
	kernel.SoftmaxRows(k.Rows, k.Cols, out, in[0])
}

// InPlace implements InPlace.
func (k SoftmaxKernel) InPlace() {}

func (k SoftmaxKernel) gradients(_ gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(SoftmaxGradKernel(k), grad, out)
	return gorgonia.Nodes{dx}, err
}

// SoftmaxGradKernel is the gradient of SoftmaxKernel, from the output's gradient and the output.
type SoftmaxGradKernel SoftmaxKernel

// Shapes implements Kernel.
func (k SoftmaxGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{k.Rows, k.Cols}
	return []tensor.Shape{s, s}, s
}

// Run implements Kernel.
func (k SoftmaxGradKernel) Run(out []float32, in [][]float32) {
	if k.Axis == 0 {
		kernel.SoftmaxColsGrad(k.Rows, k.Cols, out, in[1], in[0])
		return
	}
	kernel.SoftmaxRowsGrad(k.Rows, k.Cols, out, in[1], in[0])
}

// InPlace implements InPlace.
func (k SoftmaxGradKernel) InPlace() {}
