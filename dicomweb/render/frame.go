package render

import (
	"image"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/pixel"
)

// Frame renders frame n of an image, which counts from 0: *image.Gray for MONOCHROME1 and MONOCHROME2, *image.RGBA for
// colours. w is the window to use, nil for the object's own; where it has none it is taken from the pixels. What cannot be
// rendered is an error of kind NotAcceptable.
func Frame(f *dicom.File, set *pixel.FrameSet, n int, w *Window) (image.Image, error) {
	h := headerOf(f, n)
	s, err := decode(h, set, n)
	if err != nil {
		return nil, err
	}
	switch s.photometric {
	case "PALETTE COLOR":
		return paletteColour(h, s)
	case "RGB", "YBR_FULL", "YBR_RCT", "YBR_ICT":
		if s.perPixel == 3 && s.ints != nil {
			return trueColour(s), nil
		}
	case "MONOCHROME1", "MONOCHROME2", "": // Float Pixel Data need no other
		if s.perPixel == 1 {
			return grey(h, s, w)
		}
	}
	return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "photometric interpretation %q with %d samples per pixel cannot be rendered", s.photometric, s.perPixel)
}

// textOf returns what may be told to the client of an error.
func textOf(err error) string {
	if e, ok := err.(*dicomweb.Error); ok && e.Kind != dicomweb.Internal {
		return e.Text
	}
	return "its pixel data cannot be read"
}
