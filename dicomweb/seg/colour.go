package seg

import "math"

// Lab returns an sRGB colour as Recommended Display CIELab Value: L* of 0 to 100 and a*, b* of -128 to 127 scaled to
// 16 bits (PS3.3 C.10.7.1.1), under the D50 white of the ICC profile connection space. The matrix is that of
// IEC 61966-2-1 adapted from D65 by Bradford.
func Lab(red, green, blue uint8) [3]uint16 {
	r, g, b := linear(red), linear(green), linear(blue)
	x := (0.4360747*r + 0.3850649*g + 0.1430804*b) / 0.9642200
	y := 0.2225045*r + 0.7168786*g + 0.0606169*b
	z := (0.0139322*r + 0.0971045*g + 0.7141733*b) / 0.8252100
	l := 116*cubeRoot(y) - 16
	a := 500 * (cubeRoot(x) - cubeRoot(y))
	bb := 200 * (cubeRoot(y) - cubeRoot(z))
	return [3]uint16{
		scale(l / 100),
		scale((a + 128) / 255),
		scale((bb + 128) / 255),
	}
}

func linear(v uint8) float64 {
	c := float64(v) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

// cubeRoot is CIE 1976's f with its linear part near black.
func cubeRoot(t float64) float64 {
	if t > 216.0/24389 {
		return math.Cbrt(t)
	}
	return (24389.0/27*t + 16) / 116
}

func scale(v float64) uint16 { return uint16(math.Round(65535 * min(max(v, 0), 1))) }
