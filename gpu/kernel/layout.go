package kernel

// Transpose writes y: [cols, rows] from x: [rows, cols]. It turns the channels of a volume [C, voxels] into
// tokens [voxels, C] and back.
func Transpose(rows, cols int, y, x []float32) {
	const tile = 32 // both tiles stay in the first-level cache
	for r0 := 0; r0 < rows; r0 += tile {
		for c0 := 0; c0 < cols; c0 += tile {
			for r := r0; r < min(r0+tile, rows); r++ {
				for c := c0; c < min(c0+tile, cols); c++ {
					y[c*rows+r] = x[r*cols+c]
				}
			}
		}
	}
}

// CopyBlock copies the rows x cols block at src, whose rows are srcStride apart, to dst with rows dstStride apart.
func CopyBlock(rows, cols int, dst []float32, dstStride int, src []float32, srcStride int) {
	if cols == dstStride && cols == srcStride {
		copy(dst[:rows*cols], src[:rows*cols])
		return
	}
	for r := range rows {
		copy(dst[r*dstStride:r*dstStride+cols], src[r*srcStride:r*srcStride+cols])
	}
}
