// Products C[m,n] = Σ_k A[m,k] B[k,n] on tensor cores: what matmul.cu and conv3d.cu share. All factors are float32 in global memory.
//
// A block computes one tile of C. cp.async brings slices of both factors into a ring of buffers in shared memory, so that loads
// of later slices run under the multiplication of this one, without registers for numbers on their way. Shared memory keeps
// float32: that costs more of its traffic than bfloat16 would, but with float32 operands L2 is the limit before, which is also
// why tiles are as large as registers allow.
#pragma once

#include "fragment.cuh"

const int tile_stages = 3;

// Tile is how a block's part of C, rows_ x cols_, is cut into those of its warps. blocks_ are to share a multiprocessor.
template <int rows_, int cols_, int warp_rows_, int warp_cols_, int blocks_> struct Tile {
	static constexpr int rows = rows_, cols = cols_, warp_rows = warp_rows_, warp_cols = warp_cols_, blocks = blocks_;
	static constexpr int threads = rows / warp_rows * (cols / warp_cols) * 32;
	static constexpr int stage = (rows + cols) * tile_depth; // floats
};
typedef Tile<256, 128, 64, 64, 1> Huge;
typedef Tile<128, 128, 64, 64, 2> Large;
typedef Tile<128, 64, 32, 32, 2> LargeExact; // more warps, of fewer sums: fragments need more registers
typedef Tile<64, 128, 32, 64, 3> Flat;
typedef Tile<64, 128, 32, 64, 2> FlatExact;
typedef Tile<64, 64, 32, 32, 3> Small;

// Chunks are 4 neighbours in memory, of which count exist. Aligned ones exist as a whole or not at all.

// copy_each starts copying one that is not aligned into shared memory, with zeros for what does not exist.
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
	static constexpr int lines_at_once = threads / 8;
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
	static constexpr int k_at_once = threads / (lines_ / 4);
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

	// moments visits the rows of a warp's part by their mean and their sum of squared differences from it, over the columns that
	// exist, of cols from the tile's first on: visit(row, moments, whether the lane is the one to keep them).
	template <class F> __device__ __forceinline__ void moments(int cols, F visit) const {
		int first = threadIdx.x % 4 * 4, count = min(cols - first_col(), T::warp_cols);
		if (count <= 0) return;
#pragma unroll
		for (int i = 0; i < T::warp_rows / 8; i++) {
			float mean = 0, squares = 0;
#pragma unroll
			for (int j = 0; j < T::warp_cols / 4; j++) mean += of[i / 2][j / 8 * 4 + j % 4][i % 2 * 2 + j / 4 % 2]; // zero where none exist
			mean += __shfl_xor_sync(all_lanes, mean, 1);
			mean = (mean + __shfl_xor_sync(all_lanes, mean, 2)) / count;
#pragma unroll
			for (int j = 0; j < T::warp_cols / 4; j++) {
				float d = of[i / 2][j / 8 * 4 + j % 4][i % 2 * 2 + j / 4 % 2] - mean;
				if (j / 4 * 16 + first + j % 4 < count) squares += d * d;
			}
			squares += __shfl_xor_sync(all_lanes, squares, 1);
			squares += __shfl_xor_sync(all_lanes, squares, 2);
			visit(first_row() + i / 4 * 32 + 4 * lane_chunk() + i % 4, make_float2(mean, squares), threadIdx.x % 4 == 0);
		}
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
