#include "textflag.h"
#include "tail_avx2_amd64.h"

// TOTAL adds the four doubles of Y and leaves the sum in its lowest part X.
#define TOTAL(Y, X, TX) \
	VEXTRACTF128 $1, Y, TX \
	VADDPD       TX, X, X \
	VUNPCKHPD    X, X, TX \
	VADDSD       TX, X, X

// NORMAL replaces x in Y0 by h = (x - mean - rest)·scale, with those in Y8 to Y10.
#define NORMAL \
	VSUBPS Y8, Y0, Y0 \
	VSUBPS Y9, Y0, Y0 \
	VMULPS Y10, Y0, Y0

// COLLECT adds g of Y1 to the doubles in Y4 and Y5 and g·h to those in Y6 and Y7.
#define COLLECT \
	VMULPS       Y0, Y1, Y2 \
	VEXTRACTF128 $1, Y1, X3 \
	VCVTPS2PD    X1, Y1 \
	VCVTPS2PD    X3, Y3 \
	VADDPD       Y1, Y4, Y4 \
	VADDPD       Y3, Y5, Y5 \
	VEXTRACTF128 $1, Y2, X3 \
	VCVTPS2PD    X2, Y2 \
	VCVTPS2PD    X3, Y3 \
	VADDPD       Y2, Y6, Y6 \
	VADDPD       Y3, Y7, Y7

#define NOTHING_COLLECTED \
	VXORPD X4, X4, X4 \
	VXORPD X5, X5, X5 \
	VXORPD X6, X6, X6 \
	VXORPD X7, X7, X7

#define COLLECTED \
	VADDPD Y5, Y4, Y4 \
	VADDPD Y7, Y6, Y6 \
	TOTAL(Y4, X4, X0) \
	TOTAL(Y6, X6, X0)

// SPREAD leaves scale·(g - meanG - h·meanGH) in Y1, with the means in Y11 and Y12.
#define SPREAD \
	VSUBPS       Y11, Y1, Y1 \
	VFNMADD231PS Y12, Y0, Y1 \
	VMULPS       Y10, Y1, Y1

// func affineGradSumsAVX2(x, dy, gamma []float32, mean, rest, scale float32) (sumG, sumGH float64)
TEXT ·affineGradSumsAVX2(SB), NOSPLIT, $0-104
	MOVQ         x_base+0(FP), SI
	MOVQ         dy_base+24(FP), BX
	MOVQ         gamma_base+48(FP), R8
	MOVQ         gamma_len+56(FP), CX
	VBROADCASTSS mean+72(FP), Y8
	VBROADCASTSS rest+76(FP), Y9
	VBROADCASTSS scale+80(FP), Y10
	NOTHING_COLLECTED
	JMP          next

full:
	VMOVUPS (SI), Y0
	VMOVUPS (BX), Y1
	VMULPS  (R8), Y1, Y1
	NORMAL
	COLLECT
	ADDQ    $32, SI
	ADDQ    $32, BX
	ADDQ    $32, R8

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	VMASKMOVPS (BX), Y15, Y1
	VMASKMOVPS (R8), Y15, Y2
	VMULPS     Y2, Y1, Y1
	NORMAL
	VANDPS     Y15, Y0, Y0
	COLLECT

done:
	COLLECTED
	VMOVSD X4, sumG+88(FP)
	VMOVSD X6, sumGH+96(FP)
	VZEROUPPER
	RET

// func affineGradAVX2(dx, x, dy, gamma []float32, mean, rest, scale, meanG, meanGH float32)
TEXT ·affineGradAVX2(SB), NOSPLIT, $0-116
	MOVQ         dx_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         gamma_base+72(FP), R8
	MOVQ         gamma_len+80(FP), CX
	VBROADCASTSS mean+96(FP), Y8
	VBROADCASTSS rest+100(FP), Y9
	VBROADCASTSS scale+104(FP), Y10
	VBROADCASTSS meanG+108(FP), Y11
	VBROADCASTSS meanGH+112(FP), Y12
	JMP          next

full:
	VMOVUPS (SI), Y0
	VMOVUPS (BX), Y1
	VMULPS  (R8), Y1, Y1
	NORMAL
	SPREAD
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, BX
	ADDQ    $32, R8
	ADDQ    $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	VMASKMOVPS (BX), Y15, Y1
	VMASKMOVPS (R8), Y15, Y2
	VMULPS     Y2, Y1, Y1
	NORMAL
	SPREAD
	VMASKMOVPS Y1, Y15, (DI)

done:
	VZEROUPPER
	RET

// func reluGradSumsAVX2(x, dy []float32, mean, rest, scale float32) (sumG, sumGH float64)
TEXT ·reluGradSumsAVX2(SB), NOSPLIT, $0-80
	MOVQ         x_base+0(FP), SI
	MOVQ         dy_base+24(FP), BX
	MOVQ         dy_len+32(FP), CX
	VBROADCASTSS mean+48(FP), Y8
	VBROADCASTSS rest+52(FP), Y9
	VBROADCASTSS scale+56(FP), Y10
	VXORPS       Y11, Y11, Y11
	NOTHING_COLLECTED
	JMP          next

full:
	VMOVUPS    (SI), Y0
	NORMAL
	VCMPPS     $14, Y11, Y0, Y14
	VMASKMOVPS (BX), Y14, Y1
	COLLECT
	ADDQ       $32, SI
	ADDQ       $32, BX

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	NORMAL
	VANDPS     Y15, Y0, Y0
	VCMPPS     $14, Y11, Y0, Y14
	VMASKMOVPS (BX), Y14, Y1
	COLLECT

done:
	COLLECTED
	VMOVSD X4, sumG+64(FP)
	VMOVSD X6, sumGH+72(FP)
	VZEROUPPER
	RET

// func reluGradAVX2(dx, x, dy []float32, mean, rest, scale, meanG, meanGH float32)
TEXT ·reluGradAVX2(SB), NOSPLIT, $0-92
	MOVQ         dx_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         dy_len+56(FP), CX
	VBROADCASTSS mean+72(FP), Y8
	VBROADCASTSS rest+76(FP), Y9
	VBROADCASTSS scale+80(FP), Y10
	VBROADCASTSS meanG+84(FP), Y11
	VBROADCASTSS meanGH+88(FP), Y12
	VXORPS       Y13, Y13, Y13
	JMP          next

full:
	VMOVUPS    (SI), Y0
	NORMAL
	VCMPPS     $14, Y13, Y0, Y14
	VMASKMOVPS (BX), Y14, Y1
	SPREAD
	VMOVUPS    Y1, (DI)
	ADDQ       $32, SI
	ADDQ       $32, BX
	ADDQ       $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	NORMAL
	VCMPPS     $14, Y13, Y0, Y14
	VANDPS     Y15, Y14, Y14
	VMASKMOVPS (BX), Y14, Y1
	SPREAD
	VMASKMOVPS Y1, Y15, (DI)

done:
	VZEROUPPER
	RET

// func addNormalAVX2(y, x, dy []float32, mean, rest, scale float32)
TEXT ·addNormalAVX2(SB), NOSPLIT, $0-84
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         dy_len+56(FP), CX
	VBROADCASTSS mean+72(FP), Y8
	VBROADCASTSS rest+76(FP), Y9
	VBROADCASTSS scale+80(FP), Y10
	JMP          next

full:
	VMOVUPS     (SI), Y0
	VMOVUPS     (BX), Y1
	NORMAL
	VFMADD213PS (DI), Y1, Y0
	VMOVUPS     Y0, (DI)
	ADDQ        $32, SI
	ADDQ        $32, BX
	ADDQ        $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS  (SI), Y15, Y0
	VMASKMOVPS  (BX), Y15, Y1
	VMASKMOVPS  (DI), Y15, Y2
	NORMAL
	VFMADD213PS Y2, Y1, Y0
	VMASKMOVPS  Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

// func softmaxGradAVX2(dx, y, dy []float32, dot float32)
TEXT ·softmaxGradAVX2(SB), NOSPLIT, $0-76
	MOVQ         dx_base+0(FP), DI
	MOVQ         y_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         dy_len+56(FP), CX
	VBROADCASTSS dot+72(FP), Y8
	JMP          next

full:
	VMOVUPS (BX), Y0
	VSUBPS  Y8, Y0, Y0
	VMULPS  (SI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, BX
	ADDQ    $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (BX), Y15, Y0
	VMASKMOVPS (SI), Y15, Y1
	VSUBPS     Y8, Y0, Y0
	VMULPS     Y1, Y0, Y0
	VMASKMOVPS Y0, Y15, (DI)

done:
	VZEROUPPER
	RET
