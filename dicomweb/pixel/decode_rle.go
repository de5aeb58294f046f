package pixel

import (
	"encoding/binary"

	"mome/dicomweb"
)

// rleHeaderBytes is the RLE header's length: the number of segments and 15 offsets, PS3.5 annex G.5.
const rleHeaderBytes = 64

// decodeRLE undoes the RLE of PS3.5 annex G: one PackBits segment per byte of a sample, the most significant first,
// for one colour after the other.
func (d *Decoder) decodeRLE(l Layout, raw []byte) ([]byte, error) {
	size := l.BitsAllocated / 8
	segments := size * l.SamplesPerPixel
	if len(raw) < rleHeaderBytes {
		return nil, rleError("the RLE header is cut off")
	}
	if n := binary.LittleEndian.Uint32(raw); n != uint32(segments) {
		return nil, rleError("%d RLE segments, %d expected", n, segments)
	}
	area := l.Rows * l.Columns
	d.native = blank(d.native, l.Bytes())
	for s := range segments {
		from := binary.LittleEndian.Uint32(raw[4+4*s:])
		to := uint32(len(raw))
		if s+1 < segments {
			to = binary.LittleEndian.Uint32(raw[8+4*s:])
		}
		if from < rleHeaderBytes || from > to || to > uint32(len(raw)) {
			return nil, rleError("the RLE header's offset of segment %d lies outside the frame", s+1)
		}
		sample, byteOf := s/size, size-1-s%size // little endian: the most significant byte is the last
		start, step := sample*size+byteOf, size*l.SamplesPerPixel
		if l.Planar {
			start, step = sample*area*size+byteOf, size
		}
		if got := unpackBits(raw[from:to], d.native, start, step, area); got != area {
			return nil, rleError("RLE segment %d ends after %d of %d pixels", s+1, got, area)
		}
	}
	return d.native, nil
}

func rleError(format string, args ...any) error {
	return dicomweb.Errorf(dicomweb.BadRequest, format, args...)
}

// unpackBits writes up to n bytes of a segment to out[start], out[start+step], ... and returns how many it wrote. What
// a segment holds beyond n is padding.
func unpackBits(in, out []byte, start, step, n int) (written int) {
	for at := start; len(in) >= 2 && written < n; {
		code := in[0]
		in = in[1:]
		switch {
		case code < 128: // a literal run of code+1 bytes
			run := min(int(code)+1, n-written, len(in))
			for _, b := range in[:run] {
				out[at] = b
				at += step
			}
			written += run
			in = in[min(int(code)+1, len(in)):]
		case code > 128: // the next byte, 257-code times
			run := min(257-int(code), n-written)
			for range run {
				out[at] = in[0]
				at += step
			}
			written += run
			in = in[1:]
		}
	}
	return written
}
