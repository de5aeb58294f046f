package kernel

import "math"

// SoftmaxRows writes softmax over each row of x: [rows, cols]. y may be x.
func SoftmaxRows(rows, cols int, y, x []float32) {
	parallel(rows, grainFor(16*cols), func(from, to int) {
		for r := from; r < to; r++ {
			softmaxRow(y[r*cols:(r+1)*cols], x[r*cols:(r+1)*cols])
		}
	})
}

// softmaxRow subtracts the maximum first, so that no exponential overflows.
func softmaxRow(y, x []float32) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x)]
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range x {
		e := exp32(v - top)
		y[i] = e
		sum += float64(e)
	}
	scale := float32(1 / sum)
	for i := range y {
		y[i] *= scale
	}
}

// SoftmaxCols writes softmax over each column of x: [rows, cols]. y may be x.
func SoftmaxCols(rows, cols int, y, x []float32) {
	if rows == 0 {
		return
	}
	top := make([]float32, cols)
	copy(top, x)
	for r := 1; r < rows; r++ {
		for j, v := range x[r*cols : (r+1)*cols] {
			top[j] = max(top[j], v)
		}
	}
	sum := make([]float64, cols)
	for r := range rows {
		out := y[r*cols : (r+1)*cols]
		for j, v := range x[r*cols : (r+1)*cols] {
			e := exp32(v - top[j])
			out[j] = e
			sum[j] += float64(e)
		}
	}
	for r := range rows {
		out := y[r*cols : (r+1)*cols]
		for j := range out {
			out[j] *= float32(1 / sum[j])
		}
	}
}

// SoftmaxRowsGrad writes dx = y (dy - Σ_j dy y) for each row, from the forward output y. dx may be dy.
func SoftmaxRowsGrad(rows, cols int, dx, y, dy []float32) {
	parallel(rows, grainFor(4*cols), func(from, to int) {
		for r := from; r < to; r++ {
			softmaxRowGrad(dx[r*cols:(r+1)*cols], y[r*cols:(r+1)*cols], dy[r*cols:(r+1)*cols])
		}
	})
}

func softmaxRowGrad(dx, y, dy []float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	dot := 0.0
	for i, v := range y {
		dot += float64(v) * float64(dy[i])
	}
	for i, v := range y {
		dx[i] = v * float32(float64(dy[i])-dot)
	}
}

// SoftmaxColsGrad writes dx = y (dy - Σ_i dy y) for each column, from the forward output y. dx may be dy.
func SoftmaxColsGrad(rows, cols int, dx, y, dy []float32) {
	dot := make([]float64, cols)
	for r := range rows {
		grad := dy[r*cols : (r+1)*cols]
		for j, v := range y[r*cols : (r+1)*cols] {
			dot[j] += float64(v) * float64(grad[j])
		}
	}
	for r := range rows {
		grad, out := dy[r*cols:(r+1)*cols], dx[r*cols:(r+1)*cols]
		for j, v := range y[r*cols : (r+1)*cols] {
			out[j] = v * float32(float64(grad[j])-dot[j])
		}
	}
}

// exp32 is e^x to within 2 units in the last place for x <= 88, 0 below -87: three times faster than math.Exp.
// x = n ln 2 + r with ln 2 split in two (Cody and Waite, Software Manual for the Elementary Functions, 1980,
// chapter 6), and e^r by its Taylor polynomial of degree 7, |r| <= ln 2 / 2: the first term left out is 5e-9.
func exp32(x float32) float32 {
	const (
		log2e = 1.4426950408889634
		ln2Hi = 0.693359375 // 355/512: exact times any n here
		ln2Lo = -2.1219444005469057e-4
	)
	if x != x {
		return x
	}
	if x < -87 {
		return 0
	}
	if x > 88 {
		return float32(math.Inf(1))
	}
	half := float32(0.5)
	if x < 0 {
		half = -0.5
	}
	n := int32(x*log2e + half)
	f := float32(n)
	r := x - f*ln2Hi - f*ln2Lo
	p := float32(1.0 / 5040)
	p = p*r + 1.0/720
	p = p*r + 1.0/120
	p = p*r + 1.0/24
	p = p*r + 1.0/6
	p = p*r + 0.5
	p = p*r + 1
	p = p*r + 1
	return p * math.Float32frombits(uint32(n+127)<<23)
}
