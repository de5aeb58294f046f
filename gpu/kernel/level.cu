// Twins of level.go. The square sums of a whole volume are left by chunks and added up by every block that needs them.
#include "reduce.cuh"

namespace {

// Level is what the relative channels are divided by, and the mean of dy y for their gradient.
struct Level {
	double inverse, along;
	// sums: [parts, 2] of n numbers, as level_sums leaves them.
	__device__ __forceinline__ Level(const double *sums, long long parts, long long n) {
		double all[2];
		sum_parts(all, sums, parts);
		double root = sqrt(all[0] / double(n));
		inverse = 1 / (root < 1e-20 ? 1e-20 : root); // an empty volume stays empty
		along = all[1] * inverse / double(n);
	}
};

} // namespace

// level_sums leaves Σ x² and Σ x dy of chunks of length numbers, a multiple of 4. sums: [gridDim.x, 2].
extern "C" __global__ void __launch_bounds__(256) level_sums(double *sums, const float *x, const float *dy, long long n,
	long long length) {
	long long from = blockIdx.x * length, to = min(from + length, n);
	double part[2] = {0, 0};
	sweep(from, to, n % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
		auto grad = pack;
		pack.load(x + i), grad.load(dy + i);
		for (int k = 0; k < pack.width; k++) {
			double v = double(pack.v[k]);
			part[0] += v * v, part[1] += v * double(grad.v[k]);
		}
	});
	leave_sums(sums, part);
}
EXPORT(level_sums)

// level writes y = x / root mean square of n numbers, by chunks. y may be x.
extern "C" __global__ void __launch_bounds__(256) level(float *y, const float *x, const double *sums, long long parts,
	long long n, long long length) {
	Level level(sums, parts, n);
	long long from = blockIdx.x * length, to = min(from + length, n);
	sweep(from, to, n % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
		pack.load(x + i);
		for (float &v : pack.v) v = float(double(v) * level.inverse);
		pack.store(y + i);
	});
}
EXPORT(level)

// level_grad writes dx = (dy - y mean(dy y)) / r with r the root mean square of x and y = x/r. dx may be dy.
extern "C" __global__ void __launch_bounds__(256)
	level_grad(float *dx, const float *dy, const float *x, const double *sums, long long parts, long long n, long long length) {
	Level level(sums, parts, n);
	long long from = blockIdx.x * length, to = min(from + length, n);
	sweep(from, to, n % 4 == 0, threadIdx.x, blockDim.x, [&](long long i, auto pack) {
		auto grad = pack;
		pack.load(x + i), grad.load(dy + i);
		for (int k = 0; k < pack.width; k++) {
			grad.v[k] = float((double(grad.v[k]) - double(pack.v[k]) * level.inverse * level.along) * level.inverse);
		}
		grad.store(dx + i);
	});
}
EXPORT(level_grad)

// level_window writes y = x times a Gaussian around the middle of the volume, for rows of d numbers in planes of h, w: a warp a row,
// blocks of (32, 8). The steps are those of the axes in units of the deviation. y may be x.
extern "C" __global__ void __launch_bounds__(256)
	level_window(float *y, const float *x, long long rows, long long h, long long w, long long d, double step_h, double step_w,
		double step_d) {
	long long row = blockIdx.x * (long long)blockDim.y + threadIdx.y;
	if (row >= rows) return;
	float at_h = float((double(row / w % h) - 0.5 * double(h - 1)) * step_h),
		at_w = float((double(row % w) - 0.5 * double(w - 1)) * step_w);
	float across = at_h * at_h + at_w * at_w, middle = 0.5f * float(d - 1);
	for (long long i = threadIdx.x; i < d; i += 32) {
		float at = (float(i) - middle) * float(step_d);
		y[row * d + i] = x[row * d + i] * expf(-0.5f * (across + at * at));
	}
}
EXPORT(level_window)
