#include "textflag.h"

#define ROW(x, acc0, acc1, n0, n1) \
	VBROADCASTSS x, Z2;      \
	VFMADD231PS  Z0, Z2, acc0; \
	VFMADD231PS  Z1, Z2, acc1

#define TILE12 ·float32x12AVX512
#define TILE8 ·float32x8AVX512
#define TILE4 ·float32x4AVX512
#define TILE2 ·float32x2AVX512
#define TILE1 ·float32x1AVX512

#include "tile_avx512.h"
