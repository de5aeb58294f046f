// Twins of maxpool3d.go: a thread takes a window, or a voxel of the gradient. The 27 loads of neighbouring windows overlap and
// meet in the first-level cache. Windows are scanned with their coordinates held inside the volume: a voxel seen twice
// changes neither a maximum nor which voxel is the first greatest, and the loads need no conditions.
//
// The gradient gathers: windows first write the place of their greatest voxel, then every voxel adds up the windows that
// chose it, in their order. That takes no atomics.
#include "reduce.cuh"

namespace {

// Axis is the windows along one axis, of size voxels.
struct Axis {
	int size, out, kernel, stride, pad;
	// voxel is the k-th of window i, held inside the volume.
	__device__ __forceinline__ int voxel(int i, int k) const { return max(0, min(i * stride - pad + k, size - 1)); }
	// first and last are the windows that hold a voxel; there may be none.
	__device__ __forceinline__ int first(int v) const {
		int least = v + pad - kernel + 1;
		return least <= 0 ? 0 : (least + stride - 1) / stride;
	}
	__device__ __forceinline__ int last(int v) const { return min((v + pad) / stride, out - 1); }
};

// Pool is the windows of a volume, [channel, H, W, D].
struct Pool {
	Axis h, w, d;
	__device__ __forceinline__ int voxels() const { return h.size * w.size * d.size; }
	__device__ __forceinline__ int windows() const { return h.out * w.out * d.out; }
};

} // namespace

// A kernel's parameters are numbers, here those of three axes; POOL makes a Pool of them.
#define POOL_PARAMETERS \
	long long size_h, long long size_w, long long size_d, long long out_h, long long out_w, long long out_d, \
	long long kernel_h, long long kernel_w, long long kernel_d, long long stride_h, long long stride_w, long long stride_d, \
	long long pad_h, long long pad_w, long long pad_d
#define POOL \
	{{int(size_h), int(out_h), int(kernel_h), int(stride_h), int(pad_h)}, \
	 {int(size_w), int(out_w), int(kernel_w), int(stride_w), int(pad_w)}, \
	 {int(size_d), int(out_d), int(kernel_d), int(stride_d), int(pad_d)}}

namespace {

// Greatest is the first greatest number of a window and its place in the channel. NaN is the greatest of all.
struct Greatest {
	float value;
	int place;
	__device__ __forceinline__ void see(float v, int at) {
		if (!(v <= value) && value == value) value = v, place = at;
	}
};

} // namespace

// greatest scans a window of a channel. Kernel is the window's size along every axis where it is known, else 0.
template <int kernel> static __device__ __forceinline__ Greatest greatest(const float *x, const Pool &p, int window) {
	int d = window % p.d.out, w = window / p.d.out % p.w.out, h = window / p.d.out / p.w.out;
	int first = (p.h.voxel(h, 0) * p.w.size + p.w.voxel(w, 0)) * p.d.size + p.d.voxel(d, 0);
	Greatest g = {x[first], first};
#pragma unroll(kernel ? kernel : 1)
	for (int i = 0; i < (kernel ? kernel : p.h.kernel); i++) {
#pragma unroll(kernel ? kernel : 1)
		for (int j = 0; j < (kernel ? kernel : p.w.kernel); j++) {
			int line = (p.h.voxel(h, i) * p.w.size + p.w.voxel(w, j)) * p.d.size;
#pragma unroll(kernel ? kernel : 1)
			for (int k = 0; k < (kernel ? kernel : p.d.kernel); k++) {
				int at = line + p.d.voxel(d, k);
				g.see(x[at], at);
			}
		}
	}
	return g;
}

// each_window calls f(window of all channels, its Greatest), in a grid of (windows / blockDim.x, channels).
template <class F> static __device__ __forceinline__ void each_window(const float *x, long long channels, const Pool &p, F f) {
	long long window = thread_index();
	if (window >= p.windows()) return;
	bool cube = p.h.kernel == 3 && p.w.kernel == 3 && p.d.kernel == 3;
	for (long long c = blockIdx.y; c < channels; c += gridDim.y) {
		const float *from = x + c * p.voxels();
		f(c * p.windows() + window, cube ? greatest<3>(from, p, int(window)) : greatest<0>(from, p, int(window)));
	}
}

// max_pool3d writes the maximum of each window of x: [channels, H, W, D].
extern "C" __global__ void __launch_bounds__(256) max_pool3d(float *y, const float *x, long long channels, POOL_PARAMETERS) {
	Pool p = POOL;
	each_window(x, channels, p, [&](long long i, const Greatest &g) { y[i] = g.value; });
}
EXPORT(max_pool3d)

// max_pool3d_places writes where in its channel each window's first greatest voxel is.
extern "C" __global__ void __launch_bounds__(256) max_pool3d_places(int *places, const float *x, long long channels,
	POOL_PARAMETERS) {
	Pool p = POOL;
	each_window(x, channels, p, [&](long long i, const Greatest &g) { places[i] = g.place; });
}
EXPORT(max_pool3d_places)

// max_pool3d_grad writes dx: [channels, H, W, D], after max_pool3d_places, in a grid of (voxels / blockDim.x, channels).
extern "C" __global__ void __launch_bounds__(256)
	max_pool3d_grad(float *dx, const int *places, const float *dy, long long channels, POOL_PARAMETERS) {
	Pool p = POOL;
	long long voxel = thread_index();
	if (voxel >= p.voxels()) return;
	int at = int(voxel), d = at % p.d.size, w = at / p.d.size % p.w.size, h = at / p.d.size / p.w.size;
	for (long long c = blockIdx.y; c < channels; c += gridDim.y) {
		const int *chosen = places + c * p.windows();
		const float *grad = dy + c * p.windows();
		float sum = 0;
		for (int i = p.h.first(h); i <= p.h.last(h); i++) {
			for (int j = p.w.first(w); j <= p.w.last(w); j++) {
				for (int k = p.d.first(d); k <= p.d.last(d); k++) {
					int window = (i * p.w.out + j) * p.d.out + k;
					if (chosen[window] == at) sum += grad[window];
				}
			}
		}
		dx[c * p.voxels() + voxel] = sum;
	}
}
EXPORT(max_pool3d_grad)
