package launch

import "mome/gpu/op"

// layouts are the operations of gpu/op/layout.go, which compute nothing.
func layouts(k op.Kernel, _ op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.TokensKernel:
		return transpose(k.Channels, k.Size[0]*k.Size[1]*k.Size[2]), true
	case op.TokensGradKernel:
		return transpose(k.Size[0]*k.Size[1]*k.Size[2], k.Channels), true
	case op.SliceKernel:
		return slice(k), true
	case op.SliceGradKernel:
		return sliceGrad(k), true
	case op.ConcatKernel:
		return concat(k), true
	}
	return List{}, false
}

// transpose turns a matrix in tiles of 32 x 32.
func transpose(rows, cols int) List {
	return one(Step{Kernel: "transpose", Grid: [3]int{blocks(rows, 32) * blocks(cols, 32), 1, 1}, Block: [3]int{32, 8, 1},
		Params: []Param{Out(0), In(0, 0), Int(rows), Int(cols)}})
}

// rowsAndColumns cuts a matrix into parts of length columns, a multiple of 4, and 8 rows, or of one row where there is only one.
func rowsAndColumns(rows, cols int) (grid, block [3]int, length int) {
	if rows == 1 {
		length = 4 * threads
		return [3]int{blocks(cols, length), 1, 1}, [3]int{threads, 1, 1}, length
	}
	length = 1024
	return [3]int{blocks(cols, length), min(blocks(rows, 8), maxGrid), 1}, [3]int{32, 8, 1}, length
}

// piece is a block that is copied into the output: where it comes from with the distance of its rows, its columns, where it goes.
type piece struct {
	from             Param
	stride, cols, at int
}

// copyPieces copies pieces of the same number of rows, up to four in one step.
func copyPieces(rows, stride int, pieces []piece) List {
	var l List
	for len(pieces) > 0 {
		now := pieces[:min(4, len(pieces))]
		pieces = pieces[len(now):]
		widest := 0
		for _, p := range now {
			widest = max(widest, p.cols)
		}
		grid, block, length := rowsAndColumns(rows, widest)
		grid[2] = len(now)
		params := []Param{Out(0), Int(stride), Int(rows), Int(length)}
		for i := range 4 {
			p := now[min(i, len(now)-1)] // those beyond the grid are not read
			params = append(params, p.from, Int(p.stride), Int(p.cols), Int(p.at))
		}
		l.Steps = append(l.Steps, Step{Kernel: "copy_blocks", Grid: grid, Block: block, Params: params})
	}
	return l
}

// slice copies whole rows as one.
func slice(k op.SliceKernel) List {
	if k.Axis == 0 {
		n := (k.To - k.From) * k.Cols
		return copyPieces(1, n, []piece{{In(0, k.From*k.Cols), n, n, 0}})
	}
	n := k.To - k.From
	return copyPieces(k.Rows, n, []piece{{In(0, k.From), k.Cols, n, 0}})
}

// sliceGrad fills whole rows as one.
func sliceGrad(k op.SliceGradKernel) List {
	rows, cols := k.Rows, k.Cols
	row0, row1, col0, col1 := 0, rows, k.From, k.To
	if k.Axis == 0 {
		rows, cols = 1, k.Rows*k.Cols
		row1, col0, col1 = 1, k.From*k.Cols, k.To*k.Cols
	}
	grid, block, length := rowsAndColumns(rows, cols)
	return one(Step{Kernel: "slice_grad", Grid: grid, Block: block, Params: []Param{Out(0), In(0, 0),
		Int(rows), Int(cols), Int(row0), Int(row1), Int(col0), Int(col1), Int(length)}})
}

// concat copies parts that lie below each other as one row each.
func concat(k op.ConcatKernel) List {
	rows, total := k.Across, 0
	var pieces []piece
	for i, n := range k.Lengths {
		if k.Axis == 0 {
			rows, n = 1, n*k.Across
		}
		pieces = append(pieces, piece{In(i, 0), n, n, total})
		total += n
	}
	return copyPieces(rows, total, pieces)
}
