// Twins of layernorm.go and of SumRows.
//
// A row belongs to a warp (blocks of (32, rows)) or, where it is long, to a block of its own: rows are re-read, from the first-level
// cache. Sums down the columns are cut into chunks of rows, and their sums summed in a second launch.
#include "moments.cuh"

// team_row is the row of a thread's team, in a grid of blocks of (32, rows) or (threads, 1).
static __device__ __forceinline__ long long team_row() { return blockIdx.x * (long long)blockDim.y + threadIdx.y; }

template <class Team>
static __device__ __forceinline__ void layer_norm_row(Team team, float *y, const float *x, const float *gamma, const float *beta,
	long long cols, double eps) {
	Moments m = row_moments(team, x, cols, eps);
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		auto slope = pack, offset = pack;
		pack.load(x + i), slope.load(gamma + i), offset.load(beta + i);
		for (int k = 0; k < pack.width; k++) pack.v[k] = m.normal(pack.v[k]) * slope.v[k] + offset.v[k];
		pack.store(y + i);
	});
}

// layer_norm writes y = h gamma + beta with h the normal form of the rows of x: [rows, cols]; gamma, beta: [cols]. y may be x.
extern "C" __global__ void __launch_bounds__(256)
	layer_norm(float *y, const float *x, const float *gamma, const float *beta, long long rows, long long cols, double eps) {
	long long row = team_row();
	if (row >= rows) return;
	y += row * cols, x += row * cols;
	if (blockDim.y > 1) {
		layer_norm_row(Warp(), y, x, gamma, beta, cols, eps);
	} else {
		layer_norm_row(Block(), y, x, gamma, beta, cols, eps);
	}
}
EXPORT(layer_norm)

template <class Team>
static __device__ __forceinline__ void layer_norm_grad_row(Team team, float *dx, const float *dy, const float *x,
	const float *gamma, long long cols, double eps) {
	Moments m = row_moments(team, x, cols, eps);
	double sums[2] = {0, 0};
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		auto slope = pack, grad = pack;
		pack.load(x + i), slope.load(gamma + i), grad.load(dy + i);
		float g = 0, gh = 0;
		for (int k = 0; k < pack.width; k++) {
			float v = grad.v[k] * slope.v[k];
			g += v, gh += v * m.normal(pack.v[k]);
		}
		sums[0] += g, sums[1] += gh;
	});
	team.sum(sums);
	NormGrad n(m, sums, cols);
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		auto slope = pack, grad = pack;
		pack.load(x + i), slope.load(gamma + i), grad.load(dy + i);
		for (int k = 0; k < pack.width; k++) pack.v[k] = n.of(grad.v[k] * slope.v[k], m.normal(pack.v[k]));
		pack.store(dx + i);
	});
}

// layer_norm_grad_input writes dx from dy and the forward input x. dx may be dy.
extern "C" __global__ void __launch_bounds__(256)
	layer_norm_grad_input(float *dx, const float *dy, const float *x, const float *gamma, long long rows, long long cols,
		double eps) {
	long long row = team_row();
	if (row >= rows) return;
	dx += row * cols, dy += row * cols, x += row * cols;
	if (blockDim.y > 1) {
		layer_norm_grad_row(Warp(), dx, dy, x, gamma, cols, eps);
	} else {
		layer_norm_grad_row(Block(), dx, dy, x, gamma, cols, eps);
	}
}
EXPORT(layer_norm_grad_input)

// layer_norm_moments writes each row's mean, in two parts, and scale. moments: [rows, 3].
extern "C" __global__ void __launch_bounds__(256) layer_norm_moments(float *moments, const float *x, long long rows,
	long long cols, double eps) {
	long long row = team_row();
	if (row >= rows) return;
	x += row * cols;
	Moments m = blockDim.y > 1 ? row_moments(Warp(), x, cols, eps) : row_moments(Block(), x, cols, eps);
	if (threadIdx.x == 0) moments[3 * row] = m.mean.high, moments[3 * row + 1] = m.mean.low, moments[3 * row + 2] = m.scale;
}
EXPORT(layer_norm_moments)

// sum_down writes sums: [gridDim.y, cols], the sums of f(row, column) over chunks of length rows, in blocks of (32 columns, 8): a
// warp reads 128 bytes of a row.
template <class F>
static __device__ __forceinline__ void sum_down(float *sums, long long rows, long long cols, long long length, F f) {
	long long col = blockIdx.x * 32LL + threadIdx.x, from = blockIdx.y * length, to = min(from + length, rows);
	float sum = 0;
	if (col < cols) {
#pragma unroll 4
		for (long long row = from + threadIdx.y; row < to; row += 8) sum += f(row, col);
	}
	sum = column_sum(sum);
	if (threadIdx.y == 0 && col < cols) sums[blockIdx.y * cols + col] = sum;
}

// layer_norm_grad_scale writes the sums of dy h over chunks of rows, after layer_norm_moments.
extern "C" __global__ void __launch_bounds__(256)
	layer_norm_grad_scale(float *sums, const float *dy, const float *x, const float *moments, long long rows, long long cols,
		long long length) {
	sum_down(sums, rows, cols, length, [&](long long row, long long col) {
		const float *m = moments + 3 * row;
		return dy[row * cols + col] * ((x[row * cols + col] - m[0] - m[1]) * m[2]);
	});
}
EXPORT(layer_norm_grad_scale)

// sum_rows writes the sums of x: [rows, cols] over chunks of rows.
extern "C" __global__ void __launch_bounds__(256) sum_rows(float *sums, const float *x, long long rows, long long cols,
	long long length) {
	sum_down(sums, rows, cols, length, [&](long long row, long long col) { return x[row * cols + col]; });
}
EXPORT(sum_rows)
