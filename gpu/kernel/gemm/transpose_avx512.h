// Transposing blocks of 16 by 16 numbers of 32 bits, rows in Z0 to Z15, in registers: numbers, then pairs, then quarters
// of a register change places.

#define NUMBERS(a, b, low, high) \
	VUNPCKLPS b, a, low; \
	VUNPCKHPS b, a, high

#define PAIRS(a, b, low, high) \
	VUNPCKLPD b, a, low; \
	VUNPCKHPD b, a, high

#define QUARTERS(a, b, even, odd) \
	VSHUFF32X4 $0x88, b, a, even; \
	VSHUFF32X4 $0xdd, b, a, odd

// TRANSPOSE leaves the columns in Z0 to Z15.
#define TRANSPOSE \
	NUMBERS(Z0, Z1, Z16, Z17); \
	NUMBERS(Z2, Z3, Z18, Z19); \
	NUMBERS(Z4, Z5, Z20, Z21); \
	NUMBERS(Z6, Z7, Z22, Z23); \
	NUMBERS(Z8, Z9, Z24, Z25); \
	NUMBERS(Z10, Z11, Z26, Z27); \
	NUMBERS(Z12, Z13, Z28, Z29); \
	NUMBERS(Z14, Z15, Z30, Z31); \
	PAIRS(Z16, Z18, Z0, Z1); \
	PAIRS(Z17, Z19, Z2, Z3); \
	PAIRS(Z20, Z22, Z4, Z5); \
	PAIRS(Z21, Z23, Z6, Z7); \
	PAIRS(Z24, Z26, Z8, Z9); \
	PAIRS(Z25, Z27, Z10, Z11); \
	PAIRS(Z28, Z30, Z12, Z13); \
	PAIRS(Z29, Z31, Z14, Z15); \
	QUARTERS(Z0, Z4, Z16, Z20); \
	QUARTERS(Z8, Z12, Z24, Z28); \
	QUARTERS(Z1, Z5, Z17, Z21); \
	QUARTERS(Z9, Z13, Z25, Z29); \
	QUARTERS(Z2, Z6, Z18, Z22); \
	QUARTERS(Z10, Z14, Z26, Z30); \
	QUARTERS(Z3, Z7, Z19, Z23); \
	QUARTERS(Z11, Z15, Z27, Z31); \
	QUARTERS(Z16, Z24, Z0, Z8); \
	QUARTERS(Z20, Z28, Z4, Z12); \
	QUARTERS(Z17, Z25, Z1, Z9); \
	QUARTERS(Z21, Z29, Z5, Z13); \
	QUARTERS(Z18, Z26, Z2, Z10); \
	QUARTERS(Z22, Z30, Z6, Z14); \
	QUARTERS(Z19, Z27, Z3, Z11); \
	QUARTERS(Z23, Z31, Z7, Z15)

// PUT writes one step of the panel unless the depth has ended.
#define PUT(from) \
	VMOVUPS from, (DI); \
	ADDQ    R8, DI; \
	DECQ    R12; \
	JZ      done

// PUT_ALL writes the columns.
#define PUT_ALL \
	PUT(Z0); \
	PUT(Z1); \
	PUT(Z2); \
	PUT(Z3); \
	PUT(Z4); \
	PUT(Z5); \
	PUT(Z6); \
	PUT(Z7); \
	PUT(Z8); \
	PUT(Z9); \
	PUT(Z10); \
	PUT(Z11); \
	PUT(Z12); \
	PUT(Z13); \
	PUT(Z14); \
	PUT(Z15)
