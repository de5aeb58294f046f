package render

import (
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
)

// Media types of what is made of images and reports, the defaults first (PS3.18 table 8.7.4-1).
const (
	mediaJPEG = "image/jpeg"
	mediaPNG  = "image/png"
	mediaGIF  = "image/gif"

	mediaHTML  = "text/html"
	mediaPlain = "text/plain"
	mediaXML   = "text/xml"
)

// imageMedia lists those of images.
func imageMedia() []string { return []string{mediaJPEG, mediaPNG, mediaGIF} }

// defaultQuality of JPEG: nothing of it is seen at the size of the image.
const defaultQuality = 90

// encode writes img; quality is that of JPEG, 1 to 100.
func encode(w io.Writer, img image.Image, media string, quality int) error {
	switch media {
	case mediaPNG:
		e := png.Encoder{CompressionLevel: png.BestSpeed}
		return e.Encode(w, img)
	case mediaGIF:
		return gif.Encode(w, indexed(img), nil)
	}
	if g, ok := img.(*image.Gray); ok {
		_, err := w.Write(appendGreyJPEG(make([]byte, 0, 1024+len(g.Pix)/4), g, quality))
		return err
	}
	return jpeg.Encode(w, img, &jpeg.Options{Quality: quality})
}

// greys is the palette whose entry i is grey level i.
func greys() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.Gray{Y: uint8(i)}
	}
	return p
}
