// Twins of attention.go and attention_grad.go for heads wider than attention.cu's tiles, which no published model has: a warp holds
// one query or key in registers and walks over all others, at full precision, by plain multiplications.
#include "device.cuh"

const int wide_numbers = 12; // of a lane: heads of up to 384

__device__ __forceinline__ void load_wide(float x[wide_numbers], const float *from, long long width) {
#pragma unroll
	for (int i = 0; i < wide_numbers; i++) x[i] = threadIdx.x + 32 * i < width ? from[threadIdx.x + 32 * i] : 0;
}
__device__ __forceinline__ void store_wide(float *to, const float x[wide_numbers], float scale, long long width) {
#pragma unroll
	for (int i = 0; i < wide_numbers; i++)
		if (threadIdx.x + 32 * i < width) to[threadIdx.x + 32 * i] = scale * x[i];
}
__device__ __forceinline__ float dot_wide(const float a[wide_numbers], const float b[wide_numbers]) {
	float sum = 0;
#pragma unroll
	for (int i = 0; i < wide_numbers; i++) sum = fmaf(a[i], b[i], sum);
	return warp_sum(sum);
}
__device__ __forceinline__ void add_wide(float sum[wide_numbers], float factor, const float x[wide_numbers]) {
#pragma unroll
	for (int i = 0; i < wide_numbers; i++) sum[i] = fmaf(factor, x[i], sum[i]);
}

// attention_wide writes y[tokens, heads, width] of qkv[tokens, 3, heads, width], or where y is null statistics[2, heads, tokens]: the
// logarithm of the sum of exp(scale s) of each row, and rowsum(dy ∘ y). A block is 32 lanes by some queries of head blockIdx.y.
extern "C" __global__ void attention_wide(float *y, float *statistics, const float *qkv, const float *dy, long long tokens, long long width, double scale) {
	long long heads = gridDim.y, head = blockIdx.y, token = blockIdx.x * (long long)blockDim.y + threadIdx.y, row = heads * width;
	if (token >= tokens) return;
	float q[wide_numbers], x[wide_numbers], o[wide_numbers] = {}, top = -INFINITY, sum = 0;
	const float *key = qkv + row + head * width;
	load_wide(q, qkv + token * 3 * row + head * width, width);
	for (long long i = 0; i < tokens; i++) {
		load_wide(x, key + i * 3 * row, width);
		float s = (float)scale * dot_wide(q, x), greatest = fmaxf(top, s), shrink = expf(top - greatest), p = expf(s - greatest);
		top = greatest;
		sum = fmaf(sum, shrink, p);
		load_wide(x, key + i * 3 * row + row, width);
#pragma unroll
		for (int k = 0; k < wide_numbers; k++) o[k] = fmaf(o[k], shrink, p * x[k]);
	}
	if (y) {
		store_wide(y + token * row + head * width, o, 1 / sum, width);
		return;
	}
	load_wide(x, dy + token * row + head * width, width);
	float dot = dot_wide(o, x) / sum;
	if (threadIdx.x == 0) statistics[head * tokens + token] = top + logf(sum), statistics[(heads + head) * tokens + token] = dot;
}
EXPORT(attention_wide)

// attention_wide_grad_keys writes dk and dv to dqkv[tokens, 3, heads, width].
extern "C" __global__ void attention_wide_grad_keys(float *dqkv, const float *statistics, const float *qkv, const float *dy, long long tokens,
													long long width, double scale) {
	long long heads = gridDim.y, head = blockIdx.y, token = blockIdx.x * (long long)blockDim.y + threadIdx.y, row = heads * width;
	if (token >= tokens) return;
	float k[wide_numbers], v[wide_numbers], dk[wide_numbers] = {}, dv[wide_numbers] = {}, q[wide_numbers], g[wide_numbers];
	long long at = token * 3 * row + row + head * width;
	load_wide(k, qkv + at, width);
	load_wide(v, qkv + at + row, width);
	for (long long i = 0; i < tokens; i++) {
		load_wide(q, qkv + i * 3 * row + head * width, width);
		load_wide(g, dy + i * row + head * width, width);
		float p = expf((float)scale * dot_wide(q, k) - statistics[head * tokens + i]);
		add_wide(dv, p, g);
		add_wide(dk, p * (dot_wide(g, v) - statistics[(heads + head) * tokens + i]), q);
	}
	store_wide(dqkv + at, dk, (float)scale, width);
	store_wide(dqkv + at + row, dv, 1, width);
}
EXPORT(attention_wide_grad_keys)

// attention_wide_grad_queries writes dq to dqkv[tokens, 3, heads, width].
extern "C" __global__ void attention_wide_grad_queries(float *dqkv, const float *statistics, const float *qkv, const float *dy, long long tokens,
													   long long width, double scale) {
	long long heads = gridDim.y, head = blockIdx.y, token = blockIdx.x * (long long)blockDim.y + threadIdx.y, row = heads * width;
	if (token >= tokens) return;
	float q[wide_numbers], g[wide_numbers], dq[wide_numbers] = {}, k[wide_numbers], v[wide_numbers];
	load_wide(q, qkv + token * 3 * row + head * width, width);
	load_wide(g, dy + token * row + head * width, width);
	float log_sum = statistics[head * tokens + token], d = statistics[(heads + head) * tokens + token];
	const float *key = qkv + row + head * width;
	for (long long i = 0; i < tokens; i++) {
		load_wide(k, key + i * 3 * row, width);
		load_wide(v, key + i * 3 * row + row, width);
		float p = expf((float)scale * dot_wide(q, k) - log_sum);
		add_wide(dq, p * (dot_wide(g, v) - d), k);
	}
	store_wide(dqkv + token * 3 * row + head * width, dq, (float)scale, width);
}
EXPORT(attention_wide_grad_queries)
