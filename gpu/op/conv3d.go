package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/kernel"
)

// Window is the geometry of a sliding window along H, W, D.
type Window struct {
	Kernel, Stride, Pad [3]int
}

// Cube is the same window along all three axes.
func Cube(kernel, stride, pad int) Window {
	return Window{
		Kernel: [3]int{kernel, kernel, kernel}, Stride: [3]int{stride, stride, stride}, Pad: [3]int{pad, pad, pad},
	}
}

// Conv3dKernel is a three-dimensional correlation without bias.
type Conv3dKernel struct{ kernel.Conv3dShape }

// Conv3d correlates x: [batch, in, H, W, D] with w: [out, in, kernel...], zero-padded, without bias.
func Conv3d(x, w *gorgonia.Node, win Window) (*gorgonia.Node, error) {
	batch, in, size, err := volume("conv3d: input", x)
	if err != nil {
		return nil, err
	}
	out, _, span, err := volume("conv3d: weight", w)
	if err != nil {
		return nil, err
	}
	if span != win.Kernel {
		return nil, fmt.Errorf("conv3d: weight %v, window %v", w.Shape(), win.Kernel)
	}
	s := kernel.Conv3dShape{Batch: batch, In: in, Out: out, Size: size, Kernel: win.Kernel, Stride: win.Stride, Pad: win.Pad}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return apply(Conv3dKernel{s}, x, w)
}

// volume is the shape of a node that must have five axes.
func volume(what string, n *gorgonia.Node) (batch, channels int, size [3]int, err error) {
	if n == nil {
		return 0, 0, size, fmt.Errorf("%s: node is nil", what)
	}
	s := n.Shape()
	if len(s) != 5 {
		return 0, 0, size, fmt.Errorf("%s: shape %v, want five axes", what, s)
	}
	return s[0], s[1], [3]int{s[2], s[3], s[4]}, nil
}

// Shapes implements Kernel.
func (k Conv3dKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	out := k.OutSize()
	return []tensor.Shape{
		{k.Batch, k.In, k.Size[0], k.Size[1], k.Size[2]},
		{k.Out, k.In, k.Kernel[0], k.Kernel[1], k.Kernel[2]},
	}, tensor.Shape{k.Batch, k.Out, out[0], out[1], out[2]}
}

// Run implements Kernel.
func (k Conv3dKernel) Run(out []float32, in [][]float32) {
	kernel.Conv3d(k.Conv3dShape, out, in[0], in[1])
}

// RunBFloat16 implements Reducible.
func (k Conv3dKernel) RunBFloat16(out []float32, in [][]float32) {
	kernel.Conv3dBFloat16(k.Conv3dShape, out, in[0], in[1])
}

func (k Conv3dKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(Conv3dGradInputKernel(k), in[1], grad)
	if err != nil {
		return nil, err
	}
	dw, err := apply(Conv3dGradWeightKernel(k), in[0], grad)
	return gorgonia.Nodes{dx, dw}, err
}

// Conv3dGradInputKernel is the gradient of Conv3dKernel by x, from w and the output's gradient.
type Conv3dGradInputKernel struct{ kernel.Conv3dShape }

// Shapes implements Kernel.
func (k Conv3dGradInputKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := Conv3dKernel(k).Shapes()
	return []tensor.Shape{in[1], out}, in[0]
}

// Run implements Kernel.
func (k Conv3dGradInputKernel) Run(out []float32, in [][]float32) {
	kernel.Conv3dGradInput(k.Conv3dShape, out, in[0], in[1])
}

// Conv3dGradWeightKernel is the gradient of Conv3dKernel by w, from x and the output's gradient.
type Conv3dGradWeightKernel struct{ kernel.Conv3dShape }

// Shapes implements Kernel.
func (k Conv3dGradWeightKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := Conv3dKernel(k).Shapes()
	return []tensor.Shape{in[0], out}, in[1]
}

// Run implements Kernel.
func (k Conv3dGradWeightKernel) Run(out []float32, in [][]float32) {
	kernel.Conv3dGradWeight(k.Conv3dShape, out, in[0], in[1])
}

// MaxPool3dKernel is a maximum over windows, padded with -inf.
type MaxPool3dKernel struct {
	kernel.PoolShape
	Batch int // Channels of PoolShape counts Batch · channels
}

// MaxPool3d takes the maximum of each window of x: [batch, channel, H, W, D].
func MaxPool3d(x *gorgonia.Node, win Window) (*gorgonia.Node, error) {
	batch, channels, size, err := volume("maxpool3d", x)
	if err != nil {
		return nil, err
	}
	s := kernel.PoolShape{Channels: batch * channels, Size: size, Kernel: win.Kernel, Stride: win.Stride, Pad: win.Pad}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return apply(MaxPool3dKernel{PoolShape: s, Batch: batch}, x)
}

// Shapes implements Kernel.
func (k MaxPool3dKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	channels, out := k.Channels/k.Batch, k.OutSize()
	return []tensor.Shape{{k.Batch, channels, k.Size[0], k.Size[1], k.Size[2]}},
		tensor.Shape{k.Batch, channels, out[0], out[1], out[2]}
}

// Run implements Kernel.
func (k MaxPool3dKernel) Run(out []float32, in [][]float32) {
	kernel.MaxPool3d(k.PoolShape, out, in[0])
}

func (k MaxPool3dKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(MaxPool3dGradKernel(k), in[0], grad)
	return gorgonia.Nodes{dx}, err
}

// MaxPool3dGradKernel is the gradient of MaxPool3dKernel, from its input and the output's gradient.
type MaxPool3dGradKernel struct {
	kernel.PoolShape
	Batch int
}

// Shapes implements Kernel.
func (k MaxPool3dGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := MaxPool3dKernel(k).Shapes()
	return []tensor.Shape{in[0], out}, in[0]
}

// Run implements Kernel.
func (k MaxPool3dGradKernel) Run(out []float32, in [][]float32) {
	kernel.MaxPool3dGrad(k.PoolShape, out, in[0], in[1])
}
