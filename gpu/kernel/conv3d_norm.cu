// What follows a convolution that is normalised: its kernel leaves the moments of parts of each channel, so that the volume is read
// once more and not twice.
#include "device.cuh"

// join_moments makes of the mean and the sum of squared differences of parts of rows: [rows, parts], each of width numbers but the
// last of a row, the mean and 1/sqrt(biased variance + eps) of the rows; a block a row. Sums are in double precision around the first
// part's mean, so that a mean far from zero costs nothing.
extern "C" __global__ void join_moments(float2 *joined, const float2 *moments, long long cols, long long width, double eps) {
	SHARED(double, sums); // [2][warps]
	long long parts = (cols + width - 1) / width;
	const float2 *row = moments + blockIdx.x * parts;
	double around = row[0].x, first = 0, second = 0;
	for (long long i = threadIdx.x; i < parts; i += blockDim.x) {
		double n = (double)min(width, cols - i * width), d = row[i].x - around;
		first += n * d;
		second += row[i].y + n * d * d;
	}
	first = warp_sum(first), second = warp_sum(second);
	int warps = blockDim.x / 32, warp = threadIdx.x / 32;
	if (threadIdx.x % 32 == 0) sums[warp] = first, sums[warps + warp] = second;
	__syncthreads();
	if (threadIdx.x) return;
	first = second = 0;
	for (int i = 0; i < warps; i++) first += sums[i], second += sums[warps + i];
	first /= cols;
	double variance = fmax(second / cols - first * first, 0.0);
	joined[blockIdx.x] = make_float2((float)(around + first), (float)(1 / sqrt(variance + eps)));
}
EXPORT(join_moments)

// normalise_relu writes y = max(0, (y - mean) scale) in place, with those of each row: [rows, cols]. A NaN stays one.
extern "C" __global__ void normalise_relu(float *y, const float2 *moments, long long rows, long long cols) {
	long long chunks = (cols + 3) / 4, i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
	if (i >= rows * chunks) return;
	float2 m = moments[i / chunks];
	auto normal = [&](float v) { return v = (v - m.x) * m.y, v < 0 ? 0 : v; };
	float *p = y + i / chunks * cols + i % chunks * 4;
	if (cols % 4 == 0) {
		float4 v = *reinterpret_cast<float4 *>(p);
		*reinterpret_cast<float4 *>(p) = make_float4(normal(v.x), normal(v.y), normal(v.z), normal(v.w));
		return;
	}
	for (long long k = 0; k < 4 && i % chunks * 4 + k < cols; k++) p[k] = normal(p[k]);
}
EXPORT(normalise_relu)
