package pixel

import (
	"slices"

	"mome/dicomweb"
)

// Decoder decodes frame after frame in the same memory. Its zero value is ready; it is not safe for concurrent use.
type Decoder struct {
	raw     []byte   // the frame as it is stored
	native  []byte   // and uncompressed
	samples []uint16 // on the way between
}

// Frame decodes frame i of s, which counts from 0, into dst, which has l.Samples() values: [row, column, sample]
// whatever the Planar Configuration, the stored values with their sign, before any rescaling. A transfer syntax without
// a decoder is an error of kind UnsupportedMedia that names it; nothing is guessed.
func (d *Decoder) Frame(s *FrameSet, l Layout, transferSyntax string, i int, dst []int32) (err error) {
	if d.raw, err = s.read(i, d.raw); err != nil {
		return err
	}
	return d.decode(l, transferSyntax, d.raw, dst)
}

// Decode is Frame of a frame that has been read.
func Decode(l Layout, transferSyntax string, raw []byte, dst []int32) error {
	return new(Decoder).decode(l, transferSyntax, raw, dst)
}

func (d *Decoder) decode(l Layout, transferSyntax string, raw []byte, dst []int32) error {
	if len(dst) != l.Samples() {
		return dicomweb.Errorf(dicomweb.Internal, "decode frame: buffer of %d samples for %d", len(dst), l.Samples())
	}
	native, err := d.uncompress(l, transferSyntax, raw)
	if err != nil {
		return err
	}
	l.unpack(native, dst)
	return nil
}

// Native returns one frame uncompressed in little endian, l.Bytes() long, colour planes as l.Planar says. It may
// share raw's memory and never changes it.
func Native(l Layout, transferSyntax string, raw []byte) ([]byte, error) {
	return new(Decoder).uncompress(l, transferSyntax, raw)
}

// uncompress is Native; what it returns holds until the next frame.
func (d *Decoder) uncompress(l Layout, transferSyntax string, raw []byte) ([]byte, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	switch transferSyntax {
	case implicitLittle, explicitLittle, deflatedLittle, explicitBig:
		if len(raw) < l.Bytes() {
			return nil, dicomweb.Errorf(dicomweb.BadRequest, "the frame has %d bytes, %d are needed", len(raw), l.Bytes())
		}
		if raw = raw[:l.Bytes()]; transferSyntax == explicitBig {
			return d.swap(raw, l.BitsAllocated/8), nil
		}
		return raw, nil
	case rleLossless:
		return d.decodeRLE(l, raw)
	case jpegLossless, jpegLosslessSV:
		return d.decodeJPEGLossless(l, raw)
	case jpegLS, jpegLSNear:
		return d.decodeJPEGLS(l, raw)
	}
	if isJPEG2000(transferSyntax) {
		return d.decodeJPEG2000(l, transferSyntax, raw)
	}
	return nil, unsupported(transferSyntax, "")
}

// swap returns words of size bytes with their bytes reversed. Samples of 8 bits stay in order: they are taken as OB.
func (d *Decoder) swap(raw []byte, size int) []byte {
	d.native = blank(d.native, len(raw))
	for i := range raw {
		d.native[i] = raw[i-i%size+size-1-i%size]
	}
	return d.native
}

// blank returns n zeros in the memory of buf where that suffices.
func blank[T byte | uint16](buf []T, n int) []T {
	buf = slices.Grow(buf[:0], n)[:n]
	clear(buf)
	return buf
}

// pack writes the samples, [pixel, component], as a native frame in little endian.
func (d *Decoder) pack(l Layout) []byte {
	d.native = blank(d.native, l.Bytes())
	size, area := l.BitsAllocated/8, l.Rows*l.Columns
	for i, s := range d.samples {
		at := i
		if l.Planar {
			at = i%l.SamplesPerPixel*area + i/l.SamplesPerPixel
		}
		d.native[at*size] = byte(s)
		if size > 1 {
			d.native[at*size+1] = byte(s >> 8)
		}
	}
	return d.native
}
