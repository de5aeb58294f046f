#include "textflag.h"

// func gatherAVX512(dst *float32, block int, x *float32, channel, channels int, taps *tap, count int, cols uint32)
//
// For each channel and tap one line of up to 32 numbers of dst, those of cols: the even ones among the 64 of x from
// the tap's offset on, zeros outside the tap's mask, where x is not read. From channel to channel dst advances by
// block, x by channel bytes.
//
// DI dst, R8 block, SI x, R9 channel, CX channels left, BX taps, DX taps left, R10 the tap, K5, K6 cols
TEXT ·gatherAVX512(SB), NOSPLIT, $0-60
	MOVQ      dst+0(FP), DI
	MOVQ      block+8(FP), R8
	MOVQ      x+16(FP), SI
	MOVQ      channel+24(FP), R9
	MOVQ      channels+32(FP), CX
	MOVQ      taps+40(FP), BX
	MOVL      cols+56(FP), AX
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
	MOVQ      8(R10), R12
	KMOVW     16(R10), K1
	KMOVW     18(R10), K2
	KMOVW     20(R10), K3
	KMOVW     22(R10), K4
	VMOVUPS.Z (SI)(R11*1), K1, Z0
	VMOVUPS.Z 64(SI)(R11*1), K2, Z1
	VMOVUPS.Z 128(SI)(R11*1), K3, Z2
	VMOVUPS.Z 192(SI)(R11*1), K4, Z3
	VPERMT2PS Z1, Z4, Z0
	VPERMT2PS Z3, Z4, Z2
	VMOVUPS   Z0, K5, (DI)(R12*1)
	VMOVUPS   Z2, K6, 64(DI)(R12*1)
	ADDQ      $24, R10
	DECQ      DX
	JNZ       tap
	ADDQ      R8, DI
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
	MOVQ      8(R10), R12
	KMOVW     16(R10), K1
	KMOVW     18(R10), K2
	VMOVUPS.Z (SI)(R11*1), K1, Z0
	VMOVUPS.Z 64(SI)(R11*1), K2, Z1
	VPERMT2PS Z1, Z4, Z0
	VMOVUPS   Z0, K5, (DI)(R12*1)
	ADDQ      $24, R10
	DECQ      DX
	JNZ       half
	ADDQ      R8, DI
	ADDQ      R9, SI
	DECQ      CX
	JNZ       narrow
	VZEROUPPER
	RET

// func scatterAVX512(x *float32, channel int, src *float32, block int, channels int, taps *tap, count int, cols uint32)
//
// The transpose of gatherAVX512: each line of src is added to the numbers of x that it would be gathered from.
//
// DI x, R8 channel, SI src, R9 block, CX channels left, BX taps, DX taps left, R10 the tap, K5, K6 cols
TEXT ·scatterAVX512(SB), NOSPLIT, $0-60
	MOVQ      x+0(FP), DI
	MOVQ      channel+8(FP), R8
	MOVQ      src+16(FP), SI
	MOVQ      block+24(FP), R9
	MOVQ      channels+32(FP), CX
	MOVQ      taps+40(FP), BX
	MOVL      cols+56(FP), AX
	KMOVW     AX, K5
	SHRL      $16, AX
	KMOVW     AX, K6
	VMOVDQU32 ·spread(SB), Z8
	VMOVDQU32 ·spread+64(SB), Z9
	TESTL     AX, AX
	JZ        narrow

channel:
	MOVQ count+48(FP), DX
	MOVQ BX, R10

tap:
	MOVQ      (R10), R11
	MOVQ      8(R10), R12
	KMOVW     16(R10), K1
	KMOVW     18(R10), K2
	KMOVW     20(R10), K3
	KMOVW     22(R10), K4
	VMOVUPS.Z (SI)(R12*1), K5, Z4
	VMOVUPS.Z 64(SI)(R12*1), K6, Z6
	VPERMPS   Z4, Z9, Z5
	VPERMPS   Z4, Z8, Z4
	VPERMPS   Z6, Z9, Z7
	VPERMPS   Z6, Z8, Z6
	VMOVUPS.Z (DI)(R11*1), K1, Z0
	VMOVUPS.Z 64(DI)(R11*1), K2, Z1
	VMOVUPS.Z 128(DI)(R11*1), K3, Z2
	VMOVUPS.Z 192(DI)(R11*1), K4, Z3
	VADDPS    Z4, Z0, Z0
	VADDPS    Z5, Z1, Z1
	VADDPS    Z6, Z2, Z2
	VADDPS    Z7, Z3, Z3
	VMOVUPS   Z0, K1, (DI)(R11*1)
	VMOVUPS   Z1, K2, 64(DI)(R11*1)
	VMOVUPS   Z2, K3, 128(DI)(R11*1)
	VMOVUPS   Z3, K4, 192(DI)(R11*1)
	ADDQ      $24, R10
	DECQ      DX
	JNZ       tap
	ADDQ      R8, DI
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
	MOVQ      8(R10), R12
	KMOVW     16(R10), K1
	KMOVW     18(R10), K2
	VMOVUPS.Z (SI)(R12*1), K5, Z4
	VPERMPS   Z4, Z9, Z5
	VPERMPS   Z4, Z8, Z4
	VMOVUPS.Z (DI)(R11*1), K1, Z0
	VMOVUPS.Z 64(DI)(R11*1), K2, Z1
	VADDPS    Z4, Z0, Z0
	VADDPS    Z5, Z1, Z1
	VMOVUPS   Z0, K1, (DI)(R11*1)
	VMOVUPS   Z1, K2, 64(DI)(R11*1)
	ADDQ      $24, R10
	DECQ      DX
	JNZ       half
	ADDQ      R8, DI
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

DATA ·spread+0(SB)/8, $0x0000000000000000
DATA ·spread+8(SB)/8, $0x0000000100000001
DATA ·spread+16(SB)/8, $0x0000000200000002
DATA ·spread+24(SB)/8, $0x0000000300000003
DATA ·spread+32(SB)/8, $0x0000000400000004
DATA ·spread+40(SB)/8, $0x0000000500000005
DATA ·spread+48(SB)/8, $0x0000000600000006
DATA ·spread+56(SB)/8, $0x0000000700000007
DATA ·spread+64(SB)/8, $0x0000000800000008
DATA ·spread+72(SB)/8, $0x0000000900000009
DATA ·spread+80(SB)/8, $0x0000000a0000000a
DATA ·spread+88(SB)/8, $0x0000000b0000000b
DATA ·spread+96(SB)/8, $0x0000000c0000000c
DATA ·spread+104(SB)/8, $0x0000000d0000000d
DATA ·spread+112(SB)/8, $0x0000000e0000000e
DATA ·spread+120(SB)/8, $0x0000000f0000000f
GLOBL ·spread(SB), RODATA|NOPTR, $128
