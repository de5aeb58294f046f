// How a warp takes its fragments of two factors from shared memory, and multiplies them at a precision.
//
// Slices of factors, tile_depth numbers deep, lie in shared memory as float32, as they come from memory: along the depth (k) or
// along the lines (m or n). Either is read 16 bytes a lane without bank conflicts and without ldmatrix, because mma does not
// care which k a lane calls its own as long as A and B agree, nor which line: of 16 k from k0 on, lane t of a group of four
// holds k0 + 4t to k0 + 4t + 3; of 32 lines, slot q of group g is line 16 (g%2) + 4 (g/2) + q. The second makes each
// lane end with four neighbours along n. Factors are rounded or split when fragments are made of them.
#pragma once

#include "device.cuh"

const int tile_depth = 32;

// lane_chunk is which 4 of 32 lines are the lane's own.
__device__ __forceinline__ int lane_chunk() {
	int g = threadIdx.x % 32 / 4;
	return 4 * (g % 2) + g / 2;
}

// AlongDepth is a slice [line][k]: lines of 128 bytes, which are 8 chunks. Eight lanes that read at once read four chunks of
// two lines 16 apart: every second 16 lines have their halves swapped.
struct AlongDepth {
	static constexpr bool along_depth = true;
	template <int lines> static __device__ __forceinline__ int at(int line, int k) {
		return line * tile_depth + ((k / 4 ^ (line / 16 & 1) * 4) * 4 | k % 4);
	}
	// fragment reads x[slot][k] of the 32 lines from line on and the 16 k from k on.
	template <int lines> static __device__ __forceinline__ void fragment(float x[4][4], const float *slice, int line, int k) {
		int chunk = threadIdx.x % 4 ^ (lane_chunk() & 4) ^ k / 4;
		const float *p = slice + (line + 4 * lane_chunk()) * tile_depth + 4 * chunk;
#pragma unroll
		for (int q = 0; q < 4; q++) {
			float4 v = *reinterpret_cast<const float4 *>(p + q * tile_depth);
			x[q][0] = v.x, x[q][1] = v.y, x[q][2] = v.z, x[q][3] = v.w;
		}
	}
};

// AlongLines is a slice [k][line]. Eight lanes that read at once read two chunks of four rows 4 apart, which exchange chunks.
struct AlongLines {
	static constexpr bool along_depth = false;
	template <int lines> static __device__ __forceinline__ int at(int line, int k) {
		return k * lines + ((line / 4 ^ (k / 4 & 3)) * 4 | line % 4);
	}
	template <int lines> static __device__ __forceinline__ void fragment(float x[4][4], const float *slice, int line, int k) {
		int t = threadIdx.x % 4;
		const float *p = slice + (k + 4 * t) * lines + line + 4 * (lane_chunk() ^ t);
#pragma unroll
		for (int i = 0; i < 4; i++) {
			float4 v = *reinterpret_cast<const float4 *>(p + i * lines);
			x[0][i] = v.x, x[1][i] = v.y, x[2][i] = v.z, x[3][i] = v.w;
		}
	}
};

// A precision makes fragments of nt times 8 columns, Right, from y: [slot][k], and adds the products of 32 rows, x: [slot][k],
// with them, over 16 k, to sums: [16 rows][8 columns][4]. unroll is how many times 16 k are in flight.

// Bf16 rounds factors to bfloat16.
struct Bf16 {
	static constexpr int unroll = 2;
	template <int nt> struct Right {
		uint32_t of[nt][2];
		__device__ __forceinline__ Right(const float (&y)[nt][4]) {
#pragma unroll
			for (int j = 0; j < nt; j++) of[j][0] = pack_bf16(y[j][0], y[j][1]), of[j][1] = pack_bf16(y[j][2], y[j][3]);
		}
	};
	template <int nt> static __device__ __forceinline__ void multiply(float (*sums)[nt][4], const float (&x)[4][4], const Right<nt> &right) {
#pragma unroll
		for (int i = 0; i < 2; i++) {
			const float *low = x[2 * i], *high = x[2 * i + 1];
			uint32_t left[4] = {pack_bf16(low[0], low[1]), pack_bf16(high[0], high[1]), pack_bf16(low[2], low[3]), pack_bf16(high[2], high[3])};
#pragma unroll
			for (int j = 0; j < nt; j++) mma_bf16(sums[i][j], left, right.of[j]);
		}
	}
};

// Tf32 rounds factors to 10 bits of mantissa.
struct Tf32 {
	static constexpr int unroll = 2;
	// round is to_tf32 in an addition: mma ignores the last 13 bits. The maximum keeps the NaN that the device makes, 0x7fffffff.
	static __device__ __forceinline__ uint32_t round(float x) {
		uint32_t bits = __float_as_uint(x);
		return max(static_cast<int>(bits + 0x1000u), static_cast<int>(bits));
	}
	template <int nt> struct Right {
		uint32_t of[nt][4];
		__device__ __forceinline__ Right(const float (&y)[nt][4]) {
#pragma unroll
			for (int j = 0; j < nt; j++)
#pragma unroll
				for (int k = 0; k < 4; k++) of[j][k] = round(y[j][k]);
		}
	};
	template <int nt> static __device__ __forceinline__ void multiply(float (*sums)[nt][4], const float (&x)[4][4], const Right<nt> &right) {
#pragma unroll
		for (int i = 0; i < 2; i++)
#pragma unroll
			for (int k = 0; k < 4; k += 2) {
				const float *low = x[2 * i] + k, *high = x[2 * i + 1] + k;
				uint32_t left[4] = {round(low[0]), round(high[0]), round(low[1]), round(high[1])};
#pragma unroll
				for (int j = 0; j < nt; j++) mma_tf32(sums[i][j], left, right.of[j] + k);
			}
	}
};

// Exact keeps 21 bits of each factor as the sum of two tf32 numbers and leaves out the product of the small ones. mma cuts the
// small one off after 10 bits, to either side of zero as the big one is rounded. Tensor cores cut sums off instead of
// rounding them, which a long sum would show as a bias; so every 8 k are summed on their own and added outside. An infinite
// factor makes NaN.
struct Exact {
	static constexpr int unroll = 1; // or registers do not suffice
	static __device__ __forceinline__ void split(uint32_t &big, uint32_t &small, float x) {
		big = (__float_as_uint(x) + 0x1000u) & ~0x1fffu;
		small = __float_as_uint(x - __uint_as_float(big));
	}
	template <int nt> struct Right {
		uint32_t big[nt][4], small[nt][4];
		__device__ __forceinline__ Right(const float (&y)[nt][4]) {
#pragma unroll
			for (int j = 0; j < nt; j++)
#pragma unroll
				for (int k = 0; k < 4; k++) split(big[j][k], small[j][k], y[j][k]);
		}
	};
	template <int nt> static __device__ __forceinline__ void multiply(float (*sums)[nt][4], const float (&x)[4][4], const Right<nt> &right) {
#pragma unroll
		for (int i = 0; i < 2; i++)
#pragma unroll
			for (int k = 0; k < 4; k += 2) {
				const float *low = x[2 * i] + k, *high = x[2 * i + 1] + k;
				uint32_t big[4], small[4];
				split(big[0], small[0], low[0]), split(big[1], small[1], high[0]);
				split(big[2], small[2], low[1]), split(big[3], small[3], high[1]);
				float part[nt][4] = {};
#pragma unroll
				for (int j = 0; j < nt; j++) mma_tf32(part[j], small, right.big[j] + k);
#pragma unroll
				for (int j = 0; j < nt; j++) mma_tf32(part[j], big, right.small[j] + k);
#pragma unroll
				for (int j = 0; j < nt; j++) mma_tf32(part[j], big, right.big[j] + k);
#pragma unroll
				for (int j = 0; j < nt; j++)
#pragma unroll
					for (int e = 0; e < 4; e++) sums[i][j][e] += part[j][e];
			}
	}
};
