#include "textflag.h"

// func gatherAVX512(dst *float32, line int, x *float32, channel, channels int, taps *tap, count int, store uint32)
//
// For each channel and tap one line of up to 32 numbers of dst: the even ones among the 64 of x from the tap's offset
// on, zeros outside the tap's mask, where x is not read. Lines are line bytes apart, channels of x channel bytes.
//
// DI dst, R8 line, SI the channel of x, R9 channel, CX channels left, BX taps, DX taps left, R10 the tap, K5, K6 store
TEXT ·gatherAVX512(SB), NOSPLIT, $0-60
	MOVQ      dst+0(FP), DI
	MOVQ      line+8(FP), R8
	MOVQ      x+16(FP), SI
	MOVQ      channel+24(FP), R9
	MOVQ      channels+32(FP), CX
	MOVQ      taps+40(FP), BX
	MOVL      store+56(FP), AX
	KMOVW     AX, K5
	SHRL      $16, AX
	KMOVW     AX, K6
	VMOVDQU32 ·evens(SB), Z4
	TESTL     AX, AX
	JZ        narrow

channel:
	MOVQ count+48(FP), DX
	MOVQ BX, R10

tap:
	MOVQ      (R10), R11
	KMOVW     8(R10), K1
	KMOVW     10(R10), K2
	KMOVW     12(R10), K3
	KMOVW     14(R10), K4
	VMOVUPS.Z (SI)(R11*1), K1, Z0
	VMOVUPS.Z 64(SI)(R11*1), K2, Z1
	VMOVUPS.Z 128(SI)(R11*1), K3, Z2
	VMOVUPS.Z 192(SI)(R11*1), K4, Z3
	VPERMT2PS Z1, Z4, Z0
	VPERMT2PS Z3, Z4, Z2
	VMOVUPS   Z0, K5, (DI)
	VMOVUPS   Z2, K6, 64(DI)
	ADDQ      R8, DI
	ADDQ      $16, R10
	DECQ      DX
	JNZ       tap
	ADDQ      R9, SI
	DECQ      CX
	JNZ       channel
	VZEROUPPER
	RET

narrow:
	MOVQ count+48(FP), DX
	MOVQ BX, R10

half:
	MOVQ      (R10), R11
	KMOVW     8(R10), K1
	KMOVW     10(R10), K2
	VMOVUPS.Z (SI)(R11*1), K1, Z0
	VMOVUPS.Z 64(SI)(R11*1), K2, Z1
	VPERMT2PS Z1, Z4, Z0
	VMOVUPS   Z0, K5, (DI)
	ADDQ      R8, DI
	ADDQ      $16, R10
	DECQ      DX
	JNZ       half
	ADDQ      R9, SI
	DECQ      CX
	JNZ       narrow
	VZEROUPPER
	RET

DATA ·evens+0(SB)/8, $0x0000000200000000
DATA ·evens+8(SB)/8, $0x0000000600000004
DATA ·evens+16(SB)/8, $0x0000000a00000008
DATA ·evens+24(SB)/8, $0x0000000e0000000c
DATA ·evens+32(SB)/8, $0x0000001200000010
DATA ·evens+40(SB)/8, $0x0000001600000014
DATA ·evens+48(SB)/8, $0x0000001a00000018
DATA ·evens+56(SB)/8, $0x0000001e0000001c
GLOBL ·evens(SB), RODATA|NOPTR, $64
