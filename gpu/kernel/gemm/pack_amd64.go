package gemm

//go:noescape
func transposeAVX512(dst *float32, dstStep int, src *float32, srcRow int, rows, depth int)

//go:noescape
func copyAVX512(dst *float32, dstStep int, src *float32, srcStep int, depth int, mask uint32)

//go:noescape
func transposeBFloat16(dst *float32, dstStep int, src *float32, srcRow int, rows, depth int)

//go:noescape
func interleaveBFloat16(dst, src *float32, steps int)

//go:noescape
func roundBFloat16AVX512(dst, src *float32, n int)

//go:noescape
func prefetch(p *float32, bytes int)

//go:noescape
func transposeAVX2(dst *float32, dstStep int, src *float32, srcRow int, blocks int)

func packAVX2() packer { return packer{transpose: transposeHalf, copy: copyGo, prefetch: prefetch} }

// transposeHalf leaves to Go what does not fill blocks of eight.
func transposeHalf(panel []float32, width int, src []float32, stride, rows, depth int) {
	whole := depth &^ 7
	for r := 0; r+8 <= rows && whole > 0; r += 8 {
		transposeAVX2(&panel[r], 4*width, &src[r*stride], 4*stride, whole/8)
	}
	for s := range depth {
		from := 0
		if s < whole {
			from = rows &^ 7
		}
		line := panel[s*width:][:width]
		for r := from; r < rows; r++ {
			line[r] = src[r*stride+s]
		}
		clear(line[rows:])
	}
}

func packAVX512() packer { return packer{transpose: transposeWide, copy: copyWide, prefetch: prefetch} }

func packBFloat16() packer {
	return packer{
		transpose: transposeWide, copy: copyWide, prefetch: prefetch,
		transposePairs: transposePairs,
		interleave:     func(dst, src []float32, steps int) { interleaveBFloat16(&dst[0], &src[0], steps) },
		pair:           func(dst, src []float32) { roundBFloat16AVX512(&dst[0], &src[0], len(src)) },
	}
}

func transposeWide(panel []float32, width int, src []float32, stride, rows, depth int) {
	sixteens(transposeAVX512, panel, width, src, stride, rows, depth)
}

func transposePairs(panel []float32, width int, src []float32, stride, rows, depth int) {
	sixteens(transposeBFloat16, panel, width, src, stride, rows, depth)
}

// sixteens transposes for sixteen columns of a panel at a time.
func sixteens(transpose func(dst *float32, dstStep int, src *float32, srcRow int, rows, depth int), panel []float32, width int, src []float32, stride, rows, depth int) {
	for r := 0; r < width; r += 16 {
		if r >= rows {
			transpose(&panel[r], 4*width, &src[0], 0, 0, depth)
			continue
		}
		transpose(&panel[r], 4*width, &src[r*stride], 4*stride, min(16, rows-r), depth)
	}
}

// copyWide writes 32 numbers a line: where lines are shorter, the next one overwrites them, and the panel must have
// room behind the last.
func copyWide(panel []float32, width int, src []float32, stride, cols, depth int) {
	copyAVX512(&panel[0], 4*width, &src[0], 4*stride, depth, uint32(1<<cols-1))
}
