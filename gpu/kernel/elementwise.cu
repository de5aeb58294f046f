// Twins of elementwise.go, gelu.go and of ScaleKernel: one thread for four numbers, which memory alone limits.
#include "gelu.cuh"
#include "reduce.cuh"

// density is φ(x).
static __device__ __forceinline__ float density(float x) { return 0.39894228040143268f * expf(-0.5f * x * x); }

// gelu writes y = x Φ(x). y may be x.
extern "C" __global__ void __launch_bounds__(256) gelu(float *y, const float *x, long long n) {
	four(n, [&](long long i, auto pack) {
		pack.load(x + i);
		for (float &v : pack.v) v = gelu_of(v);
		pack.store(y + i);
	});
}
EXPORT(gelu)

// gelu_grad writes dx = dy (Φ(x) + x φ(x)). dx may be dy.
extern "C" __global__ void __launch_bounds__(256) gelu_grad(float *dx, const float *dy, const float *x, long long n) {
	four(n, [&](long long i, auto pack) {
		auto grad = pack;
		pack.load(x + i);
		grad.load(dy + i);
		for (int k = 0; k < pack.width; k++) {
			float v = pack.v[k];
			grad.v[k] *= distribution(v) + fmaxf(-far_out, fminf(v, far_out)) * density(v);
		}
		grad.store(dx + i);
	});
}
EXPORT(gelu_grad)

template <int terms> static __device__ __forceinline__ void sum_of(float *y, const float *const (&x)[4], long long n) {
	four(n, [&](long long i, auto pack) {
		decltype(pack) all[terms];
		for (int t = 0; t < terms; t++) all[t].load(x[t] + i);
		for (int t = 1; t < terms; t++) {
			for (int k = 0; k < pack.width; k++) all[0].v[k] += all[t].v[k];
		}
		all[0].store(y + i);
	});
}

// sum writes y = a + b + c + d, or the first of them, as many as terms says. y may be any of them.
extern "C" __global__ void __launch_bounds__(256)
	sum(float *y, const float *a, const float *b, const float *c, const float *d, long long terms, long long n) {
	const float *const x[4] = {a, b, c, d};
	switch (terms) {
	case 1: return sum_of<1>(y, x, n);
	case 2: return sum_of<2>(y, x, n);
	case 3: return sum_of<3>(y, x, n);
	default: return sum_of<4>(y, x, n);
	}
}
EXPORT(sum)

// scale writes y = x·s[0], and 0 where s[0] is 0, whatever x holds. y may be x.
extern "C" __global__ void __launch_bounds__(256) scale(float *y, const float *x, const float *s, long long n) {
	float factor = s[0];
	four(n, [&](long long i, auto pack) {
		pack.load(x + i);
		for (float &v : pack.v) v = factor == 0 ? 0 : v * factor;
		pack.store(y + i);
	});
}
EXPORT(scale)
