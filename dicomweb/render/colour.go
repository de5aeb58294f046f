package render

import (
	"image"
	"image/color"

	"mome/dicomweb"
	"mome/dicomweb/dicom/tag"
)

// trueColour renders RGB and YBR_FULL, of more bits by their 8 upper ones. YBR_RCT and YBR_ICT name what a JPEG 2000 stream
// does inside: its decoder gives RGB.
func trueColour(s *samples) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, s.columns, s.rows))
	most := int32(1)<<min(max(s.bits, 1), 30) - 1
	to8 := func(v int32) uint8 {
		v = min(max(v, 0), most)
		switch {
		case s.bits == 8:
			return uint8(v)
		case s.bits > 8:
			return uint8(v >> (s.bits - 8))
		}
		return uint8(v * 255 / most)
	}
	for i := range s.rows * s.columns {
		a, b, c := to8(s.ints[3*i]), to8(s.ints[3*i+1]), to8(s.ints[3*i+2])
		if s.photometric == "YBR_FULL" { // the equations of PS3.3 C.7.6.3.1.2 are those of JFIF
			a, b, c = color.YCbCrToRGB(a, b, c)
		}
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = a, b, c, 255
	}
	return img
}

// paletteColour renders PALETTE COLOR, PS3.3 C.7.6.3.1.5 and C.7.9.
func paletteColour(h frameHeader, s *samples) (image.Image, error) {
	if s.perPixel != 1 || s.floats != nil {
		return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "a palette needs one integer per pixel")
	}
	signed := h.top.IntOr(tag.PixelRepresentation, 0) == 1
	var palette [3]*lut
	for i, t := range [3][3]tag.Tag{
		{tag.RedPaletteColorLookupTableDescriptor, tag.RedPaletteColorLookupTableData, tag.SegmentedRedPaletteColorLookupTableData},
		{tag.GreenPaletteColorLookupTableDescriptor, tag.GreenPaletteColorLookupTableData, tag.SegmentedGreenPaletteColorLookupTableData},
		{tag.BluePaletteColorLookupTableDescriptor, tag.BluePaletteColorLookupTableData, tag.SegmentedBluePaletteColorLookupTableData},
	} {
		data := t[1]
		if !h.top.Has(data) {
			data = t[2]
		}
		var err error
		if palette[i], err = readPalette(h, t[0], data, signed); err != nil {
			return nil, err
		}
	}
	img := image.NewRGBA(image.Rect(0, 0, s.columns, s.rows))
	for i := range s.rows * s.columns {
		for c, l := range palette {
			img.Pix[4*i+c] = l.at8(s.value(i))
		}
		img.Pix[4*i+3] = 255
	}
	return img, nil
}

// at8 returns an entry of a palette in 8 bits.
func (l *lut) at8(v float64) uint8 {
	if l.most > 255 {
		return uint8(uint16(l.at(v)) >> 8)
	}
	return uint8(255*l.at(v)/l.most + 0.5)
}
