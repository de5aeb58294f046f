package gemm

// View is a matrix inside a slice: the entry at row i and column j is Data[i·Stride+j], or Data[j·Stride+i] with Trans.
type View struct {
	Data   []float32
	Stride int
	Trans  bool
}

// From is the view without its first rows and columns.
func (v View) From(row, col int) View {
	if v.Trans {
		row, col = col, row
	}
	v.Data = v.Data[min(row*v.Stride+col, len(v.Data)):]
	return v
}

// Source is a right factor that is not held as a matrix.
type Source interface {
	// Fill writes the entries of rows [k0, k1) and columns [n0, n1) into panel: row k0+i, column n0+j at
	// panel[i·width+j]. Entries of the panel with j >= n1-n0 are zero and stay so. One product calls it
	// from one goroutine.
	Fill(panel []float32, width, k0, k1, n0, n1 int)
}

// Product is C = start + A B with A: [M, K], B: [K, N], C: [M, N] without Trans. C must not overlap A or B.
// Strides are at least the length of a row.
type Product struct {
	M, N, K int
	A, B    View
	Source  Source  // takes B's place where not nil
	Packed  *Packed // takes B's place where not nil
	C       View
	Add     bool      // start is what C holds
	Bias    []float32 // else start is this row of N numbers in every row; nil for zeros
	// DepthStep is the number of products that are summed up before they are added to C, at most MaxDepth, which is the
	// default.
	DepthStep int
}

// check panics where a product reaches beyond its memory, which assembly would not notice.
func (p *Product) check(k *Kernel, step int) {
	p.A.check(p.M, p.K)
	p.C.check(p.M, p.N)
	switch {
	case p.C.Trans:
		panic("gemm: the result must not be transposed")
	case p.Bias != nil && len(p.Bias) < p.N:
		panic("gemm: the bias is shorter than a row")
	case p.Packed != nil:
		if p.Packed.kernel != k || p.Packed.depth != p.K || p.Packed.cols != p.N || p.K > step {
			panic("gemm: the packed factor is another's")
		}
	case p.Source == nil:
		p.B.check(p.K, p.N)
	}
}

func (v View) check(rows, cols int) {
	if v.Trans {
		rows, cols = cols, rows
	}
	if rows > 0 && cols > 0 && (v.Stride < cols || (rows-1)*v.Stride+cols > len(v.Data)) {
		panic("gemm: a matrix reaches beyond its memory")
	}
}
