// Products C[m,n] = Σ_k A[m,k] B[k,n] on tensor cores: what matmul.cu and conv3d.cu share. All factors are float32 in global memory.
//
// A block computes one tile of C. cp.async brings slices of both factors, tile_depth numbers deep, into a ring of
// buffers in shared memory, so that loads of later slices run under the multiplication of this one, without registers for
// numbers on their way. Shared memory keeps float32; factors are rounded or split when fragments are made of them. That costs
// more shared memory traffic than storing bfloat16, but with float32 operands L2 is the limit before shared memory is.
//
// Slices lie as they come from memory, along the depth (k) or along the lines (m or n), and either is read 16 bytes a lane
// without bank conflicts and without ldmatrix, because mma does not care which k a lane calls its own as long as A and B agree, nor
// which line: of 16 k from k0 on, lane t of a group of four holds k0 + 4t to k0 + 4t + 3; of 32 lines, slot q of group g
// is line 16 (g%2) + 4 (g/2) + q. The second makes each lane end with four neighbours along n, which it stores as 16 bytes.
#pragma once

#include "device.cuh"

const int tile_depth = 32;
const int tile_stages = 3;

// Tile is how a block's part of C, rows_ x cols_, is cut into those of its warps. blocks_ are to share a multiprocessor.
template <int rows_, int cols_, int warp_rows_, int warp_cols_, int blocks_> struct Tile {
	static const int rows = rows_, cols = cols_, warp_rows = warp_rows_, warp_cols = warp_cols_, blocks = blocks_;
	static const int threads = rows / warp_rows * (cols / warp_cols) * 32;
	static const int stage = (rows + cols) * tile_depth; // floats
};
typedef Tile<128, 128, 64, 64, 2> Large;
typedef Tile<128, 128, 64, 32, 2> LargeExact; // more warps, of fewer registers
typedef Tile<64, 128, 32, 64, 2> Flat;
typedef Tile<64, 64, 32, 32, 3> Small;

// lane_chunk is which 4 of 32 lines are the lane's own.
__device__ __forceinline__ int lane_chunk() {
	int g = threadIdx.x % 32 / 4;
	return 4 * (g % 2) + g / 2;
}

// AlongDepth is a slice [line][k]: lines of 128 bytes, which are 8 chunks. Eight lanes that read at once read four chunks of
// two lines 16 apart: every second 16 lines have their halves swapped.
struct AlongDepth {
	static const bool along_depth = true;
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
	static const bool along_depth = false;
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
	static const int unroll = 2;
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
	static const int unroll = 2;
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
// rounding them, which a long sum would show as a bias; so every 8 k are summed on their own and added outside.
struct Exact {
	static const int unroll = 1; // or registers do not suffice
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
#pragma unroll
				for (int j = 0; j < nt; j++) {
					float part[4] = {0, 0, 0, 0};
					mma_tf32(part, small, right.big[j] + k);
					mma_tf32(part, big, right.small[j] + k);
					mma_tf32(part, big, right.big[j] + k);
#pragma unroll
					for (int e = 0; e < 4; e++) sums[i][j][e] += part[e];
				}
			}
	}
};

// Chunks are 4 neighbours in memory, of which count exist. Aligned ones exist as a whole or not at all.

// copy_each starts copying one whose neighbours are not aligned to shared memory, with zeros for what does not exist.
__device__ __forceinline__ void copy_each(float *to, const float *from, int count) {
#pragma unroll
	for (int i = 0; i < 4; i++) copy_async4(to + i, from + i, i < count);
}

__device__ __forceinline__ float4 load_chunk(const float *from, int count, bool aligned) {
	if (aligned) return *reinterpret_cast<const float4 *>(from);
	return make_float4(from[0], count > 1 ? from[1] : 0, count > 2 ? from[2] : 0, count > 3 ? from[3] : 0);
}

__device__ __forceinline__ void store_chunk(float *to, float4 v, int count, bool aligned) {
	if (aligned) {
		*reinterpret_cast<float4 *>(to) = v;
		return;
	}
	to[0] = v.x;
	if (count > 1) to[1] = v.y;
	if (count > 2) to[2] = v.z;
	if (count > 3) to[3] = v.w;
}

// chunks_aligned says whether those of a matrix are that begins at p and whose rows are stride apart.
__device__ __forceinline__ bool chunks_aligned(const void *p, long long stride) {
	return reinterpret_cast<uintptr_t>(p) % 16 == 0 && stride % 4 == 0;
}

// Matrix loads slices of a matrix in memory, whose rows are stride apart: lines with the layout AlongDepth, k with AlongLines.
// Addresses of what does not exist are computed, but nothing is read there: such copies have no bytes.
template <class Layout, int lines_, int threads> struct Matrix;

template <int lines_, int threads> struct Matrix<AlongDepth, lines_, threads> {
	typedef AlongDepth Layout;
	static const int lines_at_once = threads / 8;
	const float *from; // what the thread copies first, of the first slice
	long long step;    // to what it copies next
	int lines, depth;  // that exist from there on
	bool aligned;

	__device__ __forceinline__ Matrix(const float *p, long long stride, long long line, long long all, int deep)
		: from(p + (line + first()) * stride + k()), step(lines_at_once * stride), lines((int)min(all - line, (long long)lines_) - first()),
		  depth(deep - k()), aligned(chunks_aligned(p, stride)) {}
	static __device__ __forceinline__ int first() { return threadIdx.x / 8; }
	static __device__ __forceinline__ int k() { return threadIdx.x % 8 * 4; }

	__device__ __forceinline__ void load(float *slice, int k0) const {
		int left = depth - k0, here = left > 0 ? lines : 0;
		const float *p = from + k0;
		if (aligned) {
#pragma unroll
			for (int i = 0; i < lines_; i += lines_at_once, p += step) copy_async16(slice + Layout::at<lines_>(first() + i, k()), p, i < here);
		} else {
#pragma unroll 1
			for (int i = 0; i < lines_; i += lines_at_once, p += step) copy_each(slice + Layout::at<lines_>(first() + i, k()), p, i < here ? left : 0);
		}
	}
};

template <int lines_, int threads> struct Matrix<AlongLines, lines_, threads> {
	typedef AlongLines Layout;
	static const int k_at_once = threads / (lines_ / 4);
	const float *from;
	long long stride;
	int lines, depth;
	bool aligned;

	__device__ __forceinline__ Matrix(const float *p, long long stride, long long line, long long all, int deep)
		: from(p + line + first() + k() * stride), stride(stride), lines((int)min(all - line, (long long)lines_) - first()), depth(deep - k()),
		  aligned(chunks_aligned(p, stride)) {}
	static __device__ __forceinline__ int first() { return threadIdx.x % (lines_ / 4) * 4; }
	static __device__ __forceinline__ int k() { return threadIdx.x / (lines_ / 4); }

	__device__ __forceinline__ void load(float *slice, int k0) const {
		int here = lines > 0 ? depth - k0 : 0;
		const float *p = from + k0 * stride;
		if (aligned) {
#pragma unroll
			for (int i = 0; i < tile_depth; i += k_at_once, p += k_at_once * stride) copy_async16(slice + Layout::at<lines_>(first(), k() + i), p, i < here);
		} else {
#pragma unroll 1
			for (int i = 0; i < tile_depth; i += k_at_once, p += k_at_once * stride) copy_each(slice + Layout::at<lines_>(first(), k() + i), p, i < here ? lines : 0);
		}
	}
};

// Sums are a lane's part of C.
template <class T> struct Sums {
	float of[T::warp_rows / 16][T::warp_cols / 8][4];

	static __device__ __forceinline__ int first_row() { return threadIdx.x / 32 % (T::rows / T::warp_rows) * T::warp_rows; }
	static __device__ __forceinline__ int first_col() { return threadIdx.x / 32 / (T::rows / T::warp_rows) * T::warp_cols; }

	// each visits them by four neighbours in a row of the tile: visit(row, column of the first, values). They go through shared
	// memory so that a warp meets whole rows of its part, and so that what is done to them is not unrolled by their number.
	template <class F> __device__ __forceinline__ void each(float *ring, F visit) const {
		const int chunks = T::warp_cols / 4;
		float *part = ring + threadIdx.x / 32 * (T::warp_rows * T::warp_cols);
		__syncthreads();
#pragma unroll
		for (int i = 0; i < T::warp_rows / 8; i++) {
			int row = i / 4 * 32 + 4 * lane_chunk() + i % 4;
#pragma unroll
			for (int j = 0; j < T::warp_cols / 16; j++) {
				int e = i % 2 * 2 + j % 2;
				const float(*of4)[4] = of[i / 2] + j / 2 * 4;
				*at(part, row, 4 * j + threadIdx.x % 4) = make_float4(of4[0][e], of4[1][e], of4[2][e], of4[3][e]);
			}
		}
		__syncwarp();
#pragma unroll 2
		for (int i = threadIdx.x % 32; i < T::warp_rows * chunks; i += 32) {
			visit(first_row() + i / chunks, first_col() + i % chunks * 4, *at(part, i / chunks, i % chunks));
		}
	}

	// at is a place in a warp's part; rows 16 apart, which are written at once, have their halves swapped.
	static __device__ __forceinline__ float4 *at(float *part, int row, int chunk) {
		return reinterpret_cast<float4 *>(part + row * T::warp_cols) + (chunk ^ (row / 16 & 1) * 4);
	}

	// multiply sets them to the product of what a and b load, over depth. ring has room for tile_stages stages, or for
	// as many slices as there are where those are fewer, and for the tile.
	template <class P, class A, class B> __device__ __forceinline__ void multiply(const A &a, const B &b, int depth, float *ring) {
#pragma unroll
		for (int i = 0; i < T::warp_rows / 16; i++)
#pragma unroll
			for (int j = 0; j < T::warp_cols / 8; j++)
#pragma unroll
				for (int e = 0; e < 4; e++) of[i][j][e] = 0;
		int slices = (depth + tile_depth - 1) / tile_depth;
		for (int s = 0; s < tile_stages - 1; s++) {
			if (s < slices) load(a, b, s, ring + s * T::stage);
			copy_async_commit();
		}
		for (int s = 0, slot = 0; s < slices; s++) {
			copy_async_wait<tile_stages - 2>();
			__syncthreads(); // the slice has come, and everyone is done with the one before, whose room is taken now
			int later = s + tile_stages - 1;
			if (later < slices) load(a, b, later, ring + (slot ? slot - 1 : tile_stages - 1) * T::stage);
			copy_async_commit();
			const float *slice = ring + slot * T::stage;
#pragma unroll (P::unroll)
			for (int k = 0; k < tile_depth; k += 16) {
				const int nt = T::warp_cols / 8;
				float y[nt][4];
#pragma unroll
				for (int j = 0; j < nt; j += 4) B::Layout::template fragment<T::cols>(y + j, slice + T::rows * tile_depth, first_col() + 8 * j, k);
				typename P::template Right<nt> right(y);
#pragma unroll
				for (int i = 0; i < T::warp_rows; i += 32) {
					float x[4][4];
					A::Layout::template fragment<T::rows>(x, slice, first_row() + i, k);
					P::template multiply<nt>(of + i / 16, x, right);
				}
			}
			slot = slot + 1 == tile_stages ? 0 : slot + 1;
		}
		copy_async_wait<0>();
	}

	template <class A, class B> static __device__ __forceinline__ void load(const A &a, const B &b, int slice, float *stage) {
		a.load(stage, slice * tile_depth);
		b.load(stage + T::rows * tile_depth, slice * tile_depth);
	}
};
