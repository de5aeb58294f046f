package check

import (
	"fmt"
	"math"
	"math/rand/v2"

	"mome/gpu/kernel"
	"mome/gpu/op"
)

func layouts() []Case {
	return append(append(append(tokens(), blocks()...), pools()...), levels()...)
}

func tokens() []Case {
	var all []Case
	for _, c := range []struct {
		channels int
		size     [3]int
	}{
		{1, [3]int{1, 1, 1}}, {1, [3]int{7, 5, 2}}, {33, [3]int{1, 1, 1}}, {31, [3]int{4, 4, 2}}, {32, [3]int{4, 4, 2}}, {33, [3]int{3, 11, 3}},
		{96, [3]int{4, 3, 2}}, {70, [3]int{5, 5, 5}},
	} {
		k := op.TokensKernel{Channels: c.channels, Size: c.size}
		name := fmt.Sprintf("%d x %v", c.channels, c.size)
		all = append(all, Case{Name: "tokens " + name, Kernel: k}, Case{Name: "tokens gradient " + name, Kernel: op.TokensGradKernel(k)})
	}
	return all
}

// blocks are slices and what is joined.
func blocks() []Case {
	var all []Case
	for _, k := range []op.SliceKernel{
		{Rows: 1, Cols: 1, Axis: 0, From: 0, To: 1},
		{Rows: 43, Cols: 96, Axis: 0, From: 25, To: 31},
		{Rows: 43, Cols: 33, Axis: 0, From: 1, To: 25},
		{Rows: 9, Cols: 1031, Axis: 0, From: 3, To: 9},
		{Rows: 17, Cols: 96, Axis: 1, From: 32, To: 64},
		{Rows: 17, Cols: 96, Axis: 1, From: 33, To: 65},
		{Rows: 7, Cols: 13, Axis: 1, From: 5, To: 6},
		{Rows: 1, Cols: 40, Axis: 1, From: 5, To: 21},
		{Rows: 10, Cols: 2100, Axis: 1, From: 4, To: 2096},
		{Rows: 10, Cols: 1100, Axis: 1, From: 0, To: 1025},
	} {
		name := fmt.Sprintf("[%d, %d) of axis %d of %dx%d", k.From, k.To, k.Axis, k.Rows, k.Cols)
		all = append(all, Case{Name: "slice " + name, Kernel: k}, Case{Name: "slice gradient " + name, Kernel: op.SliceGradKernel(k)})
	}
	for _, k := range []op.ConcatKernel{
		{Axis: 0, Across: 96, Lengths: []int{1, 24}},
		{Axis: 0, Across: 33, Lengths: []int{1, 24, 6, 12}},
		{Axis: 0, Across: 520, Lengths: []int{3, 1, 2, 4, 1, 5, 1, 1, 2}},
		{Axis: 1, Across: 19, Lengths: []int{32, 64}},
		{Axis: 1, Across: 5, Lengths: []int{1, 7, 33, 4, 2}},
		{Axis: 1, Across: 9, Lengths: []int{1028, 4, 8}},
		{Axis: 1, Across: 1, Lengths: []int{3, 4}},
	} {
		all = append(all, Case{Name: fmt.Sprintf("concat %v along axis %d of %d", k.Lengths, k.Axis, k.Across), Kernel: k})
	}
	return all
}

func pools() []Case {
	var all []Case
	three, two, one := [3]int{3, 3, 3}, [3]int{2, 2, 2}, [3]int{1, 1, 1}
	for _, c := range []struct {
		name  string
		batch int
		shape kernel.PoolShape
		fill  func(input, i int, random *rand.Rand) float32
		slow  bool
	}{
		{name: "of the model", batch: 1, shape: kernel.PoolShape{Channels: 6, Size: [3]int{8, 6, 4}, Kernel: three, Stride: two, Pad: one}},
		{name: "of odd sizes", batch: 2, shape: kernel.PoolShape{Channels: 6, Size: [3]int{7, 5, 9}, Kernel: three, Stride: two, Pad: one}},
		{name: "of one voxel", batch: 1, shape: kernel.PoolShape{Channels: 3, Size: one, Kernel: three, Stride: two, Pad: one}},
		{name: "without padding", batch: 1, shape: kernel.PoolShape{Channels: 2, Size: [3]int{6, 7, 8}, Kernel: two, Stride: two}},
		{name: "with gaps", batch: 1, shape: kernel.PoolShape{Channels: 2, Size: [3]int{9, 8, 11}, Kernel: two, Stride: three}},
		{name: "of uneven windows", batch: 1, shape: kernel.PoolShape{Channels: 3, Size: [3]int{9, 6, 7}, Kernel: [3]int{5, 1, 4}, Stride: [3]int{2, 1, 3}, Pad: [3]int{4, 0, 2}}},
		{name: "of ties", batch: 1, shape: kernel.PoolShape{Channels: 4, Size: [3]int{9, 8, 7}, Kernel: three, Stride: two, Pad: one}, fill: ties},
		{name: "of ties in every window", batch: 1, shape: kernel.PoolShape{Channels: 4, Size: [3]int{9, 8, 7}, Kernel: [3]int{3, 4, 3}, Stride: one, Pad: one}, fill: ties},
		{name: "of what is not finite", batch: 1, shape: kernel.PoolShape{Channels: 4, Size: [3]int{9, 8, 7}, Kernel: three, Stride: two, Pad: one}, fill: notFinite},
		{name: "of many channels", batch: 1, shape: kernel.PoolShape{Channels: 65537, Size: [3]int{2, 1, 1}, Kernel: [3]int{2, 1, 1}, Stride: one, Pad: [3]int{}}, slow: true},
	} {
		all = append(all,
			Case{Name: "max pool " + c.name, Kernel: op.MaxPool3dKernel{PoolShape: c.shape, Batch: c.batch}, Fill: c.fill, Slow: c.slow},
			Case{Name: "max pool gradient " + c.name, Kernel: op.MaxPool3dGradKernel{PoolShape: c.shape, Batch: c.batch}, Fill: c.fill, Slow: c.slow})
	}
	return all
}

// ties are volumes of few different numbers, as a ReLU makes them.
func ties(input, _ int, random *rand.Rand) float32 {
	if input == 0 {
		return float32(random.IntN(3))
	}
	return float32(random.NormFloat64())
}

// notFinite has NaN and infinities among ties, and regions of -∞ alone.
func notFinite(input, i int, random *rand.Rand) float32 {
	if input != 0 {
		return float32(random.NormFloat64())
	}
	switch n := random.IntN(40); {
	case n < 3:
		return float32(math.NaN())
	case n == 3:
		return float32(math.Inf(1))
	case i < 504 || n < 20:
		return float32(math.Inf(-1))
	default:
		return float32(n % 3)
	}
}

func levels() []Case {
	var all []Case
	for _, c := range []struct {
		name  string
		shape kernel.LevelShape
		fill  func(input, i int, random *rand.Rand) float32
	}{
		{name: "of all channels", shape: kernel.LevelShape{Channels: 3, Size: [3]int{6, 5, 4}, Sigma: 1}},
		{name: "of no channel", shape: kernel.LevelShape{Channels: 2, Absolute: 2, Size: [3]int{5, 7, 33}, Step: [3]float64{1.5, 0.7, 3}, Sigma: 40}},
		{name: "of some channels", shape: kernel.LevelShape{Channels: 4, Absolute: 1, Size: [3]int{7, 3, 5}, Step: [3]float64{1, 1, 2}, Sigma: 3}},
		{name: "of nothing", shape: kernel.LevelShape{Channels: 2, Size: [3]int{3, 5, 7}, Sigma: 1}, fill: func(_, _ int, _ *rand.Rand) float32 { return 0 }},
		{name: "far from zero", shape: kernel.LevelShape{Channels: 2, Absolute: 1, Size: [3]int{5, 5, 5}, Step: [3]float64{1, 1, 1}, Sigma: 2}, fill: farMean},
		{name: "of chunks", shape: kernel.LevelShape{Channels: 3, Absolute: 1, Size: [3]int{17, 18, 31}, Step: [3]float64{1, 2, 1}, Sigma: 15}},
	} {
		all = append(all,
			Case{Name: "level " + c.name, Kernel: op.LevelKernel{LevelShape: c.shape}, Fill: c.fill},
			Case{Name: "level gradient " + c.name, Kernel: op.LevelGradKernel{LevelShape: c.shape}, Fill: swapped(c.fill)})
	}
	return all
}
