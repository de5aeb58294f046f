package pixel

import "encoding/binary"

// decodeJPEGLossless undoes the lossless process of ISO/IEC 10918-1 annex H: each sample is predicted from its
// neighbours, and the difference is Huffman coded.
func (to *Decoder) decodeJPEGLossless(l Layout, raw []byte) ([]byte, error) {
	d := &losslessDecoder{}
	marker, _, rest, err := nextMarker(raw)
	if err != nil {
		return nil, err
	}
	if marker != markerSOI {
		return nil, jpegError("the stream does not begin with SOI")
	}
	for done := 0; ; {
		var segment []byte
		if marker, segment, rest, err = nextMarker(rest); err != nil {
			return nil, err
		}
		switch {
		case marker == markerSOF3:
			if d.frame != nil {
				return nil, jpegError("there are two frame headers")
			}
			if d.frame, err = frameHeader(segment, l); err != nil {
				return nil, err
			}
			to.samples = blank(to.samples, l.Samples())
			d.samples = to.samples
		case marker >= 0xC0 && marker <= 0xCF && marker != markerDHT && marker != 0xC8 && marker != 0xCC:
			return nil, jpegError("process SOF%d, lossless SOF3 expected", marker-0xC0)
		case marker == markerDHT:
			err = d.huffmanTables(segment)
		case marker == markerDRI:
			if len(segment) < 2 {
				return nil, jpegError("the restart interval is cut off")
			}
			d.restart = int(binary.BigEndian.Uint16(segment))
		case marker == markerSOS:
			if d.frame == nil {
				return nil, jpegError("a scan comes before the frame header")
			}
			s, err := d.frame.scanHeader(segment)
			if err != nil {
				return nil, err
			}
			if err := d.scan(s, rest); err != nil {
				return nil, err
			}
			if done += len(s.components); done >= len(d.frame.components) {
				return to.pack(l), nil
			}
			rest = afterEntropy(rest)
		case marker == markerEOI:
			return nil, jpegError("the stream ends before all components are there")
		}
		if err != nil {
			return nil, err
		}
	}
}

// huffman is a Huffman table, 10918-1 annex C and F.2.2.3.
type huffman struct {
	fast   [256]uint16 // for each next 8 bits: length << 8 | value of the code they begin with, 0 if it is longer
	last   [17]int32   // the largest code of each length, -1 if there is none
	offset [17]int32   // index in values of the first code of each length, minus that code
	values []byte
}

type losslessDecoder struct {
	frame   *jpegFrame
	tables  [4]*huffman
	restart int      // in pixels, 0 for none
	samples []uint16 // [pixel, component]
}

func (d *losslessDecoder) huffmanTables(segment []byte) error {
	for len(segment) > 0 {
		if len(segment) < 17 || segment[0]>>4 != 0 || segment[0] > 3 {
			return jpegError("a Huffman table is malformed")
		}
		counts, n := segment[1:17], 0
		for _, c := range counts {
			n += int(c)
		}
		if n > 256 || len(segment) < 17+n {
			return jpegError("a Huffman table is malformed")
		}
		t := &huffman{values: segment[17 : 17+n]}
		code, at := int32(0), int32(0)
		for length := 1; length <= 16; length++ {
			count := int32(counts[length-1])
			t.offset[length], t.last[length] = at-code, -1
			if count > 0 {
				t.last[length] = code + count - 1
			}
			if code+count > 1<<length {
				return jpegError("a Huffman table has more codes than fit")
			}
			for i := range count {
				if length <= 8 {
					first := (code + i) << (8 - length)
					for f := range int32(1) << (8 - length) {
						t.fast[first+f] = uint16(length)<<8 | uint16(t.values[at+i])
					}
				}
			}
			code, at = (code+count)<<1, at+count
		}
		d.tables[segment[0]] = t
		segment = segment[17+n:]
	}
	return nil
}

// scan decodes one scan of entropy-coded bytes. a is the predictor, c's low half the point transform.
func (d *losslessDecoder) scan(s *jpegScan, in []byte) error {
	predictor, shift := int(s.a), uint(s.c&15)
	if predictor < 1 || predictor > 7 || int(shift) >= d.frame.precision {
		return jpegError("predictor %d or point transform %d is out of range", predictor, shift)
	}
	tables := make([]*huffman, len(s.components))
	for i, c := range s.components {
		if tables[i] = d.tables[c.table>>4&3]; tables[i] == nil {
			return jpegError("a scan uses a Huffman table that was not defined")
		}
	}
	columns, step := d.frame.columns, len(d.frame.components)
	if d.restart%columns != 0 {
		return jpegError("the restart interval is no multiple of a line")
	}
	bits := bitReader{in: in}
	first := true // line after the start or a restart
	for y := range d.frame.rows {
		if d.restart > 0 && y > 0 && y*columns%d.restart == 0 {
			if !bits.restart() {
				return jpegError("a restart marker is missing before line %d", y+1)
			}
			first = true
		}
		for x := range columns {
			for i, c := range s.components {
				at := (y*columns+x)*step + c.index
				var p int32
				switch {
				case first && x == 0:
					p = 1 << (uint(d.frame.precision) - shift - 1)
				case first:
					p = int32(d.samples[at-step])
				case x == 0:
					p = int32(d.samples[at-columns*step])
				default:
					p = predict(predictor, int32(d.samples[at-step]), int32(d.samples[at-columns*step]), int32(d.samples[at-columns*step-step]))
				}
				diff, ok := bits.difference(tables[i])
				if !ok {
					return jpegError("the coded data are broken in line %d", y+1)
				}
				d.samples[at] = uint16(p + diff)
			}
		}
		if bits.over() {
			return jpegError("the coded data end in line %d", y+1)
		}
		first = false
	}
	if shift > 0 {
		for _, c := range s.components {
			for at := c.index; at < len(d.samples); at += step {
				d.samples[at] <<= shift
			}
		}
	}
	return nil
}

// predict is table H.1: a is the sample to the left, b the one above, c the one above to the left.
func predict(predictor int, a, b, c int32) int32 {
	switch predictor {
	case 1:
		return a
	case 2:
		return b
	case 3:
		return c
	case 4:
		return a + b - c
	case 5:
		return a + (b-c)>>1
	case 6:
		return b + (a-c)>>1
	}
	return (a + b) >> 1
}

// bitReader reads entropy-coded bits, most significant first, up to the next marker; beyond it they are 0.
type bitReader struct {
	in    []byte
	bits  uint64 // the next n bits, at the low end
	n     uint
	faked uint // zero bits that were added at the end
}

func (r *bitReader) fill() {
	for r.n <= 48 {
		b := byte(0)
		switch {
		case len(r.in) == 0 || r.in[0] == 0xFF && (len(r.in) < 2 || r.in[1] != 0):
			r.faked += 8
		case r.in[0] == 0xFF:
			b, r.in = 0xFF, r.in[2:] // a stuffed zero byte follows
		default:
			b, r.in = r.in[0], r.in[1:]
		}
		r.bits = r.bits<<8 | uint64(b)
		r.n += 8
	}
}

// over reports whether bits were used that the data do not have.
func (r *bitReader) over() bool { return r.faked > r.n }

// restart goes to the byte after the next restart marker.
func (r *bitReader) restart() bool {
	if r.over() || len(r.in) < 2 || r.in[0] != 0xFF || r.in[1] < markerRST0 || r.in[1] > markerRST7 {
		return false
	}
	*r = bitReader{in: r.in[2:]}
	return true
}

// difference decodes one difference, F.2.2.1 with the category 16 of H.1.2.2.
func (r *bitReader) difference(t *huffman) (int32, bool) {
	if r.n < 32 {
		r.fill()
	}
	var size uint
	if f := t.fast[byte(r.bits>>(r.n-8))]; f != 0 {
		r.n -= uint(f >> 8)
		size = uint(f & 255)
	} else {
		length, code := 9, int32(r.bits>>(r.n-9)&0x1FF)
		for ; ; length++ {
			if length > 16 {
				return 0, false
			}
			if code <= t.last[length] {
				break
			}
			code = int32(r.bits >> (r.n - uint(length) - 1) & (1<<(length+1) - 1))
		}
		r.n -= uint(length)
		size = uint(t.values[t.offset[length]+code])
	}
	switch {
	case size == 0:
		return 0, true
	case size == 16:
		return 32768, true
	case size > 16:
		return 0, false
	}
	r.n -= size
	v := int32(r.bits >> r.n & (1<<size - 1))
	if v < 1<<(size-1) {
		v -= 1<<size - 1
	}
	return v, true
}
