package gemm

import "unsafe"

// portable lists the kernels written in Go, one of each precision.
func portable() []*Kernel {
	var all []*Kernel
	for p := range 2 {
		all = append(all, &Kernel{
			name: "go", precision: Precision(p), cols: 4,
			tiles: []tile{{4, tileGo4}, {1, tileGo1}},
			pack:  packer{transpose: transposeGo, copy: copyGo},
		})
	}
	return all
}

// at is the number off bytes behind p.
func at(p *float32, off int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), off)) }

// four are the four numbers from off bytes behind p.
func four(p *float32, off int) *[4]float32 { return (*[4]float32)(unsafe.Add(unsafe.Pointer(p), off)) }

func tileGo4(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, _ uint32) {
	tileGo2(k, a, aRow, aStep, b, bStep, c, cRow, init, initRow)
	tileGo2(k, at(a, 2*aRow), aRow, aStep, b, bStep, at(c, 2*cRow), cRow, at(init, 2*initRow), initRow)
}

// tileGo2 is two rows of four columns: eight sums, two numbers of a and one of b fit in sixteen registers.
func tileGo2(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	// Offsets, not pointers, advance: none may point beyond its memory.
	for i, j := 0, 0; k > 0; k-- {
		x, y, line := *at(a, i), *at(a, i+aRow), four(b, j)
		i, j = i+aStep, j+bStep
		v := line[0]
		c00 += x * v
		c10 += y * v
		v = line[1]
		c01 += x * v
		c11 += y * v
		v = line[2]
		c02 += x * v
		c12 += y * v
		v = line[3]
		c03 += x * v
		c13 += y * v
	}
	i := four(init, 0)
	*four(c, 0) = [4]float32{i[0] + c00, i[1] + c01, i[2] + c02, i[3] + c03}
	i = four(init, initRow)
	*four(c, cRow) = [4]float32{i[0] + c10, i[1] + c11, i[2] + c12, i[3] + c13}
}

func tileGo1(k int, a *float32, _, aStep int, b *float32, bStep int, c *float32, _ int, init *float32, _ int, _ uint32) {
	var c0, c1, c2, c3 float32
	for s := range k {
		x, line := *at(a, s*aStep), four(b, s*bStep)
		c0 += x * line[0]
		c1 += x * line[1]
		c2 += x * line[2]
		c3 += x * line[3]
	}
	i := four(init, 0)
	*four(c, 0) = [4]float32{i[0] + c0, i[1] + c1, i[2] + c2, i[3] + c3}
}

func transposeGo(panel []float32, width int, src []float32, stride, rows, depth int) {
	for r := range width {
		if r >= rows {
			for s := range depth {
				panel[s*width+r] = 0
			}
			continue
		}
		for s, v := range src[r*stride:][:depth] {
			panel[s*width+r] = v
		}
	}
}

func copyGo(panel []float32, width int, src []float32, stride, cols, depth int) {
	for s := range depth {
		line := panel[s*width:][:width]
		copy(line[:cols], src[s*stride:])
		clear(line[cols:])
	}
}
