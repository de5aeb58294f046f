package render

import (
	"image/color"
	"math"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// segmentColours returns the colour of each segment number that says one.
func segmentColours(d *dicom.Dataset) map[int]color.RGBA {
	colours := map[int]color.RGBA{}
	for _, item := range d.Items(tag.SegmentSequence) {
		if lab := item.Floats(tag.RecommendedDisplayCIELabValue); len(lab) == 3 {
			colours[item.IntOr(tag.SegmentNumber, 0)] = fromLab(lab)
		}
	}
	return colours
}

// colourOf returns the colour of a segment, one of six for a segment that says none.
func colourOf(known map[int]color.RGBA, number int) color.RGBA {
	if c, ok := known[number]; ok {
		return c
	}
	return [...]color.RGBA{
		{0, 255, 255, 255}, {255, 64, 64, 255}, {64, 255, 64, 255}, {255, 255, 0, 255}, {80, 128, 255, 255}, {255, 0, 255, 255},
	}[uint(number)%6]
}

// fromLab returns the sRGB colour of a CIELab Value: L* of 0 to 100 and a*, b* of -128 to 127 scaled to 16 bits (PS3.3
// C.10.7.1.1), under the D50 white of the ICC profile connection space. The matrix is the inverse of IEC 61966-2-1's,
// adapted to D50 by Bradford.
func fromLab(lab []float64) color.RGBA {
	l, a, b := lab[0]/65535*100, lab[1]/65535*255-128, lab[2]/65535*255-128
	fy := (l + 16) / 116
	x, y, z := 0.9642200*cube(fy+a/500), cube(fy), 0.8252100*cube(fy-b/200)
	return color.RGBA{
		gamma(3.1338561*x - 1.6168667*y - 0.4906146*z),
		gamma(-0.9787684*x + 1.9161415*y + 0.0334540*z),
		gamma(0.0719453*x - 0.2289914*y + 1.4052427*z), 255,
	}
}

// cube is the inverse of CIE 1976's f.
func cube(t float64) float64 {
	if t > 6.0/29 {
		return t * t * t
	}
	return (116*t - 16) * 27 / 24389
}

// gamma is the transfer function of IEC 61966-2-1, to 8 bits.
func gamma(v float64) uint8 {
	if v = min(max(v, 0), 1); v <= 0.0031308 {
		v *= 12.92
	} else {
		v = 1.055*math.Pow(v, 1/2.4) - 0.055
	}
	return uint8(255*v + 0.5)
}
