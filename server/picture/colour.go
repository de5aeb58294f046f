package picture

import "image/color"

// Colours that readers who confuse red and green can tell apart (Okabe and Ito, "Color Universal Design", 2008).
const (
	orange = iota
	skyBlue
	green
	yellow
	blue
	vermilion
	purple
)

func okabeIto(n int) color.NRGBA {
	return [...]color.NRGBA{
		orange: {230, 159, 0, 255}, skyBlue: {86, 180, 233, 255}, green: {0, 158, 115, 255}, yellow: {240, 228, 66, 255},
		blue: {0, 114, 178, 255}, vermilion: {213, 94, 0, 255}, purple: {204, 121, 167, 255},
	}[n]
}

// serEnds returns the ends of the classes of the signal enhancement ratio (UCSF's colour scale), ascending.
func serEnds() [6]float64 { return [...]float64{0, 0.9, 1, 1.3, 1.75, 3} }

// serColour is the colour of a signal enhancement ratio: UCSF's blue, purple, green, red and yellow to white, in tones
// that stay apart for every reader. ok is false for a voxel without a ratio.
func serColour(ser float64) (c color.NRGBA, ok bool) {
	if !(ser > 0) {
		return c, false
	}
	ends, class := serEnds(), 0
	for class < len(ends)-2 && ser >= ends[class+1] {
		class++
	}
	c = okabeIto([...]int{blue, purple, green, vermilion, yellow}[class])
	if class == len(ends)-2 { // yellow to white
		c = mix(c, color.NRGBA{255, 255, 255, 255}, min((ser-ends[class])/(ends[class+1]-ends[class]), 1))
	}
	return c, true
}

// heatColour is the colour of an attribution relative to the largest one, -1..1: vermilion speaks for malignancy, blue
// against it, and what is near zero is clear.
func heatColour(t float64) color.NRGBA {
	c := okabeIto(vermilion)
	if t < 0 {
		c, t = okabeIto(skyBlue), -t
	}
	if t > 0.5 && c == okabeIto(vermilion) { // the highest glow, so that a peak is found in black and white too
		c = mix(c, okabeIto(yellow), (t-0.5)*2)
	}
	c.A = uint8(255*min(1.4*t, 0.85) + 0.5)
	return c
}

// mix goes from a to b as t goes from 0 to 1.
func mix(a, b color.NRGBA, t float64) color.NRGBA {
	part := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*t + 0.5) }
	return color.NRGBA{part(a.R, b.R), part(a.G, b.G), part(a.B, b.B), part(a.A, b.A)}
}
