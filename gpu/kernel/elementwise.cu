// Twins of elementwise.go, gelu.go and of ScaleKernel: one thread a number.
#include "device.cuh"

__device__ __forceinline__ long long thread_index() { return blockIdx.x * (long long)blockDim.x + threadIdx.x; }

__device__ __forceinline__ float gelu_of(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

// gelu writes y = x Φ(x). y may be x.
extern "C" __global__ void gelu(float *y, const float *x, long long n) {
	long long i = thread_index();
	if (i < n) y[i] = gelu_of(x[i]);
}
EXPORT(gelu)
