package stow

import (
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"io"

	"mome/dicomweb"
)

// maxDecoded bounds the pixels that the parts of PNG or GIF of one image may have, all frames together, in bytes of
// memory.
const maxDecoded = 256 << 20

// decoded is an image as DICOM takes it: its description and its pixels, little endian, samples together.
type decoded struct {
	description
	frames int
	pixels []byte
}

// tooLarge is the error of an image beyond maxDecoded.
func tooLarge() error {
	return refuse(dicomweb.OutOfResources, "the image has more than %d bytes of pixels", maxDecoded)
}

// decodeImage decodes a part of PNG, or of GIF with all its frames, in at most that many bytes of memory. Transparency
// is left out, colours of a palette become RGB (PS3.18 table 10.5.2-1 with its notes).
func decodeImage(p bulkPart, most int64) (decoded, error) {
	if p.media.Name == "image/gif" {
		return decodeGIF(p.bytes, most)
	}
	bad := refuse(dicomweb.CannotUnderstand, "the part of image/png is no PNG image")
	cfg, err := png.DecodeConfig(io.NewSectionReader(p.bytes, 0, p.bytes.Size()))
	if err != nil {
		return decoded{}, bad
	}
	if int64(cfg.Width)*int64(cfg.Height)*8 > most || max(cfg.Width, cfg.Height) > 0xFFFF {
		return decoded{}, tooLarge()
	}
	img, err := png.Decode(io.NewSectionReader(p.bytes, 0, p.bytes.Size()))
	if err != nil {
		return decoded{}, bad
	}
	d := decoded{description: description{rows: cfg.Height, columns: cfg.Width}, frames: 1}
	d.bits, d.samples = samplesOf(img)
	d.append(img)
	return d, nil
}

// samplesOf returns bits and number of samples of a pixel as img is stored.
func samplesOf(img image.Image) (bits, samples int) {
	switch img.ColorModel() {
	case color.GrayModel:
		return 8, 1
	case color.Gray16Model:
		return 16, 1
	case color.NRGBA64Model, color.RGBA64Model:
		return 16, 3
	}
	return 8, 3
}

// append adds the pixels of img. Colours are taken before any transparency: those that it hides are kept.
func (d *decoded) append(img image.Image) {
	if d.pixels == nil {
		d.pixels = make([]byte, 0, d.frames*d.rows*d.columns*d.samples*d.bits/8)
	}
	d.photometric = "MONOCHROME2"
	if d.samples == 3 {
		d.photometric = "RGB"
	}
	put := func(v uint16) {
		if d.bits == 16 {
			d.pixels = append(d.pixels, byte(v))
		}
		d.pixels = append(d.pixels, byte(v>>8))
	}
	bounds := img.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			var c color.NRGBA64
			switch n := img.(type) {
			case *image.NRGBA:
				at := n.NRGBAAt(x, y)
				c.R, c.G, c.B = uint16(at.R)<<8, uint16(at.G)<<8, uint16(at.B)<<8
			case *image.NRGBA64:
				c = n.NRGBA64At(x, y)
			default:
				c = color.NRGBA64Model.Convert(img.At(x, y)).(color.NRGBA64)
			}
			put(c.R)
			if d.samples == 3 {
				put(c.G)
				put(c.B)
			}
		}
	}
}

// decodeGIF decodes all frames; each is what a viewer shows at its time, drawn over those before.
func decodeGIF(r *io.SectionReader, most int64) (decoded, error) {
	bad := refuse(dicomweb.CannotUnderstand, "the part of image/gif is no GIF image")
	whole := func() io.Reader { return io.NewSectionReader(r, 0, r.Size()) }
	cfg, err := gif.DecodeConfig(whole())
	if err != nil || cfg.Width == 0 || cfg.Height == 0 {
		return decoded{}, bad
	}
	frames, area, err := gifFrames(r)
	if err != nil {
		return decoded{}, bad
	}
	if area+int64(frames)*int64(cfg.Width)*int64(cfg.Height)*3 > most {
		return decoded{}, tooLarge()
	}
	g, err := gif.DecodeAll(whole())
	if err != nil || len(g.Image) == 0 {
		return decoded{}, bad
	}
	d := decoded{description: description{rows: cfg.Height, columns: cfg.Width, bits: 8, samples: 3}, frames: len(g.Image)}
	canvas := image.NewRGBA(image.Rect(0, 0, cfg.Width, cfg.Height))
	for i, frame := range g.Image {
		before := image.NewRGBA(canvas.Rect)
		copy(before.Pix, canvas.Pix)
		draw.Draw(canvas, frame.Bounds(), frame, frame.Bounds().Min, draw.Over)
		d.append(canvas)
		switch g.Disposal[i] {
		case gif.DisposalBackground:
			draw.Draw(canvas, frame.Bounds(), image.Transparent, image.Point{}, draw.Src)
		case gif.DisposalPrevious:
			canvas = before
		}
	}
	return d, nil
}
