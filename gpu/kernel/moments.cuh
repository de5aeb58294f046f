// Means and deviations of rows, for both kinds of norm.
#pragma once

#include "reduce.cuh"

namespace {

// Moments turn a number of a row into its normal form.
struct Moments {
	Split mean;
	float scale; // 1/sqrt(biased variance + eps)
	__device__ __forceinline__ float normal(float x) const { return mean.from(x) * scale; }
};

// moments_of a row of n numbers, from Σ d and Σ d² of the differences d = x - shift.
__device__ __forceinline__ Moments moments_of(const double (&sums)[2], float shift, long long n, double eps) {
	double mean = sums[0] / double(n), variance = sums[1] / double(n) - mean * mean;
	Moments m;
	m.mean = Split(double(shift) + mean);
	m.scale = float(1 / sqrt((variance < 0 ? 0 : variance) + eps));
	return m;
}

// add_differences adds a pack's Σ d and Σ d².
template <class P> __device__ __forceinline__ void add_differences(double (&sums)[2], const P &pack, double shift) {
	for (float v : pack.v) {
		double d = double(v) - shift;
		sums[0] += d;
		sums[1] += d * d;
	}
}

// row_moments are those of a team's row x: [cols].
template <class Team> __device__ __forceinline__ Moments row_moments(Team team, const float *x, long long cols, double eps) {
	double sums[2] = {0, 0};
	float shift = x[0];
	sweep(0, cols, cols % 4 == 0, team.rank(), team.size(), [&](long long i, auto pack) {
		pack.load(x + i);
		add_differences(sums, pack, shift);
	});
	team.sum(sums);
	return moments_of(sums, shift, cols, eps);
}

// NormGrad holds what the gradient of a norm by one number of a row needs of the whole row.
struct NormGrad {
	Moments m;
	float mean_g, mean_gh;
	__device__ __forceinline__ NormGrad(const Moments &m, const double (&sums)[2], long long n)
		: m(m), mean_g(float(sums[0] / double(n))), mean_gh(float(sums[1] / double(n))) {}
	// of is scale·(g - mean(g) - h·mean(g h)).
	__device__ __forceinline__ float of(float g, float h) const { return m.scale * (g - mean_g - h * mean_gh); }
};

} // namespace
