#include "textflag.h"
#include "transpose_avx512.h"

// func transposeAVX512(dst *float32, dstStep int, src *float32, srcRow int, rows, depth int)
//
// Sixteen columns of a panel from up to sixteen rows: dst[s·dstStep + r] = src[r·srcRow + s], zero for r >= rows.

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

	TRANSPOSE
	PUT_ALL
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
