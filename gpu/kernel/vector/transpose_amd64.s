#include "textflag.h"

// FOUR transposes four columns, at bytes into eight rows, into four rows of eight at y: rows r and r+4 share a
// register, whose halves are then turned like two 4 x 4 blocks.
#define FOUR(at, y) \
	VMOVUPS     at(SI), X0 \
	VMOVUPS     at(SI)(R8*1), X1 \
	VMOVUPS     at(SI)(R8*2), X2 \
	VMOVUPS     at(SI)(R9*1), X3 \
	VINSERTF128 $1, at(BX), Y0, Y0 \
	VINSERTF128 $1, at(BX)(R8*1), Y1, Y1 \
	VINSERTF128 $1, at(BX)(R8*2), Y2, Y2 \
	VINSERTF128 $1, at(BX)(R9*1), Y3, Y3 \
	VUNPCKLPS   Y1, Y0, Y4 \
	VUNPCKHPS   Y1, Y0, Y5 \
	VUNPCKLPS   Y3, Y2, Y6 \
	VUNPCKHPS   Y3, Y2, Y7 \
	VUNPCKLPD   Y6, Y4, Y0 \
	VUNPCKHPD   Y6, Y4, Y1 \
	VUNPCKLPD   Y7, Y5, Y2 \
	VUNPCKHPD   Y7, Y5, Y3 \
	VMOVUPS     Y0, (y) \
	VMOVUPS     Y1, (y)(R10*1) \
	VMOVUPS     Y2, (y)(R10*2) \
	VMOVUPS     Y3, (y)(R11*1)

// func transposeAVX2(y []float32, yStride int, x []float32, xStride, blocks int)
TEXT ·transposeAVX2(SB), NOSPLIT, $0-72
	MOVQ  y_base+0(FP), DI
	MOVQ  yStride+24(FP), R10
	MOVQ  x_base+32(FP), SI
	MOVQ  xStride+56(FP), R8
	MOVQ  blocks+64(FP), CX
	SHLQ  $2, R10
	SHLQ  $2, R8
	LEAQ  (R8)(R8*2), R9
	LEAQ  (R10)(R10*2), R11
	TESTQ CX, CX
	JZ    done

block:
	LEAQ (SI)(R8*4), BX
	LEAQ (DI)(R10*4), DX
	FOUR(0, DI)
	FOUR(16, DX)
	LEAQ (SI)(R8*8), SI
	ADDQ $32, DI
	DECQ CX
	JNZ  block

done:
	VZEROUPPER
	RET
