package launch

import (
	"math"

	"mome/gpu/kernel"
	"mome/gpu/op"
)

// convolutions are Conv3d, its gradients, and Conv3dNorm.
func convolutions(k op.Kernel, p op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.Conv3dKernel:
		return convolution(k.Conv3dShape).forward(p), convolution(k.Conv3dShape).fits()
	case Conv3dNorm:
		return convolution(k.Conv3dShape).normalised(p, k.Eps), convolution(k.Conv3dShape).fits()
	case op.Conv3dGradInputKernel:
		return convolution(k.Conv3dShape).gradInput(p), convolution(k.Conv3dShape).fits()
	case op.Conv3dGradWeightKernel:
		return convolution(k.Conv3dShape).gradWeight(p), convolution(k.Conv3dShape).fits()
	}
	return List{}, false
}

type convolution kernel.Conv3dShape

// fits says whether an image, its weights and its output have fewer numbers than an int of a kernel counts, and the window fewer
// than 1024 taps along an axis. Batches may be larger.
func (s convolution) fits() bool {
	const most = math.MaxInt32
	taps := max(s.Kernel[0], s.Kernel[1], s.Kernel[2])
	return s.In*size(s.Size) <= most && s.Out*size(s.outSize()) <= most && s.Out*s.In*size(s.Kernel) <= most && taps < 1024 && size(s.Stride) <= 65535
}

func (s convolution) outSize() [3]int { return kernel.Conv3dShape(s).OutSize() }

func size(s [3]int) int { return s[0] * s[1] * s[2] }

// params are those that every kernel of a convolution ends with.
func (s convolution) params(first ...Param) []Param {
	first = append(first, Int(s.In), Int(s.Out))
	for _, three := range [][3]int{s.Size, s.Kernel, s.Stride, s.Pad} {
		first = append(first, Int(three[0]), Int(three[1]), Int(three[2]))
	}
	return first
}

// weights is the workspace for a table of a depth and for so many rows of weights, whole chunks of four.
func weights(rows, depth int) int {
	return 2*blocks(depth, tileDepth)*tileDepth + rows*blocks(depth, 4)*4
}

// forward writes the table and multiplies. Rows of weights that are no whole chunks are copied.
func (s convolution) forward(p op.Precision) List {
	l, _ := s.withMoments(p, Int(0))
	return l
}

// withMoments is forward with a place for the moments of every so many voxels of a channel, or 0.
func (s convolution) withMoments(p op.Precision, moments Param) (l List, every int) {
	depth, voxels := s.In*size(s.Kernel), size(s.outSize())
	t, _ := split(p, volumeTiles(p), s.Batch, s.Out, voxels, depth, 1)
	copied, at := s.Out, Space(weights(0, depth))
	if depth%4 == 0 {
		copied, at = 1, In(1, 0)
	}
	return List{Workspace: weights(s.Out, depth), Steps: []Step{
		{Kernel: "conv3d_weights", Grid: [3]int{copied, 1, 1}, Block: [3]int{threads, 1, 1}, Params: s.params(Space(0), In(1, 0))},
		{
			Kernel: "conv3d_" + t.name + "_" + p.String(), Grid: [3]int{s.Batch * t.count(s.Out, voxels), 1, 1},
			Block: [3]int{t.threads, 1, 1}, Shared: t.shared(depth), Params: s.params(Out(0), moments, In(0, 0), Space(0), at),
		},
	}}, t.warpCols
}

// normalised is forward followed by the norm of each channel of each image and ReLU.
func (s convolution) normalised(p op.Precision, eps float64) List {
	at, rows, voxels := weights(s.Out, s.In*size(s.Kernel)), s.Batch*s.Out, size(s.outSize())
	l, every := s.withMoments(p, Space(at))
	joined := at + 2*rows*blocks(voxels, every)
	l.Workspace = joined + 2*rows
	l.Steps = append(l.Steps,
		Step{
			Kernel: "join_moments", Grid: [3]int{rows, 1, 1}, Block: [3]int{threads, 1, 1}, Shared: 2 * 8 * threads / 32,
			Params: []Param{Space(joined), Space(at), Int(voxels), Int(every), Float(eps)},
		},
		each("normalise_relu", rows*blocks(voxels, 4), Out(0), Space(joined), Int(rows), Int(voxels)),
	)
	return l
}

// gradInput puts the weights in order of remainders modulo the stride and multiplies, for each of them.
func (s convolution) gradInput(p op.Precision) List {
	remainders, voxels, taps, space := size(s.Stride), 1, 1, 0
	for a := range 3 {
		voxels *= blocks(s.Size[a], s.Stride[a])
		taps *= blocks(s.Kernel[a], s.Stride[a]) // of remainder 0, which has most
	}
	for r := range remainders {
		space += weights(s.In, s.Out*s.tapsOf(r))
	}
	t, _ := split(p, volumeTiles(p), s.Batch*remainders, s.In, voxels, s.Out*taps, 1)
	return List{Workspace: space, Steps: []Step{
		{
			Kernel: "conv3d_grad_input_weights", Grid: [3]int{s.In, remainders, 1}, Block: [3]int{threads, 1, 1},
			Params: s.params(Space(0), In(0, 0)),
		},
		{
			Kernel: "conv3d_grad_input_" + t.name + "_" + p.String(), Grid: [3]int{s.Batch * t.count(s.In, voxels), remainders, 1},
			Block: [3]int{t.threads, 1, 1}, Shared: t.shared(s.Out * taps), Params: s.params(Out(0), Space(0), In(1, 0)),
		},
	}}
}

// tapsOf is the number of taps of the window that have a remainder, which counts along D first, then W and H.
func (s convolution) tapsOf(remainder int) int {
	n := 1
	for a := 2; a >= 0; a-- {
		r := remainder % s.Stride[a]
		remainder /= s.Stride[a]
		n *= max(0, blocks(s.Kernel[a]-r, s.Stride[a]))
	}
	return n
}

// gradWeight multiplies parts of the voxels of each image side by side and adds them.
func (s convolution) gradWeight(p op.Precision) List {
	cols, voxels := s.In*size(s.Kernel), size(s.outSize())
	t, parts := split(p, volumeTiles(p), s.Batch, s.Out, cols, voxels, mostParts)
	deep, all := partDepth(voxels, parts), s.Batch*parts
	step := Step{
		Kernel: "conv3d_grad_weight_" + t.name + "_" + p.String(), Grid: [3]int{all * t.count(s.Out, cols), 1, 1},
		Block: [3]int{t.threads, 1, 1}, Shared: t.shared(deep) + 8*t.cols,
	}
	rest := append(s.params(In(0, 0), In(1, 0)), Int(parts), Int(deep))
	if all == 1 {
		step.Params = append([]Param{Out(0)}, rest...)
		return List{Steps: []Step{step}}
	}
	step.Params = append([]Param{Space(0)}, rest...)
	return List{Workspace: all * s.Out * cols, Steps: []Step{step, sumParts(s.Out, cols, all, product{}.ending())}}
}
