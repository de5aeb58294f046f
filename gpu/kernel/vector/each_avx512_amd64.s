#include "constants_amd64.h"

// FULL steps over whole registers, LAST prepares the mask of what remains, if anything.
#define FULL(label, done) \
	SUBQ $16, CX \
	JGE  label \
	ADDQ $16, CX \
	JZ   done

#define LAST \
	MOVQ  $-1, AX \
	BZHIQ CX, AX, DX \
	KMOVW DX, K1

// func scaleAVX512(y []float32, a float32)
TEXT ·scaleAVX512(SB), NOSPLIT, $0-28
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	VBROADCASTSS a+24(FP), Z16
	JMP          next

full:
	VMULPS  (DI), Z16, Z0
	VMOVUPS Z0, (DI)
	ADDQ    $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (DI), K1, Z0
	VMULPS    Z16, Z0, Z0
	VMOVUPS   Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func addAVX512(y, x []float32)
TEXT ·addAVX512(SB), NOSPLIT, $0-48
	MOVQ y_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	JMP  next

full:
	VMOVUPS (SI), Z0
	VADDPS  (DI), Z0, Z0
	VMOVUPS Z0, (DI)
	ADDQ    $64, SI
	ADDQ    $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z (DI), K1, Z1
	VADDPS    Z1, Z0, Z0
	VMOVUPS   Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func addScaledAVX512(y, x []float32, a float32)
TEXT ·addScaledAVX512(SB), NOSPLIT, $0-52
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS a+48(FP), Z16
	JMP          next

full:
	VMOVUPS     (SI), Z0
	VFMADD213PS (DI), Z16, Z0
	VMOVUPS     Z0, (DI)
	ADDQ        $64, SI
	ADDQ        $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z   (SI), K1, Z0
	VMOVUPS.Z   (DI), K1, Z1
	VFMADD213PS Z1, Z16, Z0
	VMOVUPS     Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func maxEachAVX512(y, x []float32)
//
// VMAXPS answers with its last operand, here x, if one is NaN; a NaN of y is put back.
TEXT ·maxEachAVX512(SB), NOSPLIT, $0-48
	MOVQ y_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	JMP  next

full:
	VMOVUPS (DI), Z0
	VCMPPS  $3, Z0, Z0, K2
	VMAXPS  (SI), Z0, Z1
	VMOVAPS Z0, K2, Z1
	VMOVUPS Z1, (DI)
	ADDQ    $64, SI
	ADDQ    $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (DI), K1, Z0
	VMOVUPS.Z (SI), K1, Z2
	VCMPPS    $3, Z0, Z0, K2
	VMAXPS    Z2, Z0, Z1
	VMOVAPS   Z0, K2, Z1
	VMOVUPS   Z1, K1, (DI)

done:
	VZEROUPPER
	RET

// func normAffineAVX512(y, x, gamma, beta []float32, mean, rest, scale float32)
TEXT ·normAffineAVX512(SB), NOSPLIT, $0-108
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         gamma_base+48(FP), R8
	MOVQ         beta_base+72(FP), R9
	MOVQ         beta_len+80(FP), CX
	VBROADCASTSS mean+96(FP), Z16
	VBROADCASTSS rest+100(FP), Z17
	VBROADCASTSS scale+104(FP), Z18
	JMP          next

full:
	VMOVUPS     (SI), Z0
	VMOVUPS     (R8), Z1
	VSUBPS      Z16, Z0, Z0
	VSUBPS      Z17, Z0, Z0
	VMULPS      Z18, Z0, Z0
	VFMADD213PS (R9), Z1, Z0
	VMOVUPS     Z0, (DI)
	ADDQ        $64, SI
	ADDQ        $64, R8
	ADDQ        $64, R9
	ADDQ        $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z   (SI), K1, Z0
	VMOVUPS.Z   (R8), K1, Z1
	VMOVUPS.Z   (R9), K1, Z2
	VSUBPS      Z16, Z0, Z0
	VSUBPS      Z17, Z0, Z0
	VMULPS      Z18, Z0, Z0
	VFMADD213PS Z2, Z1, Z0
	VMOVUPS     Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func normReLUAVX512(y, x []float32, mean, rest, scale float32)
TEXT ·normReLUAVX512(SB), NOSPLIT, $0-60
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS mean+48(FP), Z16
	VBROADCASTSS rest+52(FP), Z17
	VBROADCASTSS scale+56(FP), Z18
	VXORPS       X19, X19, X19
	JMP          next

full:
	VMOVUPS (SI), Z0
	VSUBPS  Z16, Z0, Z0
	VSUBPS  Z17, Z0, Z0
	VMULPS  Z18, Z0, Z0
	VMAXPS  Z0, Z19, Z0
	VMOVUPS Z0, (DI)
	ADDQ    $64, SI
	ADDQ    $64, DI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (SI), K1, Z0
	VSUBPS    Z16, Z0, Z0
	VSUBPS    Z17, Z0, Z0
	VMULPS    Z18, Z0, Z0
	VMAXPS    Z0, Z19, Z0
	VMOVUPS   Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// Constants of Adam.
EIGHT(keepMean, 0.9)
EIGHT(newMean, 0.1)
EIGHT(keepSquare, 0.999)
EIGHT(newSquare, 0.001)
EIGHT(tiny, 1e-8)

// ADAM steps with w, mean, square and gradient in Z0 to Z3.
#define ADAM \
	VMULPS      Z19, Z3, Z3 \
	VFMADD231PS Z18, Z0, Z3 \
	VMULPS      Z20, Z1, Z1 \
	VFMADD231PS Z21, Z3, Z1 \
	VMULPS      Z3, Z3, Z3 \
	VMULPS      Z22, Z2, Z2 \
	VFMADD231PS Z23, Z3, Z2 \
	VSQRTPS     Z2, Z4 \
	VFMADD213PS Z24, Z17, Z4 \
	VMULPS      Z16, Z1, Z5 \
	VDIVPS      Z4, Z5, Z5 \
	VSUBPS      Z5, Z0, Z0

// func adamAVX512(w, mean, square, gradient []float32, step, unbias, decay, factor float32)
TEXT ·adamAVX512(SB), NOSPLIT, $0-112
	MOVQ         w_base+0(FP), DI
	MOVQ         mean_base+24(FP), R8
	MOVQ         square_base+48(FP), R9
	MOVQ         gradient_base+72(FP), SI
	MOVQ         gradient_len+80(FP), CX
	VBROADCASTSS step+96(FP), Z16
	VBROADCASTSS unbias+100(FP), Z17
	VBROADCASTSS decay+104(FP), Z18
	VBROADCASTSS factor+108(FP), Z19
	VBROADCASTSS keepMean<>(SB), Z20
	VBROADCASTSS newMean<>(SB), Z21
	VBROADCASTSS keepSquare<>(SB), Z22
	VBROADCASTSS newSquare<>(SB), Z23
	VBROADCASTSS tiny<>(SB), Z24
	JMP          next

full:
	VMOVUPS (DI), Z0
	VMOVUPS (R8), Z1
	VMOVUPS (R9), Z2
	VMOVUPS (SI), Z3
	ADAM
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, (R8)
	VMOVUPS Z2, (R9)
	ADDQ    $64, DI
	ADDQ    $64, R8
	ADDQ    $64, R9
	ADDQ    $64, SI

next:
	FULL(full, done)
	LAST
	VMOVUPS.Z (DI), K1, Z0
	VMOVUPS.Z (R8), K1, Z1
	VMOVUPS.Z (R9), K1, Z2
	VMOVUPS.Z (SI), K1, Z3
	ADAM
	VMOVUPS   Z0, K1, (DI)
	VMOVUPS   Z1, K1, (R8)
	VMOVUPS   Z2, K1, (R9)

done:
	VZEROUPPER
	RET
