package launch

import (
	"mome/gpu/kernel"
	"mome/gpu/op"
)

// norms are the norms of gpu/op/norm.go, and SumRows.
func norms(k op.Kernel, _ op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.InstanceNormReLUKernel:
		return instanceNorm(instanceRows(k)), true
	case op.InstanceNormReLUGradKernel:
		return instanceNormGrad(instanceRows(op.InstanceNormReLUKernel(k))), true
	case op.LayerNormKernel:
		return one(layerNorm("layer_norm", k.NormShape)), true
	case op.LayerNormGradInputKernel:
		return one(layerNorm("layer_norm_grad_input", k.NormShape)), true
	case op.LayerNormGradScaleKernel:
		return layerNormGradScale(k.NormShape), true
	case op.SumRowsKernel:
		return sumDown("sum_rows", k.Rows, k.Cols, 0, In(0, 0)), true
	}
	return List{}, false
}

// instanceRows are the rows of an instance norm: one for each channel of each sample.
func instanceRows(k op.InstanceNormReLUKernel) kernel.NormShape {
	return kernel.NormShape{Rows: k.Batch * k.Channels, Cols: k.Size[0] * k.Size[1] * k.Size[2], Eps: k.Eps}
}

// A device has about 132 multiprocessors for 8 blocks of 256 threads each.
const (
	blocksAtOnce = 1056
	// leastChunk is the shortest piece of a row that is worth a block of its own.
	leastChunk = 8192
	// cachedRow is the longest row that one block reads twice, the second time from the cache.
	cachedRow = 32768
)

// chunked cuts rows of cols numbers into count chunks of length numbers, a multiple of 4, so that there are blocks enough and not
// more chunks of a row than a block adds up in passing.
func chunked(rows, cols int) (count, length int) {
	count = max(1, min(blocks(2*blocksAtOnce, rows), blocks(cols, leastChunk), blocksAtOnce))
	length = 4 * blocks(blocks(cols, count), 4)
	return blocks(cols, length), length
}

// instanceNorm takes one step for rows short enough or so many that one block each is enough, and two for others.
func instanceNorm(s kernel.NormShape) List {
	if block, ok := rowBlock(s.Rows, s.Cols); ok {
		return one(Step{Kernel: "instance_norm_relu_rows", Grid: [3]int{s.Rows, 1, 1}, Block: block,
			Params: []Param{Out(0), In(0, 0), Int(s.Cols), Float(s.Eps)}})
	}
	count, length := chunked(s.Rows, s.Cols)
	cols, eps := Int(s.Cols), Float(s.Eps)
	sums, shifts := Space(0), Space(4*s.Rows*count) // two doubles of each chunk, a float of each row
	return List{Workspace: 4*s.Rows*count + s.Rows, Steps: []Step{
		chunks("instance_norm_sums", s.Rows*count, sums, shifts, In(0, 0), cols, Int(count), Int(length)),
		chunks("instance_norm_relu", s.Rows*count, Out(0), In(0, 0), sums, shifts, cols, Int(count), Int(length), eps),
	}}
}

// instanceNormGrad takes three steps for rows that many blocks share: which numbers count is known only when the mean is.
func instanceNormGrad(s kernel.NormShape) List {
	dy, x := In(0, 0), In(1, 0)
	if block, ok := rowBlock(s.Rows, s.Cols); ok {
		return one(Step{Kernel: "instance_norm_relu_grad_rows", Grid: [3]int{s.Rows, 1, 1}, Block: block,
			Params: []Param{Out(0), dy, x, Int(s.Cols), Float(s.Eps)}})
	}
	count, length := chunked(s.Rows, s.Cols)
	size := 4 * s.Rows * count
	sums, grads, shifts := Space(0), Space(size), Space(2*size)
	cols, eps := Int(s.Cols), Float(s.Eps)
	return List{Workspace: 2*size + s.Rows, Steps: []Step{
		chunks("instance_norm_sums", s.Rows*count, sums, shifts, x, cols, Int(count), Int(length)),
		chunks("instance_norm_relu_grad_sums", s.Rows*count, grads, dy, x, sums, shifts, cols, Int(count), Int(length), eps),
		chunks("instance_norm_relu_grad", s.Rows*count, Out(0), dy, x, sums, shifts, grads, cols, Int(count), Int(length), eps),
	}}
}

// rowBlock is the block that does a row alone, where that is best.
func rowBlock(rows, cols int) (block [3]int, ok bool) {
	if cols <= leastChunk {
		return [3]int{threads, 1, 1}, true
	}
	return [3]int{2 * threads, 1, 1}, cols <= cachedRow && rows >= blocksAtOnce/8
}

// chunks is a step of one block for each of n chunks.
func chunks(kernel string, n int, params ...Param) Step {
	return Step{Kernel: kernel, Grid: [3]int{n, 1, 1}, Block: [3]int{threads, 1, 1}, Params: params}
}

// rowTeams is a step of one warp for each row, or one block where rows are long.
func rowTeams(kernel string, rows, cols int, params ...Param) Step {
	s := Step{Kernel: kernel, Grid: [3]int{blocks(rows, 8), 1, 1}, Block: [3]int{32, 8, 1}, Params: params}
	if cols > 1024 {
		s.Grid[0], s.Block = rows, [3]int{threads, 1, 1}
	}
	return s
}

// columnChunks cuts rows into at most 64 chunks of length rows, for blocks of 32 columns each.
func columnChunks(rows, cols int) (count, length int) {
	count = max(1, min(blocks(blocksAtOnce/2, blocks(cols, 32)), blocks(rows, 32), 64))
	length = blocks(rows, count)
	return blocks(rows, length), length
}

// columns is a step of blocks of 32 columns and a chunk of rows each.
func columns(kernel string, cols, count int, params ...Param) Step {
	return Step{Kernel: kernel, Grid: [3]int{blocks(cols, 32), count, 1}, Block: [3]int{32, 8, 1}, Params: params}
}

// sumDown sums down the columns by a kernel that reads from, and sums the sums of chunks in a second step. The workspace has room
// for them after the floats that are used.
func sumDown(kernel string, rows, cols, used int, from ...Param) List {
	count, length := columnChunks(rows, cols)
	step := func(kernel string, to Param, from []Param, rows, length, count int) Step {
		return columns(kernel, cols, count, append(append([]Param{to}, from...), Int(rows), Int(cols), Int(length))...)
	}
	if count == 1 {
		return List{Workspace: used, Steps: []Step{step(kernel, Out(0), from, rows, length, 1)}}
	}
	parts := Space(used)
	return List{Workspace: used + count*cols, Steps: []Step{
		step(kernel, parts, from, rows, length, count),
		step("sum_rows", Out(0), []Param{parts}, count, count, 1),
	}}
}

// layerNorm is a step that makes the rows of the output of three inputs.
func layerNorm(name string, s kernel.NormShape) Step {
	return rowTeams(name, s.Rows, s.Cols, Out(0), In(0, 0), In(1, 0), In(2, 0), Int(s.Rows), Int(s.Cols), Float(s.Eps))
}

func layerNormGradScale(s kernel.NormShape) List {
	x, dy, moments := In(0, 0), In(1, 0), Space(0)
	l := sumDown("layer_norm_grad_scale", s.Rows, s.Cols, 3*s.Rows, dy, x, moments)
	first := rowTeams("layer_norm_moments", s.Rows, s.Cols, moments, x, Int(s.Rows), Int(s.Cols), Float(s.Eps))
	l.Steps = append([]Step{first}, l.Steps...)
	return l
}
