package kernel

import "mome/gpu/kernel/vector"

// Transpose writes y: [cols, rows] from x: [rows, cols]. It turns the channels of a volume [C, voxels] into
// tokens [voxels, C] and back.
func Transpose(rows, cols int, y, x []float32) {
	parallel(cols, (grainFor(rows)+7)&^7, func(from, to int) {
		vector.Transpose(rows, to-from, y[from*rows:], rows, x[from:], cols)
	})
}

// CopyBlock copies the rows x cols block at src, whose rows are srcStride apart, to dst with rows dstStride apart.
func CopyBlock(rows, cols int, dst []float32, dstStride int, src []float32, srcStride int) {
	if cols == dstStride && cols == srcStride {
		copy(dst[:rows*cols], src[:rows*cols])
		return
	}
	parallel(rows, grainFor(cols), func(from, to int) {
		for r := from; r < to; r++ {
			copy(dst[r*dstStride:r*dstStride+cols], src[r*srcStride:r*srcStride+cols])
		}
	})
}
