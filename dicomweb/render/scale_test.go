package render

import (
	"image"
	"testing"

	"golang.org/x/image/draw"
)

// TestScale holds sizes and parts against the bilinear filter of x/image, which is the same triangle in floating point.
func TestScale(t *testing.T) {
	grey := scene(61, 47)
	colour := image.NewRGBA(grey.Rect)
	for i, v := range grey.Pix {
		copy(colour.Pix[4*i:], []uint8{v, 255 - v, uint8(i), 255})
	}
	for _, c := range []struct {
		part image.Rectangle
		size image.Point
	}{
		{grey.Rect, image.Pt(20, 15)}, {grey.Rect, image.Pt(200, 150)}, {grey.Rect, image.Pt(1, 1)}, {grey.Rect, image.Pt(61, 94)},
		{image.Rect(10, 5, 40, 45), image.Pt(17, 90)}, {image.Rect(60, 46, 61, 47), image.Pt(5, 5)}, {image.Rect(0, 0, 1, 47), image.Pt(1, 13)},
	} {
		for _, img := range []image.Image{grey, colour} {
			want := image.NewRGBA(image.Rectangle{Max: c.size})
			draw.BiLinear.Scale(want, want.Rect, img, c.part, draw.Src, nil)
			got := scale(img, c.part, c.size)
			if got.Bounds() != want.Rect {
				t.Fatalf("%T, %v to %v: %v", img, c.part, c.size, got.Bounds())
			}
			for y := range c.size.Y {
				for x := range c.size.X {
					r, g, b, a := got.At(x, y).RGBA()
					w := want.RGBAAt(x, y)
					for k, d := range [4]int{int(r>>8) - int(w.R), int(g>>8) - int(w.G), int(b>>8) - int(w.B), int(a>>8) - int(w.A)} {
						if d < -1 || d > 1 {
							t.Fatalf("%T, %v to %v: pixel %d, %d differs by %d in channel %d", img, c.part, c.size, x, y, d, k)
						}
					}
				}
			}
		}
	}
}

// TestTapsAreWhole: the weights of each pixel sum up to one, and none lies outside.
func TestTapsAreWhole(t *testing.T) {
	for _, c := range [][2]int{{1, 1}, {1, 8192}, {7, 3}, {3, 7}, {8192, 1}, {1000, 999}, {65535, 13}} {
		for k, p := range tapsOf(c[0], c[1]) {
			sum := uint32(0)
			for _, w := range p.weights {
				sum += w
			}
			if sum != 1<<tapBits || p.first < 0 || p.first+len(p.weights) > c[0] {
				t.Fatalf("%d to %d, pixel %d: weights of %d from %d on sum up to %d", c[0], c[1], k, len(p.weights), p.first, sum)
			}
		}
	}
}

func BenchmarkScale(b *testing.B) {
	img := scene(512, 512)
	b.ReportAllocs()
	for b.Loop() {
		scale(img, img.Rect, image.Pt(256, 256))
	}
}
