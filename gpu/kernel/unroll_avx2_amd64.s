#include "textflag.h"

// func evensAVX2(dst, x *float32, eights int)
//
// dst[i] = x[2i] for eight numbers at a time: the even ones of each half of two registers, then the halves' order.
TEXT ·evensAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ eights+16(FP), CX

eight:
	VMOVUPS (SI), Y0
	VSHUFPS $0x88, 32(SI), Y0, Y0
	VPERMPD $0xd8, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $64, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     eight
	VZEROUPPER
	RET
