package render

import (
	"bytes"
	"context"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"math"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// What bounds an animation: the pixels of all its frames together, and as how many pixels a frame's colour table counts.
const (
	maxAnimation = 1 << 26
	tablePixels  = 1 << 12
)

// animation renders all frames of a multi-frame image as one GIF that goes round without end.
func (s *Service) animation(ctx context.Context, c chosen, params parameters) ([]byte, error) {
	o, err := s.open(ctx, c.Instance)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	out := gif.GIF{}
	delay, left := delayOf(o.file.Dataset), maxAnimation
	x, y := headerOf(o.file, 0).squeeze() // all frames have one size
	for n := range o.frames.Count() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		img, err := Frame(o.file, o.frames, n, params.window)
		if err != nil {
			return nil, err
		}
		if img, err = params.view.show(img, x, y); err != nil {
			return nil, err
		}
		if left -= img.Bounds().Dx()*img.Bounds().Dy() + tablePixels; left < 0 {
			return nil, dicomweb.Errorf(dicomweb.NotAcceptable,
				"%d frames are too many or too large for one animation: a smaller viewport may do, and %s/frames/1/rendered has each frame", o.frames.Count(), c.Path())
		}
		out.Image = append(out.Image, indexed(img))
		out.Delay = append(out.Delay, delay)
	}
	var buf bytes.Buffer
	err = gif.EncodeAll(&buf, &out)
	return buf.Bytes(), err
}

// indexed returns img in 256 colours: grey levels as they are, colours with the error of each pixel given to the next ones.
func indexed(img image.Image) *image.Paletted {
	if g, ok := img.(*image.Gray); ok {
		return &image.Paletted{Pix: g.Pix, Stride: g.Stride, Rect: g.Rect, Palette: greys()}
	}
	out := image.NewPaletted(img.Bounds(), palette.Plan9)
	draw.FloydSteinberg.Draw(out, out.Rect, img, img.Bounds().Min)
	return out
}

// delayOf returns how long a frame is shown, in hundredths of a second: by Frame Time (PS3.3 C.7.6.5), else by the frame rate
// that the object recommends, else a tenth of a second.
func delayOf(d *dicom.Dataset) int {
	ms, ok := d.Float(tag.FrameTime)
	for _, t := range []tag.Tag{tag.RecommendedDisplayFrameRate, tag.CineRate} {
		if rate, has := d.Float(t); !ok && has && rate > 0 {
			ms, ok = 1000/rate, true
		}
	}
	if !ok || !(ms > 0) {
		ms = 100
	}
	return int(min(max(math.Round(ms/10), 2), 1000)) // browsers slow down what is faster
}
