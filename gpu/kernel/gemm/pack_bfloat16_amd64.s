#include "textflag.h"
#include "transpose_avx512.h"

// PAIR is VCVTNE2PS2BF16 Zlow, Zhigh, Zto: the numbers of Zlow, then those of Zhigh, each rounded to 16 bits.
// EVEX.512.F2.0F38.W0 72 /r.
#define PAIR(low, high, to) \
	BYTE $0x62; \
	BYTE $(0xf2 ^ ((to&8)<<4) ^ (to&16) ^ ((low&8)<<2) ^ ((low&16)<<2)); \
	BYTE $(0x7f ^ ((high&15)<<3)); \
	BYTE $(0x48 ^ ((high&16)>>1)); \
	BYTE $0x72; \
	BYTE $(0xc0 | ((to&7)<<3) | (low&7))

// LINE goes on to the next row and reads 32 of its numbers as pairs; where the rows have ended, it stays and takes
// zeros. DX: rows left, one bit each. CX: mask of the depth.
#define LINE(to) \
	MOVL      $0, AX; \
	MOVL      $0, R13; \
	SHRL      $1, DX; \
	CMOVLCS   CX, AX; \
	CMOVQCS   R9, R13; \
	ADDQ      R13, BX; \
	KMOVW     AX, K1; \
	SHRL      $16, AX; \
	KMOVW     AX, K2; \
	VMOVUPS.Z (BX), K1, Z16; \
	VMOVUPS.Z 64(BX), K2, Z17; \
	PAIR(16, 17, to)

// func transposeBFloat16(dst *float32, dstStep int, src *float32, srcRow int, rows, depth int)
//
// Sixteen columns of a panel of pairs from up to sixteen rows: at dst[s·dstStep + r] the numbers 2s, low, and 2s+1 of
// row r, zero beyond depth and for r >= rows.
TEXT ·transposeBFloat16(SB), NOSPLIT, $0-48
	MOVQ  dst+0(FP), DI
	MOVQ  dstStep+8(FP), R8
	MOVQ  src+16(FP), SI
	MOVQ  srcRow+24(FP), R9
	MOVQ  rows+32(FP), R10
	MOVL  $-1, R11
	BZHIL R10, R11, R11      // a bit for each row
	MOVQ  depth+40(FP), R10
	LEAQ  1(R10), R12
	SHRQ  $1, R12            // steps
	JZ    done

block:
	MOVL  $-1, CX
	CMPQ  R10, $32
	JGE   whole
	BZHIL R10, CX, CX

whole:
	MOVQ SI, BX
	SUBQ R9, BX
	MOVL R11, DX
	LINE(0)
	LINE(1)
	LINE(2)
	LINE(3)
	LINE(4)
	LINE(5)
	LINE(6)
	LINE(7)
	LINE(8)
	LINE(9)
	LINE(10)
	LINE(11)
	LINE(12)
	LINE(13)
	LINE(14)
	LINE(15)
	TRANSPOSE
	PUT_ALL
	ADDQ $128, SI
	SUBQ $32, R10
	JMP  block

done:
	VZEROUPPER
	RET

// func interleaveBFloat16(dst, src *float32, steps int)
//
// A panel of 32 columns in pairs: each 32 bits of dst hold the same column of two lines of src, the first one low.
TEXT ·interleaveBFloat16(SB), NOSPLIT, $0-24
	MOVQ      dst+0(FP), DI
	MOVQ      src+8(FP), SI
	MOVQ      steps+16(FP), CX
	VMOVDQU32 ·alternate(SB), Z4
	TESTQ     CX, CX
	JZ        interleaved

both:
	VMOVUPS   (SI), Z0
	VMOVUPS   64(SI), Z1
	VMOVUPS   128(SI), Z2
	VMOVUPS   192(SI), Z3
	PAIR(0, 2, 5)
	PAIR(1, 3, 6)
	VPERMW    Z5, Z4, Z5
	VPERMW    Z6, Z4, Z6
	VMOVDQU32 Z5, (DI)
	VMOVDQU32 Z6, 64(DI)
	ADDQ      $256, SI
	ADDQ      $128, DI
	DECQ      CX
	JNZ       both

interleaved:
	VZEROUPPER
	RET

// func roundBFloat16AVX512(dst, src *float32, n int)
//
// n numbers in pairs, the first one low; where n is odd, the last pair is filled with a zero.
TEXT ·roundBFloat16AVX512(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

more:
	CMPQ CX, $32
	JLT  rest
	VMOVUPS   (SI), Z0
	VMOVUPS   64(SI), Z1
	PAIR(0, 1, 2)
	VMOVDQU32 Z2, (DI)
	ADDQ      $128, SI
	ADDQ      $64, DI
	SUBQ      $32, CX
	JMP       more

rest:
	TESTQ CX, CX
	JZ    rounded
	MOVL  $-1, AX
	BZHIL CX, AX, AX
	KMOVW AX, K1
	SHRL  $16, AX
	KMOVW AX, K2
	INCQ  CX
	SHRQ  $1, CX
	MOVL  $-1, AX
	BZHIL CX, AX, AX
	KMOVW AX, K3
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1
	PAIR(0, 1, 2)
	VMOVDQU32 Z2, K3, (DI)

rounded:
	VZEROUPPER
	RET

DATA ·alternate+0(SB)/8, $0x0011000100100000
DATA ·alternate+8(SB)/8, $0x0013000300120002
DATA ·alternate+16(SB)/8, $0x0015000500140004
DATA ·alternate+24(SB)/8, $0x0017000700160006
DATA ·alternate+32(SB)/8, $0x0019000900180008
DATA ·alternate+40(SB)/8, $0x001b000b001a000a
DATA ·alternate+48(SB)/8, $0x001d000d001c000c
DATA ·alternate+56(SB)/8, $0x001f000f001e000e
GLOBL ·alternate(SB), RODATA|NOPTR, $64
