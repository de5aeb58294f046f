// What attention.cu and attention_grad.cu are built of: tiles of queries, keys, values and gradients in shared memory, and
// products of them by tensor cores.
//
// A head's queries, keys and values are packed first (attention_pack_*): [slice, padded tokens, padded width], zeros beyond
// the tokens and the width, rounded to what the tensor cores read. One pass over memory buys loads without edges or
// alignment, and products without conversions, for the many times that every block reads the keys and values.
#pragma once

#include "attention_factors.cuh"

namespace attention {

const int block_threads = 128; // of a block

// exp2_approx is 2^x to 2 units in the last place, 0 where that is not normal.
__device__ __forceinline__ float exp2_approx(float x) {
#ifdef __CUDACC__
	float y;
	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
#else
	return exp2f(x);
#endif
}

// thread_again is threadIdx.x read anew, so that addresses are computed again from it instead of being kept in registers, which
// accumulators fill.
__device__ __forceinline__ int thread_again() {
#ifdef __CUDACC__
	int i;
	asm volatile("mov.u32 %0, %%tid.x;" : "=r"(i));
	return i;
#else
	return threadIdx.x;
#endif
}

// load_tile starts copying [rows, width] consecutive numbers to a tile, by all threads of the block.
template <class Number, int width, int rows> __device__ __forceinline__ void load_tile(Number *tile, const Number *from) {
	const int numbers = 16 / sizeof(Number), chunks = width / numbers, each = block_threads / chunks;
	static_assert(rows * chunks % block_threads == 0, "every thread copies as many chunks");
	int thread = thread_again(), row = thread / chunks, chunk = thread % chunks;
	from += thread * numbers;
	if (each % 8 == 0) tile += place<Number, width>(row, chunk); // and the places of all its rows are apart by a constant
#pragma unroll
	for (int i = 0; i < rows; i += each)
		copy_async16(tile + (each % 8 == 0 ? i * width : place<Number, width>(row + i, chunk)), from + i * width, true);
}

// multiply_rows writes d[rows, n] = own[rows, width] tile[n, width]ᵀ, for the 16·M rows of a tile that are this warp's.
template <class Mode, int width, int unrolled, int M, int N>
__device__ __forceinline__ void multiply_rows(float (&d)[M][N][4], const typename Mode::Number *own, int row, const typename Mode::Number *tile) {
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int n = 0; n < N; n++)
#pragma unroll
			for (int i = 0; i < 4; i++) d[m][n][i] = 0;
	int lane = warp_lane();
#pragma unroll unrolled
	for (int step = 0; step < width / 16; step++) {
		typename Mode::Left a[M];
#pragma unroll
		for (int m = 0; m < M; m++) a[m] = Mode::template left<width>(own, row + 16 * m, step, lane);
		Mode::template rows<width>(d, a, tile, step, lane);
	}
}

// multiply_columns adds p[rows, depth] tile[depth, width] to d[rows, width].
template <class Mode, int width, int M, int N>
__device__ __forceinline__ void multiply_columns(float (&d)[M][width / 8][4], const float (&p)[M][N][4], const typename Mode::Number *tile) {
	int lane = thread_again() % 32;
#pragma unroll
	for (int n = 0; n < N; n += 2) {
		typename Mode::Left a[M];
#pragma unroll
		for (int m = 0; m < M; m++) a[m] = Mode::left(p[m][n], p[m][n + 1]);
		Mode::template columns<width>(d, a, tile, 8 * n, lane);
	}
}

// mask_columns makes every value of the columns from the given one on equal to with.
template <int M, int N> __device__ __forceinline__ void mask_columns(float (&d)[M][N][4], int from, float with) {
#pragma unroll
	for (int n = 0; n < N; n++)
#pragma unroll
		for (int i = 0; i < 4; i++)
			if (8 * n + warp_lane() % 4 * 2 + i % 2 >= from)
#pragma unroll
				for (int m = 0; m < M; m++) d[m][n][i] = with;
}

// store_rows writes scale[m][half] d[m] to the rows from the given one on that are tokens: to is [tokens, stride], the head's
// first column.
template <class Mode, int width, int M>
__device__ __forceinline__ void store_rows(float *to, long long stride, const float (&d)[M][width / 8][4], const float (&scale)[M][2],
										   long long row, long long tokens, int head_width) {
	const int count = Mode::neighbours;
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int half = 0; half < 2; half++) {
			long long at = row + 16 * m + 8 * half + warp_lane() / 4;
			if (at >= tokens) continue;
#pragma unroll
			for (int r = 0; r < width / 4 / count; r++) {
				float x[4] = {0, 0, 0, 0};
#pragma unroll
				for (int i = 0; i < count; i++) x[i] = scale[m][half] * Mode::neighbour(d[m], half, r, i);
				int column = Mode::column(r);
				float *out = to + at * stride + column;
				if (head_width % 4) {
#pragma unroll
					for (int i = 0; i < count; i++)
						if (column + i < head_width) out[i] = x[i];
				} else if (column < head_width) {
					if (count == 4) *reinterpret_cast<float4 *>(out) = make_float4(x[0], x[1], x[2], x[3]);
					else *reinterpret_cast<float2 *>(out) = make_float2(x[0], x[1]);
				}
			}
		}
}

} // namespace attention

// ATTENTION_KERNELS(define) defines a kernel for every way to multiply and every padded width.
#define ATTENTION_KERNELS(define) \
	define(float32_32, attention::Exact, 32) \
	define(float32_64, attention::Exact, 64) \
	define(float32_128, attention::Exact, 128) \
	define(tf32_32, attention::TF32, 32) \
	define(tf32_64, attention::TF32, 64) \
	define(tf32_128, attention::TF32, 128) \
	define(bfloat16_32, attention::BF16, 32) \
	define(bfloat16_64, attention::BF16, 64) \
	define(bfloat16_128, attention::BF16, 128)
