package render

// transform is the forward DCT of 8 x 8 values in place, scaled by 8 and the factors of Arai, Agui and Nakajima (Trans. IEICE
// E-71, 1988), which the divisors undo.
func transform(b *[64]float32) {
	for i := 0; i < 64; i += 8 {
		r := (*[8]float32)(b[i:])
		r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7] = dct8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
	}
	for i := range 8 {
		b[i], b[i+8], b[i+16], b[i+24], b[i+32], b[i+40], b[i+48], b[i+56] =
			dct8(b[i], b[i+8], b[i+16], b[i+24], b[i+32], b[i+40], b[i+48], b[i+56])
	}
}

// dct8 is the transform of eight values: five multiplications.
func dct8(a, b, c, d, e, f, g, h float32) (float32, float32, float32, float32, float32, float32, float32, float32) {
	s0, s1, s2, s3 := a+h, b+g, c+f, d+e
	d0, d1, d2, d3 := a-h, b-g, c-f, d-e

	t0, t3, t1, t2 := s0+s3, s0-s3, s1+s2, s1-s2
	z := (t2 + t3) * 0.707106781 // cos(4 pi/16)

	u0, u1, u2 := d3+d2, d2+d1, d1+d0
	z5 := (u0 - u2) * 0.382683433 // cos(6 pi/16)
	z2 := 0.541196100*u0 + z5     // cos(2 pi/16) - cos(6 pi/16)
	z4 := 1.306562965*u2 + z5     // cos(2 pi/16) + cos(6 pi/16)
	z3 := u1 * 0.707106781        // cos(4 pi/16)
	z11, z13 := d0+z3, d0-z3

	return t0 + t1, z11 + z4, t3 + z, z13 - z2, t0 - t1, z13 + z2, t3 - z, z11 - z4
}
