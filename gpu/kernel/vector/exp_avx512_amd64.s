#include "exp_amd64.h"

// Z8 and up hold constants, Z0 to Z7 what changes.
#define LOAD_EXP \
	VBROADCASTSS log2e<>(SB), Z16 \
	VBROADCASTSS ln2Hi<>(SB), Z17 \
	VBROADCASTSS ln2Lo<>(SB), Z18 \
	VBROADCASTSS over5040<>(SB), Z19 \
	VBROADCASTSS over720<>(SB), Z20 \
	VBROADCASTSS over120<>(SB), Z21 \
	VBROADCASTSS over24<>(SB), Z22 \
	VBROADCASTSS over6<>(SB), Z23 \
	VBROADCASTSS half<>(SB), Z24 \
	VBROADCASTSS one<>(SB), Z25

#define LOAD_RANGE \
	VBROADCASTSS expLeast<>(SB), Z26 \
	VBROADCASTSS farRight<>(SB), Z27

EIGHT(farRight, 89.0) // e^89 overflows, but not the arithmetic on the way to it

// POLYNOMIAL leaves n in N and e^r in P, x = n ln 2 + r; x is lost.
#define POLYNOMIAL(X, N, P) \
	VMULPS       Z16, X, N \
	VRNDSCALEPS  $8, N, N \
	VFNMADD231PS Z17, N, X \
	VFNMADD231PS Z18, N, X \
	VMOVAPS      Z19, P \
	VFMADD213PS  Z20, X, P \
	VFMADD213PS  Z21, X, P \
	VFMADD213PS  Z22, X, P \
	VFMADD213PS  Z23, X, P \
	VFMADD213PS  Z24, X, P \
	VFMADD213PS  Z25, X, P \
	VFMADD213PS  Z25, X, P

// EXP replaces x by e^x. VSCALEFPS overflows to infinity by itself; the mask makes 0 of what would be denormal, and of
// -Inf. The operands of VMINPS stand such that NaN remains.
#define EXP(X, N, P, K) \
	VCMPPS      $5, Z26, X, K \
	VMINPS      X, Z27, X \
	POLYNOMIAL(X, N, P) \
	VSCALEFPS.Z N, P, K, X

// func expAVX512(y, x []float32)
TEXT ·expAVX512(SB), NOSPLIT, $0-48
	MOVQ y_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	LOAD_EXP
	LOAD_RANGE
	SUBQ $32, CX
	JL   rest

pair:
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	EXP(Z0, Z2, Z4, K2)
	EXP(Z1, Z3, Z5, K3)
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	ADDQ    $128, SI
	ADDQ    $128, DI
	SUBQ    $32, CX
	JGE     pair

rest:
	ADDQ $32, CX
	JZ   done
	MOVQ $-1, AX

masked:
	BZHIQ     CX, AX, DX
	KMOVW     DX, K1
	VMOVUPS.Z (SI), K1, Z0
	EXP(Z0, Z2, Z4, K2)
	VMOVUPS   Z0, K1, (DI)
	ADDQ      $64, SI
	ADDQ      $64, DI
	SUBQ      $16, CX
	JG        masked

done:
	VZEROUPPER
	RET

// func expSubAVX512(y, x []float32, top float32) float64
TEXT ·expSubAVX512(SB), NOSPLIT, $0-64
	MOVQ         y_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS top+48(FP), Z28
	LOAD_EXP
	LOAD_RANGE
	VXORPS       X6, X6, X6
	VXORPS       X7, X7, X7
	SUBQ         $32, CX
	JL           rest

pair:
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	VSUBPS  Z28, Z0, Z0
	VSUBPS  Z28, Z1, Z1
	EXP(Z0, Z2, Z4, K2)
	EXP(Z1, Z3, Z5, K3)
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VADDPS  Z0, Z6, Z6
	VADDPS  Z1, Z7, Z7
	ADDQ    $128, SI
	ADDQ    $128, DI
	SUBQ    $32, CX
	JGE     pair

rest:
	ADDQ $32, CX
	JZ   total
	MOVQ $-1, AX

masked:
	BZHIQ     CX, AX, DX
	KMOVW     DX, K1
	VMOVUPS.Z (SI), K1, Z0
	VSUBPS    Z28, Z0, Z0
	EXP(Z0, Z2, Z4, K2)
	VMOVUPS   Z0, K1, (DI)
	VADDPS    Z0, Z6, K1, Z6
	ADDQ      $64, SI
	ADDQ      $64, DI
	SUBQ      $16, CX
	JG        masked

total:
	VADDPS        Z7, Z6, Z6
	VEXTRACTF64X4 $1, Z6, Y7
	VCVTPS2PD     Y6, Z6
	VCVTPS2PD     Y7, Z7
	VADDPD        Z7, Z6, Z6
	VEXTRACTF64X4 $1, Z6, Y7
	VADDPD        Y7, Y6, Y6
	VEXTRACTF128  $1, Y6, X7
	VADDPD        X7, X6, X6
	VUNPCKHPD     X6, X6, X7
	VADDSD        X7, X6, X6
	VMOVSD        X6, ret+56(FP)
	VZEROUPPER
	RET

#define LOAD_TAIL \
	VBROADCASTSS farOut<>(SB), Z26 \
	VBROADCASTSS minusHalf<>(SB), Z27 \
	VBROADCASTSS erfP<>(SB), Z28 \
	VBROADCASTSS erfA8<>(SB), Z29 \
	VBROADCASTSS erfA7<>(SB), Z30 \
	VBROADCASTSS erfA6<>(SB), Z31 \
	VBROADCASTSS erfA5<>(SB), Z8 \
	VBROADCASTSS erfA4<>(SB), Z9 \
	VBROADCASTSS erfA3<>(SB), Z10 \
	VBROADCASTSS erfA2<>(SB), Z15 \
	VBROADCASTSS erfA1<>(SB), Z14 \
	VBROADCASTSS allButSign<>(SB), Z13

// TAIL leaves min(|x|, far out) in A, e^(-x²/2) in E and 1 - Φ(|x|) in Q. x stays.
#define TAIL(X, A, E, Q, N, T) \
	VPANDD      X, Z13, A \
	VMINPS      A, Z26, A \
	VMULPS      Z27, A, T \
	VMULPS      A, T, T \
	POLYNOMIAL(T, N, E) \
	VSCALEFPS   N, E, E \
	VMOVAPS     Z25, T \
	VFMADD231PS Z28, A, T \
	VDIVPS      T, Z25, T \
	VMOVAPS     Z29, Q \
	VFMADD213PS Z30, T, Q \
	VFMADD213PS Z31, T, Q \
	VFMADD213PS Z8, T, Q \
	VFMADD213PS Z9, T, Q \
	VFMADD213PS Z10, T, Q \
	VFMADD213PS Z15, T, Q \
	VFMADD213PS Z14, T, Q \
	VMULPS      T, E, T \
	VMULPS      T, Q, Q

// GELU leaves max(0, x) - |x| (1 - Φ(|x|)) in Y, which is x Φ(x) on both sides of zero. VMAXPS lets NaN through.
#define GELU(X, Y) \
	TAIL(X, Z1, Z2, Z3, Z4, Z5) \
	VMAXPS       X, Z12, Y \
	VFNMADD231PS Z3, Z1, Y

// func geluAVX512(y, x []float32)
TEXT ·geluAVX512(SB), NOSPLIT, $0-48
	MOVQ   y_base+0(FP), DI
	MOVQ   x_base+24(FP), SI
	MOVQ   x_len+32(FP), CX
	LOAD_EXP
	LOAD_TAIL
	VXORPS X12, X12, X12
	SUBQ   $16, CX
	JL     rest

full:
	VMOVUPS (SI), Z0
	GELU(Z0, Z6)
	VMOVUPS Z6, (DI)
	ADDQ    $64, SI
	ADDQ    $64, DI
	SUBQ    $16, CX
	JGE     full

rest:
	ADDQ      $16, CX
	JZ        done
	MOVQ      $-1, AX
	BZHIQ     CX, AX, DX
	KMOVW     DX, K1
	VMOVUPS.Z (SI), K1, Z0
	GELU(Z0, Z6)
	VMOVUPS   Z6, K1, (DI)

done:
	VZEROUPPER
	RET

// GELU_GRAD leaves Φ(x) + x φ(x) in Y. Φ(x) = 1/2 ± (1/2 - (1 - Φ(|x|))), by the sign of x.
#define GELU_GRAD(X, Y) \
	TAIL(X, Z1, Z2, Z3, Z4, Z5) \
	VPANDD      X, Z12, Z4 \
	VSUBPS      Z3, Z24, Y \
	VPXORD      Z4, Y, Y \
	VADDPS      Z24, Y, Y \
	VPORD       Z4, Z1, Z1 \
	VMULPS      Z11, Z2, Z2 \
	VFMADD231PS Z2, Z1, Y

// func geluGradAVX512(dx, x, dy []float32)
TEXT ·geluGradAVX512(SB), NOSPLIT, $0-72
	MOVQ         dx_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         dy_base+48(FP), BX
	MOVQ         dy_len+56(FP), CX
	LOAD_EXP
	LOAD_TAIL
	VBROADCASTSS sign<>(SB), Z12
	VBROADCASTSS density<>(SB), Z11
	SUBQ         $16, CX
	JL           rest

full:
	VMOVUPS (SI), Z0
	GELU_GRAD(Z0, Z6)
	VMULPS  (BX), Z6, Z6
	VMOVUPS Z6, (DI)
	ADDQ    $64, SI
	ADDQ    $64, BX
	ADDQ    $64, DI
	SUBQ    $16, CX
	JGE     full

rest:
	ADDQ      $16, CX
	JZ        done
	MOVQ      $-1, AX
	BZHIQ     CX, AX, DX
	KMOVW     DX, K1
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z (BX), K1, Z7
	GELU_GRAD(Z0, Z6)
	VMULPS    Z7, Z6, Z6
	VMOVUPS   Z6, K1, (DI)

done:
	VZEROUPPER
	RET
