// Twins of softmax.go.
//
// Along a row a warp or a block works alone. Down the columns many blocks share a column: each leaves the maximum and the sum of its
// chunk of rows, and every block of the next launch merges them for itself, always in the same order.
#include "reduce.cuh"

template <class Team> static __device__ __forceinline__ void softmax_row(Team team, float *y, const float *x, long long cols) {
	float top = -INFINITY;
	double sum[1] = {0};
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		pack.load(x + i);
		for (float v : pack.v) top = fmaxf(top, v);
	});
	top = team.max(top);
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		pack.load(x + i);
		float part = 0;
		for (float v : pack.v) part += expf(v - top);
		sum[0] += part;
	});
	team.sum(sum);
	float factor = float(1 / sum[0]);
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		pack.load(x + i);
		for (float &v : pack.v) v = expf(v - top) * factor;
		pack.store(y + i);
	});
}

// softmax_rows writes softmax over each row of x: [rows, cols], in blocks of (32, rows) or (threads, 1). y may be x.
extern "C" __global__ void __launch_bounds__(256, 6) softmax_rows(float *y, const float *x, long long rows, long long cols) {
	long long row = blockIdx.x * (long long)blockDim.y + threadIdx.y;
	if (row >= rows) return;
	if (blockDim.y > 1) {
		softmax_row(Warp(), y + row * cols, x + row * cols, cols);
	} else {
		softmax_row(Block(), y + row * cols, x + row * cols, cols);
	}
}
EXPORT(softmax_rows)

template <class Team>
static __device__ __forceinline__ void softmax_grad_row(Team team, float *dx, const float *dy, const float *y, long long cols) {
	double sum[1] = {0};
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		auto grad = pack;
		pack.load(y + i), grad.load(dy + i);
		for (int k = 0; k < pack.width; k++) sum[0] += double(pack.v[k]) * double(grad.v[k]);
	});
	team.sum(sum);
	Split dot(sum[0]);
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		auto grad = pack;
		pack.load(y + i), grad.load(dy + i);
		for (int k = 0; k < pack.width; k++) pack.v[k] *= dot.from(grad.v[k]);
		pack.store(dx + i);
	});
}

// softmax_rows_grad writes dx = y (dy - Σ_j dy y) for each row, from the forward output y. dx may be dy.
extern "C" __global__ void __launch_bounds__(256) softmax_rows_grad(float *dx, const float *dy, const float *y, long long rows,
	long long cols) {
	long long row = blockIdx.x * (long long)blockDim.y + threadIdx.y;
	if (row >= rows) return;
	dx += row * cols, dy += row * cols, y += row * cols;
	if (blockDim.y > 1) {
		softmax_grad_row(Warp(), dx, dy, y, cols);
	} else {
		softmax_grad_row(Block(), dx, dy, y, cols);
	}
}
EXPORT(softmax_rows_grad)

namespace {

// weight is e^(x - top): 0 for an x of -∞, also where that is the greatest so far.
__device__ __forceinline__ float weight(float x, float top) { return x == -INFINITY ? 0 : expf(x - top); }

// Exponentials stands for Σ e^x as sum·e^top.
struct Exponentials {
	float top, sum;
	__device__ __forceinline__ Exponentials operator+(const Exponentials &other) const {
		float most = fmaxf(top, other.top);
		return {most, sum * weight(top, most) + other.sum * weight(other.top, most)};
	}
};

// Columns is a thread's place in a grid of (columns / 32, chunks) blocks of (32 columns, 8).
struct Columns {
	long long col, from, to; // the rows are from + threadIdx.y and every eighth after it, before to
	bool inside;
	__device__ __forceinline__ Columns(long long rows, long long cols, long long length) {
		col = blockIdx.x * 32LL + threadIdx.x, inside = col < cols;
		from = blockIdx.y * length, to = min(from + length, rows);
	}
};

} // namespace

// softmax_columns_sums leaves Σ e^x down the columns of chunks of length rows of x: [rows, cols]. sums: [chunks, cols].
extern "C" __global__ void __launch_bounds__(256) softmax_columns_sums(float2 *sums, const float *x, long long rows,
	long long cols, long long length) {
	Columns c(rows, cols, length);
	Exponentials all = {-INFINITY, 0};
	for (long long row = c.from + threadIdx.y; c.inside && row < c.to; row += 32) {
		// Four rows have one maximum, so that their loads and exponentials do not wait for each other.
		float v[4];
		for (int k = 0; k < 4; k++) v[k] = row + 8 * k < c.to ? x[(row + 8 * k) * cols + c.col] : -INFINITY;
		float top = fmaxf(fmaxf(v[0], v[1]), fmaxf(v[2], v[3])), sum = 0;
		for (int k = 0; k < 4; k++) sum += weight(v[k], top);
		all = all + Exponentials{top, sum};
	}
	all = column_sum(all);
	if (threadIdx.y == 0 && c.inside) sums[blockIdx.y * cols + c.col] = make_float2(all.top, all.sum);
}
EXPORT(softmax_columns_sums)

// softmax_columns writes softmax down the columns of x: [rows, cols], after softmax_columns_sums. y may be x.
extern "C" __global__ void __launch_bounds__(256) softmax_columns(float *y, const float *x, const float2 *sums, long long rows,
	long long cols, long long length) {
	Columns c(rows, cols, length);
	Exponentials all = {-INFINITY, 0};
	for (long long chunk = threadIdx.y; c.inside && chunk < gridDim.y; chunk += 8) {
		float2 s = sums[chunk * cols + c.col];
		all = all + Exponentials{s.x, s.y};
	}
	all = column_sum(all);
	float factor = 1 / all.sum;
	for (long long row = c.from + threadIdx.y; c.inside && row < c.to; row += 8) {
		long long i = row * cols + c.col;
		y[i] = expf(x[i] - all.top) * factor;
	}
}
EXPORT(softmax_columns)

// softmax_columns_grad_sums leaves Σ dy y down the columns of chunks of rows. sums: [chunks, cols].
extern "C" __global__ void __launch_bounds__(256)
	softmax_columns_grad_sums(double *sums, const float *dy, const float *y, long long rows, long long cols, long long length) {
	Columns c(rows, cols, length);
	double dot = 0;
	if (c.inside) {
#pragma unroll 4
		for (long long row = c.from + threadIdx.y; row < c.to; row += 8) {
			dot += double(y[row * cols + c.col]) * double(dy[row * cols + c.col]);
		}
	}
	dot = column_sum(dot);
	if (threadIdx.y == 0 && c.inside) sums[blockIdx.y * cols + c.col] = dot;
}
EXPORT(softmax_columns_grad_sums)

// softmax_columns_grad writes dx = y (dy - Σ_i dy y), after softmax_columns_grad_sums. dx may be dy.
extern "C" __global__ void __launch_bounds__(256)
	softmax_columns_grad(float *dx, const float *dy, const float *y, const double *sums, long long rows, long long cols,
		long long length) {
	Columns c(rows, cols, length);
	double total = 0;
	for (long long chunk = threadIdx.y; c.inside && chunk < gridDim.y; chunk += 8) total += sums[chunk * cols + c.col];
	Split dot(column_sum(total));
	for (long long row = c.from + threadIdx.y; c.inside && row < c.to; row += 8) {
		long long i = row * cols + c.col;
		dx[i] = y[i] * dot.from(dy[i]);
	}
}
EXPORT(softmax_columns_grad)
