package picture

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// point is a place in a picture, pixels, x to the right and y down; (0,0) is the corner of the first pixel.
type point struct{ x, y float64 }

// typeface is the one font of all pictures. Go Medium (BSD licence) knows Latin letters alone: text in pictures is ASCII.
// It serves one goroutine: faces keep buffers.
type typeface struct {
	font  *opentype.Font
	sizes map[float64]font.Face
}

func newTypeface() (*typeface, error) {
	f, err := opentype.Parse(gomedium.TTF)
	if err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	return &typeface{f, map[float64]font.Face{}}, nil
}

// of returns the face of a size in pixels.
func (t *typeface) of(size float64) (font.Face, error) {
	if f := t.sizes[size]; f != nil {
		return f, nil
	}
	f, err := opentype.NewFace(t.font, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	t.sizes[size] = f
	return f, nil
}

// canvas draws with anti-aliased edges onto an image. Its first error stays.
type canvas struct {
	*image.RGBA
	face *typeface
	err  error
}

func newCanvas(w, h int, ground color.Color, face *typeface) *canvas {
	c := &canvas{RGBA: image.NewRGBA(image.Rect(0, 0, w, h)), face: face}
	draw.Draw(c.RGBA, c.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	return c
}

// rect fills whole pixels.
func (c *canvas) rect(r image.Rectangle, fill color.Color) {
	draw.Draw(c.RGBA, r, image.NewUniform(fill), image.Point{}, draw.Over)
}

// polygon fills a polygon without self-intersections.
func (c *canvas) polygon(corners []point, fill color.Color) { c.fill([][]point{corners}, fill) }

// fill fills the union of polygons. Each is given the same sense of rotation: the rasterizer adds up what overlaps and
// stops at full cover, while opposite senses would cancel.
func (c *canvas) fill(polygons [][]point, fill color.Color) {
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, p := range polygons {
		for _, at := range p {
			low, high = point{min(low.x, at.x), min(low.y, at.y)}, point{max(high.x, at.x), max(high.y, at.y)}
		}
	}
	if !(low.x <= high.x) {
		return
	}
	b := image.Rect(int(math.Floor(low.x)), int(math.Floor(low.y)), int(math.Ceil(high.x)), int(math.Ceil(high.y))).Intersect(c.Bounds())
	if b.Empty() {
		return
	}
	r := vector.NewRasterizer(b.Dx(), b.Dy())
	for _, p := range polygons {
		turn := 0.0
		for n, a := range p {
			b := p[(n+1)%len(p)]
			turn += a.x*b.y - b.x*a.y
		}
		for n := range p {
			at := p[n]
			if turn < 0 {
				at = p[len(p)-1-n]
			}
			x, y := float32(at.x-float64(b.Min.X)), float32(at.y-float64(b.Min.Y))
			if n == 0 {
				r.MoveTo(x, y)
			} else {
				r.LineTo(x, y)
			}
		}
		r.ClosePath()
	}
	r.Draw(c.RGBA, b, image.NewUniform(fill), image.Point{})
}

// stroke draws lines of a width in pixels, with round ends.
func (c *canvas) stroke(lines [][]point, width float64, ink color.Color) {
	var parts [][]point
	for _, l := range lines {
		for n, p := range l {
			parts = append(parts, disc(p, width/2))
			if n > 0 {
				if q := quad(l[n-1], p, width/2); q != nil {
					parts = append(parts, q)
				}
			}
		}
	}
	c.fill(parts, ink)
}

// marked strokes lines with a dark rim, so that they are seen on bright and on dark tissue.
func (c *canvas) marked(lines [][]point, width float64, ink color.Color) {
	c.stroke(lines, width+2, color.NRGBA{0, 0, 0, 170})
	c.stroke(lines, width, ink)
}

func quad(a, b point, half float64) []point {
	dx, dy := b.x-a.x, b.y-a.y
	length := math.Hypot(dx, dy)
	if length == 0 {
		return nil
	}
	nx, ny := -dy/length*half, dx/length*half
	return []point{{a.x + nx, a.y + ny}, {b.x + nx, b.y + ny}, {b.x - nx, b.y - ny}, {a.x - nx, a.y - ny}}
}

// disc is a polygon of twelve corners about p.
func disc(p point, radius float64) []point {
	out := make([]point, 12)
	for n := range out {
		s, c := math.Sincos(2 * math.Pi * float64(n) / float64(len(out)))
		out[n] = point{p.x + radius*c, p.y + radius*s}
	}
	return out
}

// anchor says which part of a text its place names.
type anchor int

const (
	left anchor = iota
	middle
	right
)

// text writes one line of ASCII at a baseline, size in pixels.
func (c *canvas) text(at point, size float64, a anchor, ink color.Color, s string) {
	d, ok := c.drawer(size, ink)
	if !ok {
		return
	}
	switch width := float64(d.MeasureString(s)) / 64; a {
	case middle:
		at.x -= width / 2
	case right:
		at.x -= width
	}
	d.Dot = fixed.Point26_6{X: fixed.Int26_6(math.Round(at.x * 64)), Y: fixed.Int26_6(math.Round(at.y * 64))}
	d.DrawString(s)
}

// haloed writes text with a dark rim.
func (c *canvas) haloed(at point, size float64, a anchor, ink color.Color, s string) {
	for _, d := range [8]point{{-1, -1}, {0, -1.4}, {1, -1}, {-1.4, 0}, {1.4, 0}, {-1, 1}, {0, 1.4}, {1, 1}} {
		c.text(point{at.x + d.x, at.y + d.y}, size, a, color.NRGBA{0, 0, 0, 200}, s)
	}
	c.text(at, size, a, ink, s)
}

// width returns how wide a text is, pixels.
func (c *canvas) width(size float64, s string) float64 {
	d, ok := c.drawer(size, color.Black)
	if !ok {
		return 0
	}
	return float64(d.MeasureString(s)) / 64
}

func (c *canvas) drawer(size float64, ink color.Color) (*font.Drawer, bool) {
	face, err := c.face.of(size)
	if err != nil {
		c.err = err
		return nil, false
	}
	return &font.Drawer{Dst: c.RGBA, Src: image.NewUniform(ink), Face: face}, true
}
