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

// MaxDepth is the greatest depth, in K, of a block of the right factor that is packed at once.
const MaxDepth = 384

// Width is the greatest width of such a block: with MaxDepth it takes 590 kB of a second-level cache. Products are best
// cut at multiples of it.
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
	b := k.right(w, p, n0, n1, k0, k1)
	ahead := k.pack.prefetch != nil && !p.A.Trans && n1-n0 >= copyFromWidth && steps > 0
	for i := 0; i < p.M; {
		t := k.tileFor(p.M - i)
		a, aRow, aStep := k.rows(w, p.A.From(i, k0), t.rows, k1-k0, n1-n0)
		for j := n0; j < n1; j += k.cols {
			panel := (j - n0) / k.cols
			if next := i + t.rows + panel; ahead && panel < t.rows && next < p.M {
				// With every panel one row for the next tile.
				k.pack.prefetch(&p.A.Data[next*p.A.Stride+k0], 4*(k1-k0))
			}
			c, cRow := &p.C.Data[i*p.C.Stride+j], 4*p.C.Stride
			cols := min(k.cols, n1-j)
			if cols < k.cols && !k.masked {
				t.run(steps, a, aRow, aStep, b.at(panel), b.step, &w.scratch[0], 4*maxCols, &zeros[0], 0, 0)
				w.addTo(p, t.rows, cols, i, j, k0 > 0)
				continue
			}
			init, initRow := &zeros[0], 0
			if p.Add || k0 > 0 {
				init, initRow = c, cRow
			} else if p.Bias != nil {
				init = &p.Bias[j]
			}
			t.run(steps, a, aRow, aStep, b.at(panel), b.step, c, cRow, init, initRow, uint32(1<<cols-1))
		}
		i += t.rows
	}
}

// panels are a block of the right factor.
type panels struct {
	data []float32
	next int // numbers from one panel to the next
	step int // bytes from one step of a panel to the next
}

func (b panels) at(panel int) *float32 {
	if len(b.data) == 0 {
		return &zeros[0] // no steps
	}
	return &b.data[panel*b.next]
}

// right readies rows [k0, k1) and columns [n0, n1) of the right factor.
func (k *Kernel) right(w *workspace, p *Product, n0, n1, k0, k1 int) panels {
	size := k.steps(k1-k0) * k.cols
	all := panels{next: size, step: 4 * k.cols}
	switch {
	case p.Packed != nil:
		all.data = p.Packed.data[n0/k.cols*size:]
	case p.Source != nil:
		all.data = w.panels(size * ((n1 - n0 + k.cols - 1) / k.cols))
		k.fill(w, all.data, p.Source, k0, k1, n0, n1)
	case k.masked && k.precision == Float32 && !p.B.Trans && p.M <= k.tiles[0].rows && size > 0:
		// Read once only: packing would be one time too many.
		all = panels{data: p.B.Data[k0*p.B.Stride+n0:], next: k.cols, step: 4 * p.B.Stride}
	default:
		all.data = w.panels(size * ((n1 - n0 + k.cols - 1) / k.cols))
		k.packColumns(w, all.data, p.B.From(k0, n0), k1-k0, n1-n0)
	}
	return all
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
