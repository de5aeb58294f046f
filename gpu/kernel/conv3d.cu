// Twins of conv3d.go and conv3d_grad.go as products whose factors are gathered from the volume while they are loaded: nothing
// is unrolled in memory. Voxels are the columns, so that y: [batch, channel, voxel] is stored along its last axis.
//
// The depth runs over channels and, within one, over taps of the window: neighbours in it read the same lines of memory, which
// are still in L1. Where each reads is in a table that is written first, so that a number costs four instructions. The gradient by the
// input sorts voxels by their remainder modulo the stride: voxels of one remainder are reached by the same taps, and they alone
// are multiplied.
#include "conv3d.cuh"
#include "gemm.cuh"

#define CONVOLUTION_PARAMETERS                                                                                                            \
	long long in, long long out, long long size_h, long long size_w, long long size_d, long long kernel_h, long long kernel_w,            \
		long long kernel_d, long long stride_h, long long stride_w, long long stride_d, long long pad_h, long long pad_w, long long pad_d
#define CONVOLUTION                                                                                                                       \
	Convolution {                                                                                                                         \
		(int)in, (int)out, {(int)size_h, (int)size_w, (int)size_d}, {(int)kernel_h, (int)kernel_w, (int)kernel_d},                        \
			{(int)stride_h, (int)stride_w, (int)stride_d}, {(int)pad_h, (int)pad_w, (int)pad_d}                                           \
	}

// Weights is where the factor of a product lies in the workspace: a table of what its depth reads, (channel, tap), with an entry for
// every k of whole slices, and rows of weights, whole chunks: [row][channel][tap]. Both have zeros at the end.
struct Weights {
	int depth, length, deep;
	__device__ __forceinline__ Weights(Three taps, int channels) {
		depth = taps.volume() * channels;
		length = (depth + 3) / 4 * 4;
		deep = (depth + tile_depth - 1) / tile_depth * tile_depth;
	}
	__device__ __forceinline__ long long floats(int rows) const { return 2 * deep + (long long)rows * length; }
	__device__ __forceinline__ const float *rows(const float *at) const { return at + 2 * deep; }

	__device__ __forceinline__ void write_table(float *at, const Taps &t) const {
		uint2 *table = reinterpret_cast<uint2 *>(at);
		int window = t.taps.volume();
		for (int i = threadIdx.x; i < deep; i += blockDim.x) table[i] = i < depth ? t.tap(i / window, i % window) : t.no_tap();
	}
	// write_row writes a row from w: [channel][kernel], whose channels are channel_step apart: tap a of an axis is first + step a of
	// the kernel.
	__device__ __forceinline__ void write_row(float *at, int row, const float *w, long long channel_step, Three taps, Three first, Three step,
											  Three kernel) const {
		int window = taps.volume();
		for (int i = threadIdx.x; i < length; i += blockDim.x) {
			Three a = taps.place(i % window);
			int tap = ((first.h + step.h * a.h) * kernel.w + first.w + step.w * a.w) * kernel.d + first.d + step.d * a.d;
			at[2 * deep + (long long)row * length + i] = i < depth ? w[i / window * channel_step + tap] : 0;
		}
	}
};

// conv3d_weights writes the table and, where there is a block for each, the rows, out, from w: [out, in, tap], which serves as they do
// where its rows are whole chunks.
extern "C" __global__ void conv3d_weights(float *to, const float *w, CONVOLUTION_PARAMETERS) {
	Convolution c = CONVOLUTION;
	Weights weights(c.kernel, c.in);
	if (blockIdx.x == 0) weights.write_table(to, {c.size, c.kernel, 1});
	if ((int)gridDim.x == c.out)
		weights.write_row(to, blockIdx.x, w + (long long)blockIdx.x * weights.depth, c.kernel.volume(), c.kernel, {0, 0, 0}, {1, 1, 1}, c.kernel);
}
EXPORT(conv3d_weights)

// remainder_at is where the weights of a remainder begin.
__device__ __forceinline__ long long remainder_at(const Convolution &c, int remainder) {
	long long at = 0;
	for (int r = 0; r < remainder; r++) at += Weights(Remainders(c, c.stride.place(r)).taps(), c.out).floats(c.in);
	return at;
}

// conv3d_grad_input_weights writes for each remainder the weights of rows in and channels out; a block a row, remainders along y.
extern "C" __global__ void conv3d_grad_input_weights(float *to, const float *w, CONVOLUTION_PARAMETERS) {
	Convolution c = CONVOLUTION;
	Three first = c.stride.place(blockIdx.y), taps = Remainders(c, first).taps();
	if (!taps.volume()) return;
	Weights weights(taps, c.out);
	to += remainder_at(c, blockIdx.y);
	if (blockIdx.x == 0) weights.write_table(to, {c.out_size(), taps, -1});
	long long window = c.kernel.volume();
	weights.write_row(to, blockIdx.x, w + blockIdx.x * window, c.in * window, taps, first, c.stride, c.kernel);
}
EXPORT(conv3d_grad_input_weights)

// Patches loads what windows read: a line is a window, k is a tap of a channel. A thread has one line of a slice, or a part of it.
template <int lines, int threads> struct Patches {
	typedef AlongLines Layout;
	const Taps &taps;
	const uint2 *table; // of every k
	Window window;

	static __device__ __forceinline__ int line() { return threadIdx.x % lines; }

	__device__ __forceinline__ void load(float *slice, int k0) const {
		const int count = tile_depth * lines / threads;
		int first = threadIdx.x / lines * count;
		const uint4 *pairs = reinterpret_cast<const uint4 *>(table + k0 + first);
		if (taps.few()) {
#pragma unroll
			for (int i = 0; i < count; i += 2) {
				uint4 pair = __ldg(pairs + i / 2);
				window.copy(slice + Layout::at<lines>(line(), first + i), make_uint2(pair.x, pair.y));
				window.copy(slice + Layout::at<lines>(line(), first + i + 1), make_uint2(pair.z, pair.w));
			}
		} else {
			for (int i = 0; i < count; i++) window.copy(slice + Layout::at<lines>(line(), first + i), table[k0 + first + i], taps);
		}
	}
};

// conv3d computes tiles of y: [batch, out, voxel], along channels first, then voxels, then images, from
// weights whose rows are whole chunks. Where moments is not null it gets those of every T::warp_cols voxels of a channel: [batch, out, part of the voxels].
template <class P, class T>
__device__ __forceinline__ void conv3d(float *y, float2 *moments, const float *x, const float *table, const float *weights, const Convolution &c) {
	SHARED(float, ring);
	Three out_size = c.out_size();
	int voxels = out_size.volume(), down = (c.out + T::rows - 1) / T::rows, across = (voxels + T::cols - 1) / T::cols;
	int row0 = blockIdx.x % down * T::rows, col0 = blockIdx.x / down % across * T::cols;
	long long image = blockIdx.x / down / across;
	int depth = Weights(c.kernel, c.in).length;

	Matrix<AlongDepth, T::rows, T::threads> left(weights, depth, row0, c.out, depth);
	typedef Patches<T::cols, T::threads> Right;
	int col = col0 + Right::line();
	Three at = out_size.place(col);
	Three origin = {at.h * c.stride.h - c.pad.h, at.w * c.stride.w - c.pad.w, at.d * c.stride.d - c.pad.d};
	Taps taps = {c.size, c.kernel, 1};
	Right right = {taps, reinterpret_cast<const uint2 *>(table), Window(taps, x + image * c.in * c.size.volume(), origin, col < voxels)};

	Sums<T> sums;
	sums.template multiply<P>(left, right, depth, ring);
	if (moments) {
		int parts = (voxels + T::warp_cols - 1) / T::warp_cols, part = (col0 + Sums<T>::first_col()) / T::warp_cols;
		sums.moments(voxels - col0, [&](int row, float2 m, bool mine) {
			if (mine && row0 + row < c.out) moments[(image * c.out + row0 + row) * parts + part] = m;
		});
	}
	bool aligned = chunks_aligned(y, voxels);
	sums.each(ring, [&](int row, int col, float4 v) {
		int count = voxels - col0 - col;
		if (row0 + row < c.out && count > 0) store_chunk(y + (image * c.out + row0 + row) * voxels + col0 + col, v, count, aligned);
	});
}

// conv3d_grad_input computes tiles of dx: [batch, in, voxel] for the voxels of one remainder, which are along y of the grid.
template <class P, class T>
__device__ __forceinline__ void conv3d_grad_input(float *dx, const float *weights, const float *dy, const Convolution &c) {
	SHARED(float, ring);
	Remainders r(c, c.stride.place(blockIdx.y));
	Three count = {r.h.voxels, r.w.voxels, r.d.voxels};
	Three most = {(c.size.h - 1) / c.stride.h + 1, (c.size.w - 1) / c.stride.w + 1, (c.size.d - 1) / c.stride.d + 1};
	int voxels = count.volume(), down = (c.in + T::rows - 1) / T::rows, across = (most.volume() + T::cols - 1) / T::cols;
	int row0 = blockIdx.x % down * T::rows, col0 = blockIdx.x / down % across * T::cols;
	long long image = blockIdx.x / down / across;
	if (col0 >= voxels) return;
	Weights layout(r.taps(), c.out);
	weights += remainder_at(c, blockIdx.y);

	Matrix<AlongDepth, T::rows, T::threads> left(layout.rows(weights), layout.length, row0, c.in, layout.length);
	typedef Patches<T::cols, T::threads> Right;
	int col = col0 + Right::line();
	Three at = count.place(col), out_size = c.out_size();
	Three origin = {r.h.output + at.h, r.w.output + at.w, r.d.output + at.d};
	Taps taps = {out_size, r.taps(), -1};
	Right right = {taps, reinterpret_cast<const uint2 *>(weights), Window(taps, dy + image * c.out * out_size.volume(), origin, col < voxels)};

	Sums<T> sums;
	sums.template multiply<P>(left, right, layout.length, ring);
	sums.each(ring, [&](int row, int col, float4 v) {
		if (row0 + row >= c.in) return;
		float *to = dx + (image * c.in + row0 + row) * c.size.volume();
		const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
		for (int i = 0; i < 4; i++) {
			if (col0 + col + i >= voxels) return;
			Three at = count.place(col0 + col + i);
			int h = r.h.first + at.h * c.stride.h, w = r.w.first + at.w * c.stride.w, d = r.d.first + at.d * c.stride.d;
			to[(h * c.size.w + w) * c.size.d + d] = values[i];
		}
	});
}

// Windows loads what taps read: a line is a tap of a channel, k is a window. A warp has whole lines of a slice.
template <int lines, int threads> struct Windows {
	typedef AlongDepth Layout;
	const float *from;
	const Convolution &c;
	const Taps &taps;
	Three out_size;
	int first, deep;    // windows
	const uint2 *table; // of each line, in shared memory

	__device__ __forceinline__ void load(float *slice, int k0) const {
		const int warps = threads / 32;
		int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
		Three at = out_size.place(first + k0 + lane);
		Three origin = {at.h * c.stride.h - c.pad.h, at.w * c.stride.w - c.pad.w, at.d * c.stride.d - c.pad.d};
		Window window(taps, from, origin, k0 + lane < deep);
		if (taps.few()) {
#pragma unroll 8
			for (int i = 0; i < lines; i += warps) window.copy(slice + Layout::at<lines>(i + warp, lane), table[i + warp]);
		} else {
			for (int i = warp; i < lines; i += warps) window.copy(slice + Layout::at<lines>(i, lane), table[i], taps);
		}
	}
};

// conv3d_grad_weight computes tiles of dw: [out, in·tap], along columns first, then rows, then parts of an image's windows, then
// images. Parts lie one after the other.
template <class P, class T>
__device__ __forceinline__ void conv3d_grad_weight(float *dw, const float *x, const float *dy, const Convolution &c, int parts, int part_depth) {
	SHARED(float, ring);
	uint2 *table = reinterpret_cast<uint2 *>(ring);
	ring += 2 * T::cols;
	Three out_size = c.out_size();
	int cols = c.in * c.kernel.volume(), voxels = out_size.volume();
	int across = (cols + T::cols - 1) / T::cols, down = (c.out + T::rows - 1) / T::rows;
	int col0 = blockIdx.x % across * T::cols, row0 = blockIdx.x / across % down * T::rows;
	long long part = blockIdx.x / across / down, image = part / parts;
	int first = (int)(part % parts) * part_depth, deep = min(part_depth, voxels - first);
	Taps taps = {c.size, c.kernel, 1};
	for (int i = threadIdx.x; i < T::cols; i += T::threads)
		table[i] = col0 + i < cols ? taps.tap((col0 + i) / c.kernel.volume(), (col0 + i) % c.kernel.volume()) : taps.no_tap();
	__syncthreads();

	Matrix<AlongDepth, T::rows, T::threads> left(dy + image * c.out * voxels + first, voxels, row0, c.out, deep);
	Windows<T::cols, T::threads> right = {x + image * c.in * c.size.volume(), c, taps, out_size, first, deep, table};
	Sums<T> sums;
	sums.template multiply<P>(left, right, deep, ring);
	dw += part * c.out * cols;
	bool aligned = chunks_aligned(dw, cols);
	sums.each(ring, [&](int row, int col, float4 v) {
		int count = cols - col0 - col;
		if (row0 + row < c.out && count > 0) store_chunk(dw + (long long)(row0 + row) * cols + col0 + col, v, count, aligned);
	});
}

#define CONV3D(size, T, precision, P)                                                                                                     \
	extern "C" __global__ void __launch_bounds__(T::threads, T::blocks)                                                                   \
		conv3d_##size##_##precision(float *y, float2 *moments, const float *x, const float *table, const float *weights,               \
												CONVOLUTION_PARAMETERS) {                                                                                \
		conv3d<P, T>(y, moments, x, table, weights, CONVOLUTION);                                                                         \
	}                                                                                                                                     \
	EXPORT(conv3d_##size##_##precision)                                                                                                   \
	extern "C" __global__ void __launch_bounds__(T::threads, T::blocks)                                                                   \
		conv3d_grad_input_##size##_##precision(float *dx, const float *weights, const float *dy, CONVOLUTION_PARAMETERS) {                \
		conv3d_grad_input<P, T>(dx, weights, dy, CONVOLUTION);                                                                            \
	}                                                                                                                                     \
	EXPORT(conv3d_grad_input_##size##_##precision)                                                                                        \
	extern "C" __global__ void __launch_bounds__(T::threads, T::blocks)                                                                   \
		conv3d_grad_weight_##size##_##precision(float *dw, const float *x, const float *dy, CONVOLUTION_PARAMETERS, long long parts,      \
												long long part_depth) {                                                                   \
		conv3d_grad_weight<P, T>(dw, x, dy, CONVOLUTION, (int)parts, (int)part_depth);                                                    \
	}                                                                                                                                     \
	EXPORT(conv3d_grad_weight_##size##_##precision)

CONV3D(flat, FlatExact, float32, Exact)
CONV3D(large, LargeExact, float32, Exact)
CONV3D(flat, Flat, tf32, Tf32)
CONV3D(large, Large, tf32, Tf32)
CONV3D(huge, Huge, tf32, Tf32)
CONV3D(flat, Flat, bfloat16, Bf16)
CONV3D(large, Large, bfloat16, Bf16)
CONV3D(huge, Huge, bfloat16, Bf16)
