package render

import (
	"encoding/binary"
	"math"

	"mome/dicomweb"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/pixel"
)

// maxPixels bounds a frame that is rendered: 64 Mi, more than twice the largest mammogram.
const maxPixels = 1 << 26

// samples is a decoded frame: stored values, [row, column, sample]. One of words, ints and floats holds them.
type samples struct {
	rows, columns, perPixel int
	bits                    int    // Bits Stored of ints
	words                   *words // of the common case, one sample of 16 bits
	ints                    []int32
	unsigned32              bool      // ints are the bits of unsigned values
	floats                  []float64 // of Float or Double Float Pixel Data
	photometric             string
}

// transfer syntaxes that are decoded here: of pixel's the samples are those of the original, of these they are not.
const (
	jpegBaseline = "1.2.840.10008.1.2.4.50"
	jpegExtended = "1.2.840.10008.1.2.4.51"
	explicitBig  = "1.2.840.10008.1.2.2"
)

// decode returns frame n of h's object, which counts from 0. What cannot be decoded is an error of kind NotAcceptable.
func decode(h frameHeader, set *pixel.FrameSet, n int) (*samples, error) {
	s := &samples{
		rows: h.top.IntOr(tag.Rows, 0), columns: h.top.IntOr(tag.Columns, 0), perPixel: h.top.IntOr(tag.SamplesPerPixel, 1),
		photometric: h.top.String(tag.PhotometricInterpretation),
	}
	if s.rows < 1 || s.columns < 1 || s.rows > maxPixels/s.columns || s.perPixel != 1 && s.perPixel != 3 {
		return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "an image of %d x %d pixels of %d samples cannot be rendered", s.rows, s.columns, s.perPixel)
	}
	if err := s.read(h, set, n); err != nil {
		return nil, undecodable(err)
	}
	return s, nil
}

// undecodable makes an error of kind NotAcceptable of why pixels cannot be decoded: nothing is wrong with the request.
func undecodable(err error) error {
	switch dicomweb.KindOf(err) {
	case dicomweb.UnsupportedMedia, dicomweb.TooLarge, dicomweb.BadRequest, dicomweb.Conflict:
		return &dicomweb.Error{Kind: dicomweb.NotAcceptable, Text: "the frame cannot be rendered: " + textOf(err), Err: err}
	}
	return err
}

func (s *samples) read(h frameHeader, set *pixel.FrameSet, n int) error {
	allocated := h.top.IntOr(tag.BitsAllocated, 0)
	s.bits = h.top.IntOr(tag.BitsStored, allocated)
	switch kind := set.Element().Tag; {
	case kind == tag.FloatPixelData:
		return s.readFloats(h, set, n, 4)
	case kind == tag.DoubleFloatPixelData:
		return s.readFloats(h, set, n, 8)
	case h.file.TransferSyntax == jpegBaseline || h.file.TransferSyntax == jpegExtended:
		return s.readJPEG(set, n)
	case allocated == 1 && s.perPixel == 1 && !set.Encapsulated():
		return s.readBits(set, n)
	case s.photometric == "YBR_FULL_422" && s.perPixel == 3 && allocated == 8 && !set.Encapsulated():
		return s.read422(set, n)
	}
	l, err := s.layout(h)
	if err != nil {
		return err
	}
	if little := h.file.TransferSyntax != explicitBig; little && !set.Encapsulated() && l.BitsAllocated == 16 && l.SamplesPerPixel == 1 {
		raw, err := set.Frame(n)
		s.words = &words{raw, 15 - l.HighBit, 16 - l.BitsStored, l.Signed}
		return err
	}
	s.ints = make([]int32, l.Samples())
	var d pixel.Decoder
	return d.Frame(set, l, h.file.TransferSyntax, n, s.ints)
}

// layout is that of the header, but for unsigned values of 32 bits: they are decoded as signed ones and taken as
// unsigned again when they are mapped.
func (s *samples) layout(h frameHeader) (pixel.Layout, error) {
	l, err := pixel.LayoutOf(h.top)
	if l.BitsStored == 32 && !l.Signed {
		s.unsigned32, l.Signed = true, true
		return l, nil // every use of a layout checks it
	}
	return l, err
}

// readBits unfolds samples of one bit, the first in the least significant bit (PS3.5 section 8.1.1 and annex D).
func (s *samples) readBits(set *pixel.FrameSet, n int) error {
	packed, err := set.Frame(n)
	if err != nil {
		return err
	}
	s.ints = make([]int32, s.rows*s.columns)
	for i := range s.ints {
		s.ints[i] = int32(packed[i>>3] >> (i & 7) & 1)
	}
	return nil
}

// read422 unfolds two luminances that share a pair of chrominances, PS3.3 C.7.6.3.1.2.
func (s *samples) read422(set *pixel.FrameSet, n int) error {
	raw, err := set.Frame(n)
	if err != nil {
		return err
	}
	s.ints = make([]int32, 3*s.rows*s.columns)
	for i := range s.rows * s.columns {
		at := i / 2 * 4
		if at+4 > len(raw) {
			return dicomweb.Errorf(dicomweb.Conflict, "rows of an odd number of columns cannot share chrominances")
		}
		s.ints[3*i], s.ints[3*i+1], s.ints[3*i+2] = int32(raw[at+i%2]), int32(raw[at+2]), int32(raw[at+3])
	}
	s.photometric = "YBR_FULL"
	return nil
}

func (s *samples) readFloats(h frameHeader, set *pixel.FrameSet, n, size int) error {
	if s.perPixel != 1 || set.Encapsulated() {
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "float pixel data are decoded with one sample per pixel and uncompressed only")
	}
	raw, err := set.Frame(n)
	if err != nil {
		return err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if h.file.TransferSyntax == explicitBig {
		order = binary.BigEndian
	}
	s.floats = make([]float64, s.rows*s.columns)
	for i := range s.floats {
		if size == 4 {
			s.floats[i] = float64(math.Float32frombits(order.Uint32(raw[4*i:])))
		} else {
			s.floats[i] = math.Float64frombits(order.Uint64(raw[8*i:]))
		}
	}
	return nil
}

// value returns sample i as a number.
func (s *samples) value(i int) float64 {
	switch {
	case s.words != nil:
		return float64(s.words.at(i))
	case s.floats != nil:
		return s.floats[i]
	case s.unsigned32:
		return float64(uint32(s.ints[i]))
	}
	return float64(s.ints[i])
}
