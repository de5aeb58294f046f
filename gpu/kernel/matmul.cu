// Twins of matmul.go: all products of matrices, with what may follow them, in one kernel a precision, layout and size of tile.
#include "gemm.cuh"
#include "gelu.cuh"

// Ending is what follows a product: y = [gelu](c + bias of the column) + terms, which are shaped like y. What is null is left out.
struct Ending {
	const float *bias, *terms[4];
	bool gelu, aligned;

	__device__ __forceinline__ Ending(float *y, long long cols, const float *bias, const float *t0, const float *t1, const float *t2,
									  const float *t3, bool gelu)
		: bias(bias), terms{t0, t1, t2, t3}, gelu(gelu), aligned(chunks_aligned(y, cols) && chunks_aligned(bias, 0)) {
		for (const float *t : terms) aligned = aligned && chunks_aligned(t, 0);
	}

	static __device__ __forceinline__ float4 add(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }

	// store ends count neighbours from a column on and writes them to y, at is their place there.
	__device__ __forceinline__ void store(float *y, long long at, long long col, float4 c, int count) const {
		if (bias) c = add(c, load_chunk(bias + col, count, aligned));
		if (gelu) c = make_float4(gelu_of(c.x), gelu_of(c.y), gelu_of(c.z), gelu_of(c.w));
#pragma unroll
		for (int i = 0; i < 4; i++)
			if (terms[i]) c = add(c, load_chunk(terms[i] + at, count, aligned));
		store_chunk(y + at, c, count, aligned);
	}
};

// matmul computes tiles of y, along columns first, then rows, then products: step_a, step_b, step_y and step_bias lead from one
// product to the next, be it of another group of rows, or of the next part of the depth of one product.
template <class P, class T, class LayoutA, class LayoutB>
__device__ __forceinline__ void matmul(float *y, const float *a, const float *b, const float *bias, const float *t0, const float *t1,
									   const float *t2, const float *t3, long long gelu, long long rows, long long cols,
									   long long depth, long long part_depth, long long step_a, long long step_b, long long step_y,
									   long long step_bias) {
	SHARED(float, ring);
	int across = (int)((cols + T::cols - 1) / T::cols), down = (int)((rows + T::rows - 1) / T::rows);
	int tile = blockIdx.x % (across * down), part = blockIdx.x / (across * down);
	long long row0 = tile / across * (long long)T::rows, col0 = tile % across * (long long)T::cols;
	y += part * step_y;
	Ending ending(y, cols, bias ? bias + part * step_bias : bias, t0, t1, t2, t3, gelu);

	int deep = (int)(part_depth ? min(part_depth, depth - part * part_depth) : depth);
	Matrix<LayoutA, T::rows, T::threads> left(a + part * step_a, LayoutA::along_depth ? depth : rows, row0, rows, deep);
	Matrix<LayoutB, T::cols, T::threads> right(b + part * step_b, LayoutB::along_depth ? depth : cols, col0, cols, deep);
	Sums<T> sums;
	sums.template multiply<P>(left, right, deep, ring);
	sums.each(ring, [&](int row, int col, float4 c) {
		long long count = cols - col0 - col;
		if (row0 + row < rows && count > 0) ending.store(y, (row0 + row) * cols + col0 + col, col0 + col, c, (int)min(count, 4LL));
	});
}

#define MATMUL(name, P, T, LayoutA, LayoutB)                                                                                              \
	extern "C" __global__ void __launch_bounds__(T::threads, T::blocks)                                                                   \
		name(float *y, const float *a, const float *b, const float *bias, const float *t0, const float *t1, const float *t2,              \
			 const float *t3, long long gelu, long long rows, long long cols, long long depth, long long part_depth, long long step_a,   \
			 long long step_b, long long step_y, long long step_bias) {                                                                   \
		matmul<P, T, LayoutA, LayoutB>(y, a, b, bias, t0, t1, t2, t3, gelu, rows, cols, depth, part_depth, step_a, step_b, step_y,        \
									   step_bias);                                                                                        \
	}                                                                                                                                     \
	EXPORT(name)

// The letters say for either factor whether it is transposed in memory.
#define MATMULS(precision, P, size, T)                                                                                                    \
	MATMUL(matmul_nn_##size##_##precision, P, T, AlongDepth, AlongLines)                                                                  \
	MATMUL(matmul_nt_##size##_##precision, P, T, AlongDepth, AlongDepth)                                                                  \
	MATMUL(matmul_tn_##size##_##precision, P, T, AlongLines, AlongLines)                                                                  \
	MATMUL(matmul_tt_##size##_##precision, P, T, AlongLines, AlongDepth)

MATMULS(float32, Exact, small, Small)
MATMULS(float32, Exact, large, LargeExact)
MATMULS(tf32, Tf32, small, Small)
MATMULS(tf32, Tf32, large, Large)
MATMULS(tf32, Tf32, huge, Huge)
MATMULS(bfloat16, Bf16, small, Small)
MATMULS(bfloat16, Bf16, large, Large)
MATMULS(bfloat16, Bf16, huge, Huge)

// sum_parts writes y, the sum of count products of parts of the depth, in their order, and what follows it.
extern "C" __global__ void sum_parts(float *y, const float *parts, const float *bias, const float *t0, const float *t1, const float *t2,
									 const float *t3, long long gelu, long long rows, long long cols, long long count) {
	long long chunks = (cols + 3) / 4, i = blockIdx.x * (long long)blockDim.x + threadIdx.x, col = i % chunks * 4;
	if (i >= rows * chunks) return;
	long long at = i / chunks * cols + col;
	Ending ending(y, cols, bias, t0, t1, t2, t3, gelu);
	bool aligned = chunks_aligned(parts, cols);
	int width = (int)min(cols - col, 4LL);
	float4 sum = load_chunk(parts + at, width, aligned);
	for (long long p = 1; p < count; p++) sum = Ending::add(sum, load_chunk(parts + p * rows * cols + at, width, aligned));
	ending.store(y, at, col, sum, width);
}
EXPORT(sum_parts)

// grouped_linear_grad_bias writes db: [groups, out], the sums over the slots of dy: [groups, slots, out].
extern "C" __global__ void grouped_linear_grad_bias(float *db, const float *dy, long long groups, long long slots, long long out) {
	long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
	if (i >= groups * out) return;
	const float *p = dy + i / out * slots * out + i % out;
	float sum = 0;
	for (long long s = 0; s < slots; s++) sum += p[s * out];
	db[i] = sum;
}
EXPORT(grouped_linear_grad_bias)
