// Twin of attention_grad.go: FlashAttention-2's gradient without atomics. attention_* has written the statistics of each query; one
// kernel here gives every warp some keys and streams queries past them, for dk and dv, another gives every warp some queries
// and streams keys, for dq. Computing the scores in both takes 7 products instead of 5, and gives the same bits every time.
//
// Both are one template, since they differ in who owns the rows: a warp computes own × streamed scores, so that P and dS of
// either come as accumulators whose rows are its own, and go into the next product from registers.
#include "attention.cuh"

namespace attention {

// load_stage starts copying a stage: tiles [rows, width] of two tensors, and for keys the statistics of these rows, which are
// queries then.
template <class Number, int width, int rows, bool of_keys>
__device__ __forceinline__ void load_stage(Number *stage, float *columns, const Number *first, const Number *second, const float *statistics,
										   long long count, int from) {
	load_tile<Number, width, rows>(stage, first + from * (long long)width);
	load_tile<Number, width, rows>(stage + rows * width, second + from * (long long)width);
	if (of_keys && threadIdx.x < rows / 2) {
		int i = threadIdx.x % (rows / 4) * 4, which = threadIdx.x / (rows / 4);
		copy_async16(columns + which * rows + i, statistics + which * count + from + i, true);
	}
	copy_async_commit();
}

// probabilities turns scores s[rows, N·8] into exp2(c s - log), where log is of the row, or of the column for keys.
template <bool of_keys, int M, int N>
__device__ __forceinline__ void probabilities(float (&s)[M][N][4], const float *columns, const float (&log)[M][2], float c) {
#pragma unroll
	for (int n = 0; n < N; n++)
#pragma unroll
		for (int i = 0; i < 4; i++)
#pragma unroll
			for (int m = 0; m < M; m++)
				s[m][n][i] = exp2_approx(fmaf(s[m][n][i], c, -(of_keys ? columns[8 * n + warp_lane() % 4 * 2 + i % 2] : log[m][i / 2])));
}

// slopes turns dP into dS = P (dP - D), where D is of the row, or of the column for keys.
template <bool of_keys, int M, int N>
__device__ __forceinline__ void slopes(float (&dp)[M][N][4], const float (&p)[M][N][4], const float *columns, const float (&d)[M][2]) {
#pragma unroll
	for (int n = 0; n < N; n++)
#pragma unroll
		for (int i = 0; i < 4; i++)
#pragma unroll
			for (int m = 0; m < M; m++)
				dp[m][n][i] = p[m][n][i] * (dp[m][n][i] - (of_keys ? columns[8 * n + warp_lane() % 4 * 2 + i % 2] : d[m][i / 2]));
}

// differentiate writes dk and dv, or dq, of 64·M rows of head blockIdx.y to dqkv[tokens, 3, heads, head_width].
// packed[3, heads, padded, width] and dy[heads, padded, width] are packed, statistics is [2, heads, padded].
template <class Mode, int width, int M, bool of_keys>
__device__ __forceinline__ void differentiate(float *dqkv, const float *statistics, const typename Mode::Number *packed,
											  const typename Mode::Number *dy, long long tokens, long long padded, long long head_width,
											  double scale) {
	typedef typename Mode::Number Number;
	const int columns = Mode::streamed(width), tile = columns * width, rows = block_threads / 32 * 16 * M;
	SHARED(Number, shared);
	int row = threadIdx.x / 32 * 16 * M;
	long long heads = gridDim.y, head = blockIdx.y, first = blockIdx.x * (long long)rows, each = heads * padded * width;
	const Number *query = packed + head * padded * width, *key = query + each, *value = key + each;
	dy += head * padded * width, statistics += head * padded;
	const Number *streamed = of_keys ? query : key, *streamed2 = of_keys ? dy : value;

	// Two tiles of the own rows, two stages of two streamed tiles, two stages of the streamed statistics.
	Number *own2 = shared + rows * width, *stages = own2 + rows * width;
	float *stage_columns = reinterpret_cast<float *>(stages + 4 * tile);
	load_tile<Number, width, rows>(shared, (of_keys ? key : query) + first * width);
	load_tile<Number, width, rows>(own2, (of_keys ? value : dy) + first * width);
	load_stage<Number, width, columns, of_keys>(stages, stage_columns, streamed, streamed2, statistics, heads * padded, 0);

	bool active = first + row < tokens;
	float log[M][2] = {}, dot[M][2] = {}, c = (float)(scale * 1.4426950408889634); // log2(e)
	if (!of_keys)
#pragma unroll
		for (int i = 0; i < 2 * M; i++) {
			const float *at = statistics + first + row + 8 * i + warp_lane() / 4;
			log[i / 2][i % 2] = at[0], dot[i / 2][i % 2] = at[heads * padded];
		}
	float d[M][width / 8][4] = {}, dv[M][width / 8][4] = {}; // d: dk or dq
	for (int from = 0; from < (int)tokens; from += columns) {
		copy_async_wait<0>();
		__syncthreads();
		int now = from / columns % 2;
		if (from + columns < (int)tokens) {
			load_stage<Number, width, columns, of_keys>(stages + (1 - now) * 2 * tile, stage_columns + (1 - now) * 2 * columns, streamed, streamed2,
														statistics, heads * padded, from + columns);
		}
		if (!active) continue;
		const Number *stage = stages + now * 2 * tile;
		const float *of_columns = stage_columns + now * 2 * columns;
		float p[M][columns / 8][4], ds[M][columns / 8][4];
		multiply_rows<Mode, width, Mode::unrolled>(p, shared, row, stage);
		probabilities<of_keys>(p, of_columns, log, c);
		if (of_keys) multiply_columns<Mode, width>(dv, p, stage + tile);
		else if (from + columns > (int)tokens) mask_columns(p, (int)tokens - from, 0);
		multiply_rows<Mode, width, Mode::unrolled>(ds, own2, row, stage + tile);
		slopes<of_keys>(ds, p, of_columns + columns, dot);
		multiply_columns<Mode, width>(d, ds, stage);
	}
	if (!active) return;
	float one[M][2], scales[M][2];
#pragma unroll
	for (int m = 0; m < M; m++) one[m][0] = one[m][1] = 1, scales[m][0] = scales[m][1] = (float)scale;
	float *to = dqkv + head * head_width + (of_keys ? heads * head_width : 0);
	store_rows<Mode, width>(to, 3 * heads * head_width, d, scales, first + row, tokens, (int)head_width);
	if (of_keys) store_rows<Mode, width>(to + heads * head_width, 3 * heads * head_width, dv, one, first + row, tokens, (int)head_width);
}

} // namespace attention

#define GRADIENT(family, name, Mode, width, of_keys) \
	extern "C" __global__ void __launch_bounds__(attention::block_threads) \
		family##_##name(float *dqkv, const float *statistics, const Mode::Number *packed, const Mode::Number *dy, long long tokens, \
						long long padded, long long head_width, double scale) { \
		attention::differentiate<Mode, width, Mode::fragments(width), of_keys>(dqkv, statistics, packed, dy, tokens, padded, head_width, scale); \
	} \
	EXPORT(family##_##name)
#define GRADIENTS(name, Mode, width) \
	GRADIENT(attention_grad_keys, name, Mode, width, true) \
	GRADIENT(attention_grad_queries, name, Mode, width, false)
ATTENTION_KERNELS(GRADIENTS)
