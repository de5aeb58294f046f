// Twins of instancenorm.go.
//
// Rows are few and long (64 of 1.6 million voxels in the published model's first layer): many blocks share a row, each
// leaves the sums of its chunk, and every block of the next launch adds them up for itself, always in the same order. A
// row that fits the cache has a block of its own, which reads it again from there.
#include "moments.cuh"

namespace {

// Chunk is a block's part [from, to) of a row, in a grid of chunks blocks for each row.
struct Chunk {
	long long row, from, to;
	__device__ __forceinline__ Chunk(long long cols, long long chunks, long long length) {
		row = blockIdx.x / chunks;
		from = blockIdx.x % chunks * length;
		to = min(from + length, cols);
	}
};

} // namespace

// chunk_moments are those of the row of a block's chunk, from what instance_norm_sums left.
static __device__ __forceinline__ Moments chunk_moments(const Chunk &c, const double *sums, const float *shifts, long long cols,
	long long chunks, double eps) {
	double all[2];
	sum_parts(all, sums + 2 * c.row * chunks, chunks);
	return moments_of(all, shifts[c.row], cols, eps);
}

// instance_norm_sums leaves Σ d and Σ d² of each chunk of x: [rows, cols], with d = x - shift and the row's first number as its
// shift: no later launch may read it from x, which it may be writing over. sums: [rows, chunks, 2], shifts: [rows].
extern "C" __global__ void __launch_bounds__(256)
	instance_norm_sums(double *sums, float *shifts, const float *x, long long cols, long long chunks, long long length) {
	Chunk c(cols, chunks, length);
	x += c.row * cols;
	float shift = x[0];
	double part[2] = {0, 0};
	sweep(c.from, c.to, cols % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
		pack.load(x + i);
		add_differences(part, pack, shift);
	});
	leave_sums(sums, part);
	if (threadIdx.x == 0 && c.from == 0) shifts[c.row] = shift;
}
EXPORT(instance_norm_sums)

// norm_relu writes y = max(0, h) with h the normal form of x; NaN stays NaN.
template <class P> static __device__ __forceinline__ void norm_relu(float *y, const float *x, P pack, const Moments &m) {
	pack.load(x);
	for (float &v : pack.v) {
		float h = m.normal(v);
		v = h < 0 ? 0 : h;
	}
	pack.store(y);
}

// instance_norm_relu writes y: [rows, cols] by chunks, after instance_norm_sums. y may be x.
extern "C" __global__ void __launch_bounds__(256)
	instance_norm_relu(float *y, const float *x, const double *sums, const float *shifts, long long cols, long long chunks,
		long long length, double eps) {
	Chunk c(cols, chunks, length);
	Moments m = chunk_moments(c, sums, shifts, cols, chunks, eps);
	x += c.row * cols, y += c.row * cols;
	sweep(c.from, c.to, cols % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) { norm_relu(y + i, x + i, pack, m); });
}
EXPORT(instance_norm_relu)

// instance_norm_relu_rows is all of it for rows that one block each can take. y may be x.
extern "C" __global__ void __launch_bounds__(512) instance_norm_relu_rows(float *y, const float *x, long long cols, double eps) {
	x += blockIdx.x * cols, y += blockIdx.x * cols;
	Moments m = row_moments(Block(), x, cols, eps);
	sweep(0, cols, cols % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) { norm_relu(y + i, x + i, pack, m); });
}
EXPORT(instance_norm_relu_rows)

// add_relu_grad adds a pack's Σ g and Σ g h, with g = dy where h > 0.
template <class P>
static __device__ __forceinline__ void add_relu_grad(double (&sums)[2], const float *dy, const float *x, P pack, const Moments &m) {
	P grad;
	grad.load(dy);
	pack.load(x);
	float g = 0, gh = 0;
	for (int k = 0; k < P::width; k++) {
		float h = m.normal(pack.v[k]);
		if (h > 0) g += grad.v[k], gh += grad.v[k] * h;
	}
	sums[0] += g;
	sums[1] += gh;
}

template <class P>
static __device__ __forceinline__ void relu_grad(float *dx, const float *dy, const float *x, P pack, const NormGrad &n) {
	P grad;
	grad.load(dy);
	pack.load(x);
	for (int k = 0; k < P::width; k++) {
		float h = n.m.normal(pack.v[k]);
		grad.v[k] = n.of(h > 0 ? grad.v[k] : 0, h);
	}
	grad.store(dx);
}

// instance_norm_relu_grad_sums leaves Σ g and Σ g h of each chunk, after instance_norm_sums. grads: [rows, chunks, 2].
extern "C" __global__ void __launch_bounds__(256)
	instance_norm_relu_grad_sums(double *grads, const float *dy, const float *x, const double *sums, const float *shifts,
		long long cols, long long chunks, long long length, double eps) {
	Chunk c(cols, chunks, length);
	Moments m = chunk_moments(c, sums, shifts, cols, chunks, eps);
	x += c.row * cols, dy += c.row * cols;
	double part[2] = {0, 0};
	sweep(c.from, c.to, cols % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
		add_relu_grad(part, dy + i, x + i, pack, m);
	});
	leave_sums(grads, part);
}
EXPORT(instance_norm_relu_grad_sums)

// instance_norm_relu_grad writes dx: [rows, cols] by chunks, after both kinds of sums. dx may be dy.
extern "C" __global__ void __launch_bounds__(256)
	instance_norm_relu_grad(float *dx, const float *dy, const float *x, const double *sums, const float *shifts,
		const double *grads, long long cols, long long chunks, long long length, double eps) {
	Chunk c(cols, chunks, length);
	Moments m = chunk_moments(c, sums, shifts, cols, chunks, eps);
	double all[2];
	sum_parts(all, grads + 2 * c.row * chunks, chunks);
	NormGrad n(m, all, cols);
	x += c.row * cols, dy += c.row * cols, dx += c.row * cols;
	sweep(c.from, c.to, cols % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
		relu_grad(dx + i, dy + i, x + i, pack, n);
	});
}
EXPORT(instance_norm_relu_grad)

// instance_norm_relu_grad_rows is all of it for rows that one block each can take. dx may be dy.
extern "C" __global__ void __launch_bounds__(512)
	instance_norm_relu_grad_rows(float *dx, const float *dy, const float *x, long long cols, double eps) {
	x += blockIdx.x * cols, dy += blockIdx.x * cols, dx += blockIdx.x * cols;
	Moments m = row_moments(Block(), x, cols, eps);
	double sums[2] = {0, 0};
	sweep(0, cols, cols % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
		add_relu_grad(sums, dy + i, x + i, pack, m);
	});
	Block().sum(sums);
	NormGrad n(m, sums, cols);
	sweep(0, cols, cols % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
		relu_grad(dx + i, dy + i, x + i, pack, n);
	});
}
EXPORT(instance_norm_relu_grad_rows)
