package pixel

import (
	"encoding/binary"

	"mome/dicomweb"
)

// JPEG markers, ISO/IEC 10918-1 table B.1 and 14495-1 table C.1.
const (
	markerSOI   = 0xD8
	markerEOI   = 0xD9
	markerSOF3  = 0xC3 // lossless, Huffman
	markerSOF55 = 0xF7 // JPEG-LS
	markerDHT   = 0xC4
	markerSOS   = 0xDA
	markerDRI   = 0xDD
	markerRST0  = 0xD0
	markerRST7  = 0xD7
	markerLSE   = 0xF8
)

// jpegComponent is one component of a frame header.
type jpegComponent struct {
	id    byte
	index int // among the components, its place within a pixel
	table byte
}

// jpegFrame is what the frame header tells: rows x columns of so many components of so many bits.
type jpegFrame struct {
	precision, rows, columns int
	components               []jpegComponent
}

// jpegScan is what a scan header tells, with the three bytes whose meaning the process defines.
type jpegScan struct {
	components []jpegComponent
	a, b, c    byte
}

func jpegError(format string, args ...any) error {
	return dicomweb.Errorf(dicomweb.BadRequest, "JPEG: "+format, args...)
}

// nextMarker finds the marker at the start of in, past any fill bytes, and returns it with its segment, without the
// length, and the rest. Markers without a segment have none.
func nextMarker(in []byte) (marker byte, segment, rest []byte, err error) {
	if len(in) < 2 || in[0] != 0xFF {
		return 0, nil, nil, jpegError("a marker is missing")
	}
	for len(in) > 1 && in[1] == 0xFF {
		in = in[1:]
	}
	if len(in) < 2 {
		return 0, nil, nil, jpegError("the data end in a marker")
	}
	marker, in = in[1], in[2:]
	if marker == markerSOI || marker == markerEOI || marker >= markerRST0 && marker <= markerRST7 {
		return marker, nil, in, nil
	}
	if len(in) < 2 {
		return 0, nil, nil, jpegError("a marker segment is cut off")
	}
	n := int(binary.BigEndian.Uint16(in))
	if n < 2 || n > len(in) {
		return 0, nil, nil, jpegError("marker segment %02X is cut off", marker)
	}
	return marker, in[2:n], in[n:], nil
}

// frameHeader reads a frame header and checks it against the layout: a stream of another size is not the image that
// the header describes.
func frameHeader(segment []byte, l Layout) (*jpegFrame, error) {
	if len(segment) < 6 || len(segment) < 6+3*int(segment[5]) {
		return nil, jpegError("the frame header is cut off")
	}
	f := &jpegFrame{
		precision: int(segment[0]),
		rows:      int(binary.BigEndian.Uint16(segment[1:])),
		columns:   int(binary.BigEndian.Uint16(segment[3:])),
	}
	for i := range int(segment[5]) {
		c := segment[6+3*i:]
		if c[1] != 0x11 && segment[5] > 1 {
			return nil, dicomweb.Errorf(dicomweb.UnsupportedMedia, "JPEG: subsampled components are not decoded")
		}
		f.components = append(f.components, jpegComponent{id: c[0], index: i})
	}
	switch {
	case f.rows != l.Rows || f.columns != l.Columns || len(f.components) != l.SamplesPerPixel:
		return nil, jpegError("the stream has %d x %d pixels of %d samples, the header %d x %d of %d",
			f.rows, f.columns, len(f.components), l.Rows, l.Columns, l.SamplesPerPixel)
	case f.precision < 2 || f.precision > 16 || f.precision > l.BitsAllocated:
		return nil, jpegError("the stream has %d bits per sample, %d are allocated", f.precision, l.BitsAllocated)
	}
	return f, nil
}

// scanHeader reads a scan header: the components that the scan holds and their tables.
func (f *jpegFrame) scanHeader(segment []byte) (*jpegScan, error) {
	if len(segment) < 1 || len(segment) < 4+2*int(segment[0]) {
		return nil, jpegError("the scan header is cut off")
	}
	n := int(segment[0])
	s := &jpegScan{a: segment[1+2*n], b: segment[2+2*n], c: segment[3+2*n]}
	for i := range n {
		for _, c := range f.components {
			if c.id == segment[1+2*i] {
				c.table = segment[2+2*i]
				s.components = append(s.components, c)
				break
			}
		}
	}
	if len(s.components) != n || n == 0 || n > len(f.components) {
		return nil, jpegError("the scan names components that the frame lacks")
	}
	return s, nil
}

// afterEntropy returns what follows the entropy-coded bytes at the start of in: from the next marker that is no restart.
// JPEG-LS stuffs a bit, not a byte, after FF; in both no marker has a byte below C0.
func afterEntropy(in []byte) []byte {
	for i := 0; i+1 < len(in); i++ {
		if in[i] == 0xFF && in[i+1] >= 0xC0 && in[i+1] != 0xFF && !(in[i+1] >= markerRST0 && in[i+1] <= markerRST7) {
			return in[i:]
		}
	}
	return nil
}
