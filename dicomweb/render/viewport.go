package render

import (
	"image"
	"math"

	"mome/dicomweb"
)

// maxViewport is the largest width and height of a viewport, in pixels.
const maxViewport = 8192

// viewport is the part of an image that is shown and the size that it is brought to (PS3.18 section 8.3.5.1.3). Its zero
// value shows all in the image's own size.
type viewport struct {
	width, height int     // of the viewport, in pixels; 0 for the image's own size
	only          bool    // shrink, never enlarge
	x, y          float64 // of the part's upper left corner, in pixels of the image
	w, h          float64 // of the part, negative to flip it; 0 for the rest of the image
	relative      bool    // x, y, w, h are shares of the image's width and height
}

// show returns what of img the viewport shows, after columns and rows were stretched to make pixels square. The aspect ratio is
// kept: the result fits into the viewport and touches two of its sides.
func (v viewport) show(img image.Image, stretchX, stretchY float64) (image.Image, error) {
	part, flipX, flipY, err := v.part(img.Bounds())
	if err != nil {
		return nil, err
	}
	w, h := float64(part.Dx())*stretchX, float64(part.Dy())*stretchY
	factor := 1.0
	switch {
	case v.width > 0 || v.height > 0: // WADO-URI may leave one of them out
		factor = min(orMost(v.width)/w, orMost(v.height)/h)
	case max(stretchX, stretchY) > 1 && max(w, h) > maxViewport:
		factor = maxViewport / max(w, h)
	}
	if v.only {
		factor = min(factor, 1)
	}
	size := image.Rect(0, 0, max(1, int(math.Round(w*factor))), max(1, int(math.Round(h*factor))))
	if part == img.Bounds() && size.Max == part.Max && !flipX && !flipY {
		return img, nil
	}
	out := scale(img, part, size.Max)
	flip(out, flipX, flipY)
	return out, nil
}

func orMost(size int) float64 {
	if size == 0 {
		return maxViewport
	}
	return float64(size)
}

// part returns the pixels that the viewport shows, and whether they are to be flipped.
func (v viewport) part(all image.Rectangle) (part image.Rectangle, flipX, flipY bool, err error) {
	x, y, w, h := v.x, v.y, v.w, v.h
	if v.relative {
		x, w = x*float64(all.Dx()), w*float64(all.Dx())
		y, h = y*float64(all.Dy()), h*float64(all.Dy())
	}
	flipX, flipY = w < 0, h < 0
	if w = math.Abs(w); w == 0 {
		w = float64(all.Dx()) - x
	}
	if h = math.Abs(h); h == 0 {
		h = float64(all.Dy()) - y
	}
	part = image.Rect(clamp(x), clamp(y), clamp(x+w), clamp(y+h)).Intersect(all)
	if part.Empty() || w < 0 || h < 0 {
		return part, flipX, flipY, dicomweb.Errorf(dicomweb.BadRequest,
			"viewport: the part that is asked for lies outside of the image of %d x %d pixels", all.Dx(), all.Dy())
	}
	return part, flipX, flipY, nil
}

// clamp rounds to a whole pixel that fits an image.
func clamp(v float64) int { return int(math.Round(min(max(v, 0), 1<<20))) }
