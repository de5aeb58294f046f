// What every kernel is written with: the few instructions that C++ has no word for, and their twins on a CPU.
//
// nvcc compiles a .cu file for a GPU; with a C++ compiler the same file becomes a kernel of gpu/emulator, where threads
// are fibers. Rules that keep both true:
//   - EXPORT(name) after each kernel; every parameter is 8 bytes wide: a pointer, long long or double
//   - dynamic shared memory by SHARED(type, name), never by extern
//   - indices into tensors are long long: a published volume has 75 million voxels, a batch of them more than 2^31
//   - no atomics on floats: the same launch gives the same bits
#pragma once

#ifdef __CUDACC__

#include <cuda_runtime.h>
#include <stdint.h>

#define EXPORT(name)
#define SHARED(type, name) \
	extern __shared__ __align__(128) unsigned char dynamic_shared[]; \
	type *name = reinterpret_cast<type *>(dynamic_shared)

// to_tf32 rounds to 10 bits of mantissa, to nearest, ties away.
__device__ __forceinline__ uint32_t to_tf32(float x) {
	uint32_t y;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
	return y;
}

// pack_bf16 rounds two floats to bfloat16, to nearest even: low in bits 0-15, high in bits 16-31.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
	uint32_t y;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
	return y;
}

// mma_tf32 adds a 16x8 (row) times an 8x8 (column) product to d, across the warp. With g = lane / 4 and t = lane % 4:
// a = {A[g][t], A[g+8][t], A[g][t+4], A[g+8][t+4]}, b = {B[t][g], B[t+4][g]}, d = {D[g][2t], D[g][2t+1], D[g+8][2t], D[g+8][2t+1]}.
__device__ __forceinline__ void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) {
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
				 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
				 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// mma_bf16 adds a 16x16 (row) times a 16x8 (column) product to d, across the warp. Each register holds two neighbours
// along the inner axis: a = {A[g][2t..], A[g+8][2t..], A[g][2t+8..], A[g+8][2t+8..]}, b = {B[2t..][g], B[2t+8..][g]}.
__device__ __forceinline__ void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
				 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
				 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// ldmatrix_x4 loads four 8x8 matrices of 16-bit numbers; lanes 8i to 8i+7 give the addresses of the rows (16 bytes, aligned)
// of matrix i. d[i] is the pair [g][2t], [g][2t+1] of matrix i, of its transpose with ldmatrix_x4_trans.
__device__ __forceinline__ void ldmatrix_x4(uint32_t d[4], const void *row) {
	uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
				 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
				 : "r"(at)
				 : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t d[4], const void *row) {
	uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
				 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
				 : "r"(at)
				 : "memory");
}

// copy_async16 and copy_async4 start copying 16 or 4 aligned bytes to shared memory; zeros instead where valid is false (from
// must be aligned all the same). They are there after copy_async_commit, copy_async_wait<groups still allowed> and a
// barrier.
__device__ __forceinline__ void copy_async16(void *to, const void *from, bool valid) {
	uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
__device__ __forceinline__ void copy_async4(void *to, const void *from, bool valid) {
	uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
	asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(valid ? 4 : 0) : "memory");
}
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int groups> __device__ __forceinline__ void copy_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory"); }

#else

#include "emulator.h"

#endif

const unsigned int all_lanes = 0xffffffffu;

// Sums and maxima over the lanes of a warp; every lane gets the result, in the same order of addition.
__device__ __forceinline__ float warp_sum(float x) {
	for (int lane = 16; lane > 0; lane /= 2) x += __shfl_xor_sync(all_lanes, x, lane);
	return x;
}
__device__ __forceinline__ double warp_sum(double x) {
	for (int lane = 16; lane > 0; lane /= 2) x += __shfl_xor_sync(all_lanes, x, lane);
	return x;
}
__device__ __forceinline__ float warp_max(float x) {
	for (int lane = 16; lane > 0; lane /= 2) x = fmaxf(x, __shfl_xor_sync(all_lanes, x, lane));
	return x;
}
