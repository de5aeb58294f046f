package render

import (
	"bytes"
	"image"
	"image/jpeg"

	"mome/dicomweb"
	"mome/dicomweb/pixel"
)

// readJPEG decodes a frame of lossy JPEG of 8 bits, PS3.5 section 8.2.1. Colours stay in the space that the photometric
// interpretation names, whatever the stream's markers say of it.
func (s *samples) readJPEG(set *pixel.FrameSet, n int) error {
	raw, err := set.Frame(n)
	if err != nil {
		return err
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return jpegError(err)
	}
	if c.Width != s.columns || c.Height != s.rows {
		return dicomweb.Errorf(dicomweb.Conflict, "the JPEG stream has %d x %d pixels, the header tells %d x %d", c.Height, c.Width, s.rows, s.columns)
	}
	img, err := jpeg.Decode(bytes.NewReader(raw))
	if err != nil {
		return jpegError(err)
	}
	s.bits = 8
	s.ints = make([]int32, s.rows*s.columns*s.perPixel)
	switch img := img.(type) {
	case *image.Gray:
		if s.perPixel == 1 {
			for i := range s.ints {
				s.ints[i] = int32(img.Pix[i/s.columns*img.Stride+i%s.columns])
			}
			return nil
		}
	case *image.YCbCr:
		if s.perPixel == 3 {
			s.fromYCbCr(img)
			return nil
		}
	case *image.RGBA:
		if s.perPixel == 3 {
			for i := range s.rows * s.columns {
				p := img.Pix[i/s.columns*img.Stride+i%s.columns*4:]
				s.ints[3*i], s.ints[3*i+1], s.ints[3*i+2] = int32(p[0]), int32(p[1]), int32(p[2])
			}
			s.photometric = "RGB"
			return nil
		}
	}
	return dicomweb.Errorf(dicomweb.Conflict, "the JPEG stream has not the %d samples per pixel that the header tells", s.perPixel)
}

func (s *samples) fromYCbCr(img *image.YCbCr) {
	for row := range s.rows {
		for column := range s.columns {
			y, c, i := img.YOffset(column, row), img.COffset(column, row), 3*(row*s.columns+column)
			s.ints[i], s.ints[i+1], s.ints[i+2] = int32(img.Y[y]), int32(img.Cb[c]), int32(img.Cr[c])
		}
	}
	if s.photometric != "RGB" {
		s.photometric = "YBR_FULL"
	}
}

func jpegError(err error) error {
	return &dicomweb.Error{Kind: dicomweb.UnsupportedMedia, Text: "the JPEG stream is not one of 8 bits that can be decoded", Err: err}
}
