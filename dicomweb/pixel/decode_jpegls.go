package pixel

import (
	"encoding/binary"

	"mome/dicomweb"
)

// decodeJPEGLS undoes JPEG-LS, ISO/IEC 14495-1: lossless and near-lossless, all three interleave modes. Names of variables
// are the standard's.
func (to *Decoder) decodeJPEGLS(l Layout, raw []byte) ([]byte, error) {
	d := &lsDecoder{}
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
		case marker == markerSOF55:
			if d.frame != nil {
				return nil, jpegError("there are two frame headers")
			}
			if d.frame, err = frameHeader(segment, l); err != nil {
				return nil, err
			}
			to.samples = blank(to.samples, l.Samples())
			d.samples = to.samples
		case marker >= 0xC0 && marker <= 0xCF:
			return nil, jpegError("marker %02X in a JPEG-LS stream", marker)
		case marker == markerLSE:
			err = d.preset(segment)
		case marker == markerDRI:
			for _, b := range segment {
				if b != 0 {
					return nil, dicomweb.Errorf(dicomweb.UnsupportedMedia, "JPEG-LS with restart intervals is not decoded")
				}
			}
		case marker == 0xE8 && len(segment) >= 5 && string(segment[:4]) == "mrfx" && segment[4] != 0:
			return nil, dicomweb.Errorf(dicomweb.UnsupportedMedia, "JPEG-LS with a colour transform is not decoded")
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

type lsDecoder struct {
	frame   *jpegFrame
	samples []uint16 // [pixel, component]

	// Preset parameters, C.2.4.1.1; 0 means the default.
	presetMax, presetReset int32
	presetT                [3]int32

	// Of the scan.
	lsParameters
	contexts [lsContexts]lsContext
	nn       [2]int32
	bits     lsBits
	broken   bool
}

// preset reads an LSE segment; only preset parameters occur in DICOM.
func (d *lsDecoder) preset(segment []byte) error {
	if len(segment) < 11 || segment[0] != 1 {
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "JPEG-LS with mapping tables or large images is not decoded")
	}
	p := func(i int) int32 { return int32(binary.BigEndian.Uint16(segment[1+2*i:])) }
	d.presetMax, d.presetT, d.presetReset = p(0), [3]int32{p(1), p(2), p(3)}, p(4)
	return nil
}

// begin sets the parameters of a scan, A.2.1 and C.2.4.1.1.1.
func (d *lsDecoder) begin(near int32) error {
	maxval := int32(1)<<d.frame.precision - 1
	if d.presetMax > 0 {
		maxval = min(maxval, d.presetMax)
	}
	if near > min(255, maxval/2) {
		return jpegError("NEAR is %d", near)
	}
	d.defaults(maxval, near)
	for i, t := range []*int32{&d.t1, &d.t2, &d.t3} {
		if d.presetT[i] > 0 {
			*t = d.presetT[i]
		}
	}
	if d.presetReset > 0 {
		d.reset = d.presetReset
	}
	if d.t1 <= near || d.t2 < d.t1 || d.t3 < d.t2 || d.t3 > d.maxval || d.reset < 3 {
		return jpegError("preset parameters are out of range")
	}
	d.contexts, d.nn = d.cleared(), [2]int32{}
	return nil
}

// scan decodes one scan: a is NEAR, b the interleave mode.
func (d *lsDecoder) scan(s *jpegScan, in []byte) error {
	if s.b > 2 || s.c != 0 || s.b == 0 && len(s.components) > 1 {
		return jpegError("interleave mode %d of %d components, point transform %d", s.b, len(s.components), s.c)
	}
	if err := d.begin(int32(s.a)); err != nil {
		return err
	}
	d.bits, d.broken = lsBits{in: in}, false
	// Lines have a guard at either end: index 0 lies left of the first sample.
	width := d.frame.columns
	n := len(s.components)
	above, line := make([][]int32, n), make([][]int32, n)
	for i := range n {
		above[i], line[i] = make([]int32, width+2), make([]int32, width+2)
	}
	runIndex := make([]int, n)
	step := len(d.frame.components)
	for y := range d.frame.rows {
		for i := range n {
			above[i][width+1] = above[i][width]
			line[i][0] = above[i][1]
		}
		if s.b == 2 && n > 1 {
			d.together(above, line, &runIndex[0])
		} else {
			for i := range n {
				d.line(above[i], line[i], &runIndex[i])
			}
		}
		if d.broken || d.bits.over() {
			return jpegError("the coded data are broken in line %d", y+1)
		}
		for i, c := range s.components {
			for x, v := range line[i][1 : width+1] {
				d.samples[(y*width+x)*step+c.index] = uint16(v)
			}
		}
		above, line = line, above
	}
	return nil
}

// line decodes a line of one component.
func (d *lsDecoder) line(above, line []int32, runIndex *int) {
	end := len(line) - 1
	for x := 1; x < end && !d.broken; {
		q, sign := d.context(above, line, x)
		if q != 0 {
			line[x] = d.regular(q, sign, line[x-1], above[x], above[x-1])
			x++
			continue
		}
		ra := line[x-1]
		run, ended := d.run(end-x, runIndex)
		for range run {
			line[x] = ra
			x++
		}
		if ended {
			continue
		}
		rb := above[x]
		if abs32(ra-rb) <= d.near {
			line[x] = d.fix(ra, d.interruption(1, *runIndex))
		} else {
			e := d.interruption(0, *runIndex)
			if ra > rb {
				e = -e
			}
			line[x] = d.fix(rb, e)
		}
		*runIndex = max(0, *runIndex-1)
		x++
	}
}

// together decodes a line of components that are interleaved by sample: a run is one of all components.
func (d *lsDecoder) together(above, line [][]int32, runIndex *int) {
	end := len(line[0]) - 1
	q, sign := make([]int, len(line)), make([]int32, len(line))
	for x := 1; x < end && !d.broken; {
		flat := true
		for i := range line {
			q[i], sign[i] = d.context(above[i], line[i], x)
			flat = flat && q[i] == 0
		}
		if !flat {
			for i := range line {
				line[i][x] = d.regular(q[i], sign[i], line[i][x-1], above[i][x], above[i][x-1])
			}
			x++
			continue
		}
		run, ended := d.run(end-x, runIndex)
		for i := range line {
			for k := range run {
				line[i][x+k] = line[i][x-1]
			}
		}
		if x += run; ended {
			continue
		}
		for i := range line {
			ra, rb := line[i][x-1], above[i][x]
			e := d.interruption(0, *runIndex)
			if ra > rb {
				e = -e
			}
			line[i][x] = d.fix(rb, e)
		}
		*runIndex = max(0, *runIndex-1)
		x++
	}
}

// context returns the regular mode's context of a sample, 0 for a flat neighbourhood, and the sign of its error.
func (d *lsDecoder) context(above, line []int32, x int) (q int, sign int32) {
	ra, rb, rc, rd := line[x-1], above[x], above[x-1], above[x+1]
	q = 81*d.quantize(rd-rb) + 9*d.quantize(rb-rc) + d.quantize(rc-ra)
	if q < 0 {
		return -q, -1
	}
	return q, 1
}

// regular decodes a sample in regular mode, A.4 to A.6.
func (d *lsDecoder) regular(q int, sign, ra, rb, rc int32) int32 {
	c := &d.contexts[q]
	px := min(max(median(ra, rb, rc)+sign*c.c, 0), d.maxval)

	k := golombK(c.n, c.a)
	m := d.golomb(k, d.limit)
	e := m >> 1
	if m&1 == 1 {
		e = -(m + 1) >> 1
	}
	if d.near == 0 && k == 0 && 2*c.b <= -c.n {
		e = -e - 1
	}
	c.update(e, d.near, d.reset)
	return d.fix(px, sign*e)
}

// fix adds an error to a prediction, modulo the range, A.4.5 and A.8.
func (d *lsDecoder) fix(px, e int32) int32 {
	width := d.rng * (2*d.near + 1)
	v := px + e*(2*d.near+1)
	if v < -d.near {
		v += width
	} else if v > d.maxval+d.near {
		v -= width
	}
	return min(max(v, 0), d.maxval)
}

// run decodes the length of a run of at most rest samples, A.7.1; ended tells that it goes to the end of the line.
func (d *lsDecoder) run(rest int, runIndex *int) (n int, ended bool) {
	for d.bits.read(1) == 1 {
		length := 1 << lsJ[*runIndex]
		if n+length <= rest && *runIndex < 31 {
			*runIndex++
		}
		if n = min(n+length, rest); n == rest {
			return n, true
		}
		if d.bits.over() {
			break
		}
	}
	n += int(d.bits.read(lsJ[*runIndex]))
	if n >= rest { // the sample that ends the run must be on the line
		d.broken = true
		return rest, true
	}
	return n, false
}

// interruption decodes the error of the sample that ends a run, A.7.2.
func (d *lsDecoder) interruption(kind int32, runIndex int) int32 {
	c := &d.contexts[lsRun+kind]
	k := c.interruptionK(kind)
	m := d.golomb(k, d.limit-lsJ[runIndex]-1)
	odd := (m + kind) & 1
	e := (m + kind + odd) >> 1
	if (k != 0 || 2*d.nn[kind] >= c.n) == (odd == 1) {
		e = -e
	}
	c.updateRun(&d.nn[kind], e, m, kind, d.reset)
	return e
}

// golomb decodes a number with the limited-length code LG(k, limit), A.5.3.
func (d *lsDecoder) golomb(k, limit uint) int32 {
	zeros := uint(0)
	for d.bits.read(1) == 0 {
		if zeros++; zeros > limit {
			d.broken = true
			return 0
		}
	}
	if zeros < limit-d.qbpp-1 {
		return int32(zeros<<k | d.bits.read(min(k, 24)))
	}
	return int32(d.bits.read(d.qbpp) + 1)
}

// lsBits reads bits, most significant first; after a byte FF the next one has 7, annex A.1. Beyond the data they are 0.
type lsBits struct {
	in      []byte
	stuffed bool // the last byte was FF
	bits    uint64
	n       uint
	faked   uint
}

func (r *lsBits) read(n uint) uint {
	if r.n < n {
		for r.n <= 48 {
			size := uint(8)
			if r.stuffed {
				size = 7
			}
			b := byte(0)
			if len(r.in) == 0 || r.stuffed && r.in[0] >= 0x80 {
				r.faked += size
				r.in = nil // a marker: the data end here
			} else {
				b, r.in = r.in[0], r.in[1:]
			}
			r.stuffed = b == 0xFF
			r.bits = r.bits<<size | uint64(b)
			r.n += size
		}
	}
	r.n -= n
	return uint(r.bits >> r.n & (1<<n - 1))
}

func (r *lsBits) over() bool { return r.faked > r.n }
