// The body of the 512-bit tile kernels, for 12, 8, 4, 2 and 1 rows of 32 columns. The including file defines
// ROW(x, acc0, acc1, n0, n1): multiply the number at x with the columns in Z0 and Z1 and add to the registers acc0
// and acc1, whose numbers are n0 and n1.
//
// AX  steps left              R10 b, R11 bytes from one step of b to the next
// SI  rows 0 to 3 of a        R12 c, R13 bytes from one row of c to the next
// BX  rows 4 to 7 of a        R8 init, R9 bytes from one row of init to the next
// CX  rows 8 to 11 of a       K1, K2 columns that exist among the first and last 16
// DX  bytes between rows of a, DI three times that, BP bytes between steps of a

#define LOAD_ARGUMENTS  \
	MOVQ   k+0(FP), AX; \
	MOVQ   a+8(FP), SI; \
	MOVQ   aRow+16(FP), DX; \
	MOVQ   aStep+24(FP), BP; \
	MOVQ   b+32(FP), R10; \
	MOVQ   bStep+40(FP), R11; \
	MOVQ   c+48(FP), R12; \
	MOVQ   cRow+56(FP), R13; \
	MOVQ   init+64(FP), R8; \
	MOVQ   initRow+72(FP), R9; \
	MOVL   mask+80(FP), DI; \
	KMOVW  DI, K1; \
	SHRL   $16, DI; \
	KMOVW  DI, K2; \
	LEAQ   (DX)(DX*2), DI; \
	LEAQ   (SI)(DX*4), BX; \
	LEAQ   (SI)(DX*8), CX

// FETCH asks for a row of c, which is wanted once all steps are done, and goes on to the next.
#define FETCH(row) \
	PREFETCHT0 (row); \
	PREFETCHT0 64(row); \
	ADDQ       R13, row

#define FETCH_4(row) \
	FETCH(row); \
	FETCH(row); \
	FETCH(row); \
	FETCH(row)

#define LOAD_COLUMNS \
	VMOVUPS.Z (R10), K1, Z0; \
	VMOVUPS.Z 64(R10), K2, Z1

#define ROWS_0_TO_3 \
	ROW((SI), Z8, Z9, 8, 9); \
	ROW((SI)(DX*1), Z10, Z11, 10, 11); \
	ROW((SI)(DX*2), Z12, Z13, 12, 13); \
	ROW((SI)(DI*1), Z14, Z15, 14, 15)

#define ROWS_4_TO_7 \
	ROW((BX), Z16, Z17, 16, 17); \
	ROW((BX)(DX*1), Z18, Z19, 18, 19); \
	ROW((BX)(DX*2), Z20, Z21, 20, 21); \
	ROW((BX)(DI*1), Z22, Z23, 22, 23)

#define ROWS_8_TO_11 \
	ROW((CX), Z24, Z25, 24, 25); \
	ROW((CX)(DX*1), Z26, Z27, 26, 27); \
	ROW((CX)(DX*2), Z28, Z29, 28, 29); \
	ROW((CX)(DI*1), Z30, Z31, 30, 31)

#define CLEAR_0_TO_3 \
	VPXORD Z8, Z8, Z8; \
	VPXORD Z9, Z9, Z9; \
	VPXORD Z10, Z10, Z10; \
	VPXORD Z11, Z11, Z11; \
	VPXORD Z12, Z12, Z12; \
	VPXORD Z13, Z13, Z13; \
	VPXORD Z14, Z14, Z14; \
	VPXORD Z15, Z15, Z15

#define CLEAR_4_TO_7 \
	VPXORD Z16, Z16, Z16; \
	VPXORD Z17, Z17, Z17; \
	VPXORD Z18, Z18, Z18; \
	VPXORD Z19, Z19, Z19; \
	VPXORD Z20, Z20, Z20; \
	VPXORD Z21, Z21, Z21; \
	VPXORD Z22, Z22, Z22; \
	VPXORD Z23, Z23, Z23

#define CLEAR_8_TO_11 \
	VPXORD Z24, Z24, Z24; \
	VPXORD Z25, Z25, Z25; \
	VPXORD Z26, Z26, Z26; \
	VPXORD Z27, Z27, Z27; \
	VPXORD Z28, Z28, Z28; \
	VPXORD Z29, Z29, Z29; \
	VPXORD Z30, Z30, Z30; \
	VPXORD Z31, Z31, Z31

// STORE writes one row of c and goes on to the next.
#define STORE(acc0, acc1) \
	VMOVUPS.Z (R8), K1, Z0; \
	VMOVUPS.Z 64(R8), K2, Z1; \
	VADDPS    acc0, Z0, Z0; \
	VADDPS    acc1, Z1, Z1; \
	VMOVUPS   Z0, K1, (R12); \
	VMOVUPS   Z1, K2, 64(R12); \
	ADDQ      R9, R8; \
	ADDQ      R13, R12

#define STORE_0_TO_3 \
	STORE(Z8, Z9); \
	STORE(Z10, Z11); \
	STORE(Z12, Z13); \
	STORE(Z14, Z15)

#define STORE_4_TO_7 \
	STORE(Z16, Z17); \
	STORE(Z18, Z19); \
	STORE(Z20, Z21); \
	STORE(Z22, Z23)

#define STORE_8_TO_11 \
	STORE(Z24, Z25); \
	STORE(Z26, Z27); \
	STORE(Z28, Z29); \
	STORE(Z30, Z31)

TEXT TILE12(SB), NOSPLIT, $8-84
	MOVQ c+48(FP), R12
	MOVQ cRow+56(FP), R13
	FETCH_4(R12)
	FETCH_4(R12)
	FETCH_4(R12)
	LOAD_ARGUMENTS
	CLEAR_0_TO_3
	CLEAR_4_TO_7
	CLEAR_8_TO_11
	TESTQ AX, AX
	JZ    store12

step12:
	LOAD_COLUMNS
	ROWS_0_TO_3
	ROWS_4_TO_7
	ROWS_8_TO_11
	ADDQ R11, R10
	ADDQ BP, SI
	ADDQ BP, BX
	ADDQ BP, CX
	DECQ AX
	JNZ  step12

store12:
	STORE_0_TO_3
	STORE_4_TO_7
	STORE_8_TO_11
	VZEROUPPER
	RET

TEXT TILE8(SB), NOSPLIT, $8-84
	LOAD_ARGUMENTS
	CLEAR_0_TO_3
	CLEAR_4_TO_7
	TESTQ AX, AX
	JZ    store8

step8:
	LOAD_COLUMNS
	ROWS_0_TO_3
	ROWS_4_TO_7
	ADDQ R11, R10
	ADDQ BP, SI
	ADDQ BP, BX
	DECQ AX
	JNZ  step8

store8:
	STORE_0_TO_3
	STORE_4_TO_7
	VZEROUPPER
	RET

TEXT TILE4(SB), NOSPLIT, $8-84
	LOAD_ARGUMENTS
	CLEAR_0_TO_3
	TESTQ AX, AX
	JZ    store4

step4:
	LOAD_COLUMNS
	ROWS_0_TO_3
	ADDQ R11, R10
	ADDQ BP, SI
	DECQ AX
	JNZ  step4

store4:
	STORE_0_TO_3
	VZEROUPPER
	RET

TEXT TILE2(SB), NOSPLIT, $8-84
	LOAD_ARGUMENTS
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	TESTQ  AX, AX
	JZ     store2

step2:
	LOAD_COLUMNS
	ROW((SI), Z8, Z9, 8, 9)
	ROW((SI)(DX*1), Z10, Z11, 10, 11)
	ADDQ R11, R10
	ADDQ BP, SI
	DECQ AX
	JNZ  step2

store2:
	STORE(Z8, Z9)
	STORE(Z10, Z11)
	VZEROUPPER
	RET

TEXT TILE1(SB), NOSPLIT, $8-84
	LOAD_ARGUMENTS
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	TESTQ  AX, AX
	JZ     store1

step1:
	LOAD_COLUMNS
	ROW((SI), Z8, Z9, 8, 9)
	ADDQ R11, R10
	ADDQ BP, SI
	DECQ AX
	JNZ  step1

store1:
	STORE(Z8, Z9)
	VZEROUPPER
	RET
