// The end of a slice with AVX2: a window into eight ones and eight zeros is the mask of what remains.

DATA ends<>+0(SB)/8, $0xffffffffffffffff
DATA ends<>+8(SB)/8, $0xffffffffffffffff
DATA ends<>+16(SB)/8, $0xffffffffffffffff
DATA ends<>+24(SB)/8, $0xffffffffffffffff
DATA ends<>+32(SB)/8, $0
DATA ends<>+40(SB)/8, $0
DATA ends<>+48(SB)/8, $0
DATA ends<>+56(SB)/8, $0
GLOBL ends<>(SB), RODATA|NOPTR, $64

// FULL steps over whole registers, of CX numbers; LAST leaves the mask of what remains, if anything, in Y15.
#define FULL(label, done) \
	SUBQ $8, CX \
	JGE  label \
	ADDQ $8, CX \
	JZ   done

#define LAST \
	LEAQ    ends<>+32(SB), AX \
	NEGQ    CX \
	VMOVUPS (AX)(CX*4), Y15
