package picture

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"slices"
	"strings"

	xdraw "golang.org/x/image/draw"

	"mome/experts/volume"
)

// Bands above and below the anatomy, pixels.
const (
	titleBand  = 26
	legendBand = 38
	noticeBand = 22
)

// frame is a picture in the making: a title, the anatomy, the legend of colours if there is one, the notice.
type frame struct {
	*canvas
	lattice volume.Grid // of the anatomy before it was enlarged
	scale   [2]float64  // pixels of the picture per pixel of the lattice
	w, h    int         // of the anatomy
}

// mostPixels bounds both sides of the anatomy, whatever spacing a header claims.
const mostPixels = 1200

// newFrame enlarges grey values, one per pixel of a flat lattice, to about pixelsPerMM; legend leaves room for one.
func (d *drawing) newFrame(l volume.Grid, values []uint8, pixelsPerMM float64, title string, legend bool) *frame {
	pixelsPerMM = min(pixelsPerMM, mostPixels/max(float64(l.Size[0])*l.SpacingMM[0], float64(l.Size[1])*l.SpacingMM[1]))
	w := max(1, int(float64(l.Size[0])*l.SpacingMM[0]*pixelsPerMM+0.5))
	h := max(1, int(float64(l.Size[1])*l.SpacingMM[1]*pixelsPerMM+0.5))
	below := noticeBand
	if legend {
		below += legendBand
	}
	f := &frame{canvas: newCanvas(w, titleBand+h+below, color.Gray{16}, d.face), lattice: l, w: w, h: h,
		scale: [2]float64{float64(w) / float64(l.Size[0]), float64(h) / float64(l.Size[1])}}
	grey := &image.Gray{Pix: values, Stride: l.Size[0], Rect: image.Rect(0, 0, l.Size[0], l.Size[1])}
	xdraw.CatmullRom.Scale(f.RGBA, f.anatomy(), grey, grey.Rect, draw.Src, nil)
	f.text(point{8, 18}, 15, left, color.Gray{230}, f.shortened(15, title, float64(w)-16))
	notice := ascii(d.cfg.Notice)
	if with := notice + " - model trained on: " + ascii(d.cfg.TrainedOn); d.cfg.TrainedOn != "" && f.width(13, with) < float64(w)-16 {
		notice = with
	}
	size := 13.0
	for size > 5 && f.width(size, notice) > float64(w)-16 { // it is never cut
		size -= 0.5
	}
	f.text(point{8, float64(f.Bounds().Dy()) - 6}, size, left, okabeIto(yellow), notice)
	return f
}

// anatomy is the part of the picture that shows it.
func (f *frame) anatomy() image.Rectangle { return image.Rect(0, titleBand, f.w, titleBand+f.h) }

// at returns where a (fractional) pixel of the lattice lies in the picture.
func (f *frame) at(p point) point {
	return point{(p.x + 0.5) * f.scale[0], (p.y+0.5)*f.scale[1] + titleBand}
}

// place returns where a point of patient space lies in the picture, projected onto its plane.
func (f *frame) place(mm volume.Vec) point {
	i, j, _ := f.lattice.At(mm)
	return f.at(point{i, j})
}

// all applies at to lines.
func (f *frame) all(lines [][]point) [][]point {
	out := make([][]point, len(lines))
	for n, l := range lines {
		for _, p := range l {
			out[n] = append(out[n], f.at(p))
		}
	}
	return out
}

// letters writes the patient's directions at the edges.
func (f *frame) letters(v view) {
	const size = 20
	x, y := float64(f.w), float64(titleBand+f.h)
	f.haloed(point{8, titleBand + float64(f.h)/2 + 6}, size, left, color.White, v.left)
	f.haloed(point{x - 8, titleBand + float64(f.h)/2 + 6}, size, right, color.White, v.right)
	f.haloed(point{x / 2, titleBand + 20}, size, middle, color.White, v.up)
	f.haloed(point{x / 2, y - 8}, size, middle, color.White, v.low)
}

// scaleBar draws a bar of a length in mm at the lower right.
func (f *frame) scaleBar(mm float64) {
	length := mm / f.lattice.SpacingMM[0] * f.scale[0]
	y, x := float64(titleBand+f.h)-12, float64(f.w)-12
	f.marked([][]point{{{x - length, y}, {x, y}}, {{x - length, y - 4}, {x - length, y + 4}}, {{x, y - 4}, {x, y + 4}}}, 1.5, color.White)
	f.haloed(point{x - length/2, y - 8}, 16, middle, color.White, fmt.Sprintf("%.0f mm", mm))
}

// tint lays a colour over each pixel of the lattice, as blocks: a map shows no more than it knows.
func (f *frame) tint(colourOf func(x, y int) (color.NRGBA, bool)) {
	for y := range f.lattice.Size[1] {
		for x := range f.lattice.Size[0] {
			if c, ok := colourOf(x, y); ok {
				f.rect(image.Rect(int(float64(x)*f.scale[0]+0.5), titleBand+int(float64(y)*f.scale[1]+0.5),
					int(float64(x+1)*f.scale[0]+0.5), titleBand+int(float64(y+1)*f.scale[1]+0.5)), c)
			}
		}
	}
}

// classes draws a legend of equal fields with the values at their ends.
func (f *frame) classes(colourOf func(n int) color.NRGBA, ends []string, unit string) {
	x, y, w := 40, titleBand+f.h+4, (f.w-60)/(len(ends)-1)
	f.text(point{6, float64(y) + 12}, 13, left, color.Gray{230}, unit)
	for n, e := range ends {
		if n < len(ends)-1 {
			f.rect(image.Rect(x+n*w, y, x+n*w+w-1, y+12), colourOf(n))
		}
		f.text(point{float64(x + n*w), float64(y) + 27}, 13, middle, color.Gray{230}, e)
	}
}

// gradient draws a legend that goes from one end to the other, with words below its ends and its middle.
func (f *frame) gradient(colourOf func(t float64) color.NRGBA, words []string) {
	x, y, w := 20, titleBand+f.h+4, f.w-40
	for n := range w {
		f.rect(image.Rect(x+n, y, x+n+1, y+12), colourOf(float64(n)/float64(w-1)))
	}
	for n, a := range [...]anchor{left, middle, right} {
		f.text(point{float64(x) + float64(w*n)/2, float64(y) + 27}, 13, a, color.Gray{230}, words[n])
	}
}

// plane is the geometry of the picture's pixels, its bands included.
func (f *frame) plane() Plane {
	l := &f.lattice
	mm := l.SpacingMM[0] / f.scale[0]
	first := l.Point((0.5)/f.scale[0]-0.5, (0.5-titleBand)/f.scale[1]-0.5, float64(l.Size[2]-1)/2)
	return Plane{FrameOfReference: l.FrameOfReference, OriginMM: first, Right: l.Axis[0], Down: l.Axis[1], SpacingMM: mm,
		ThicknessMM: l.SpacingMM[2] * float64(l.Size[2])}
}

// shortened cuts a text to a width, pixels.
func (c *canvas) shortened(size float64, s string, width float64) string {
	for s != "" && c.width(size, s) > width {
		s = strings.TrimRight(s[:len(s)-1], " ")
	}
	return s
}

// ascii replaces what the font does not know.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// window turns values into grey: low and below is black, high and above is white.
func window(values []float32, low, high float32) []uint8 {
	out := make([]uint8, len(values))
	for n, v := range values {
		if t := (v - low) / max(high-low, 1e-6); t > 0 {
			out[n] = uint8(min(t, 1)*255 + 0.5)
		}
	}
	return out
}

// levels returns two percentiles (0..1) of the values.
func levels(values []float32, low, high float64) (a, b float32) {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	at := func(p float64) float32 { return sorted[int(p*float64(len(sorted)-1)+0.5)] }
	if len(sorted) == 0 {
		return 0, 1
	}
	return at(low), at(high)
}
