package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/kernel"
)

// LevelKernel brings the channels of a volume to one size where some of them are in units of their own.
type LevelKernel struct{ kernel.LevelShape }

// Level divides all channels of x: [1, channel, H, W, D] but the last absolute ones by their common root mean square and
// multiplies the absolute ones by a Gaussian window of deviation sigma around the middle; step is the distance of voxels
// along H, W, D in the unit of sigma.
func Level(x *gorgonia.Node, absolute int, step [3]float64, sigma float64) (*gorgonia.Node, error) {
	batch, channels, size, err := volume("level", x)
	if err != nil {
		return nil, err
	}
	if batch != 1 || absolute < 0 || absolute > channels || !(sigma > 0) {
		return nil, fmt.Errorf("level: %d absolute channels of %v, window of %g", absolute, x.Shape(), sigma)
	}
	return apply(LevelKernel{kernel.LevelShape{Channels: channels, Absolute: absolute, Size: size, Step: step, Sigma: sigma}}, x)
}

// Shapes implements Kernel.
func (k LevelKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	s := tensor.Shape{1, k.Channels, k.Size[0], k.Size[1], k.Size[2]}
	return []tensor.Shape{s}, s
}

// Run implements Kernel.
func (k LevelKernel) Run(out []float32, in [][]float32) { kernel.Level(k.LevelShape, out, in[0]) }

func (k LevelKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(LevelGradKernel(k), grad, in[0])
	return gorgonia.Nodes{dx}, err
}

// LevelGradKernel is the gradient of LevelKernel, from the output's gradient and the input.
type LevelGradKernel LevelKernel

// Shapes implements Kernel.
func (k LevelGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := LevelKernel(k).Shapes()
	return []tensor.Shape{out, in[0]}, in[0]
}

// Run implements Kernel.
func (k LevelGradKernel) Run(out []float32, in [][]float32) {
	kernel.LevelGrad(k.LevelShape, out, in[1], in[0])
}

// InPlace implements InPlace.
func (k LevelGradKernel) InPlace() {}
