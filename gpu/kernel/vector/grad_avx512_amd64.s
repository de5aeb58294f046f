#include "textflag.h"

// TOTAL adds the eight doubles of Z and leaves the sum in its lowest part X.
#define TOTAL(Z, Y, X, T, TX) \
	VEXTRACTF64X4 $1, Z, T \
	VADDPD        T, Y, Y \
	VEXTRACTF128  $1, Y, TX \
	VADDPD        TX, X, X \
	VUNPCKHPD     X, X, TX \
	VADDSD        TX, X, X

// NORMAL replaces x in Z0 by h = (x - mean - rest)·scale, with those in Z16 to Z18.
#define NORMAL \
	VSUBPS Z16, Z0, Z0 \
	VSUBPS Z17, Z0, Z0 \
	VMULPS Z18, Z0, Z0

// COLLECT adds g of Z1 to the doubles in Z4 and Z5 and g·h to those in Z6 and Z7.
#define COLLECT \
	VMULPS        Z0, Z1, Z2 \
	VEXTRACTF64X4 $1, Z1, Y3 \
	VCVTPS2PD     Y1, Z1 \
	VCVTPS2PD     Y3, Z3 \
	VADDPD        Z1, Z4, Z4 \
	VADDPD        Z3, Z5, Z5 \
	VEXTRACTF64X4 $1, Z2, Y3 \
	VCVTPS2PD     Y2, Z2 \
	VCVTPS2PD     Y3, Z3 \
	VADDPD        Z2, Z6, Z6 \
	VADDPD        Z3, Z7, Z7

#define NOTHING_COLLECTED \
	VXORPD X4, X4, X4 \
	VXORPD X5, X5, X5 \
	VXORPD X6, X6, X6 \
	VXORPD X7, X7, X7

#define COLLECTED \
	VADDPD Z5, Z4, Z4 \
	VADDPD Z7, Z6, Z6 \
	TOTAL(Z4, Y4, X4, Y0, X0) \
	TOTAL(Z6, Y6, X6, Y0, X0)

// SPREAD leaves scale·(g - meanG - h·meanGH) in Z1, with the means in Z19 and Z20.
#define SPREAD \
	VSUBPS       Z19, Z1, Z1 \
	VFNMADD231PS Z20, Z0, Z1 \
	VMULPS       Z18, Z1, Z1

#define FULL(label, done) \
	SUBQ $16, CX \
	JGE  label \
	ADDQ $16, CX \
	JZ   done

#define LAST \
	MOVQ  $-1, AX \
	BZHIQ CX, AX, DX \
	KMOVW DX, K1

// func affineGradSumsAVX512(x, dy, gamma []float32, mean, rest, scale float32) (sumG, sumGH float64)
TEXT ·affineGradSumsAVX512(SB), NOSPLIT, $0-104
	MOVQ         x_base+0(FP), SI
	MOVQ         dy_base+24(FP), BX
	MOVQ         gamma_base+48(FP), R8
	MOVQ         gamma_len+56(FP), CX
	VBROADCASTSS mean+72(FP), Z16
	VBROADCASTSS rest+76(FP), Z17
	VBROADCASTSS scale+80(FP), Z18
	NOTHING_COLLECTED
	JMP          next

full:
	VMOVUPS (SI), Z0
	VMOVUPS (BX), Z1
	VMULPS  (R8), Z1, Z1
	NORMAL
	COLLECT
	ADDQ    $64, SI
	ADDQ    $64, BX
	ADDQ    $64, R8

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z (BX), K1, Z1
	VMOVUPS.Z (R8), K1, Z2
	VMULPS    Z2, Z1, Z1
	NORMAL
	VMOVAPS.Z Z0, K1, Z0
	COLLECT

done:
	COLLECTED
	VMOVSD X4, sumG+88(FP)
	VMOVSD X6, sumGH+96(FP)
	VZEROUPPER
	RET

// func affineGradAVX512(dx, x, dy, gamma []float32, mean, rest, scale, meanG, meanGH float32)
TEXT ·affineGradAVX512(SB), NOSPLIT, $0-116
	MOVQ         dx_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         gamma_base+72(FP), R8
	MOVQ         gamma_len+80(FP), CX
	VBROADCASTSS mean+96(FP), Z16
	VBROADCASTSS rest+100(FP), Z17
	VBROADCASTSS scale+104(FP), Z18
	VBROADCASTSS meanG+108(FP), Z19
	VBROADCASTSS meanGH+112(FP), Z20
	JMP          next

full:
	VMOVUPS (SI), Z0
	VMOVUPS (BX), Z1
	VMULPS  (R8), Z1, Z1
	NORMAL
	SPREAD
	VMOVUPS Z1, (DI)
	ADDQ    $64, SI
	ADDQ    $64, BX
	ADDQ    $64, R8
	ADDQ    $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z (BX), K1, Z1
	VMOVUPS.Z (R8), K1, Z2
	VMULPS    Z2, Z1, Z1
	NORMAL
	SPREAD
	VMOVUPS   Z1, K1, (DI)

done:
	VZEROUPPER
	RET

// func reluGradSumsAVX512(x, dy []float32, mean, rest, scale float32) (sumG, sumGH float64)
TEXT ·reluGradSumsAVX512(SB), NOSPLIT, $0-80
	MOVQ         x_base+0(FP), SI
	MOVQ         dy_base+24(FP), BX
	MOVQ         dy_len+32(FP), CX
	VBROADCASTSS mean+48(FP), Z16
	VBROADCASTSS rest+52(FP), Z17
	VBROADCASTSS scale+56(FP), Z18
	VXORPS       X19, X19, X19
	NOTHING_COLLECTED
	JMP          next

full:
	VMOVUPS   (SI), Z0
	NORMAL
	VCMPPS    $14, Z19, Z0, K2
	VMOVUPS.Z (BX), K2, Z1
	COLLECT
	ADDQ      $64, SI
	ADDQ      $64, BX

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (SI), K1, Z0
	NORMAL
	VMOVAPS.Z Z0, K1, Z0
	VCMPPS    $14, Z19, Z0, K2
	VMOVUPS.Z (BX), K2, Z1
	COLLECT

done:
	COLLECTED
	VMOVSD X4, sumG+64(FP)
	VMOVSD X6, sumGH+72(FP)
	VZEROUPPER
	RET

// func reluGradAVX512(dx, x, dy []float32, mean, rest, scale, meanG, meanGH float32)
TEXT ·reluGradAVX512(SB), NOSPLIT, $0-92
	MOVQ         dx_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         dy_len+56(FP), CX
	VBROADCASTSS mean+72(FP), Z16
	VBROADCASTSS rest+76(FP), Z17
	VBROADCASTSS scale+80(FP), Z18
	VBROADCASTSS meanG+84(FP), Z19
	VBROADCASTSS meanGH+88(FP), Z20
	VXORPS       X21, X21, X21
	JMP          next

full:
	VMOVUPS   (SI), Z0
	NORMAL
	VCMPPS    $14, Z21, Z0, K2
	VMOVUPS.Z (BX), K2, Z1
	SPREAD
	VMOVUPS   Z1, (DI)
	ADDQ      $64, SI
	ADDQ      $64, BX
	ADDQ      $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (SI), K1, Z0
	NORMAL
	VCMPPS    $14, Z21, Z0, K1, K2
	VMOVUPS.Z (BX), K2, Z1
	SPREAD
	VMOVUPS   Z1, K1, (DI)

done:
	VZEROUPPER
	RET

// func addNormalAVX512(y, x, dy []float32, mean, rest, scale float32)
TEXT ·addNormalAVX512(SB), NOSPLIT, $0-84
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         dy_len+56(FP), CX
	VBROADCASTSS mean+72(FP), Z16
	VBROADCASTSS rest+76(FP), Z17
	VBROADCASTSS scale+80(FP), Z18
	JMP          next

full:
	VMOVUPS     (SI), Z0
	VMOVUPS     (BX), Z1
	NORMAL
	VFMADD213PS (DI), Z1, Z0
	VMOVUPS     Z0, (DI)
	ADDQ        $64, SI
	ADDQ        $64, BX
	ADDQ        $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z   (SI), K1, Z0
	VMOVUPS.Z   (BX), K1, Z1
	VMOVUPS.Z   (DI), K1, Z2
	NORMAL
	VFMADD213PS Z2, Z1, Z0
	VMOVUPS     Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func softmaxGradAVX512(dx, y, dy []float32, dot float32)
TEXT ·softmaxGradAVX512(SB), NOSPLIT, $0-76
	MOVQ         dx_base+0(FP), DI
	MOVQ         y_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         dy_len+56(FP), CX
	VBROADCASTSS dot+72(FP), Z16
	JMP          next

full:
	VMOVUPS (BX), Z0
	VSUBPS  Z16, Z0, Z0
	VMULPS  (SI), Z0, Z0
	VMOVUPS Z0, (DI)
	ADDQ    $64, SI
	ADDQ    $64, BX
	ADDQ    $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (BX), K1, Z0
	VMOVUPS.Z (SI), K1, Z1
	VSUBPS    Z16, Z0, Z0
	VMULPS    Z1, Z0, Z0
	VMOVUPS   Z0, K1, (DI)

done:
	VZEROUPPER
	RET
