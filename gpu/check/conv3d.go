package check

import (
	"fmt"

	"mome/gpu/kernel"
	"mome/gpu/op"
)

func convolutions() []Case {
	cube := func(n int) [3]int { return [3]int{n, n, n} }
	var all []Case
	for _, s := range []kernel.Conv3dShape{
		{Batch: 1, In: 1, Out: 1, Size: cube(1), Kernel: cube(1), Stride: cube(1)},
		{Batch: 1, In: 6, Out: 64, Size: [3]int{9, 8, 7}, Kernel: cube(3), Stride: cube(2), Pad: cube(1)},
		{Batch: 2, In: 1, Out: 65, Size: [3]int{10, 9, 12}, Kernel: cube(3), Stride: cube(2), Pad: cube(1)},
		{Batch: 3, In: 5, Out: 3, Size: [3]int{4, 5, 6}, Kernel: cube(3), Stride: cube(1), Pad: cube(1)},
		{Batch: 1, In: 33, Out: 66, Size: [3]int{5, 4, 8}, Kernel: cube(3), Stride: cube(2), Pad: cube(1)},
		{Batch: 2, In: 4, Out: 7, Size: [3]int{7, 9, 11}, Kernel: [3]int{1, 2, 4}, Stride: [3]int{3, 1, 2}, Pad: [3]int{0, 1, 3}},
		{Batch: 1, In: 2, Out: 3, Size: [3]int{11, 6, 5}, Kernel: [3]int{5, 1, 2}, Stride: [3]int{2, 3, 4}, Pad: [3]int{4, 0, 1}},
		{Batch: 2, In: 3, Out: 5, Size: [3]int{6, 5, 7}, Kernel: [3]int{4, 3, 5}, Stride: [3]int{1, 1, 2}, Pad: [3]int{2, 0, 4}}, // many taps
		{Batch: 1, In: 64, Out: 128, Size: [3]int{8, 6, 4}, Kernel: cube(3), Stride: cube(2), Pad: cube(1)},
		{Batch: 1, In: 128, Out: 96, Size: [3]int{4, 3, 2}, Kernel: cube(3), Stride: cube(2), Pad: cube(1)},
	} {
		all = append(all, each(s, false)...)
	}
	all = append(all, each(kernel.Conv3dShape{
		Batch: 1, In: 6, Out: 64, Size: [3]int{30, 26, 20}, Kernel: cube(3), Stride: cube(2), Pad: cube(1),
	}, true)...)
	// Enough for each size of tiles at each precision, where the depth is small: forward, by the input, by the weight.
	pair := func(in, out int, size [3]int) []Case {
		return each(kernel.Conv3dShape{Batch: 1, In: in, Out: out, Size: size, Kernel: [3]int{1, 1, 2}, Stride: cube(1), Pad: [3]int{0, 0, 1}}, true)
	}
	for _, n := range []int{20, 25} {
		all = append(all, pair(3, 250, cube(n))[0], pair(250, 3, cube(n))[1])
	}
	few := [3]int{2, 3, 2}
	return append(all, pair(2, 60, cube(21))[0], pair(4300, 50, few)[2], pair(642, 1410, few)[2], pair(642, 2820, few)[2])
}

// each are a convolution and its gradients.
func each(s kernel.Conv3dShape, slow bool) []Case {
	name := fmt.Sprintf("conv3d %d %d to %d %v", s.Batch, s.In, s.Out, s.Size)
	return []Case{
		{Name: name, Kernel: op.Conv3dKernel{Conv3dShape: s}, Slow: slow},
		{Name: name + " grad input", Kernel: op.Conv3dGradInputKernel{Conv3dShape: s}, Slow: slow},
		{Name: name + " grad weight", Kernel: op.Conv3dGradWeightKernel{Conv3dShape: s}, Slow: slow},
	}
}
