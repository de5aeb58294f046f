package pixel

import "slices"

// lsEncoder compresses with JPEG-LS, ISO/IEC 14495-1, lossless and with the default parameters: the inverse of
// lsDecoder. Names of variables are the standard's.
type lsEncoder struct {
	lsParameters
	quantized []int8 // by gradient + 65535; of maxval
	contexts  [lsContexts]lsContext
	nn        [2]int32
	bits      lsWriter
}

// appendJPEGLS appends one frame. Several components are interleaved by line.
func (e *Encoder) appendJPEGLS(dst []byte, l Layout, precision int) []byte {
	interleave := byte(0)
	if l.SamplesPerPixel > 1 {
		interleave = 1
	}
	dst = appendFrameHeader(dst, markerSOF55, l, precision)
	dst = appendScanHeader(dst, l, 0, interleave, 0)
	s := &e.ls
	s.begin(precision)
	s.bits = lsWriter{out: dst}
	// Lines have a guard at either end, as in lsDecoder.scan.
	n, width := l.SamplesPerPixel, l.Columns
	above, line := make([][]int32, n), make([][]int32, n)
	for i := range n {
		above[i], line[i] = make([]int32, width+2), make([]int32, width+2)
	}
	runIndex := make([]int, n)
	for y := range l.Rows {
		samples := e.samples[y*width*n : (y+1)*width*n]
		for i := range n {
			above[i][width+1] = above[i][width]
			line[i][0] = above[i][1]
			for x := range width {
				line[i][x+1] = int32(samples[x*n+i])
			}
			s.line(above[i], line[i], &runIndex[i])
		}
		above, line = line, above
	}
	return append(s.bits.end(), 0xFF, markerEOI)
}

// begin sets the parameters of a scan and clears its contexts.
func (s *lsEncoder) begin(precision int) {
	maxval := int32(1)<<precision - 1
	if s.maxval != maxval {
		s.lsParameters.defaults(maxval, 0)
		s.quantized = slices.Grow(s.quantized[:0], 2<<16)[:2<<16]
		for g := -maxval; g <= maxval; g++ {
			s.quantized[g+gradients] = int8(s.quantize(g))
		}
	}
	s.contexts, s.nn = s.cleared(), [2]int32{}
}

const gradients = 1<<16 - 1 // the largest gradient

// line encodes a line of one component.
func (s *lsEncoder) line(above, line []int32, runIndex *int) {
	end := len(line) - 1
	above = above[:len(line)]
	quantized := s.quantized[:2<<16]
	for x := 1; x < end; {
		ra, rb, rc, rd := line[x-1], above[x], above[x-1], above[x+1]
		q := 81*int(quantized[rd-rb+gradients]) + 9*int(quantized[rb-rc+gradients]) + int(quantized[rc-ra+gradients])
		if q != 0 {
			s.regular(q, line[x], ra, rb, rc)
			x++
			continue
		}
		run := 0
		for x+run < end && line[x+run] == ra {
			run++
		}
		x += run
		s.run(run, x == end, runIndex)
		if x == end {
			break
		}
		s.interruption(line[x], ra, above[x], *runIndex)
		*runIndex = max(0, *runIndex-1)
		x++
	}
}

// regular encodes the sample v in regular mode, A.4 to A.6.
func (s *lsEncoder) regular(q int, v, ra, rb, rc int32) {
	sign := int32(1)
	if q < 0 {
		q, sign = -q, -1
	}
	c := &s.contexts[q]
	px := min(max(median(ra, rb, rc)+sign*c.c, 0), s.maxval)
	e := s.modulo(sign * (v - px))
	k := golombK(c.n, c.a)
	m := 2 * e
	if e < 0 {
		m = -2*e - 1
	}
	if k == 0 && 2*c.b <= -c.n {
		m ^= 1 // the roles of e and -e-1 change, A.5.2
	}
	s.golomb(m, k, s.limit)
	c.update(e, s.near, s.reset)
}

// run encodes the length of a run, A.7.1.2; ended tells that it goes to the end of the line.
func (s *lsEncoder) run(n int, ended bool, runIndex *int) {
	for n >= 1<<lsJ[*runIndex] {
		s.bits.write(1, 1)
		n -= 1 << lsJ[*runIndex]
		*runIndex = min(*runIndex+1, len(lsJ)-1)
	}
	switch {
	case !ended:
		s.bits.write(uint32(n), lsJ[*runIndex]+1) // a zero bit before the rest of the run
	case n > 0:
		s.bits.write(1, 1)
	}
}

// interruption encodes the sample v that ends a run, A.7.2.
func (s *lsEncoder) interruption(v, ra, rb int32, runIndex int) {
	kind, e := int32(0), v-rb
	switch {
	case ra == rb:
		kind = 1
	case ra > rb:
		e = -e
	}
	e = s.modulo(e)
	c := &s.contexts[lsRun+kind]
	k := c.interruptionK(kind)
	odd := int32(0) // map of A.7.2
	if e != 0 && (e < 0) == (k != 0 || 2*s.nn[kind] >= c.n) {
		odd = 1
	}
	m := 2*abs32(e) - kind - odd
	s.golomb(m, k, s.limit-lsJ[runIndex]-1)
	c.updateRun(&s.nn[kind], e, m, kind, s.reset)
}

// modulo brings an error into the range of half the alphabet either side of 0, A.4.5.
func (s *lsEncoder) modulo(e int32) int32 {
	if e < 0 {
		e += s.rng
	}
	if e >= (s.rng+1)/2 {
		e -= s.rng
	}
	return e
}

// golomb encodes m with the limited-length code LG(k, limit), A.5.3.
func (s *lsEncoder) golomb(m int32, k, limit uint) {
	zeros := uint(m) >> k
	if escape := limit - s.qbpp - 1; zeros >= escape {
		s.bits.zeros(escape)
		s.bits.write(1<<s.qbpp|uint32(m-1), s.qbpp+1)
		return
	}
	if zeros+k >= 32 {
		s.bits.zeros(zeros)
		zeros = 0
	}
	s.bits.write(1<<k|uint32(m)&(1<<k-1), zeros+k+1)
}

// lsWriter appends bits, most significant first; after a byte FF the next one has 7, annex A.1.
type lsWriter struct {
	out     []byte
	bits    uint64 // those not written yet are the n at its low end
	n       uint
	stuffed uint // 1 after a byte FF
}

// write appends the n low bits of v, at most 32; v has no others.
func (w *lsWriter) write(v uint32, n uint) {
	w.bits = w.bits<<n | uint64(v)
	w.n += n
	for size := 8 - w.stuffed; w.n >= size; size = 8 - w.stuffed {
		w.n -= size
		b := byte(w.bits>>w.n) & (0xFF >> w.stuffed)
		w.out = append(w.out, b)
		w.stuffed = 0
		if b == 0xFF {
			w.stuffed = 1
		}
	}
}

func (w *lsWriter) zeros(n uint) {
	for ; n > 32; n -= 32 {
		w.write(0, 32)
	}
	w.write(0, n)
}

// end fills the last byte with zeros and returns all bytes. None may be FF at the end: a byte of zeros follows it.
func (w *lsWriter) end() []byte {
	if w.n > 0 || w.stuffed > 0 {
		w.write(0, 8-w.stuffed-w.n)
	}
	return w.out
}
