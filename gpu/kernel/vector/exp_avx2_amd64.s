#include "exp_amd64.h"
#include "tail_avx2_amd64.h"

// POLYNOMIAL leaves n in N and e^r in P, x = n ln 2 + r; x is lost.
#define POLYNOMIAL(X, N, P) \
	VMULPS       log2e<>(SB), X, N \
	VROUNDPS     $8, N, N \
	VFNMADD231PS ln2Hi<>(SB), N, X \
	VFNMADD231PS ln2Lo<>(SB), N, X \
	VMOVUPS      over5040<>(SB), P \
	VFMADD213PS  over720<>(SB), X, P \
	VFMADD213PS  over120<>(SB), X, P \
	VFMADD213PS  over24<>(SB), X, P \
	VFMADD213PS  over6<>(SB), X, P \
	VFMADD213PS  half<>(SB), X, P \
	VFMADD213PS  one<>(SB), X, P \
	VFMADD213PS  one<>(SB), X, P

// TIMES_POWER leaves p·2^n in P by adding n to its exponent. Where p is NaN, n is 0x80000000 and the sum NaN too.
#define TIMES_POWER(N, P) \
	VCVTPS2DQ N, N \
	VPSLLD    $23, N, N \
	VPADDD    N, P, P

// EXP leaves e^x of x in Y0 in Y2. x is cut to where the result is a normal number; beyond that range the result is
// put in afterwards. The operands of VMINPS and VMAXPS stand such that NaN remains.
#define EXP \
	VCMPPS    $17, expLeast<>(SB), Y0, Y4 \
	VCMPPS    $30, expMost<>(SB), Y0, Y5 \
	VMOVUPS   expMost<>(SB), Y3 \
	VMINPS    Y0, Y3, Y0 \
	VMOVUPS   expLeast<>(SB), Y3 \
	VMAXPS    Y0, Y3, Y0 \
	POLYNOMIAL(Y0, Y1, Y2) \
	TIMES_POWER(Y1, Y2) \
	VANDNPS   Y2, Y4, Y2 \
	VMOVUPS   infinity<>(SB), Y3 \
	VBLENDVPS Y5, Y3, Y2, Y2

// func expAVX2(y, x []float32)
TEXT ·expAVX2(SB), NOSPLIT, $0-48
	MOVQ y_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	JMP  next

full:
	VMOVUPS (SI), Y0
	EXP
	VMOVUPS Y2, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	EXP
	VMASKMOVPS Y2, Y15, (DI)

done:
	VZEROUPPER
	RET

// func expSubAVX2(y, x []float32, top float32) float64
TEXT ·expSubAVX2(SB), NOSPLIT, $0-64
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS top+48(FP), Y10
	VXORPS       Y6, Y6, Y6
	VXORPS       Y7, Y7, Y7
	JMP          next

full:
	VMOVUPS      (SI), Y0
	VSUBPS       Y10, Y0, Y0
	EXP
	VMOVUPS      Y2, (DI)
	VEXTRACTF128 $1, Y2, X3
	VCVTPS2PD    X2, Y2
	VCVTPS2PD    X3, Y3
	VADDPD       Y2, Y6, Y6
	VADDPD       Y3, Y7, Y7
	ADDQ         $32, SI
	ADDQ         $32, DI

next:
	FULL(full, total)
	LAST
	VMASKMOVPS   (SI), Y15, Y0
	VSUBPS       Y10, Y0, Y0
	EXP
	VMASKMOVPS   Y2, Y15, (DI)
	VANDPS       Y15, Y2, Y2
	VEXTRACTF128 $1, Y2, X3
	VCVTPS2PD    X2, Y2
	VCVTPS2PD    X3, Y3
	VADDPD       Y2, Y6, Y6
	VADDPD       Y3, Y7, Y7

total:
	VADDPD       Y7, Y6, Y6
	VEXTRACTF128 $1, Y6, X7
	VADDPD       X7, X6, X6
	VUNPCKHPD    X6, X6, X7
	VADDSD       X7, X6, X6
	VMOVSD       X6, ret+56(FP)
	VZEROUPPER
	RET

// TAIL leaves, of x in Y0, min(|x|, far out) in Y1, e^(-x²/2) in Y2 and 1 - Φ(|x|) in Y3. x stays.
#define TAIL \
	VANDPS      allButSign<>(SB), Y0, Y1 \
	VMOVUPS     farOut<>(SB), Y5 \
	VMINPS      Y1, Y5, Y1 \
	VMULPS      minusHalf<>(SB), Y1, Y5 \
	VMULPS      Y1, Y5, Y5 \
	POLYNOMIAL(Y5, Y4, Y2) \
	TIMES_POWER(Y4, Y2) \
	VMOVUPS     one<>(SB), Y4 \
	VMOVAPS     Y4, Y5 \
	VFMADD231PS erfP<>(SB), Y1, Y5 \
	VDIVPS      Y5, Y4, Y5 \
	VMOVUPS     erfA8<>(SB), Y3 \
	VFMADD213PS erfA7<>(SB), Y5, Y3 \
	VFMADD213PS erfA6<>(SB), Y5, Y3 \
	VFMADD213PS erfA5<>(SB), Y5, Y3 \
	VFMADD213PS erfA4<>(SB), Y5, Y3 \
	VFMADD213PS erfA3<>(SB), Y5, Y3 \
	VFMADD213PS erfA2<>(SB), Y5, Y3 \
	VFMADD213PS erfA1<>(SB), Y5, Y3 \
	VMULPS      Y5, Y2, Y5 \
	VMULPS      Y5, Y3, Y3

// GELU leaves max(0, x) - |x| (1 - Φ(|x|)) in Y6, which is x Φ(x) on both sides of zero. VMAXPS lets NaN through.
#define GELU \
	TAIL \
	VMAXPS       Y0, Y12, Y6 \
	VFNMADD231PS Y3, Y1, Y6

// func geluAVX2(y, x []float32)
TEXT ·geluAVX2(SB), NOSPLIT, $0-48
	MOVQ   y_base+0(FP), DI
	MOVQ   x_base+24(FP), SI
	MOVQ   x_len+32(FP), CX
	VXORPS Y12, Y12, Y12
	JMP    next

full:
	VMOVUPS (SI), Y0
	GELU
	VMOVUPS Y6, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	GELU
	VMASKMOVPS Y6, Y15, (DI)

done:
	VZEROUPPER
	RET

// GELU_GRAD leaves Φ(x) + x φ(x) in Y6. Φ(x) = 1/2 ± (1/2 - (1 - Φ(|x|))), by the sign of x.
#define GELU_GRAD \
	TAIL \
	VANDPS      sign<>(SB), Y0, Y4 \
	VMOVUPS     half<>(SB), Y5 \
	VSUBPS      Y3, Y5, Y6 \
	VXORPS      Y4, Y6, Y6 \
	VADDPS      Y5, Y6, Y6 \
	VORPS       Y4, Y1, Y1 \
	VMULPS      density<>(SB), Y2, Y2 \
	VFMADD231PS Y2, Y1, Y6

// func geluGradAVX2(dx, x, dy []float32)
TEXT ·geluGradAVX2(SB), NOSPLIT, $0-72
	MOVQ dx_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ dy_base+48(FP), BX
	MOVQ dy_len+56(FP), CX
	JMP  next

full:
	VMOVUPS (SI), Y0
	GELU_GRAD
	VMULPS  (BX), Y6, Y6
	VMOVUPS Y6, (DI)
	ADDQ    $32, SI
	ADDQ    $32, BX
	ADDQ    $32, DI

next:
	FULL(full, done)
	LAST
	VMASKMOVPS (SI), Y15, Y0
	VMASKMOVPS (BX), Y15, Y7
	GELU_GRAD
	VMULPS     Y7, Y6, Y6
	VMASKMOVPS Y6, Y15, (DI)

done:
	VZEROUPPER
	RET
