package pixel

import (
	"encoding/binary"
	"slices"

	"mome/dicomweb"
)

// Encoder compresses frame after frame in the same memory, without loss: what a decoder makes of it are the bytes that
// went in. The same frame always gives the same bytes. Its zero value is ready; it is not safe for concurrent use.
type Encoder struct {
	samples []uint16 // [pixel, component]
	diffs   []int16  // of JPEG Lossless
	row     []byte   // of RLE
	ls      lsEncoder
}

// EncodedSyntaxes returns the transfer syntaxes that Append writes, the most widely read one first: JPEG Lossless SV1,
// which PS3.18 table 8.7.3-5 names as the default of compressed frames, JPEG-LS Lossless, RLE Lossless.
func EncodedSyntaxes() []string { return []string{jpegLosslessSV, jpegLS, rleLossless} }

// Encodable reports whether Append compresses frames of layout l: JPEG and JPEG-LS hold 1 or 3 samples of 8 or 16 bits
// (PS3.5 sections 8.2.1 and 8.2.3), RLE at most 15 bytes a pixel (annex G.4).
func Encodable(l Layout, transferSyntax string) bool {
	if l.validate() != nil {
		return false
	}
	switch transferSyntax {
	case jpegLosslessSV, jpegLS:
		return (l.SamplesPerPixel == 1 || l.SamplesPerPixel == 3) && l.BitsAllocated <= 16 && l.Rows < 1<<16 && l.Columns < 1<<16
	case rleLossless:
		return l.SamplesPerPixel*l.BitsAllocated/8 <= rleMaxSegments
	}
	return false
}

// Append compresses one native frame, little endian and l.Bytes() long as Native returns it, and appends it to dst,
// without padding. Components of JPEG and JPEG-LS are interleaved whatever l.Planar says. A layout or transfer syntax
// that is not Encodable is an error of kind UnsupportedMedia.
func (e *Encoder) Append(dst []byte, l Layout, transferSyntax string, native []byte) ([]byte, error) {
	if !Encodable(l, transferSyntax) {
		return nil, unsupported(transferSyntax, ", nor written, in this form")
	}
	if len(native) != l.Bytes() {
		return nil, dicomweb.Errorf(dicomweb.Internal, "encode frame: %d bytes, %d expected", len(native), l.Bytes())
	}
	switch transferSyntax {
	case rleLossless:
		return e.appendRLE(dst, l, native), nil
	case jpegLosslessSV:
		return e.appendJPEGLossless(dst, l, e.unpack(l, native)), nil
	}
	return e.appendJPEGLS(dst, l, e.unpack(l, native)), nil
}

// unpack moves the samples to e.samples and returns their precision in bits: Bits Stored where nothing lies above it,
// otherwise Bits Allocated, so that signs and old overlays keep their bits. Samples in bytes have 8 bits, since CharLS
// took none of fewer than 6 for long, and those in words 9 at least, since readers tell from the precision how wide the
// samples are.
func (e *Encoder) unpack(l Layout, native []byte) (precision int) {
	e.samples = slices.Grow(e.samples[:0], l.Samples())[:l.Samples()]
	all, least := uint16(0), 8
	if l.BitsAllocated == 8 {
		for i, b := range native {
			e.samples[i] = uint16(b)
			all |= uint16(b)
		}
	} else {
		least = 9
		for i := range e.samples {
			v := binary.LittleEndian.Uint16(native[2*i:])
			e.samples[i] = v
			all |= v
		}
	}
	if l.Planar && l.SamplesPerPixel > 1 {
		e.interleave(l)
	}
	if precision = max(l.BitsStored, least); all>>precision != 0 {
		return l.BitsAllocated
	}
	return precision
}

// interleave brings planes to [pixel, component].
func (e *Encoder) interleave(l Layout) {
	planes, area := slices.Clone(e.samples), l.Rows*l.Columns
	for i, v := range planes {
		e.samples[i%area*l.SamplesPerPixel+i/area] = v
	}
}

// appendFrameHeader appends SOI and a frame header (10918-1 B.2.2, 14495-1 C.2.2) of components 1, 2, ...
func appendFrameHeader(dst []byte, sof byte, l Layout, precision int) []byte {
	n := l.SamplesPerPixel
	dst = append(dst, 0xFF, markerSOI, 0xFF, sof)
	dst = binary.BigEndian.AppendUint16(dst, uint16(8+3*n))
	dst = binary.BigEndian.AppendUint16(append(dst, byte(precision)), uint16(l.Rows))
	dst = append(binary.BigEndian.AppendUint16(dst, uint16(l.Columns)), byte(n))
	for c := range n {
		dst = append(dst, byte(c+1), 0x11, 0)
	}
	return dst
}

// appendScanHeader appends the header of the only scan, which holds all components; a, b and c are as in jpegScan.
func appendScanHeader(dst []byte, l Layout, a, b, c byte) []byte {
	n := l.SamplesPerPixel
	dst = append(dst, 0xFF, markerSOS, 0, byte(6+2*n), byte(n))
	for k := range n {
		dst = append(dst, byte(k+1), 0)
	}
	return append(dst, a, b, c)
}
