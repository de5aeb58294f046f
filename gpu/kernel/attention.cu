// Twin of attention.go: softmax(scale q kᵀ) v by FlashAttention-2 (Dao, arXiv 2307.08691). Nothing of size tokens² is ever in
// memory: a warp holds 16·M queries and their scores against a tile of keys in registers, and rescales its sums whenever a greater
// score comes. Tiles of keys and values stream through two stages of shared memory, for the whole block, one barrier each.
#include "attention.cuh"

namespace attention {

// pack copies x[tokens, slices·width] to packed[slices, padded, 4·blockDim.x], zeros beyond tokens and width. A block is a token
// and blockDim.y slices of it, a thread 4 numbers.
template <class Mode>
__device__ __forceinline__ void pack(typename Mode::Number *packed, const float *x, long long tokens, long long slices, long long width) {
	long long token = blockIdx.x, slice = blockIdx.y * (long long)blockDim.y + threadIdx.y, padded = gridDim.x;
	int column = 4 * threadIdx.x;
	if (slice >= slices) return;
	float v[4] = {0, 0, 0, 0};
	if (token < tokens) {
		const float *from = x + (token * slices + slice) * width + column;
		if (width % 4) {
			for (int i = 0; i < 4; i++)
				if (column + i < width) v[i] = from[i];
		} else if (column < width) {
			load4(v, from);
		}
	}
	Mode::pack(packed + ((slice * padded + token) * blockDim.x + threadIdx.x) * 4, v);
}

// rescale turns scores s[rows, keys] into probabilities 2^(c s - top), where top[rows] is the greatest c s so far, and brings the
// sums of earlier keys, o[rows, width] and sum[rows], to the same top.
template <int M, int N, int W>
__device__ __forceinline__ void rescale(float (&s)[M][N][4], float (&o)[M][W][4], float (&top)[M][2], float (&sum)[M][2], float c) {
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int half = 0; half < 2; half++) {
			float greatest = -INFINITY;
#pragma unroll
			for (int n = 0; n < N; n++) greatest = fmaxf(greatest, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
			greatest = fmaxf(greatest, __shfl_xor_sync(all_lanes, greatest, 1));
			greatest = fmaxf(greatest, __shfl_xor_sync(all_lanes, greatest, 2));
			greatest = fmaxf(greatest * c, top[m][half]);
			float shrink = exp2_approx(top[m][half] - greatest), share = 0;
			top[m][half] = greatest;
#pragma unroll
			for (int n = 0; n < N; n++)
#pragma unroll
				for (int i = 2 * half; i < 2 * half + 2; i++) {
					s[m][n][i] = exp2_approx(fmaf(s[m][n][i], c, -greatest));
					share += s[m][n][i];
				}
			sum[m][half] = fmaf(sum[m][half], shrink, share);
#pragma unroll
			for (int n = 0; n < W; n++) o[m][n][2 * half] *= shrink, o[m][n][2 * half + 1] *= shrink;
		}
}

// store_statistics writes what the gradient needs of each row [padded]: log2 of the sum of 2^(c s), and D = rowsum(dy ∘ y), where
// dy[padded, width] is packed as the products will read it.
template <class Mode, int width, int M>
__device__ __forceinline__ void store_statistics(float *log_sum, float *d, const typename Mode::Number *dy, const float (&o)[M][width / 8][4],
												 const float (&top)[M][2], const float (&sum)[M][2]) {
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int half = 0; half < 2; half++) {
			int row = 16 * m + 8 * half + warp_lane() / 4;
			float dot = 0;
#pragma unroll
			for (int r = 0; r < width / 4 / Mode::neighbours; r++)
#pragma unroll
				for (int i = 0; i < Mode::neighbours; i++)
					dot = fmaf(Mode::neighbour(o[m], half, r, i), Mode::read(dy[row * width + Mode::column(r) + i]), dot);
			dot += __shfl_xor_sync(all_lanes, dot, 1);
			dot += __shfl_xor_sync(all_lanes, dot, 2);
			if (warp_lane() % 4) continue;
			log_sum[row] = top[m][half] + log2f(sum[m][half]);
			d[row] = dot / sum[m][half];
		}
}

// attend computes 64·M queries of head blockIdx.y, and writes y[tokens, heads·head_width] or, where y is null, statistics[2, heads,
// padded] (store_statistics). packed[3, heads, padded, width] holds queries, keys and values, dy[heads, padded, width] the gradient.
template <class Mode, int width, int M>
__device__ __forceinline__ void attend(float *y, float *statistics, const typename Mode::Number *packed, const typename Mode::Number *dy,
									   long long tokens, long long padded, long long head_width, double scale) {
	typedef typename Mode::Number Number;
	const int keys = Mode::keys(width), tile = keys * width, rows = block_threads / 32 * 16 * M;
	SHARED(Number, shared);
	int row = threadIdx.x / 32 * 16 * M; // where this warp's begin
	long long heads = gridDim.y, head = blockIdx.y, first = blockIdx.x * (long long)rows;
	const Number *key = packed + (heads + head) * padded * width, *value = key + heads * padded * width;
	Number *stages = shared + rows * width; // 2 times a tile of keys and a tile of values
	load_tile<Number, width, rows>(shared, packed + (head * padded + first) * width);
	load_tile<Number, width, keys>(stages, key);
	load_tile<Number, width, keys>(stages + tile, value);
	copy_async_commit();

	bool active = first + row < tokens;
	float o[M][width / 8][4] = {}, top[M][2], sum[M][2], c = (float)(scale * 1.4426950408889634); // log2(e)
#pragma unroll
	for (int m = 0; m < M; m++) top[m][0] = top[m][1] = -INFINITY, sum[m][0] = sum[m][1] = 0;
	for (int from = 0; from < (int)tokens; from += keys) {
		copy_async_wait<0>();
		__syncthreads();
		Number *stage = stages + from / keys % 2 * (2 * tile);
		if (from + keys < (int)tokens) {
			Number *next = stages + (from / keys + 1) % 2 * (2 * tile);
			load_tile<Number, width, keys>(next, key + (from + keys) * (long long)width);
			load_tile<Number, width, keys>(next + tile, value + (from + keys) * (long long)width);
			copy_async_commit();
		}
		if (!active) continue;
		float s[M][keys / 8][4];
		multiply_rows<Mode, width, 2 * Mode::unrolled>(s, shared, row, stage);
		if (from + keys > (int)tokens) mask_columns(s, (int)tokens - from, -INFINITY);
		rescale(s, o, top, sum, c);
		multiply_columns<Mode, width>(o, s, stage + tile);
	}
	first += row;
	if (!active) {
		// The gradient reads statistics of whole tiles. Rows of zeros add nothing to it, whatever theirs are, if only finite.
		if (!y)
			for (int i = warp_lane(); i < 16 * M; i += 32)
				statistics[head * padded + first + i] = statistics[(heads + head) * padded + first + i] = 0;
		return;
	}
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int half = 0; half < 2; half++) {
			sum[m][half] += __shfl_xor_sync(all_lanes, sum[m][half], 1);
			sum[m][half] += __shfl_xor_sync(all_lanes, sum[m][half], 2);
		}
	if (!y) {
		float *log_sum = statistics + head * padded + first;
		store_statistics<Mode, width>(log_sum, log_sum + heads * padded, dy + (head * padded + first) * width, o, top, sum);
		return;
	}
#pragma unroll
	for (int m = 0; m < M; m++) sum[m][0] = 1 / sum[m][0], sum[m][1] = 1 / sum[m][1];
	store_rows<Mode, width>(y + head * head_width, heads * head_width, o, sum, first, tokens, (int)head_width);
}

} // namespace attention

#define PACK(name, Mode) \
	extern "C" __global__ void attention_pack_##name(Mode::Number *packed, const float *x, long long tokens, long long slices, long long width) { \
		attention::pack<Mode>(packed, x, tokens, slices, width); \
	} \
	EXPORT(attention_pack_##name)
PACK(float32, attention::Exact)
PACK(tf32, attention::TF32)
PACK(bfloat16, attention::BF16)

#define ATTENTION(name, Mode, width) \
	extern "C" __global__ void __launch_bounds__(attention::block_threads, Mode::resident) \
		attention_##name(float *y, float *statistics, const Mode::Number *packed, const Mode::Number *dy, long long tokens, \
						 long long padded, long long head_width, double scale) { \
		attention::attend<Mode, width, Mode::fragments(width)>(y, statistics, packed, dy, tokens, padded, head_width, scale); \
	} \
	EXPORT(attention_##name)
ATTENTION_KERNELS(ATTENTION)
