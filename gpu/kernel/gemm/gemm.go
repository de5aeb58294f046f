// Package gemm multiplies matrices of float32 on one core as fast as the CPU allows: the right factor is packed into
// panels as wide as a tile of the result, block by block of what the second-level cache holds (Goto and van de Geijn,
// Anatomy of High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008), and a tile of the result is summed up in
// registers by a kernel in assembly, or in Go where the CPU has none.
//
// Goroutines are the caller's business: every entry of a result is one sum in one order, whatever part of the
// result it is computed with, so a product may be cut anywhere. NaN and infinities pass through as in a plain loop.
package gemm

import "sync"

// Precision is the form in which a kernel reads its factors. Sums are float32 in either.
type Precision int

// Precisions.
const (
	Float32  Precision = iota
	BFloat16           // factors are rounded to the nearest bfloat16, to even, and their products are exact
)

// Kernel is one way to multiply. All kernels of one precision agree to within rounding of the sums.
type Kernel struct {
	name      string
	precision Precision
	cols      int    // columns of a tile, the width of a panel
	tiles     []tile // by falling number of rows, the last has 1
	masked    bool   // tiles can leave out columns; others write all
	pairs     bool   // panels hold bfloat16, two steps of k side by side in each 32 bits; else float32
	pack      packer
}

// tile computes c = init + a b for some rows and for all columns of a panel (those of the mask). Strides are in bytes,
// k counts 32-bit steps. Row i of a at step s is at a + i·aRow + s·aStep; b's columns of step s at b + s·bStep.
type tile struct {
	rows int
	run  func(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)
}

// Name says which instructions the kernel uses.
func (k *Kernel) Name() string { return k.name }

// Precision is the form in which the kernel reads its factors.
func (k *Kernel) Precision() Precision { return k.precision }

// Native says whether the kernel multiplies numbers of its precision by instructions made for them.
func (k *Kernel) Native() bool { return k.precision == Float32 || k.pairs }

// Kernels lists the kernels of a precision that this CPU can run, best first. The last is written in Go.
func Kernels(p Precision) []*Kernel {
	if p == BFloat16 {
		return available().bfloat16
	}
	return available().float32
}

// Best is the fastest kernel of a precision that this CPU can run.
func Best(p Precision) *Kernel { return Kernels(p)[0] }

type kernels struct{ float32, bfloat16 []*Kernel }

// available asks the CPU once.
var available = sync.OnceValue(func() kernels {
	var all kernels
	for _, k := range append(assembly(), portable()...) {
		if k.precision == BFloat16 {
			all.bfloat16 = append(all.bfloat16, k)
		} else {
			all.float32 = append(all.float32, k)
		}
	}
	return all
})

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
	Add     bool      // start is what C holds; else it is
	Bias    []float32 // a row of N numbers that each row starts with; nil for zeros
	// DepthStep is the number of K at which partial sums are added to C, at most MaxDepth. 0 for the usual.
	DepthStep int
}

// MaxDepth bounds Product.DepthStep.
const MaxDepth = 384

// Width is the number of columns that are packed at once: 590 kB of a second-level cache are MaxDepth times as many. It
// pays to cut a product between them only.
func (k *Kernel) Width() int {
	if k.pairs {
		return 768
	}
	return 384
}

// maxRows is the highest tile of any kernel.
const maxRows = 12

// Rows of A are copied once a result is wider than this: they are then read often enough to deserve neighbouring lines
// of the first-level cache, whatever their stride.
const copyFromWidth = 128

// aStride is the distance of copied rows: not a multiple of the distance at which caches confuse addresses.
const aStride = MaxDepth + 16

// workspace is what one product needs for the time it runs.
type workspace struct {
	b       []float32                             // a block of B in panels
	a       [MaxDepth/2*maxCols + maxCols]float32 // some rows of A, in one of the orders of rows
	source  []float32                             // one panel of a Source in float32
	scratch [maxRows * maxCols]float32
}

const maxCols = 32

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

func (w *workspace) panels(n int) []float32 {
	if cap(w.b) < n {
		w.b = make([]float32, n)
	}
	return w.b[:n]
}

var zeros [maxCols]float32

// Multiply computes a product on the calling goroutine. Memory of its own is at most 1 MB, reused between calls.
func (k *Kernel) Multiply(p Product) {
	if p.M <= 0 || p.N <= 0 {
		return
	}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	step := p.DepthStep
	if step <= 0 || step > MaxDepth {
		step = MaxDepth
	}
	step += step & 1 // pairs stay together
	p.check(k, step)
	for n0 := 0; n0 < p.N; n0 += k.Width() {
		n1 := min(n0+k.Width(), p.N)
		for k0 := 0; k0 == 0 || k0 < p.K; k0 += step {
			k1 := min(k0+step, p.K)
			k.block(w, &p, n0, n1, k0, k1)
		}
	}
}

// block adds the products of K in [k0, k1) to the columns [n0, n1) of C.
func (k *Kernel) block(w *workspace, p *Product, n0, n1, k0, k1 int) {
	steps := k.steps(k1 - k0)
	var panels []float32
	panelSize, bStep := steps*k.cols, 4*k.cols
	direct := false
	switch {
	case p.Packed != nil:
		panels = p.Packed.data[n0/k.cols*panelSize:]
	case p.Source != nil:
		panels = w.panels(panelSize * ((n1 - n0 + k.cols - 1) / k.cols))
		k.fill(w, panels, p.Source, k0, k1, n0, n1)
	case k.masked && !p.B.Trans && p.M <= k.tiles[0].rows && p.K > 0 && k.precision == Float32:
		direct, panels, bStep = true, p.B.Data[k0*p.B.Stride+n0:], 4*p.B.Stride
	default:
		panels = w.panels(panelSize * ((n1 - n0 + k.cols - 1) / k.cols))
		k.packColumns(w, panels, p.B.From(k0, n0), k1-k0, n1-n0)
	}
	ahead := k.pack.prefetch != nil && !p.A.Trans && n1-n0 >= copyFromWidth && k1 > k0
	for i := 0; i < p.M; {
		t := k.tileFor(p.M - i)
		a, aRow, aStep := k.rows(w, p.A.From(i, k0), t.rows, k1-k0, n1-n0)
		for j := n0; j < n1; j += k.cols {
			b := (j - n0) / k.cols * panelSize
			if direct {
				b = j - n0
			}
			c := &p.C.Data[i*p.C.Stride+j]
			init, initRow := &zeros[0], 0
			if p.Add || k0 > 0 {
				init, initRow = c, 4*p.C.Stride
			} else if p.Bias != nil {
				init = &p.Bias[j]
			}
			bp := &zeros[0]
			if steps > 0 {
				bp = &panels[b]
			}
			if next := i + t.rows + (j-n0)/k.cols; ahead && next < p.M && (j-n0)/k.cols < t.rows {
				// One row of the next tile's for each panel of this one's.
				k.pack.prefetch(&p.A.Data[next*p.A.Stride+k0], 4*(k1-k0))
			}
			cols := min(k.cols, n1-j)
			if cols == k.cols || k.masked {
				t.run(steps, a, aRow, aStep, bp, bStep, c, 4*p.C.Stride, init, initRow, uint32(1<<cols-1))
				continue
			}
			t.run(steps, a, aRow, aStep, bp, bStep, &w.scratch[0], 4*maxCols, &zeros[0], 0, 0)
			w.addTo(p, t.rows, cols, i, j, k0 > 0)
		}
		i += t.rows
	}
}

// addTo moves a tile from the scratch to C.
func (w *workspace) addTo(p *Product, rows, cols, i, j int, more bool) {
	for r := range rows {
		c := p.C.Data[(i+r)*p.C.Stride+j:][:cols]
		s := w.scratch[r*maxCols:][:cols]
		switch {
		case p.Add || more:
			for x, v := range s {
				c[x] += v
			}
		case p.Bias != nil:
			for x, v := range s {
				c[x] = p.Bias[j+x] + v
			}
		default:
			for x, v := range s {
				c[x] = 0 + v // as the tiles do: -0 becomes 0
			}
		}
	}
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

// steps is the number of 32-bit steps that depth numbers take.
func (k *Kernel) steps(depth int) int {
	if k.pairs {
		return (depth + 1) / 2
	}
	return depth
}

// tileFor is the highest tile of at most rows rows.
func (k *Kernel) tileFor(rows int) *tile {
	for i := range k.tiles {
		if k.tiles[i].rows <= rows {
			return &k.tiles[i]
		}
	}
	return &k.tiles[len(k.tiles)-1]
}
