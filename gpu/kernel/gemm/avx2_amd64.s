#include "textflag.h"

// Tiles of 6, 4, 2 and 1 rows of 16 columns with 256-bit registers. The mask is not used: all columns are written.
//
// AX  steps left              R10 b, R11 bytes from one step of b to the next
// SI  rows 0 to 2 of a        R12 c, R13 bytes from one row of c to the next
// BX  rows 3 to 5 of a        R8 init, R9 bytes from one row of init to the next
// DX  bytes between rows of a, BP bytes between steps of a

#define LOAD_ARGUMENTS \
	MOVQ k+0(FP), AX; \
	MOVQ a+8(FP), SI; \
	MOVQ aRow+16(FP), DX; \
	MOVQ aStep+24(FP), BP; \
	MOVQ b+32(FP), R10; \
	MOVQ bStep+40(FP), R11; \
	MOVQ c+48(FP), R12; \
	MOVQ cRow+56(FP), R13; \
	MOVQ init+64(FP), R8; \
	MOVQ initRow+72(FP), R9; \
	LEAQ (SI)(DX*2), BX; \
	ADDQ DX, BX

#define LOAD_COLUMNS \
	VMOVUPS (R10), Y0; \
	VMOVUPS 32(R10), Y1; \
	ADDQ    R11, R10

// ROW multiplies the number at x with the columns and adds to two registers.
#define ROW(x, acc0, acc1) \
	VBROADCASTSS x, Y2; \
	VFMADD231PS  Y0, Y2, acc0; \
	VFMADD231PS  Y1, Y2, acc1

// STORE writes one row of c and goes on to the next.
#define STORE(acc0, acc1) \
	VADDPS  (R8), acc0, acc0; \
	VADDPS  32(R8), acc1, acc1; \
	VMOVUPS acc0, (R12); \
	VMOVUPS acc1, 32(R12); \
	ADDQ    R9, R8; \
	ADDQ    R13, R12

TEXT ·float32x6AVX2(SB), NOSPLIT, $8-84
	LOAD_ARGUMENTS
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	VXORPS Y12, Y12, Y12
	VXORPS Y13, Y13, Y13
	VXORPS Y14, Y14, Y14
	VXORPS Y15, Y15, Y15
	TESTQ  AX, AX
	JZ     store6

step6:
	LOAD_COLUMNS
	ROW((SI), Y4, Y5)
	ROW((SI)(DX*1), Y6, Y7)
	ROW((SI)(DX*2), Y8, Y9)
	ROW((BX), Y10, Y11)
	ROW((BX)(DX*1), Y12, Y13)
	ROW((BX)(DX*2), Y14, Y15)
	ADDQ   BP, SI
	ADDQ   BP, BX
	DECQ   AX
	JNZ    step6

store6:
	STORE(Y4, Y5)
	STORE(Y6, Y7)
	STORE(Y8, Y9)
	STORE(Y10, Y11)
	STORE(Y12, Y13)
	STORE(Y14, Y15)
	VZEROUPPER
	RET

TEXT ·float32x4AVX2(SB), NOSPLIT, $8-84
	LOAD_ARGUMENTS
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	TESTQ  AX, AX
	JZ     store4

step4:
	LOAD_COLUMNS
	ROW((SI), Y4, Y5)
	ROW((SI)(DX*1), Y6, Y7)
	ROW((SI)(DX*2), Y8, Y9)
	ROW((BX), Y10, Y11)
	ADDQ   BP, SI
	ADDQ   BP, BX
	DECQ   AX
	JNZ    step4

store4:
	STORE(Y4, Y5)
	STORE(Y6, Y7)
	STORE(Y8, Y9)
	STORE(Y10, Y11)
	VZEROUPPER
	RET

TEXT ·float32x2AVX2(SB), NOSPLIT, $8-84
	LOAD_ARGUMENTS
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	TESTQ  AX, AX
	JZ     store2

step2:
	LOAD_COLUMNS
	ROW((SI), Y4, Y5)
	ROW((SI)(DX*1), Y6, Y7)
	ADDQ   BP, SI
	DECQ   AX
	JNZ    step2

store2:
	STORE(Y4, Y5)
	STORE(Y6, Y7)
	VZEROUPPER
	RET

TEXT ·float32x1AVX2(SB), NOSPLIT, $8-84
	LOAD_ARGUMENTS
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	TESTQ  AX, AX
	JZ     store1

step1:
	LOAD_COLUMNS
	ROW((SI), Y4, Y5)
	ADDQ   BP, SI
	DECQ   AX
	JNZ    step1

store1:
	STORE(Y4, Y5)
	VZEROUPPER
	RET

// func transposeAVX2(dst *float32, dstStep int, src *float32, srcRow int, blocks int)
//
// Eight columns of a panel from eight rows, eight steps a block: dst[s·dstStep + r] = src[r·srcRow + s].
//
// NUMBERS, PAIRS and HALVES: numbers, then pairs, then halves of two registers change places.
#define NUMBERS(a, b, low, high) \
	VUNPCKLPS b, a, low; \
	VUNPCKHPS b, a, high

#define PAIRS(a, b, low, high) \
	VUNPCKLPD b, a, low; \
	VUNPCKHPD b, a, high

#define HALVES(a, b, low, high) \
	VPERM2F128 $0x20, b, a, low; \
	VPERM2F128 $0x31, b, a, high

TEXT ·transposeAVX2(SB), NOSPLIT, $0-40
	MOVQ  dst+0(FP), DI
	MOVQ  dstStep+8(FP), R8
	MOVQ  src+16(FP), SI
	MOVQ  srcRow+24(FP), R9
	MOVQ  blocks+32(FP), CX
	LEAQ  (R9)(R9*2), R10
	LEAQ  (R8)(R8*2), R11
	TESTQ CX, CX
	JZ    done

block:
	LEAQ    (SI)(R9*4), BX
	LEAQ    (DI)(R8*4), DX
	VMOVUPS (SI), Y0
	VMOVUPS (SI)(R9*1), Y1
	VMOVUPS (SI)(R9*2), Y2
	VMOVUPS (SI)(R10*1), Y3
	VMOVUPS (BX), Y4
	VMOVUPS (BX)(R9*1), Y5
	VMOVUPS (BX)(R9*2), Y6
	VMOVUPS (BX)(R10*1), Y7
	NUMBERS(Y0, Y1, Y8, Y9)
	NUMBERS(Y2, Y3, Y10, Y11)
	NUMBERS(Y4, Y5, Y12, Y13)
	NUMBERS(Y6, Y7, Y14, Y15)
	PAIRS(Y8, Y10, Y0, Y1)
	PAIRS(Y9, Y11, Y2, Y3)
	PAIRS(Y12, Y14, Y4, Y5)
	PAIRS(Y13, Y15, Y6, Y7)
	HALVES(Y0, Y4, Y8, Y12)
	HALVES(Y1, Y5, Y9, Y13)
	HALVES(Y2, Y6, Y10, Y14)
	HALVES(Y3, Y7, Y11, Y15)
	VMOVUPS Y8, (DI)
	VMOVUPS Y9, (DI)(R8*1)
	VMOVUPS Y10, (DI)(R8*2)
	VMOVUPS Y11, (DI)(R11*1)
	VMOVUPS Y12, (DX)
	VMOVUPS Y13, (DX)(R8*1)
	VMOVUPS Y14, (DX)(R8*2)
	VMOVUPS Y15, (DX)(R11*1)
	ADDQ    $32, SI
	LEAQ    (DI)(R8*8), DI
	DECQ    CX
	JNZ     block

done:
	VZEROUPPER
	RET
