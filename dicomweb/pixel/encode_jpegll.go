package pixel

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// appendJPEGLossless is the lossless process of ISO/IEC 10918-1 annex H with selection value 1, the inverse of
// decodeJPEGLossless: each sample is predicted from the one to its left, and the differences, modulo 2^16, are coded
// with a Huffman table of the frame's own.
func (e *Encoder) appendJPEGLossless(dst []byte, l Layout, precision int) []byte {
	frequency := e.differences(l, precision)
	codes, counts, values := huffmanCodes(frequency)

	dst = appendFrameHeader(dst, markerSOF3, l, precision)
	dst = append(dst, 0xFF, markerDHT)
	dst = append(binary.BigEndian.AppendUint16(dst, uint16(19+len(values))), 0)
	dst = append(append(dst, counts[:]...), values...)
	dst = appendScanHeader(dst, l, 1, 0, 0)

	w := jpegBits{out: dst}
	for _, d := range e.diffs {
		category := categoryOf(d)
		c := codes[category]
		if category == 0 || category == 16 {
			w.write(c.bits, uint(c.length))
			continue
		}
		extra := uint32(d)
		if d < 0 {
			extra-- // F.1.2.1.1: the low bits of the difference less 1
		}
		w.write(c.bits<<category|extra&(1<<category-1), uint(c.length)+category)
	}
	return append(w.end(), 0xFF, markerEOI)
}

// differences fills e.diffs, in the order of the scan, and returns how often each category occurs.
func (e *Encoder) differences(l Layout, precision int) *[categories]int {
	var frequency [categories]int
	e.diffs = slices.Grow(e.diffs[:0], len(e.samples))[:len(e.samples)]
	step, line := l.SamplesPerPixel, l.SamplesPerPixel*l.Columns
	for i, v := range e.samples {
		var p uint16
		switch {
		case i%line >= step:
			p = e.samples[i-step]
		case i >= line:
			p = e.samples[i-line]
		default:
			p = 1 << (precision - 1)
		}
		d := int16(v - p)
		e.diffs[i] = d
		frequency[categoryOf(d)]++
	}
	return &frequency
}

// categoryOf is table H.2: how many bits the size of a difference has.
func categoryOf(d int16) uint {
	return uint(bits.Len16(uint16(max(d, -d))))
}

// jpegBits appends bits, most significant first, and a zero byte after each byte FF (10918-1 F.1.2.3).
type jpegBits struct {
	out  []byte
	bits uint64 // those not written yet are the n at its low end
	n    uint
}

// write appends the n low bits of v, at most 32; v has no others.
func (w *jpegBits) write(v uint32, n uint) {
	w.bits = w.bits<<n | uint64(v)
	w.n += n
	for w.n >= 8 {
		w.n -= 8
		b := byte(w.bits >> w.n)
		if w.out = append(w.out, b); b == 0xFF {
			w.out = append(w.out, 0)
		}
	}
}

// end fills the last byte with ones and returns all bytes.
func (w *jpegBits) end() []byte {
	if w.n > 0 {
		fill := 8 - w.n
		w.write(1<<fill-1, fill)
	}
	return w.out
}
