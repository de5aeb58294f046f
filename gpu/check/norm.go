package check

import (
	"fmt"
	"math"
	"math/rand/v2"

	"mome/gpu/kernel"
	"mome/gpu/op"
)

func norms() []Case {
	return append(append(instanceNorms(), layerNorms()...), softmaxes()...)
}

func instanceNorms() []Case {
	var all []Case
	for _, c := range []struct {
		name            string
		batch, channels int
		size            [3]int
		fill            func(input, i int, random *rand.Rand) float32
		slow            bool
	}{
		{name: "of one voxel", batch: 1, channels: 3, size: [3]int{1, 1, 1}},
		{name: "of odd rows", batch: 2, channels: 3, size: [3]int{5, 7, 3}},
		{name: "of even rows", batch: 1, channels: 5, size: [3]int{8, 6, 4}},
		{name: "far from zero", batch: 1, channels: 4, size: [3]int{9, 5, 11}, fill: farMean},
		{name: "after an odd first voxel", batch: 1, channels: 2, size: [3]int{12, 10, 8}, fill: oddFirst},
		{name: "of one number", batch: 1, channels: 3, size: [3]int{7, 5, 3}, fill: func(input, _ int, random *rand.Rand) float32 {
			if input == 1 {
				return 3.3
			}
			return float32(random.NormFloat64())
		}},
		{name: "of chunks", batch: 1, channels: 2, size: [3]int{12, 31, 29}},
		{name: "of odd chunks", batch: 3, channels: 1, size: [3]int{23, 25, 29}},
		{name: "of rows as far from zero as can be", batch: 1, channels: 2, size: [3]int{9, 10, 8}, fill: farthestMean},
		{name: "of chunks as far from zero as can be", batch: 1, channels: 2, size: [3]int{12, 31, 29}, fill: farthestMean},
		{name: "of chunks far from zero", batch: 1, channels: 2, size: [3]int{32, 33, 16}, fill: farMean, slow: true},
		{name: "of chunks after an odd first voxel", batch: 1, channels: 1, size: [3]int{31, 33, 17}, fill: oddFirst, slow: true},
		{name: "of long rows that are many", batch: 2, channels: 67, size: [3]int{21, 20, 20}, slow: true},
	} {
		k := op.InstanceNormReLUKernel{Batch: c.batch, Channels: c.channels, Size: c.size, Eps: 1e-5}
		all = append(all,
			Case{Name: "instance norm " + c.name, Kernel: k, Fill: c.fill, Slow: c.slow},
			Case{Name: "instance norm gradient " + c.name, Kernel: op.InstanceNormReLUGradKernel(k), Fill: swapped(c.fill), Slow: c.slow})
	}
	return all
}

// swapped gives a gradient standard normal numbers and the forward input, its second, what the forward operation's first has.
func swapped(fill func(input, i int, random *rand.Rand) float32) func(input, i int, random *rand.Rand) float32 {
	if fill == nil {
		return nil
	}
	return func(input, i int, random *rand.Rand) float32 {
		if input == 1 {
			return fill(0, i, random)
		}
		return float32(random.NormFloat64())
	}
}

// farMean has a mean that is a thousand times the deviation.
func farMean(input, _ int, random *rand.Rand) float32 {
	if input == 0 {
		return float32(1000 + random.NormFloat64())
	}
	return float32(random.NormFloat64())
}

// farthestMean has a mean that is ten million times the deviation, which is that of the last two bits.
func farthestMean(input, _ int, random *rand.Rand) float32 {
	if input == 0 {
		return float32(1<<23-1000) + float32(random.IntN(4))
	}
	return float32(random.NormFloat64())
}

// oddFirst is farMean with a first number, of the whole tensor, that says nothing of the others.
func oddFirst(input, i int, random *rand.Rand) float32 {
	if i == 0 && input == 0 {
		return -500
	}
	return farMean(input, i, random)
}

func layerNorms() []Case {
	var all []Case
	for _, c := range []struct {
		rows, cols int
		far, slow  bool
	}{
		{rows: 1, cols: 1}, {rows: 1, cols: 768}, {rows: 7, cols: 33}, {rows: 8, cols: 31}, {rows: 9, cols: 32}, {rows: 43, cols: 96},
		{rows: 43, cols: 24}, {rows: 70, cols: 129}, {rows: 5, cols: 1024}, {rows: 3, cols: 1025}, {rows: 2, cols: 3072}, {rows: 6, cols: 100, far: true},
		{rows: 3, cols: 1030, far: true}, {rows: 2100, cols: 5}, {rows: 601, cols: 768, slow: true},
	} {
		s := kernel.NormShape{Rows: c.rows, Cols: c.cols, Eps: 1e-5}
		name := fmt.Sprintf("%dx%d", c.rows, c.cols)
		var forward, gradient, scale func(input, i int, random *rand.Rand) float32
		if c.far {
			name += " far from zero"
			forward, gradient, scale = farMean, swapped(farMean), farMean
		}
		all = append(all,
			Case{Name: "layer norm " + name, Kernel: op.LayerNormKernel{NormShape: s}, Fill: forward, Slow: c.slow},
			Case{Name: "layer norm gradient " + name, Kernel: op.LayerNormGradInputKernel{NormShape: s}, Fill: gradient, Slow: c.slow},
			Case{Name: "layer norm scale gradient " + name, Kernel: op.LayerNormGradScaleKernel{NormShape: s}, Fill: scale, Slow: c.slow},
			Case{Name: "sum of rows " + name, Kernel: op.SumRowsKernel{Rows: c.rows, Cols: c.cols}, Slow: c.slow})
	}
	return all
}

func softmaxes() []Case {
	var all []Case
	for _, c := range []struct {
		rows, cols int
		slow       bool
	}{
		{rows: 1, cols: 1}, {rows: 1, cols: 40}, {rows: 40, cols: 1}, {rows: 7, cols: 31}, {rows: 8, cols: 32}, {rows: 9, cols: 33}, {rows: 43, cols: 8},
		{rows: 65, cols: 128}, {rows: 3, cols: 1025}, {rows: 2, cols: 2048}, {rows: 33, cols: 129}, {rows: 2100, cols: 3}, {rows: 611, cols: 128, slow: true},
	} {
		for axis, along := range []string{"columns", "rows"} {
			k := op.SoftmaxKernel{Rows: c.rows, Cols: c.cols, Axis: axis}
			name := fmt.Sprintf("%s %dx%d", along, c.rows, c.cols)
			all = append(all,
				Case{Name: "softmax " + name, Kernel: k, Fill: spread, Slow: c.slow},
				Case{Name: "softmax gradient " + name, Kernel: op.SoftmaxGradKernel(k), Fill: weights, Slow: c.slow})
		}
	}
	for axis, along := range []string{"columns", "rows"} {
		all = append(all, Case{Name: "softmax with infinities " + along, Kernel: op.SoftmaxKernel{Rows: 67, Cols: 37, Axis: axis}, Fill: infinities})
	}
	return all
}

// spread needs the maximum taken off.
func spread(_, _ int, random *rand.Rand) float32 { return float32(300 + 20*random.NormFloat64()) }

// weights makes the forward output positive and the gradient far from zero, most of which the gradient of softmax takes away.
func weights(input, _ int, random *rand.Rand) float32 {
	if input == 1 {
		return random.Float32() / 64
	}
	return float32(30 + random.NormFloat64())
}

// infinities are columns and rows with -∞ here and there, some with nothing else for most of
// their length, one with nothing else at all, one with +∞ and one with NaN.
func infinities(_, i int, random *rand.Rand) float32 {
	row, col := i/37, i%37
	switch {
	case row == 5 || col == 7:
		return float32(math.Inf(-1))
	case row == 11 && col == 13:
		return float32(math.Inf(1))
	case row == 17 && col == 19:
		return float32(math.NaN())
	case row < 40 && col%5 == 1, (row+col)%3 == 0:
		return float32(math.Inf(-1))
	}
	return float32(random.NormFloat64())
}
