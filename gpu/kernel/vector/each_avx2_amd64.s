#include "constants_amd64.h"
#include "tail_avx2_amd64.h"

// func scaleAVX2(y []float32, a float32)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-28
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	VBROADCASTSS a+24(FP), Y8
	JMP          next

full:
	VMULPS  (DI), Y8, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (DI), Y15, Y0
	VMULPS     Y8, Y0, Y0
	VMASKMOVPS Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

// func addAVX2(y, x []float32)
TEXT ·addAVX2(SB), NOSPLIT, $0-48
	MOVQ y_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	JMP  next

full:
	VMOVUPS (SI), Y0
	VADDPS  (DI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	VMASKMOVPS (DI), Y15, Y1
	VADDPS     Y1, Y0, Y0
	VMASKMOVPS Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

// func addScaledAVX2(y, x []float32, a float32)
TEXT ·addScaledAVX2(SB), NOSPLIT, $0-52
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS a+48(FP), Y8
	JMP          next

full:
	VMOVUPS     (SI), Y0
	VFMADD213PS (DI), Y8, Y0
	VMOVUPS     Y0, (DI)
	ADDQ        $32, SI
	ADDQ        $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS  (SI), Y15, Y0
	VMASKMOVPS  (DI), Y15, Y1
	VFMADD213PS Y1, Y8, Y0
	VMASKMOVPS  Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

// func maxEachAVX2(y, x []float32)
//
// VMAXPS answers with its last operand, here x, if one is NaN; a NaN of y is put back.
TEXT ·maxEachAVX2(SB), NOSPLIT, $0-48
	MOVQ y_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	JMP  next

full:
	VMOVUPS   (DI), Y0
	VCMPPS    $3, Y0, Y0, Y3
	VMAXPS    (SI), Y0, Y1
	VBLENDVPS Y3, Y0, Y1, Y1
	VMOVUPS   Y1, (DI)
	ADDQ      $32, SI
	ADDQ      $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (DI), Y15, Y0
	VMASKMOVPS (SI), Y15, Y2
	VCMPPS     $3, Y0, Y0, Y3
	VMAXPS     Y2, Y0, Y1
	VBLENDVPS  Y3, Y0, Y1, Y1
	VMASKMOVPS Y1, Y15, (DI)

done:
	VZEROUPPER
	RET

// func normAffineAVX2(y, x, gamma, beta []float32, mean, rest, scale float32)
TEXT ·normAffineAVX2(SB), NOSPLIT, $0-108
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         gamma_base+48(FP), R8
	MOVQ         beta_base+72(FP), R9
	MOVQ         beta_len+80(FP), CX
	VBROADCASTSS mean+96(FP), Y8
	VBROADCASTSS rest+100(FP), Y9
	VBROADCASTSS scale+104(FP), Y10
	JMP          next

full:
	VMOVUPS     (SI), Y0
	VMOVUPS     (R8), Y1
	VSUBPS      Y8, Y0, Y0
	VSUBPS      Y9, Y0, Y0
	VMULPS      Y10, Y0, Y0
	VFMADD213PS (R9), Y1, Y0
	VMOVUPS     Y0, (DI)
	ADDQ        $32, SI
	ADDQ        $32, R8
	ADDQ        $32, R9
	ADDQ        $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS  (SI), Y15, Y0
	VMASKMOVPS  (R8), Y15, Y1
	VMASKMOVPS  (R9), Y15, Y2
	VSUBPS      Y8, Y0, Y0
	VSUBPS      Y9, Y0, Y0
	VMULPS      Y10, Y0, Y0
	VFMADD213PS Y2, Y1, Y0
	VMASKMOVPS  Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

// func normReLUAVX2(y, x []float32, mean, rest, scale float32)
TEXT ·normReLUAVX2(SB), NOSPLIT, $0-60
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS mean+48(FP), Y8
	VBROADCASTSS rest+52(FP), Y9
	VBROADCASTSS scale+56(FP), Y10
	VXORPS       Y11, Y11, Y11
	JMP          next

full:
	VMOVUPS (SI), Y0
	VSUBPS  Y8, Y0, Y0
	VSUBPS  Y9, Y0, Y0
	VMULPS  Y10, Y0, Y0
	VMAXPS  Y0, Y11, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	VSUBPS     Y8, Y0, Y0
	VSUBPS     Y9, Y0, Y0
	VMULPS     Y10, Y0, Y0
	VMAXPS     Y0, Y11, Y0
	VMASKMOVPS Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

// Constants of Adam.
EIGHT(keepMean, 0.9)
EIGHT(newMean, 0.1)
EIGHT(keepSquare, 0.999)
EIGHT(newSquare, 0.001)
EIGHT(tiny, 1e-8)

// ADAM steps with w, mean, square and gradient in Y0 to Y3.
#define ADAM \
	VMULPS      Y9, Y3, Y3 \
	VFMADD231PS Y8, Y0, Y3 \
	VMULPS      Y10, Y1, Y1 \
	VFMADD231PS Y11, Y3, Y1 \
	VMULPS      Y3, Y3, Y3 \
	VMULPS      Y12, Y2, Y2 \
	VFMADD231PS Y13, Y3, Y2 \
	VSQRTPS     Y2, Y4 \
	VFMADD213PS Y14, Y7, Y4 \
	VMULPS      Y6, Y1, Y5 \
	VDIVPS      Y4, Y5, Y5 \
	VSUBPS      Y5, Y0, Y0

// func adamAVX2(w, mean, square, gradient []float32, step, unbias, decay, factor float32)
TEXT ·adamAVX2(SB), NOSPLIT, $0-112
	MOVQ         w_base+0(FP), DI
	MOVQ         mean_base+24(FP), R8
	MOVQ         square_base+48(FP), R9
	MOVQ         gradient_base+72(FP), SI
	MOVQ         gradient_len+80(FP), CX
	VBROADCASTSS step+96(FP), Y6
	VBROADCASTSS unbias+100(FP), Y7
	VBROADCASTSS decay+104(FP), Y8
	VBROADCASTSS factor+108(FP), Y9
	VBROADCASTSS keepMean<>(SB), Y10
	VBROADCASTSS newMean<>(SB), Y11
	VBROADCASTSS keepSquare<>(SB), Y12
	VBROADCASTSS newSquare<>(SB), Y13
	VBROADCASTSS tiny<>(SB), Y14
	JMP          next

full:
	VMOVUPS (DI), Y0
	VMOVUPS (R8), Y1
	VMOVUPS (R9), Y2
	VMOVUPS (SI), Y3
	ADAM
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, (R8)
	VMOVUPS Y2, (R9)
	ADDQ    $32, DI
	ADDQ    $32, R8
	ADDQ    $32, R9
	ADDQ    $32, SI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (DI), Y15, Y0
	VMASKMOVPS (R8), Y15, Y1
	VMASKMOVPS (R9), Y15, Y2
	VMASKMOVPS (SI), Y15, Y3
	ADAM
	VMASKMOVPS Y0, Y15, (DI)
	VMASKMOVPS Y1, Y15, (R8)
	VMASKMOVPS Y2, Y15, (R9)

done:
	VZEROUPPER
	RET
