// What attention.cu and attention_grad.cu are built of: tiles of queries, keys, values and gradients in shared memory, and
// products of them by tensor cores.
//
// A head's queries, keys and values are packed first (attention_pack_*): [slice, padded tokens, padded width], zeros beyond
// the tokens and the width, rounded to what the tensor cores read. One pass over 3 % of the traffic buys loads without
// edges or alignment, and products without conversions.
//
// Three ways to multiply, the classes TF32, Exact and BF16. Each has
//   Number    what a tile holds
//   Left      16 rows, 16 deep, of a left factor: loaded from the rows of a tile, or made of accumulators, so that
//             probabilities go from one product to the next without leaving the registers
//   rows      d[rows, n] += left[rows, depth] tile[n, depth]ᵀ
//   columns   d[rows, n] += left[rows, depth] tile[depth, n]
// Both load a right factor once for all M Lefts of a warp: the bandwidth of shared memory bounds these kernels.
#pragma once

#include "device.cuh"

const int attention_threads = 128; // of a block

__device__ __forceinline__ int warp_lane() { return threadIdx.x % 32; }

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

// place is where a chunk of 16 bytes of a tile [rows, width] is. Chunks change places within a row so that the 8 lanes whose
// 16 bytes a shared memory reads at once meet all banks: 8 rows of a chunk (ldmatrix), two rows of 4 chunks (left, rows), or
// four rows, two apart, of two chunks (columns).
template <class Number, int width> __device__ __forceinline__ int place(int row, int chunk) {
	const int numbers = 16 / sizeof(Number);
	int swap;
	if (sizeof(Number) == 4) swap = (row & 1) << 2 ^ (row & 6);
	else if (width / numbers >= 8) swap = row & 7;
	else swap = row >> 1 & 3;
	return row * width + (chunk ^ swap) * numbers;
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
	const int numbers = 16 / sizeof(Number), chunks = width / numbers, each = attention_threads / chunks;
	static_assert(rows * chunks % attention_threads == 0, "every thread copies as many chunks");
	int thread = thread_again(), row = thread / chunks, chunk = thread % chunks;
	from += thread * numbers;
	if (each % 8 == 0) tile += place<Number, width>(row, chunk); // and the places of all its rows are apart by a constant
#pragma unroll
	for (int i = 0; i < rows; i += each)
		copy_async16(tile + (each % 8 == 0 ? i * width : place<Number, width>(row + i, chunk)), from + i * width, true);
}

__device__ __forceinline__ void load4(float x[4], const float *from) {
	float4 v = *reinterpret_cast<const float4 *>(from);
	x[0] = v.x, x[1] = v.y, x[2] = v.z, x[3] = v.w;
}

// Steps of 8 in depth by TF32. The order of the terms of a sum is free, so lane t of four reads 4 numbers side by side of
// 16, and the depth of accumulators (columns 2t and 2t+1) needs no exchange between lanes. In columns, lane g of eight reads
// 4 numbers side by side of 32, of one row, and so owns 4 columns side by side of 32 of the product.
//
// Exact products split every factor into a large and a small part of 11 bits each and leave out small times small (2^-22). Tensor
// cores round sums toward zero; each 16 in depth are summed for themselves and added by a rounding addition, lest that adds up.
template <bool exact> struct Words {
	typedef float Number;
	static const int neighbours = 4; // columns side by side that a lane owns of a product of columns

	// How a warp fills its registers: M of attend and of differentiate, keys of a stage of attend, and the rows of a stage of
	// differentiate, which holds two matrices of scores.
	static constexpr int fragments(int width) { return !exact && width <= 64 ? 2 : 1; }
	static constexpr int keys(int) { return exact ? 32 : 64; }
	static constexpr int streamed(int width) { return exact && width == 128 ? 16 : 32; }
	static const int unrolled = 1; // steps in depth that differentiate computes at once
	static const int resident = 0; // blocks of attend that are to fit a multiprocessor; 0 leaves it to the compiler

	struct Left {
		uint32_t large[2][4], small[2][4];
	};
	struct Right {
		uint32_t large[2], small[2];
	};

	// split rounds to 11 bits, and takes what is left. to_tf32 looks for infinities, which here become NaN as they would anyway.
	static __device__ __forceinline__ void split(uint32_t &large, uint32_t &small, float x) {
		large = exact ? (__float_as_uint(x) + 0x1000u) & 0xffffe000u : to_tf32(x);
		small = exact ? __float_as_uint(x - __uint_as_float(large)) : 0;
	}
	// packed takes a number of a tile, which is rounded already where it is not split.
	static __device__ __forceinline__ void packed(uint32_t &large, uint32_t &small, float x) {
		if (exact) split(large, small, x);
		else large = __float_as_uint(x), small = 0;
	}
	static __device__ __forceinline__ Right right(float first, float second) {
		Right b;
		packed(b.large[0], b.small[0], first);
		packed(b.large[1], b.small[1], second);
		return b;
	}

	template <int width> static __device__ __forceinline__ Left left(const float *tile, int row, int step, int lane) {
		Left a;
#pragma unroll
		for (int half = 0; half < 2; half++) {
			float x[4];
			load4(x, tile + place<float, width>(row + 8 * half + lane / 4, 4 * step + lane % 4));
#pragma unroll
			for (int i = 0; i < 4; i++) packed(a.large[i / 2][half + i % 2 * 2], a.small[i / 2][half + i % 2 * 2], x[i]);
		}
		return a;
	}
	static __device__ __forceinline__ Left left(const float first[4], const float second[4]) {
		Left a;
#pragma unroll
		for (int i = 0; i < 4; i++) {
			const int to = i % 2 * 2 + i / 2;
			split(a.large[0][to], a.small[0][to], first[i]);
			split(a.large[1][to], a.small[1][to], second[i]);
		}
		return a;
	}

	static __device__ __forceinline__ void add(float d[4], const Left &a, const Right &first, const Right &second) {
		if (!exact) {
			mma_tf32(d, a.large[0], first.large);
			mma_tf32(d, a.large[1], second.large);
			return;
		}
		float sum[4] = {0, 0, 0, 0};
		mma_tf32(sum, a.small[0], first.large);
		mma_tf32(sum, a.small[1], second.large);
		mma_tf32(sum, a.large[0], first.small);
		mma_tf32(sum, a.large[1], second.small);
		mma_tf32(sum, a.large[0], first.large);
		mma_tf32(sum, a.large[1], second.large);
#pragma unroll
		for (int i = 0; i < 4; i++) d[i] += sum[i];
	}

	template <int width, int M, int N>
	static __device__ __forceinline__ void rows(float (&d)[M][N][4], const Left (&a)[M], const float *tile, int step, int lane) {
#pragma unroll
		for (int n = 0; n < N; n++) {
			float x[4];
			load4(x, tile + place<float, width>(8 * n + lane / 4, 4 * step + lane % 4));
			Right first = right(x[0], x[1]), second = right(x[2], x[3]);
#pragma unroll
			for (int m = 0; m < M; m++) add(d[m][n], a[m], first, second);
		}
	}
	template <int width, int M>
	static __device__ __forceinline__ void columns(float (&d)[M][width / 8][4], const Left (&a)[M], const float *tile, int row, int lane) {
		int first_row = row + lane % 4 * 2;
#pragma unroll
		for (int n = 0; n < width / 8; n += 4) {
			float x[4][4]; // rows 2t, 2t+1, 2t+8, 2t+9
#pragma unroll
			for (int k = 0; k < 4; k++) load4(x[k], tile + place<float, width>(first_row + k / 2 * 8 + k % 2, 2 * n + lane / 4));
#pragma unroll
			for (int i = 0; i < 4; i++) {
				Right first = right(x[0][i], x[1][i]), second = right(x[2][i], x[3][i]);
#pragma unroll
				for (int m = 0; m < M; m++) add(d[m][n + i], a[m], first, second);
			}
		}
	}

	// column is the first column of this lane's neighbours number r, neighbour is value i of them, in the upper or lower 8 rows.
	static __device__ __forceinline__ int column(int r) { return r / 2 * 32 + warp_lane() % 4 * 8 + r % 2 * 4; }
	template <int N> static __device__ __forceinline__ float neighbour(const float (&d)[N][4], int half, int r, int i) {
		return d[r / 2 * 4 + i][2 * half + r % 2];
	}

	static __device__ __forceinline__ float read(float x) { return x; }
	static __device__ __forceinline__ void pack(float *to, const float x[4]) {
		uint4 v;
		v.x = exact ? __float_as_uint(x[0]) : to_tf32(x[0]), v.y = exact ? __float_as_uint(x[1]) : to_tf32(x[1]);
		v.z = exact ? __float_as_uint(x[2]) : to_tf32(x[2]), v.w = exact ? __float_as_uint(x[3]) : to_tf32(x[3]);
		*reinterpret_cast<uint4 *>(to) = v;
	}
};

typedef Words<false> TF32;
typedef Words<true> Exact;

// Steps of 16 in depth by bfloat16, every factor by ldmatrix.
struct BF16 {
	typedef uint16_t Number;
	static const int neighbours = 2;

	static constexpr int fragments(int width) { return width <= 64 ? 2 : 1; }
	static constexpr int keys(int) { return 64; }
	static constexpr int streamed(int) { return 32; }
	static const int unrolled = 8;
	static const int resident = 3;

	struct Left {
		uint32_t pairs[4];
	};

	template <int width> static __device__ __forceinline__ Left left(const uint16_t *tile, int row, int step, int lane) {
		Left a;
		ldmatrix_x4(a.pairs, tile + place<uint16_t, width>(row + lane % 16, 2 * step + lane / 16));
		return a;
	}
	static __device__ __forceinline__ Left left(const float first[4], const float second[4]) {
		return {{pack_bf16(first[0], first[1]), pack_bf16(first[2], first[3]), pack_bf16(second[0], second[1]), pack_bf16(second[2], second[3])}};
	}

	template <int width, int M, int N>
	static __device__ __forceinline__ void rows(float (&d)[M][N][4], const Left (&a)[M], const uint16_t *tile, int step, int lane) {
#pragma unroll
		for (int n = 0; n < N; n += 2) {
			uint32_t b[4];
			ldmatrix_x4(b, tile + place<uint16_t, width>(8 * n + lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
#pragma unroll
			for (int m = 0; m < M; m++) {
				mma_bf16(d[m][n], a[m].pairs, b);
				mma_bf16(d[m][n + 1], a[m].pairs, b + 2);
			}
		}
	}
	template <int width, int M>
	static __device__ __forceinline__ void columns(float (&d)[M][width / 8][4], const Left (&a)[M], const uint16_t *tile, int row, int lane) {
#pragma unroll
		for (int n = 0; n < width / 8; n += 2) {
			uint32_t b[4];
			ldmatrix_x4_trans(b, tile + place<uint16_t, width>(row + lane % 16, n + lane / 16));
#pragma unroll
			for (int m = 0; m < M; m++) {
				mma_bf16(d[m][n], a[m].pairs, b);
				mma_bf16(d[m][n + 1], a[m].pairs, b + 2);
			}
		}
	}

	static __device__ __forceinline__ int column(int r) { return 8 * r + warp_lane() % 4 * 2; }
	template <int N> static __device__ __forceinline__ float neighbour(const float (&d)[N][4], int half, int r, int i) {
		return d[r][2 * half + i];
	}

	static __device__ __forceinline__ float read(uint16_t x) { return __uint_as_float(static_cast<uint32_t>(x) << 16); }
	static __device__ __forceinline__ void pack(uint16_t *to, const float x[4]) {
		*reinterpret_cast<uint2 *>(to) = make_uint2(pack_bf16(x[0], x[1]), pack_bf16(x[2], x[3]));
	}
};

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

// ATTENTION_KERNELS(define) defines a kernel for every way to multiply and every padded width.
#define ATTENTION_KERNELS(define) \
	define(float32_32, Exact, 32) define(float32_64, Exact, 64) define(float32_128, Exact, 128) \
	define(tf32_32, TF32, 32) define(tf32_64, TF32, 64) define(tf32_128, TF32, 128) \
	define(bfloat16_32, BF16, 32) define(bfloat16_64, BF16, 64) define(bfloat16_128, BF16, 128)
