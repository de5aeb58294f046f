package kernel

import "mome/gpu/kernel/vector"

// SoftmaxRows writes softmax over each row of x: [rows, cols]. y may be x.
func SoftmaxRows(rows, cols int, y, x []float32) {
	parallel(rows, grainFor(cols), func(from, to int) {
		for r := from; r < to; r++ {
			vector.SoftmaxRow(y[r*cols:(r+1)*cols], x[r*cols:(r+1)*cols])
		}
	})
}

// SoftmaxRowsGrad writes dx = y (dy - Σ_j dy y) for each row, from the forward output y. dx may be dy.
func SoftmaxRowsGrad(rows, cols int, dx, y, dy []float32) {
	parallel(rows, grainFor(cols), func(from, to int) {
		for r := from; r < to; r++ {
			vector.SoftmaxRowGrad(dx[r*cols:(r+1)*cols], y[r*cols:(r+1)*cols], dy[r*cols:(r+1)*cols])
		}
	})
}

// strip is the number of columns that are worked on together where sums run down the columns. It must not follow from
// the number of cores.
const strip = 128

// foldRows is the number of rows that are summed in single precision before they join a sum in double.
const foldRows = 64

// SoftmaxCols writes softmax over each column of x: [rows, cols]. y may be x.
func SoftmaxCols(rows, cols int, y, x []float32) {
	parallel(cols, max(strip, grainFor(rows)), func(from, to int) {
		for ; from < to; from += strip {
			softmaxStrip(rows, cols, y, x, from, min(from+strip, to))
		}
	})
}

// softmaxStrip does the columns [from, to), at most strip of them.
func softmaxStrip(rows, cols int, y, x []float32, from, to int) {
	if rows == 0 {
		return
	}
	var top, part [strip]float32
	var sum [strip]float64
	n := to - from
	copy(top[:n], x[from:to])
	for r := 1; r < rows; r++ {
		vector.MaxEach(top[:n], x[r*cols+from:r*cols+to])
	}
	vector.Scale(top[:n], -1)
	fold := func() {
		for j, v := range part[:n] {
			sum[j] += float64(v)
		}
		clear(part[:n])
	}
	for r := range rows {
		line := y[r*cols+from : r*cols+to]
		copy(line, x[r*cols+from:r*cols+to])
		vector.Add(line, top[:n])
		vector.Exp(line, line)
		vector.Add(part[:n], line)
		if r%foldRows == foldRows-1 {
			fold()
		}
	}
	fold()
	for j, v := range sum[:n] {
		part[j] = float32(1 / v)
	}
	for r := range rows {
		line := y[r*cols+from : r*cols+to]
		for j, v := range part[:len(line)] {
			line[j] *= v
		}
	}
}

// SoftmaxColsGrad writes dx = y (dy - Σ_i dy y) for each column, from the forward output y. dx may be dy.
func SoftmaxColsGrad(rows, cols int, dx, y, dy []float32) {
	parallel(cols, max(strip, grainFor(rows)), func(from, to int) {
		dot := make([]float64, to-from)
		for r := range rows {
			grad := dy[r*cols+from : r*cols+to]
			for j, v := range y[r*cols+from : r*cols+to] {
				dot[j] += float64(v) * float64(grad[j])
			}
		}
		for r := range rows {
			grad, out := dy[r*cols+from:r*cols+to], dx[r*cols+from:r*cols+to]
			for j, v := range y[r*cols+from : r*cols+to] {
				out[j] = v * float32(float64(grad[j])-dot[j])
			}
		}
	})
}
