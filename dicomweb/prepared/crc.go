package prepared

import "hash/crc32"

// combine returns the CRC-32 of two texts put together from the CRC of each and the length of the second: the first is
// multiplied by x^(8 length) modulo the polynomial. Bits are in the reflected order of crc32.IEEE, so that x^0 is the
// highest one. M. Adler, "crc32_combine", zlib.
func combine(first, second uint32, length int) uint32 {
	power, factor := uint32(1)<<31, uint32(1)<<23 // x^0, x^8
	for n := length; n > 0; n >>= 1 {
		if n&1 != 0 {
			power = multiply(factor, power)
		}
		factor = multiply(factor, factor)
	}
	return multiply(power, first) ^ second
}

// multiply returns a*b modulo the polynomial.
func multiply(a, b uint32) uint32 {
	var p uint32
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			p ^= b
		}
		if carry := b & 1; carry != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
	return p
}
