#include "constants_amd64.h"
#include "tail_avx2_amd64.h"

EIGHT(leastOfAll, 0xff800000)

// TOTAL adds the four doubles of Y and leaves the sum in its lowest part X.
#define TOTAL(Y, X, TX) \
	VEXTRACTF128 $1, Y, TX \
	VADDPD       TX, X, X \
	VUNPCKHPD    X, X, TX \
	VADDSD       TX, X, X

// func maxAVX2(x []float32) float32
//
// VMAXPS forgets a NaN, so Y7 collects whether there was one: comparing two registers finds it in either.
TEXT ·maxAVX2(SB), NOSPLIT, $0-28
	MOVQ    x_base+0(FP), SI
	MOVQ    x_len+8(FP), CX
	VMOVUPS leastOfAll<>(SB), Y0
	VMOVAPS Y0, Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y0, Y3
	VMOVAPS Y0, Y8
	VXORPS  X7, X7, X7
	SUBQ    $32, CX
	JL      rest

four:
	VMOVUPS (SI), Y4
	VMOVUPS 32(SI), Y5
	VMAXPS  Y4, Y0, Y0
	VMAXPS  Y5, Y1, Y1
	VCMPPS  $3, Y4, Y5, Y4
	VORPS   Y4, Y7, Y7
	VMOVUPS 64(SI), Y4
	VMOVUPS 96(SI), Y5
	VMAXPS  Y4, Y2, Y2
	VMAXPS  Y5, Y3, Y3
	VCMPPS  $3, Y4, Y5, Y4
	VORPS   Y4, Y7, Y7
	ADDQ    $128, SI
	SUBQ    $32, CX
	JGE     four

rest:
	ADDQ $32, CX
	JMP  next

full:
	VMOVUPS (SI), Y4
	VMAXPS  Y4, Y0, Y0
	VCMPPS  $3, Y4, Y4, Y4
	VORPS   Y4, Y7, Y7
	ADDQ    $32, SI

next:
	FULL(full, total)
	LAST
	VMASKMOVPS (SI), Y15, Y4
	VCMPPS     $3, Y4, Y4, Y5
	VORPS      Y5, Y7, Y7
	VBLENDVPS  Y15, Y4, Y8, Y4
	VMAXPS     Y4, Y0, Y0

total:
	VMAXPS       Y1, Y0, Y0
	VMAXPS       Y3, Y2, Y2
	VMAXPS       Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSS       X0, ret+24(FP)
	VMOVMSKPS    Y7, DX
	VZEROUPPER
	TESTL        DX, DX
	JZ           done
	MOVL         $0x7fc00000, ret+24(FP)

done:
	RET

// func sumsAVX2(x []float32, shift float32) (sum, squares float64)
TEXT ·sumsAVX2(SB), NOSPLIT, $0-48
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	VXORPD       X0, X0, X0
	VCVTSS2SD    shift+24(FP), X0, X0
	VBROADCASTSD X0, Y8
	VXORPD       X0, X0, X0
	VXORPD       X1, X1, X1
	VXORPD       X2, X2, X2
	VXORPD       X3, X3, X3
	VXORPD       X4, X4, X4
	VXORPD       X5, X5, X5
	VXORPD       X6, X6, X6
	VXORPD       X7, X7, X7
	SUBQ         $16, CX
	JL           rest

four:
	VCVTPS2PD   (SI), Y9
	VCVTPS2PD   16(SI), Y10
	VCVTPS2PD   32(SI), Y11
	VCVTPS2PD   48(SI), Y12
	VSUBPD      Y8, Y9, Y9
	VSUBPD      Y8, Y10, Y10
	VSUBPD      Y8, Y11, Y11
	VSUBPD      Y8, Y12, Y12
	VADDPD      Y9, Y0, Y0
	VADDPD      Y10, Y1, Y1
	VADDPD      Y11, Y2, Y2
	VADDPD      Y12, Y3, Y3
	VFMADD231PD Y9, Y9, Y4
	VFMADD231PD Y10, Y10, Y5
	VFMADD231PD Y11, Y11, Y6
	VFMADD231PD Y12, Y12, Y7
	ADDQ        $64, SI
	SUBQ        $16, CX
	JGE         four

rest:
	ADDQ   $16, CX
	VADDPD Y1, Y0, Y0
	VADDPD Y3, Y2, Y2
	VADDPD Y2, Y0, Y0
	VADDPD Y5, Y4, Y4
	VADDPD Y7, Y6, Y6
	VADDPD Y6, Y4, Y4
	TOTAL(Y0, X0, X1)
	TOTAL(Y4, X4, X1)
	TESTQ  CX, CX
	JZ     total

one:
	VXORPD      X9, X9, X9
	VCVTSS2SD   (SI), X9, X9
	VSUBSD      X8, X9, X9
	VADDSD      X9, X0, X0
	VFMADD231SD X9, X9, X4
	ADDQ        $4, SI
	DECQ        CX
	JG          one

total:
	VMOVSD X0, sum+32(FP)
	VMOVSD X4, squares+40(FP)
	VZEROUPPER
	RET

// func dotAVX2(x, y []float32) float64
TEXT ·dotAVX2(SB), NOSPLIT, $0-56
	MOVQ   x_base+0(FP), SI
	MOVQ   y_base+24(FP), DI
	MOVQ   y_len+32(FP), CX
	VXORPD X0, X0, X0
	VXORPD X1, X1, X1
	VXORPD X2, X2, X2
	VXORPD X3, X3, X3
	SUBQ   $16, CX
	JL     rest

four:
	VCVTPS2PD   (SI), Y4
	VCVTPS2PD   16(SI), Y5
	VCVTPS2PD   32(SI), Y6
	VCVTPS2PD   48(SI), Y7
	VCVTPS2PD   (DI), Y8
	VCVTPS2PD   16(DI), Y9
	VCVTPS2PD   32(DI), Y10
	VCVTPS2PD   48(DI), Y11
	VFMADD231PD Y8, Y4, Y0
	VFMADD231PD Y9, Y5, Y1
	VFMADD231PD Y10, Y6, Y2
	VFMADD231PD Y11, Y7, Y3
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $16, CX
	JGE         four

rest:
	ADDQ   $16, CX
	VADDPD Y1, Y0, Y0
	VADDPD Y3, Y2, Y2
	VADDPD Y2, Y0, Y0
	TOTAL(Y0, X0, X1)
	TESTQ  CX, CX
	JZ     total

one:
	VXORPD      X4, X4, X4
	VCVTSS2SD   (SI), X4, X4
	VXORPD      X5, X5, X5
	VCVTSS2SD   (DI), X5, X5
	VFMADD231SD X5, X4, X0
	ADDQ        $4, SI
	ADDQ        $4, DI
	DECQ        CX
	JG          one

total:
	VMOVSD X0, ret+48(FP)
	VZEROUPPER
	RET
