#include "textflag.h"

// func transposeAVX512(dst *float32, dstStep int, src *float32, srcRow int, rows, depth int)
//
// Sixteen columns of a panel from up to sixteen rows: dst[s·dstStep + r] = src[r·srcRow + s], zero for r >= rows.
// Blocks of 16 by 16 are transposed in registers: numbers, then pairs, then quarters of a register change places.

// LINE goes on to the next row and reads it; where the rows have ended, it stays and takes zeros: to read beyond memory
// under a mask of zeros does not fail, but takes the CPU a thousand times as long. DX: rows left, one bit each. CX:
// mask of the depth.
#define LINE(to) \
	MOVL      $0, AX; \
	MOVL      $0, R13; \
	SHRL      $1, DX; \
	CMOVLCS   CX, AX; \
	CMOVQCS   R9, R13; \
	ADDQ      R13, BX; \
	KMOVW     AX, K1; \
	VMOVUPS.Z (BX), K1, to

#define NUMBERS(a, b, low, high) \
	VUNPCKLPS b, a, low; \
	VUNPCKHPS b, a, high

#define PAIRS(a, b, low, high) \
	VUNPCKLPD b, a, low; \
	VUNPCKHPD b, a, high

#define QUARTERS(a, b, even, odd) \
	VSHUFF32X4 $0x88, b, a, even; \
	VSHUFF32X4 $0xdd, b, a, odd

// PUT writes one step of the panel unless the depth has ended.
#define PUT(from) \
	VMOVUPS from, (DI); \
	ADDQ    R8, DI; \
	DECQ    R12; \
	JZ      done

TEXT ·transposeAVX512(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R8
	MOVQ src+16(FP), SI
	MOVQ srcRow+24(FP), R9
	MOVQ rows+32(FP), R10
	MOVQ depth+40(FP), R12
	MOVL $-1, R11
	BZHIL R10, R11, R11 // a bit for each row
	TESTQ R12, R12
	JZ   done

block:
	MOVL  $0xffff, CX
	BZHIL R12, CX, AX
	CMPQ  R12, $16
	CMOVLLT AX, CX
	MOVQ  SI, BX
	SUBQ  R9, BX
	MOVL  R11, DX
	LINE(Z0)
	LINE(Z1)
	LINE(Z2)
	LINE(Z3)
	LINE(Z4)
	LINE(Z5)
	LINE(Z6)
	LINE(Z7)
	LINE(Z8)
	LINE(Z9)
	LINE(Z10)
	LINE(Z11)
	LINE(Z12)
	LINE(Z13)
	LINE(Z14)
	LINE(Z15)

	NUMBERS(Z0, Z1, Z16, Z17)
	NUMBERS(Z2, Z3, Z18, Z19)
	NUMBERS(Z4, Z5, Z20, Z21)
	NUMBERS(Z6, Z7, Z22, Z23)
	NUMBERS(Z8, Z9, Z24, Z25)
	NUMBERS(Z10, Z11, Z26, Z27)
	NUMBERS(Z12, Z13, Z28, Z29)
	NUMBERS(Z14, Z15, Z30, Z31)

	PAIRS(Z16, Z18, Z0, Z1)
	PAIRS(Z17, Z19, Z2, Z3)
	PAIRS(Z20, Z22, Z4, Z5)
	PAIRS(Z21, Z23, Z6, Z7)
	PAIRS(Z24, Z26, Z8, Z9)
	PAIRS(Z25, Z27, Z10, Z11)
	PAIRS(Z28, Z30, Z12, Z13)
	PAIRS(Z29, Z31, Z14, Z15)

	QUARTERS(Z0, Z4, Z16, Z20)
	QUARTERS(Z8, Z12, Z24, Z28)
	QUARTERS(Z1, Z5, Z17, Z21)
	QUARTERS(Z9, Z13, Z25, Z29)
	QUARTERS(Z2, Z6, Z18, Z22)
	QUARTERS(Z10, Z14, Z26, Z30)
	QUARTERS(Z3, Z7, Z19, Z23)
	QUARTERS(Z11, Z15, Z27, Z31)

	QUARTERS(Z16, Z24, Z0, Z8)
	QUARTERS(Z20, Z28, Z4, Z12)
	QUARTERS(Z17, Z25, Z1, Z9)
	QUARTERS(Z21, Z29, Z5, Z13)
	QUARTERS(Z18, Z26, Z2, Z10)
	QUARTERS(Z22, Z30, Z6, Z14)
	QUARTERS(Z19, Z27, Z3, Z11)
	QUARTERS(Z23, Z31, Z7, Z15)

	PUT(Z0)
	PUT(Z1)
	PUT(Z2)
	PUT(Z3)
	PUT(Z4)
	PUT(Z5)
	PUT(Z6)
	PUT(Z7)
	PUT(Z8)
	PUT(Z9)
	PUT(Z10)
	PUT(Z11)
	PUT(Z12)
	PUT(Z13)
	PUT(Z14)
	PUT(Z15)
	ADDQ $64, SI
	JMP  block

done:
	VZEROUPPER
	RET

// func copyAVX512(dst *float32, dstStep int, src *float32, srcStep int, depth int, mask uint32)
//
// Lines of up to 32 numbers, those of the mask; zeros are written for the others.
TEXT ·copyAVX512(SB), NOSPLIT, $0-44
	MOVQ  dst+0(FP), DI
	MOVQ  dstStep+8(FP), R8
	MOVQ  src+16(FP), SI
	MOVQ  srcStep+24(FP), R9
	MOVQ  depth+32(FP), CX
	MOVL  mask+40(FP), AX
	KMOVW AX, K1
	SHRL  $16, AX
	KMOVW AX, K2
	TESTQ CX, CX
	JZ    copied

line:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1
	VMOVUPS   Z0, (DI)
	VMOVUPS   Z1, 64(DI)
	ADDQ      R9, SI
	ADDQ      R8, DI
	DECQ      CX
	JNZ       line

copied:
	VZEROUPPER
	RET

// func prefetch(p *float32, bytes int)
//
// Asks for some bytes that will be read soon, line by line.
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), SI
	MOVQ bytes+8(FP), CX

ask:
	PREFETCHT0 (SI)
	ADDQ       $64, SI
	SUBQ       $64, CX
	JG         ask
	RET
