// How attention multiplies by tensor cores. There are three ways, the classes TF32, Exact and BF16. Each has
//   Number    what a tile holds
//   Left      16 rows, 16 deep, of a left factor: loaded from the rows of a tile, or made of accumulators, so that
//             probabilities go from one product to the next without leaving the registers
//   rows      d[rows, n] += left[rows, depth] tile[n, depth]ᵀ
//   columns   d[rows, n] += left[rows, depth] tile[depth, n]
// Both load a right factor once for all M Lefts of a warp: the bandwidth of shared memory bounds these kernels.
#pragma once

#include "device.cuh"

namespace attention { // since other files have other tiles

__device__ __forceinline__ int warp_lane() { return threadIdx.x % 32; }

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
	static const int unrolled = 1; // steps in depth that differentiate computes at once, attend twice as many
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

	// add adds left times right, 16 deep, to count accumulators of 8 columns from the given one on. Products that wait for each
	// other are kept apart by those of the other accumulators.
	template <int count, int M, int N>
	static __device__ __forceinline__ void add(float (&d)[M][N][4], int n, const Left (&a)[M], const Right (&first)[count], const Right (&second)[count]) {
		if (!exact) {
			each<count>(d, n, [&](float *sum, int m, int i) { mma_tf32(sum, a[m].large[0], first[i].large); });
			each<count>(d, n, [&](float *sum, int m, int i) { mma_tf32(sum, a[m].large[1], second[i].large); });
			return;
		}
		float part[M][count][4] = {};
		each<count>(part, 0, [&](float *sum, int m, int i) { mma_tf32(sum, a[m].small[0], first[i].large); });
		each<count>(part, 0, [&](float *sum, int m, int i) { mma_tf32(sum, a[m].small[1], second[i].large); });
		each<count>(part, 0, [&](float *sum, int m, int i) { mma_tf32(sum, a[m].large[0], first[i].small); });
		each<count>(part, 0, [&](float *sum, int m, int i) { mma_tf32(sum, a[m].large[1], second[i].small); });
		each<count>(part, 0, [&](float *sum, int m, int i) { mma_tf32(sum, a[m].large[0], first[i].large); });
		each<count>(part, 0, [&](float *sum, int m, int i) { mma_tf32(sum, a[m].large[1], second[i].large); });
		each<count>(d, n, [&](float *sum, int m, int i) {
#pragma unroll
			for (int k = 0; k < 4; k++) sum[k] += part[m][i][k];
		});
	}
	template <int count, int M, int N, class Work> static __device__ __forceinline__ void each(float (&d)[M][N][4], int n, const Work &work) {
#pragma unroll
		for (int i = 0; i < count; i++)
#pragma unroll
			for (int m = 0; m < M; m++) work(d[m][n + i], m, i);
	}

	template <int width, int M, int N>
	static __device__ __forceinline__ void rows(float (&d)[M][N][4], const Left (&a)[M], const float *tile, int step, int lane) {
		const int count = exact && N % 4 == 0 ? 4 : 2;
#pragma unroll
		for (int n = 0; n < N; n += count) {
			Right first[count], second[count];
#pragma unroll
			for (int i = 0; i < count; i++) {
				float x[4];
				load4(x, tile + place<float, width>(8 * (n + i) + lane / 4, 4 * step + lane % 4));
				first[i] = right(x[0], x[1]), second[i] = right(x[2], x[3]);
			}
			add<count>(d, n, a, first, second);
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
			Right first[4], second[4];
#pragma unroll
			for (int i = 0; i < 4; i++) first[i] = right(x[0][i], x[1][i]), second[i] = right(x[2][i], x[3][i]);
			add<4>(d, n, a, first, second);
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

} // namespace attention
