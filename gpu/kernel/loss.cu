// Twins of loss.go: a warp takes a row, all in double precision, for there are few.
#include "reduce.cuh"

// log_sum_exp is log Σ_j e^row[j], for every lane of a warp.
static __device__ __forceinline__ double log_sum_exp(const float *row, long long classes) {
	float top = -INFINITY;
	for (long long j = threadIdx.x; j < classes; j += 32) top = fmaxf(top, row[j]);
	top = warp_max(top);
	double sum = 0;
	for (long long j = threadIdx.x; j < classes; j += 32) sum += exp(double(row[j]) - double(top));
	return double(top) + log(warp_sum(sum));
}

// cross_entropy writes loss[0] = -1/rows Σ_ij target[i, j] log softmax(logits)[i, j]. One block of (32, 8).
extern "C" __global__ void __launch_bounds__(256)
	cross_entropy(float *loss, const float *logits, const float *target, long long rows, long long classes) {
	double total[1] = {0};
	for (long long row = threadIdx.y; row < rows; row += blockDim.y) {
		const float *x = logits + row * classes, *t = target + row * classes;
		double norm = log_sum_exp(x, classes);
		for (long long j = threadIdx.x; j < classes; j += 32) total[0] += double(t[j]) * (norm - double(x[j]));
	}
	Block().sum(total);
	if (Block().rank() == 0) loss[0] = float(total[0] / double(rows));
}
EXPORT(cross_entropy)

// cross_entropy_grad writes dlogits = scale[0] (softmax(logits)·Σ_j target - target) / rows. Blocks of (32, 8 rows).
extern "C" __global__ void __launch_bounds__(256)
	cross_entropy_grad(float *dlogits, const float *logits, const float *target, const float *scale, long long rows,
		long long classes) {
	long long row = blockIdx.x * (long long)blockDim.y + threadIdx.y;
	if (row >= rows) return;
	const float *x = logits + row * classes, *t = target + row * classes;
	double norm = log_sum_exp(x, classes), mass = 0, factor = double(scale[0]) / double(rows);
	for (long long j = threadIdx.x; j < classes; j += 32) mass += double(t[j]);
	mass = warp_sum(mass);
	for (long long j = threadIdx.x; j < classes; j += 32) {
		dlogits[row * classes + j] = float(factor * (exp(double(x[j]) - norm) * mass - double(t[j])));
	}
}
EXPORT(cross_entropy_grad)
