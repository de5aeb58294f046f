// The words of device.cuh on a CPU. A block's threads are fibers of one thread, switched at barriers and at what a warp
// does together; see emulator.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__ static
#define __constant__ static const
#define __restrict__ __restrict
#define EXPORT(name) static const emulator::Registered registered_##name(#name, emulator::call<decltype(&name), &name>);
#define SHARED(type, name) type *name = reinterpret_cast<type *>(emulator::dynamic_shared())

using std::max;
using std::min;

struct uint3 {
	unsigned int x, y, z;
};
struct alignas(8) float2 {
	float x, y;
};
struct alignas(16) float4 {
	float x, y, z, w;
};
struct alignas(8) uint2 {
	unsigned int x, y;
};
struct alignas(16) uint4 {
	unsigned int x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned int x, unsigned int y) { return {x, y}; }
inline uint4 make_uint4(unsigned int x, unsigned int y, unsigned int z, unsigned int w) { return {x, y, z, w}; }

extern uint3 threadIdx, blockIdx, blockDim, gridDim;
const int warpSize = 32;

namespace emulator {

void *dynamic_shared();
void barrier();       // of the block
[[noreturn]] void fail(const char *what);

// together gives the lanes of a warp a meeting: each leaves size bytes, the last that comes runs work(all, argument), where all
// holds 32 slots of 64 bytes, and every lane takes its slot away again.
void together(void *mine, int size, void (*work)(unsigned char *all, long long argument), long long argument);

template <class T> T parameter(uint64_t bits) {
	static_assert(sizeof(T) == 8, "parameters of kernels are 8 bytes wide");
	T value;
	std::memcpy(&value, &bits, 8);
	return value;
}
template <class... A, size_t... I> void apply(void (*f)(A...), const uint64_t *p, std::index_sequence<I...>) {
	f(parameter<A>(p[I])...);
}
template <class... A> constexpr size_t arity(void (*)(A...)) { return sizeof...(A); }
template <class... A> void spread(void (*f)(A...), const uint64_t *p) { apply(f, p, std::index_sequence_for<A...>()); }
template <class F, F f> size_t call(const uint64_t *p) {
	if (p) spread(f, p);
	return arity(f);
}

struct Registered {
	Registered(const char *name, size_t (*call)(const uint64_t *)); // call runs a thread, or tells the number of parameters
};

void copy_async(void *to, const void *from, int size, bool valid);
void commit();
void wait(int groups);

inline void check_aligned(const void *p, size_t size) {
	if (reinterpret_cast<uintptr_t>(p) % size) fail("address is not aligned");
}

template <class T> struct Lane {
	T value;
	int from;
};
template <class T> T exchange(T mine, int from) {
	Lane<T> slot = {mine, from};
	static_assert(sizeof slot <= 64, "");
	together(&slot, sizeof slot, [](unsigned char *all, long long) {
		Lane<T> lanes[32];
		for (int i = 0; i < 32; i++) std::memcpy(&lanes[i], all + 64 * i, sizeof(Lane<T>));
		for (int i = 0; i < 32; i++) std::memcpy(all + 64 * i, &lanes[lanes[i].from & 31].value, sizeof(T));
	}, 0);
	return slot.value;
}

inline int lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32; }

void multiply_tf32(unsigned char *all, long long);
void multiply_bf16(unsigned char *all, long long);
void load_matrices(unsigned char *all, long long trans);

} // namespace emulator

inline void __syncthreads() { emulator::barrier(); }
inline void __syncwarp(unsigned int = 0xffffffffu) { emulator::exchange(0, 0); }
template <class T> T __shfl_sync(unsigned int, T v, int from) { return emulator::exchange(v, from); }
template <class T> T __shfl_xor_sync(unsigned int, T v, int mask) { return emulator::exchange(v, emulator::lane() ^ mask); }
template <class T> T __shfl_down_sync(unsigned int, T v, int by) {
	return emulator::exchange(v, emulator::lane() + by < 32 ? emulator::lane() + by : emulator::lane());
}
template <class T> T __shfl_up_sync(unsigned int, T v, int by) {
	return emulator::exchange(v, emulator::lane() >= by ? emulator::lane() - by : emulator::lane());
}
template <class T> T __ldg(const T *p) { return *p; }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline uint32_t __float_as_uint(float x) {
	uint32_t y;
	std::memcpy(&y, &x, 4);
	return y;
}
inline float __uint_as_float(uint32_t x) {
	float y;
	std::memcpy(&y, &x, 4);
	return y;
}

inline uint32_t to_tf32(float x) {
	uint32_t bits = __float_as_uint(x);
	if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
	return (bits + 0x1000u) & ~0x1fffu;
}
inline uint32_t round_bf16(float x) {
	uint32_t bits = __float_as_uint(x);
	if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
	return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}
inline uint32_t pack_bf16(float low, float high) { return round_bf16(low) | round_bf16(high) << 16; }

inline void mma(float d[4], const uint32_t a[4], const uint32_t b[2], void (*work)(unsigned char *, long long)) {
	struct {
		float d[4];
		uint32_t a[4], b[2];
	} slot;
	std::memcpy(slot.d, d, sizeof slot.d);
	std::memcpy(slot.a, a, sizeof slot.a);
	std::memcpy(slot.b, b, sizeof slot.b);
	emulator::together(&slot, sizeof slot, work, 0);
	std::memcpy(d, slot.d, sizeof slot.d);
}
inline void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) { mma(d, a, b, emulator::multiply_tf32); }
inline void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) { mma(d, a, b, emulator::multiply_bf16); }

inline void ldmatrix(uint32_t d[4], const void *row, bool trans) {
	emulator::check_aligned(row, 16);
	struct {
		uint32_t d[4];
		const void *row;
	} slot = {{}, row};
	emulator::together(&slot, sizeof slot, emulator::load_matrices, trans);
	std::memcpy(d, slot.d, sizeof slot.d);
}
inline void ldmatrix_x4(uint32_t d[4], const void *row) { ldmatrix(d, row, false); }
inline void ldmatrix_x4_trans(uint32_t d[4], const void *row) { ldmatrix(d, row, true); }

inline void copy_async16(void *to, const void *from, bool valid) { emulator::copy_async(to, from, 16, valid); }
inline void copy_async4(void *to, const void *from, bool valid) { emulator::copy_async(to, from, 4, valid); }
inline void copy_async_commit() { emulator::commit(); }
template <int groups> void copy_async_wait() { emulator::wait(groups); }
