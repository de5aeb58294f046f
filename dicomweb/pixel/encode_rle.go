package pixel

import (
	"encoding/binary"
	"slices"
)

// rleMaxSegments is how many offsets the RLE header holds, PS3.5 annex G.5.
const rleMaxSegments = 15

// appendRLE is the RLE of PS3.5 annex G, the inverse of decodeRLE: a segment of even length per byte of a sample, its
// rows encoded one by one, as G.3.1 wants it.
func (e *Encoder) appendRLE(dst []byte, l Layout, native []byte) []byte {
	size := l.BitsAllocated / 8
	segments := size * l.SamplesPerPixel
	begin := len(dst)
	dst = append(dst, make([]byte, rleHeaderBytes)...)
	binary.LittleEndian.PutUint32(dst[begin:], uint32(segments))
	area := l.Rows * l.Columns
	e.row = slices.Grow(e.row[:0], l.Columns)[:l.Columns]
	for s := range segments {
		binary.LittleEndian.PutUint32(dst[begin+4+4*s:], uint32(len(dst)-begin))
		sample, byteOf := s/size, size-1-s%size
		at, step := sample*size+byteOf, size*l.SamplesPerPixel
		if l.Planar {
			at, step = sample*area*size+byteOf, size
		}
		for range l.Rows {
			for x := range e.row {
				e.row[x] = native[at]
				at += step
			}
			dst = appendPackBits(dst, e.row)
		}
		if (len(dst)-begin)%2 == 1 {
			dst = append(dst, 0)
		}
	}
	return dst
}

// maxRun is the longest run, literal or of one byte, that a code byte tells.
const maxRun = 128

// appendPackBits appends one row. A run of two is written as such only where it does not interrupt a literal run,
// which would cost a byte.
func appendPackBits(dst, row []byte) []byte {
	for len(row) > 0 {
		if n := sameBytes(row); n > 1 {
			dst = append(dst, byte(257-n), row[0])
			row = row[n:]
			continue
		}
		n := 1
		for n < len(row) && n < maxRun && !(n+2 < len(row) && row[n] == row[n+1] && row[n] == row[n+2]) {
			n++
		}
		dst = append(append(dst, byte(n-1)), row[:n]...)
		row = row[n:]
	}
	return dst
}

// sameBytes returns how many bytes at the start of b are the same, at most maxRun.
func sameBytes(b []byte) int {
	n, first := 1, b[0]
	for n < len(b) && n < maxRun && b[n] == first {
		n++
	}
	return n
}
