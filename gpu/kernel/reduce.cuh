// What kernels are written with that run over rows or columns: numbers four at a time, and sums over the threads that share a row.
//
// Variances and the sums of gradients are added up in double precision: the GPUs this is written for do so at half the
// rate of single, which is still several times what their memory delivers, and a row whose mean is a thousand times its
// deviation keeps its digits. Every sum has one order, given by sizes alone.
#pragma once

#include "device.cuh"

// What is here belongs to each file that includes it: other families may have a Block of their own.
namespace {

__device__ __forceinline__ long long thread_index() { return blockIdx.x * (long long)blockDim.x + threadIdx.x; }

// Pack is n neighbouring numbers: 1, or 4 at an address that is aligned to 16 bytes.
template <int n> struct Pack {
	static const int width = n;
	float v[n];
	__device__ __forceinline__ void load(const float *from) {
		if (n == 4) {
			float4 all = *reinterpret_cast<const float4 *>(from);
			v[0] = all.x, v[1 % n] = all.y, v[2 % n] = all.z, v[3 % n] = all.w;
		} else {
			v[0] = *from;
		}
	}
	__device__ __forceinline__ void store(float *to) const {
		if (n == 4) {
			*reinterpret_cast<float4 *>(to) = make_float4(v[0], v[1 % n], v[2 % n], v[3 % n]);
		} else {
			*to = v[0];
		}
	}
};

// four calls f(i, pack) for the numbers i of [0, n) that are this thread's in a grid of one thread for every four.
template <class F> __device__ __forceinline__ void four(long long n, F f) {
	long long i = 4 * thread_index();
	if (i + 4 <= n) {
		f(i, Pack<4>());
		return;
	}
	for (; i < n; i++) f(i, Pack<1>());
}

// sweep calls f(i, pack) for the numbers i of [from, to) that are this thread's, the rank-th of size. Where fours is true, from
// and to are multiples of 4 and so is every address that f makes of i.
template <class F> __device__ __forceinline__ void sweep(long long from, long long to, bool fours, int rank, int size, F f) {
	if (fours) {
#pragma unroll 4
		for (long long i = from + 4 * rank; i < to; i += 4 * size) f(i, Pack<4>());
	} else {
		for (long long i = from + rank; i < to; i += size) f(i, Pack<1>());
	}
}

// Warp is 32 threads that share a row, in a block of (32, rows).
struct Warp {
	__device__ __forceinline__ int rank() const { return threadIdx.x; }
	__device__ __forceinline__ int size() const { return 32; }
	template <int n> __device__ __forceinline__ void sum(double (&x)[n]) const {
		for (double &v : x) v = warp_sum(v);
	}
	__device__ __forceinline__ float max(float x) const { return warp_max(x); }
};

// Block is all threads of a block, whole warps, sharing a row. Every thread gets a sum or maximum.
struct Block {
	__device__ __forceinline__ int rank() const { return threadIdx.x + blockDim.x * threadIdx.y; }
	__device__ __forceinline__ int size() const { return blockDim.x * blockDim.y; }
	template <int n> __device__ __forceinline__ void sum(double (&x)[n]) const {
		__shared__ double parts[n][32];
		int lane = rank() % 32;
		for (double &v : x) v = warp_sum(v);
		__syncthreads(); // what was summed before has been read
		if (lane == 0) {
			for (int i = 0; i < n; i++) parts[i][rank() / 32] = x[i];
		}
		__syncthreads();
		for (int i = 0; i < n; i++) x[i] = warp_sum(lane < size() / 32 ? parts[i][lane] : 0.0);
	}
	__device__ __forceinline__ float max(float x) const {
		__shared__ float parts[32];
		int lane = rank() % 32;
		x = warp_max(x);
		__syncthreads();
		if (lane == 0) parts[rank() / 32] = x;
		__syncthreads();
		return warp_max(parts[lane < size() / 32 ? lane : 0]);
	}
};

// leave_sums is how a block of (threads, 1) leaves its n partial sums for another launch, in place number blockIdx.x.
template <int n> __device__ __forceinline__ void leave_sums(double *sums, double (&part)[n]) {
	Block().sum(part);
	if (threadIdx.x == 0) {
		for (int i = 0; i < n; i++) sums[blockIdx.x * (long long)n + i] = part[i];
	}
}

// sum_parts are the sums of count tuples of n partial sums that other blocks left.
template <int n> __device__ __forceinline__ void sum_parts(double (&sums)[n], const double *parts, long long count) {
	Block block;
	for (double &v : sums) v = 0;
	for (long long c = block.rank(); c < count; c += block.size()) {
		for (int i = 0; i < n; i++) sums[i] += parts[c * n + i];
	}
	block.sum(sums);
}

// column_sum adds what the threads of one column hold, in a block of (32 columns, 8).
template <class T> __device__ __forceinline__ T column_sum(T mine) {
	__shared__ T parts[8][32];
	__syncthreads();
	parts[threadIdx.y][threadIdx.x] = mine;
	__syncthreads();
	T total = parts[0][threadIdx.x];
	for (int i = 1; i < 8; i++) total = total + parts[i][threadIdx.x];
	return total;
}

// Split is a number in two parts, so that (x - high) - low is nearly x minus it where x is near it: the first difference is
// exact (Sterbenz).
struct Split {
	float high, low;
	__device__ __forceinline__ explicit Split(double a) : high(float(a)), low(float(a - float(a))) {}
	Split() = default;
	__device__ __forceinline__ float from(float x) const { return x - high - low; }
};

} // namespace
