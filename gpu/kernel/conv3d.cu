// Twins of conv3d.go and conv3d_grad.go as products whose factors are gathered from the volume while they are loaded: nothing
// is unrolled in memory. Voxels are the columns, so that y: [batch, channel, voxel] is stored along its last axis.
//
// The depth of the forward product runs over taps of the window and, within a tap, over channels: where to read and whether
// it is padding changes only from tap to tap. conv3d_weights puts the weights into that order first. The gradient by
// the input sorts voxels by their remainder modulo the stride: voxels of one remainder are reached by the same taps, and
// they alone are multiplied.
#include "gemm.cuh"

// Three are numbers along H, W, D.
struct Three {
	int h, w, d;
	__device__ __forceinline__ int volume() const { return h * w * d; }
	// place is where i lies in a volume of this size.
	__device__ __forceinline__ Three place(int i) const { return {i / d / w, i / d % w, i % d}; }
	__device__ __forceinline__ bool holds(int y, int x, int z) const { return (unsigned)y < (unsigned)h && (unsigned)x < (unsigned)w && (unsigned)z < (unsigned)d; }
};

// Convolution is a Conv3dShape.
struct Convolution {
	int in, out;
	Three size, kernel, stride, pad;

	static __device__ __forceinline__ int windows(int size, int kernel, int stride, int pad) { return (size + 2 * pad - kernel) / stride + 1; }
	__device__ __forceinline__ Three out_size() const {
		return {windows(size.h, kernel.h, stride.h, pad.h), windows(size.w, kernel.w, stride.w, pad.w), windows(size.d, kernel.d, stride.d, pad.d)};
	}
};

#define CONVOLUTION_PARAMETERS                                                                                                            \
	long long in, long long out, long long size_h, long long size_w, long long size_d, long long kernel_h, long long kernel_w,            \
		long long kernel_d, long long stride_h, long long stride_w, long long stride_d, long long pad_h, long long pad_w, long long pad_d
#define CONVOLUTION                                                                                                                       \
	Convolution {                                                                                                                         \
		(int)in, (int)out, {(int)size_h, (int)size_w, (int)size_d}, {(int)kernel_h, (int)kernel_w, (int)kernel_d},                        \
			{(int)stride_h, (int)stride_w, (int)stride_d}, {(int)pad_h, (int)pad_w, (int)pad_d}                                           \
	}

// Remainder is what voxels of the input have in common along an axis if their distance to the padding's edge has the same
// remainder modulo the stride: taps remainder + stride a, a < taps, reach the voxels first + stride j, j < voxels, from
// the outputs output + j - a.
struct Remainder {
	int taps, first, voxels, output;
	__device__ __forceinline__ Remainder(int remainder, int size, int kernel, int stride, int pad) {
		taps = remainder < kernel ? (kernel - remainder + stride - 1) / stride : 0;
		first = (remainder + stride - pad % stride) % stride;
		voxels = first < size ? (size - first + stride - 1) / stride : 0;
		output = (first + pad - remainder) / stride;
	}
};

// Remainders are those along the axes; there are stride.volume() of them.
struct Remainders {
	Remainder h, w, d;
	__device__ __forceinline__ Remainders(const Convolution &c, Three r)
		: h(r.h, c.size.h, c.kernel.h, c.stride.h, c.pad.h), w(r.w, c.size.w, c.kernel.w, c.stride.w, c.pad.w),
		  d(r.d, c.size.d, c.kernel.d, c.stride.d, c.pad.d) {}
	__device__ __forceinline__ Three taps() const { return {h.taps, w.taps, d.taps}; }
};

// row_length is the length of a row of ordered weights: whole chunks.
__device__ __forceinline__ int row_length(Three taps, int channels) { return (taps.volume() * channels + 3) / 4 * 4; }

// order_weights writes a row of ordered weights, [tap][channel] with zeros at the end: tap a of an axis is first + step a of the
// window.
__device__ __forceinline__ void order_weights(float *to, const float *w, long long channel_step, int channels, Three taps, Three first, Three step,
											  Three kernel) {
	int length = row_length(taps, channels);
	for (int i = threadIdx.x; i < length; i += blockDim.x) {
		Three a = taps.place(i / channels);
		int tap = ((first.h + step.h * a.h) * kernel.w + first.w + step.w * a.w) * kernel.d + first.d + step.d * a.d;
		to[i] = a.h < taps.h ? w[i % channels * channel_step + tap] : 0;
	}
}

// conv3d_weights writes to: [out][tap][in] from w: [out, in, tap]; a block a row.
extern "C" __global__ void conv3d_weights(float *to, const float *w, CONVOLUTION_PARAMETERS) {
	Convolution c = CONVOLUTION;
	long long row = blockIdx.x, taps = c.kernel.volume();
	order_weights(to + row * row_length(c.kernel, c.in), w + row * c.in * taps, taps, c.in, c.kernel, {0, 0, 0}, {1, 1, 1}, c.kernel);
}
EXPORT(conv3d_weights)

// remainder_weights is where the ordered weights of a remainder begin.
__device__ __forceinline__ long long remainder_weights(const Convolution &c, int remainder) {
	long long at = 0;
	for (int r = 0; r < remainder; r++) at += (long long)c.in * row_length(Remainders(c, c.stride.place(r)).taps(), c.out);
	return at;
}

// conv3d_grad_input_weights writes to: [remainder][in][tap][out]; a block a row, remainders along y.
extern "C" __global__ void conv3d_grad_input_weights(float *to, const float *w, CONVOLUTION_PARAMETERS) {
	Convolution c = CONVOLUTION;
	Three first = c.stride.place(blockIdx.y), taps = Remainders(c, first).taps();
	long long row = blockIdx.x, window = c.kernel.volume();
	to += remainder_weights(c, blockIdx.y) + row * row_length(taps, c.out);
	if (taps.volume()) order_weights(to, w + row * window, c.in * window, c.out, taps, first, c.stride, c.kernel);
}
EXPORT(conv3d_grad_input_weights)

// Patches loads what windows read: a line is a window, k = (tap, channel). Tap (a, b, c) of a window reads the voxel origin + way
// (a, b, c), or zero outside of the volume. A thread has one line of a slice, or a half of it.
template <int lines, int threads> struct Patches {
	typedef AlongLines Layout;
	const float *from; // the volume: [channel, size]
	Three size, taps, origin;
	int channels, way;
	bool exists;

	static __device__ __forceinline__ int line() { return threadIdx.x % lines; }

	__device__ __forceinline__ void load(float *slice, int k0) const {
		const int count = tile_depth * lines / threads;
		int first = threadIdx.x / lines * count, channel = (k0 + first) % channels;
		Three a = taps.place((k0 + first) / channels);
		const long long step = size.volume();
		const float *p;
		bool valid;
		auto seek = [&] {
			int h = origin.h + way * a.h, w = origin.w + way * a.w, d = origin.d + way * a.d;
			valid = exists && a.h < taps.h && size.holds(h, w, d);
			p = valid ? from + channel * step + ((long long)h * size.w + w) * size.d + d : from;
		};
		seek();
#pragma unroll 4
		for (int i = 0; i < count; i++) {
			copy_async4(slice + Layout::at<lines>(line(), first + i), p, valid);
			if (valid) p += step;
			if (++channel == channels) {
				channel = 0;
				if (++a.d == taps.d) {
					a.d = 0;
					if (++a.w == taps.w) a.w = 0, a.h++;
				}
				seek();
			}
		}
	}
};

// conv3d computes tiles of y: [batch, out, voxel], along channels first, then voxels, then images, from ordered weights.
template <class P, class T>
__device__ __forceinline__ void conv3d(float *y, const float *x, const float *weights, const Convolution &c) {
	SHARED(float, ring);
	Three out_size = c.out_size();
	int voxels = out_size.volume(), down = (c.out + T::rows - 1) / T::rows, across = (voxels + T::cols - 1) / T::cols;
	int row0 = blockIdx.x % down * T::rows, col0 = blockIdx.x / down % across * T::cols;
	long long image = blockIdx.x / down / across;
	int length = row_length(c.kernel, c.in);

	Matrix<AlongDepth, T::rows, T::threads> left(weights, length, row0, c.out, length);
	typedef Patches<T::cols, T::threads> Right;
	int col = col0 + Right::line();
	Three at = out_size.place(col);
	Three origin = {at.h * c.stride.h - c.pad.h, at.w * c.stride.w - c.pad.w, at.d * c.stride.d - c.pad.d};
	Right right = {x + image * c.in * c.size.volume(), c.size, c.kernel, origin, c.in, 1, col < voxels};

	Sums<T> sums;
	sums.template multiply<P>(left, right, length, ring);
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
	int length = row_length(r.taps(), c.out);

	Matrix<AlongDepth, T::rows, T::threads> left(weights + remainder_weights(c, blockIdx.y), length, row0, c.in, length);
	typedef Patches<T::cols, T::threads> Right;
	int col = col0 + Right::line();
	Three at = count.place(col), out_size = c.out_size();
	Three origin = {r.h.output + at.h, r.w.output + at.w, r.d.output + at.d};
	Right right = {dy + image * c.out * out_size.volume(), out_size, r.taps(), origin, c.out, -1, col < voxels};

	Sums<T> sums;
	sums.template multiply<P>(left, right, length, ring);
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

// Windows loads what taps read: a line is an input channel and a tap, k is a window. A warp has whole lines of a slice.
template <int lines, int threads> struct Windows {
	typedef AlongDepth Layout;
	const float *from;
	const Convolution &c;
	Three out_size;
	int first, deep;   // windows
	const uint2 *taps; // of each line in shared memory: how far from the window's origin, and how far along each axis, in 10 bits

	static __device__ __forceinline__ uint2 tap(const Convolution &c, int line) {
		int window = c.kernel.volume(), channel = line / window;
		Three a = c.kernel.place(line % window);
		if (channel >= c.in) return make_uint2(0, 1u << 31);
		return make_uint2(channel * c.size.volume() + (a.h * c.size.w + a.w) * c.size.d + a.d, a.h | a.w << 10 | a.d << 20);
	}

	__device__ __forceinline__ void load(float *slice, int k0) const {
		int lane = threadIdx.x % 32;
		bool exists = k0 + lane < deep;
		Three at = out_size.place(first + k0 + lane);
		int h = at.h * c.stride.h - c.pad.h, w = at.w * c.stride.w - c.pad.w, d = at.d * c.stride.d - c.pad.d;
		int origin = (h * c.size.w + w) * c.size.d + d;
#pragma unroll 4
		for (int line = threadIdx.x / 32; line < lines; line += threads / 32) {
			uint2 tap = taps[line];
			bool valid = exists && tap.y < 1u << 31 && c.size.holds(h + (tap.y & 1023), w + (tap.y >> 10 & 1023), d + (tap.y >> 20));
			copy_async4(slice + Layout::at<lines>(line, lane), valid ? from + (origin + (int)tap.x) : from, valid);
		}
	}
};

// conv3d_grad_weight computes tiles of dw: [out, in·tap], along columns first, then rows, then parts of an image's windows, then
// images. Parts lie one after the other.
template <class P, class T>
__device__ __forceinline__ void conv3d_grad_weight(float *dw, const float *x, const float *dy, const Convolution &c, int parts, int part_depth) {
	SHARED(float, ring);
	uint2 *taps = reinterpret_cast<uint2 *>(ring);
	ring += 2 * T::cols;
	Three out_size = c.out_size();
	int cols = c.in * c.kernel.volume(), voxels = out_size.volume();
	int across = (cols + T::cols - 1) / T::cols, down = (c.out + T::rows - 1) / T::rows;
	int col0 = blockIdx.x % across * T::cols, row0 = blockIdx.x / across % down * T::rows;
	long long part = blockIdx.x / across / down, image = part / parts;
	int first = (int)(part % parts) * part_depth, deep = min(part_depth, voxels - first);
	for (int i = threadIdx.x; i < T::cols; i += T::threads) taps[i] = Windows<T::cols, T::threads>::tap(c, col0 + i);
	__syncthreads();

	Matrix<AlongDepth, T::rows, T::threads> left(dy + image * c.out * voxels + first, voxels, row0, c.out, deep);
	Windows<T::cols, T::threads> right = {x + image * c.in * c.size.volume(), c, out_size, first, deep, taps};
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
		conv3d_##size##_##precision(float *y, const float *x, const float *weights, CONVOLUTION_PARAMETERS) {                             \
		conv3d<P, T>(y, x, weights, CONVOLUTION);                                                                                         \
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

CONV3D(flat, Flat, float32, Exact)
CONV3D(large, LargeExact, float32, Exact)
CONV3D(flat, Flat, tf32, Tf32)
CONV3D(large, Large, tf32, Tf32)
CONV3D(flat, Flat, bfloat16, Bf16)
CONV3D(large, Large, bfloat16, Bf16)
