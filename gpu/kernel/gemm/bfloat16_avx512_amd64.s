#include "textflag.h"

// DPBF16 is VDPBF16PS Zb, Za, Zacc, which Go's assembler does not know: for each of 16 columns, acc += a's even
// number times b's even number + a's odd number times b's odd number. By the registers' numbers, after
// EVEX.512.F3.0F38.W0 52 /r in Intel's Software Developer's Manual, volume 2, section 2.7.
#define DPBF16(b, a, acc) \
	BYTE $0x62; \
	BYTE $(0xf2 ^ ((acc&8)<<4) ^ (acc&16) ^ ((b&8)<<2) ^ ((b&16)<<2)); \
	BYTE $(0x7e ^ ((a&15)<<3)); \
	BYTE $(0x48 ^ ((a&16)>>1)); \
	BYTE $0x52; \
	BYTE $(0xc0 | ((acc&7)<<3) | (b&7))

#define ROW(x, acc0, acc1, n0, n1) \
	VPBROADCASTD x, Z2; \
	DPBF16(0, 2, n0); \
	DPBF16(1, 2, n1)

#define TILE12 ·bfloat16x12AVX512
#define TILE8 ·bfloat16x8AVX512
#define TILE4 ·bfloat16x4AVX512
#define TILE2 ·bfloat16x2AVX512
#define TILE1 ·bfloat16x1AVX512

#include "tile_avx512.h"
