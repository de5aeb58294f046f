package gemm

import "math"

// packer brings numbers of a matrix into the order in which tiles read them.
type packer struct {
	// transpose writes panel[s·width+r] = src[r·stride+s] for rows rows of src and depth steps, and zeros for the
	// columns of the panel beyond rows.
	transpose func(panel []float32, width int, src []float32, stride, rows, depth int)
	// transposePairs is transpose with bfloat16 pairs of neighbours in src; nil without pairs.
	transposePairs func(panel []float32, width int, src []float32, stride, rows, depth int)
	// copy writes panel[s·width+c] = src[s·stride+c] for cols numbers of each of depth lines. What it writes to the
	// rest of the line of width numbers is zero.
	copy func(panel []float32, width int, src []float32, stride, cols, depth int)
	// interleave makes bfloat16 pairs of two lines of a float32 panel each; nil without pairs.
	interleave func(dst, src []float32, steps int)
	// pair makes bfloat16 pairs of neighbours; nil without pairs.
	pair func(dst, src []float32)
	// prefetch says that some bytes will be read soon; nil where there is no way to.
	prefetch func(p *float32, bytes int)
}

// packColumns packs a matrix of depth rows and cols columns into panels, one after the other.
func (k *Kernel) packColumns(w *workspace, panels []float32, b View, depth, cols int) {
	size := k.steps(depth) * k.cols
	if size == 0 {
		return
	}
	for j := 0; j < cols; j += k.cols {
		n := min(k.cols, cols-j)
		v, dst := b.From(0, j), panels[j/k.cols*size:][:size]
		if k.pairs && v.Trans {
			k.pack.transposePairs(dst, k.cols, v.Data, v.Stride, n, depth)
			continue
		}
		plain := dst
		if k.pairs {
			plain = w.plain(k, depth)
		}
		if v.Trans {
			k.pack.transpose(plain, k.cols, v.Data, v.Stride, n, depth)
		} else {
			k.pack.copy(plain, k.cols, v.Data, v.Stride, n, depth)
		}
		k.reduce(dst, plain, depth)
	}
}

// fill packs what the source says.
func (k *Kernel) fill(w *workspace, panels []float32, s Source, k0, k1, n0, n1 int) {
	depth := k1 - k0
	size := k.steps(depth) * k.cols
	if size == 0 {
		return
	}
	for j := n0; j < n1; j += k.cols {
		dst := panels[(j-n0)/k.cols*size:][:size]
		plain := dst
		if k.pairs {
			plain = w.plain(k, depth)
		}
		if n1-j < k.cols {
			clear(plain)
		}
		s.Fill(plain, k.cols, k0, k1, j, min(j+k.cols, n1))
		k.reduce(dst, plain, depth)
	}
}

// plain is a panel of float32.
func (w *workspace) plain(k *Kernel, depth int) []float32 {
	if w.source == nil {
		w.source = make([]float32, MaxDepth*maxCols)
	}
	return w.source[:2*k.steps(depth)*k.cols]
}

// reduce brings a panel of float32 into the kernel's precision; where that is not float32 pairs, dst is plain.
func (k *Kernel) reduce(dst, plain []float32, depth int) {
	switch {
	case k.pairs:
		if depth&1 != 0 {
			clear(plain[depth*k.cols:])
		}
		k.pack.interleave(dst, plain, k.steps(depth))
	case k.precision == BFloat16:
		round(plain)
	}
}

// rows readies some rows of A and depth of its columns for a tile and says where they are: the first number, bytes
// between rows, bytes between steps. width is the number of columns that will be multiplied with them.
func (k *Kernel) rows(w *workspace, a View, rows, depth, width int) (*float32, int, int) {
	switch {
	case depth == 0:
		return &zeros[0], 0, 0
	case k.pairs && a.Trans:
		plain := w.plain(k, depth)
		k.pack.copy(plain, k.cols, a.Data, a.Stride, rows, depth)
		k.reduce(w.a[:k.steps(depth)*k.cols], plain, depth)
		return &w.a[0], 4, 4 * k.cols
	case k.pairs:
		const stride = aStride / 2
		for r := range rows {
			k.pack.pair(w.a[r*stride:][:k.steps(depth)], a.Data[r*a.Stride:][:depth])
		}
		return &w.a[0], 4 * stride, 4
	case a.Trans && (k.precision == BFloat16 || width >= copyFromWidth):
		k.pack.copy(w.a[:], maxRows, a.Data, a.Stride, rows, depth)
		if k.precision == BFloat16 {
			round(w.a[:depth*maxRows])
		}
		return &w.a[0], 4, 4 * maxRows
	case k.precision == BFloat16 || width >= copyFromWidth:
		for r := range rows {
			copied := w.a[r*aStride:][:depth]
			copy(copied, a.Data[r*a.Stride:])
			if k.precision == BFloat16 {
				round(copied)
			}
		}
		return &w.a[0], 4 * aStride, 4
	case a.Trans:
		return &a.Data[0], 4, 4 * a.Stride
	}
	return &a.Data[0], 4 * a.Stride, 4
}

// Packed is a right factor that is packed once for several products.
type Packed struct {
	kernel      *Kernel
	data        []float32
	depth, cols int
}

// Pack packs the first cols columns of the first depth rows of b, at most MaxDepth, into to, whose memory is used
// again.
func (k *Kernel) Pack(to *Packed, b View, depth, cols int) {
	if depth > MaxDepth {
		panic("gemm: packed factor is too deep")
	}
	b.check(depth, cols)
	n := k.steps(depth) * k.cols * ((cols + k.cols - 1) / k.cols)
	if cap(to.data) < n {
		to.data = make([]float32, n)
	}
	*to = Packed{kernel: k, data: to.data[:n], depth: depth, cols: cols}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	k.packColumns(w, to.data, b, depth, cols)
}

// Round rounds x to the nearest bfloat16, to even, in place.
func Round(x []float32) { round(x) }

func round(x []float32) {
	for i, v := range x {
		bits := math.Float32bits(v)
		if v != v {
			bits |= 0x00400000 // a NaN stays one where its upper half was empty
		} else {
			bits += 0x7fff + bits>>16&1
		}
		x[i] = math.Float32frombits(bits & 0xffff0000)
	}
}
