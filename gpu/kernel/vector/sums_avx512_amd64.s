#include "constants_amd64.h"

EIGHT(leastOfAll, 0xff800000)

// TOTAL adds the eight doubles of Z and leaves the sum in its lowest part X.
#define TOTAL(Z, Y, X, T, TX) \
	VEXTRACTF64X4 $1, Z, T \
	VADDPD        T, Y, Y \
	VEXTRACTF128  $1, Y, TX \
	VADDPD        TX, X, X \
	VUNPCKHPD     X, X, TX \
	VADDSD        TX, X, X

// func maxAVX512(x []float32) float32
//
// VMAXPS forgets a NaN, so K7 collects whether there was one: comparing two registers finds it in either.
TEXT ·maxAVX512(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS leastOfAll<>(SB), Z0
	VMOVAPS      Z0, Z1
	VMOVAPS      Z0, Z2
	VMOVAPS      Z0, Z3
	VMOVAPS      Z0, Z8
	KXORW        K7, K7, K7
	SUBQ         $64, CX
	JL           rest

four:
	VMOVUPS (SI), Z4
	VMOVUPS 64(SI), Z5
	VMOVUPS 128(SI), Z6
	VMOVUPS 192(SI), Z7
	VCMPPS  $3, Z4, Z5, K2
	VCMPPS  $3, Z6, Z7, K3
	VMAXPS  Z4, Z0, Z0
	VMAXPS  Z5, Z1, Z1
	VMAXPS  Z6, Z2, Z2
	VMAXPS  Z7, Z3, Z3
	KORW    K2, K3, K2
	KORW    K2, K7, K7
	ADDQ    $256, SI
	SUBQ    $64, CX
	JGE     four

rest:
	ADDQ $64, CX
	JZ   total
	MOVQ $-1, AX

masked:
	BZHIQ   CX, AX, DX
	KMOVW   DX, K1
	VMOVAPS Z8, Z4
	VMOVUPS (SI), K1, Z4
	VCMPPS  $3, Z4, Z4, K2
	VMAXPS  Z4, Z0, Z0
	KORW    K2, K7, K7
	ADDQ    $64, SI
	SUBQ    $16, CX
	JG      masked

total:
	VMAXPS        Z1, Z0, Z0
	VMAXPS        Z3, Z2, Z2
	VMAXPS        Z2, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VMAXPS        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0x4e, X0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0xb1, X0, X1
	VMAXPS        X1, X0, X0
	VMOVSS        X0, ret+24(FP)
	KMOVW         K7, DX
	VZEROUPPER
	TESTL         DX, DX
	JZ            done
	MOVL          $0x7fc00000, ret+24(FP)

done:
	RET

// func sumsAVX512(x []float32, shift float32) (sum, squares float64)
TEXT ·sumsAVX512(SB), NOSPLIT, $0-48
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	VXORPD       X0, X0, X0
	VCVTSS2SD    shift+24(FP), X0, X0
	VBROADCASTSD X0, Z16
	VXORPD       X0, X0, X0
	VXORPD       X1, X1, X1
	VXORPD       X2, X2, X2
	VXORPD       X3, X3, X3
	VXORPD       X4, X4, X4
	VXORPD       X5, X5, X5
	VXORPD       X6, X6, X6
	VXORPD       X7, X7, X7
	SUBQ         $32, CX
	JL           rest

four:
	VCVTPS2PD   (SI), Z8
	VCVTPS2PD   32(SI), Z9
	VCVTPS2PD   64(SI), Z10
	VCVTPS2PD   96(SI), Z11
	VSUBPD      Z16, Z8, Z8
	VSUBPD      Z16, Z9, Z9
	VSUBPD      Z16, Z10, Z10
	VSUBPD      Z16, Z11, Z11
	VADDPD      Z8, Z0, Z0
	VADDPD      Z9, Z1, Z1
	VADDPD      Z10, Z2, Z2
	VADDPD      Z11, Z3, Z3
	VFMADD231PD Z8, Z8, Z4
	VFMADD231PD Z9, Z9, Z5
	VFMADD231PD Z10, Z10, Z6
	VFMADD231PD Z11, Z11, Z7
	ADDQ        $128, SI
	SUBQ        $32, CX
	JGE         four

rest:
	ADDQ $32, CX
	JZ   total
	MOVQ $-1, AX

masked:
	BZHIQ       CX, AX, DX
	KMOVW       DX, K1
	VCVTPS2PD.Z (SI), K1, Z8
	VSUBPD.Z    Z16, Z8, K1, Z8
	VADDPD      Z8, Z0, Z0
	VFMADD231PD Z8, Z8, Z4
	ADDQ        $32, SI
	SUBQ        $8, CX
	JG          masked

total:
	VADDPD Z1, Z0, Z0
	VADDPD Z3, Z2, Z2
	VADDPD Z2, Z0, Z0
	VADDPD Z5, Z4, Z4
	VADDPD Z7, Z6, Z6
	VADDPD Z6, Z4, Z4
	TOTAL(Z0, Y0, X0, Y1, X1)
	TOTAL(Z4, Y4, X4, Y1, X1)
	VMOVSD X0, sum+32(FP)
	VMOVSD X4, squares+40(FP)
	VZEROUPPER
	RET

// func dotAVX512(x, y []float32) float64
TEXT ·dotAVX512(SB), NOSPLIT, $0-56
	MOVQ   x_base+0(FP), SI
	MOVQ   y_base+24(FP), DI
	MOVQ   y_len+32(FP), CX
	VXORPD X0, X0, X0
	VXORPD X1, X1, X1
	VXORPD X2, X2, X2
	VXORPD X3, X3, X3
	SUBQ   $32, CX
	JL     rest

four:
	VCVTPS2PD   (SI), Z4
	VCVTPS2PD   32(SI), Z5
	VCVTPS2PD   64(SI), Z6
	VCVTPS2PD   96(SI), Z7
	VCVTPS2PD   (DI), Z8
	VCVTPS2PD   32(DI), Z9
	VCVTPS2PD   64(DI), Z10
	VCVTPS2PD   96(DI), Z11
	VFMADD231PD Z8, Z4, Z0
	VFMADD231PD Z9, Z5, Z1
	VFMADD231PD Z10, Z6, Z2
	VFMADD231PD Z11, Z7, Z3
	ADDQ        $128, SI
	ADDQ        $128, DI
	SUBQ        $32, CX
	JGE         four

rest:
	ADDQ $32, CX
	JZ   total
	MOVQ $-1, AX

masked:
	BZHIQ       CX, AX, DX
	KMOVW       DX, K1
	VCVTPS2PD.Z (SI), K1, Z4
	VCVTPS2PD.Z (DI), K1, Z8
	VFMADD231PD Z8, Z4, Z0
	ADDQ        $32, SI
	ADDQ        $32, DI
	SUBQ        $8, CX
	JG          masked

total:
	VADDPD Z1, Z0, Z0
	VADDPD Z3, Z2, Z2
	VADDPD Z2, Z0, Z0
	TOTAL(Z0, Y0, X0, Y1, X1)
	VMOVSD X0, ret+48(FP)
	VZEROUPPER
	RET
