// Twins of layout.go.
#include "reduce.cuh"

// transpose writes y: [cols, rows] from x: [rows, cols], a block of (32, 8) for a tile of 32 x 32 that goes through shared memory, so
// that reads and writes are both of whole lines; the odd width keeps its columns in different banks.
extern "C" __global__ void __launch_bounds__(256) transpose(float *y, const float *x, long long rows, long long cols) {
	__shared__ float tile[32][33];
	long long across = (cols + 31) / 32, row = blockIdx.x / across * 32, col = blockIdx.x % across * 32;
	for (int i = threadIdx.y; i < 32; i += 8) {
		if (row + i < rows && col + threadIdx.x < cols) tile[i][threadIdx.x] = x[(row + i) * cols + col + threadIdx.x];
	}
	__syncthreads();
	for (int i = threadIdx.y; i < 32; i += 8) {
		if (col + i < cols && row + threadIdx.x < rows) y[(col + i) * rows + row + threadIdx.x] = tile[threadIdx.x][i];
	}
}
EXPORT(transpose)

// each_row calls f(row, first column, end) for the rows of this thread's part of a matrix, in a grid of (columns / length, rows /
// blockDim.y) blocks; the threads of one row share its columns.
template <class F> static __device__ __forceinline__ void each_row(long long rows, long long cols, long long length, F f) {
	long long from = blockIdx.x * length, to = min(from + length, cols), step = gridDim.y * (long long)blockDim.y;
	for (long long row = blockIdx.y * (long long)blockDim.y + threadIdx.y; row < rows; row += step) f(row, from, to);
}

static __device__ __forceinline__ bool aligned16(const void *p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

static __device__ __forceinline__ void copy_block(float *y, long long y_stride, const float *x, long long x_stride,
	long long rows, long long cols, long long length) {
	bool fours = aligned16(y) && aligned16(x) && cols % 4 == 0 && (rows == 1 || (y_stride % 4 == 0 && x_stride % 4 == 0));
	each_row(rows, cols, length, [&](long long row, long long from, long long to) {
		sweep(from, to, fours, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
			pack.load(x + row * x_stride + i);
			pack.store(y + row * y_stride + i);
		});
	});
}

// copy_blocks copies up to four blocks of rows rows into a matrix y whose rows are y_stride apart, block blockIdx.z from x with rows
// x_stride apart and cols wide, to start at at.
// length, the columns that a block of threads does, is a multiple of 4.
extern "C" __global__ void __launch_bounds__(256)
	copy_blocks(float *y, long long y_stride, long long rows, long long length,
		const float *x0, long long x_stride0, long long cols0, long long at0,
		const float *x1, long long x_stride1, long long cols1, long long at1,
		const float *x2, long long x_stride2, long long cols2, long long at2,
		const float *x3, long long x_stride3, long long cols3, long long at3) {
	switch (blockIdx.z) {
	case 0: return copy_block(y + at0, y_stride, x0, x_stride0, rows, cols0, length);
	case 1: return copy_block(y + at1, y_stride, x1, x_stride1, rows, cols1, length);
	case 2: return copy_block(y + at2, y_stride, x2, x_stride2, rows, cols2, length);
	default: return copy_block(y + at3, y_stride, x3, x_stride3, rows, cols3, length);
	}
}
EXPORT(copy_blocks)

// slice_grad writes dx: [rows, cols], which is dy on the rows [row0, row1) of the columns [col0, col1) and 0 elsewhere.
extern "C" __global__ void __launch_bounds__(256)
	slice_grad(float *dx, const float *dy, long long rows, long long cols, long long row0, long long row1, long long col0,
		long long col1, long long length) {
	bool fours = cols % 4 == 0 && col0 % 4 == 0 && col1 % 4 == 0;
	each_row(rows, cols, length, [&](long long row, long long from, long long to) {
		bool held = row0 <= row && row < row1;
		sweep(from, to, fours, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
			if (held && col0 <= i && i < col1) {
				pack.load(dy + (row - row0) * (col1 - col0) + i - col0);
			} else {
				for (float &v : pack.v) v = 0;
			}
			pack.store(dx + row * cols + i);
		});
	});
}
EXPORT(slice_grad)
