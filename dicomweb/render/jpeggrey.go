package render

import (
	"encoding/binary"
	"image"
	"math/bits"
)

// Most of what is rendered is grey, and most of the time that takes goes into the JPEG stream. This is the baseline process
// of ISO/IEC 10918-1 for one component: the DCT of Arai, Agui and Nakajima, whose scale factors are part of the divisors, and
// the Huffman tables of annex K.

// appendGreyJPEG appends img as a JPEG stream of one component; quality is 1 to 100 on the scale of the Independent JPEG
// Group. Sizes are at most 65535.
func appendGreyJPEG(dst []byte, img *image.Gray, quality int) []byte {
	e := greyEncoder{out: dst}
	table := e.quantise(quality)
	e.huffman()
	e.header(img.Rect.Dx(), img.Rect.Dy(), table)
	for y := 0; y < img.Rect.Dy(); y += 8 {
		for x := 0; x < img.Rect.Dx(); x += 8 {
			e.block(img, x, y)
		}
	}
	return e.end()
}

// greyEncoder is the state of one stream.
type greyEncoder struct {
	out     []byte
	acc     uint64 // bits that are not out yet, the last one lowest
	count   uint   // of them, below 32 between blocks
	last    int    // quantised DC of the block before
	scale   [64]float32
	pixels  [64]float32
	dc      [12]prefix
	ac      [256]prefix
	flatDiv int // divisor of DC
}

// prefix is a Huffman code with its length in bits.
type prefix struct {
	bits   uint32
	length uint32
}

// zigzag gives for each place of the scan its place in the block, row by row.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// luminance is table K.1, row by row.
var luminance = [64]uint8{
	16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
	18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
}

// Huffman tables K.3 and K.5: how many codes there are of each length from 1 to 16 bits, and their symbols. 0xRS is a
// run of R zeros before a value of S bits.
var (
	dcCounts  = [16]uint8{0, 1, 5, 1, 1, 1, 1, 1, 1}
	dcSymbols = []uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	acCounts  = [16]uint8{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125}
	acSymbols = []uint8{
		0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
		0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0,
		0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
		0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
		0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
		0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
		0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
		0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
		0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
		0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
		0xF9, 0xFA,
	}
)

// quantise makes the divisors of a quality and returns them in the order of the scan.
func (e *greyEncoder) quantise(quality int) (table [64]uint8) {
	percent := 200 - 2*quality
	if quality < 50 {
		percent = 5000 / quality
	}
	aan := [8]float64{1, 1.387039845, 1.306562965, 1.175875602, 1, 0.785694958, 0.541196100, 0.275899379}
	for k, at := range zigzag {
		q := min(max((int(luminance[at])*percent+50)/100, 1), 255)
		table[k] = uint8(q)
		e.scale[at] = float32(1 / (8 * float64(q) * aan[at/8] * aan[at%8]))
	}
	e.flatDiv = int(table[0])
	return table
}

// huffman assigns the codes of annex C.
func (e *greyEncoder) huffman() {
	assign := func(counts [16]uint8, symbols []uint8, to []prefix) {
		next, k := uint32(0), 0
		for length, n := range counts {
			for range n {
				to[symbols[k]] = prefix{next, uint32(length) + 1}
				next++
				k++
			}
			next <<= 1
		}
	}
	assign(dcCounts, dcSymbols, e.dc[:])
	assign(acCounts, acSymbols, e.ac[:])
}

// header writes all that stands before the entropy-coded bits: SOI, a JFIF APP0 with square pixels, tables, frame and scan.
func (e *greyEncoder) header(columns, rows int, table [64]uint8) {
	e.out = append(e.out, 0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xFF, 0xDB, 0, 67, 0)
	e.out = append(e.out, table[:]...)
	e.out = append(e.out, 0xFF, 0xC0, 0, 11, 8, byte(rows>>8), byte(rows), byte(columns>>8), byte(columns), 1, 1, 0x11, 0)
	for _, t := range []struct {
		id      byte
		counts  [16]uint8
		symbols []uint8
	}{{0x00, dcCounts, dcSymbols}, {0x10, acCounts, acSymbols}} {
		e.out = append(e.out, 0xFF, 0xC4)
		e.out = binary.BigEndian.AppendUint16(e.out, uint16(19+len(t.symbols)))
		e.out = append(append(append(e.out, t.id), t.counts[:]...), t.symbols...)
	}
	e.out = append(e.out, 0xFF, 0xDA, 0, 8, 1, 1, 0x00, 0, 63, 0)
}

// block encodes the 8 x 8 pixels from (x, y) on; beyond the image its last pixels go on.
func (e *greyEncoder) block(img *image.Gray, x, y int) {
	if flat, ok := e.load(img, x, y); ok {
		e.difference(roundDiv(8*(int(flat)-128), e.flatDiv))
		e.put(e.ac[0])
		return
	}
	transform(&e.pixels)
	var values [64]int32
	var some uint64 // which values are not 0
	for k, at := range zigzag {
		v := int32(e.pixels[at]*e.scale[at]+32768.5) - 32768
		values[k] = v
		some |= uint64(uint32(v|-v)>>31) << k
	}
	e.difference(int(values[0]))
	some &^= 1
	for before := 0; some != 0; some &= some - 1 {
		k := bits.TrailingZeros64(some)
		run := k - before - 1
		for ; run > 15; run -= 16 {
			e.put(e.ac[0xF0])
		}
		v := values[k]
		size, low := magnitude(int(v))
		c := e.ac[run<<4|int(size)]
		e.put(prefix{c.bits<<size | low, c.length + size})
		before = k
	}
	if values[63] == 0 {
		e.put(e.ac[0])
	}
}

// load takes the pixels of a block, around 0. Where all are the same it only returns that level.
func (e *greyEncoder) load(img *image.Gray, x, y int) (level uint8, flat bool) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if x+8 > w || y+8 > h {
		for i := range e.pixels {
			e.pixels[i] = float32(img.Pix[min(y+i/8, h-1)*img.Stride+min(x+i%8, w-1)]) - 128
		}
		return 0, false
	}
	at := y*img.Stride + x
	first := binary.LittleEndian.Uint64(img.Pix[at:])
	if first == first>>8|first<<56 {
		flat = true
		for row := 1; row < 8 && flat; row++ {
			flat = binary.LittleEndian.Uint64(img.Pix[at+row*img.Stride:]) == first
		}
		if flat {
			return uint8(first), true
		}
	}
	for row := range 8 {
		in := img.Pix[at+row*img.Stride:][:8]
		out := e.pixels[8*row:][:8]
		for i, v := range in {
			out[i] = float32(int32(v) - 128)
		}
	}
	return 0, false
}

func roundDiv(a, b int) int {
	if a < 0 {
		return -((-a + b/2) / b)
	}
	return (a + b/2) / b
}

// difference codes DC as its difference from the block before.
func (e *greyEncoder) difference(dc int) {
	size, low := magnitude(dc - e.last)
	e.last = dc
	c := e.dc[size]
	e.put(prefix{c.bits<<size | low, c.length + size})
}

// magnitude returns the number of bits of v and those bits, annex F.1.2.1.
func magnitude(v int) (size, low uint32) {
	sign := v >> 63
	size = uint32(bits.Len64(uint64((v ^ sign) - sign)))
	return size, uint32(v+sign) & (1<<size - 1)
}

// put appends bits.
func (e *greyEncoder) put(c prefix) {
	e.acc = e.acc<<c.length | uint64(c.bits)
	if e.count += uint(c.length); e.count >= 32 {
		e.count -= 32
		e.word(uint32(e.acc >> e.count))
	}
}

// word appends 32 bits, with a zero after each byte FF.
func (e *greyEncoder) word(w uint32) {
	if inverse := ^w; (inverse-0x01010101)&w&0x80808080 == 0 { // no byte of inverse is 0
		e.out = binary.BigEndian.AppendUint32(e.out, w)
		return
	}
	for shift := 24; shift >= 0; shift -= 8 {
		b := byte(w >> shift)
		if e.out = append(e.out, b); b == 0xFF {
			e.out = append(e.out, 0)
		}
	}
}

// end pads the last byte with ones and writes EOI.
func (e *greyEncoder) end() []byte {
	e.put(prefix{1<<7 - 1, 7})
	for ; e.count >= 8; e.count -= 8 {
		b := byte(e.acc >> (e.count - 8))
		if e.out = append(e.out, b); b == 0xFF {
			e.out = append(e.out, 0)
		}
	}
	return append(e.out, 0xFF, 0xD9)
}
