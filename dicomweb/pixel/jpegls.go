package pixel

import "math/bits"

// What the coder and the decoder of JPEG-LS, ISO/IEC 14495-1, share. Names of variables are the standard's.

// Contexts: 365 of the regular mode, then the two of run interruption.
const lsContexts, lsRun = 367, 365

// lsJ is the table J of A.2.1.
var lsJ = [32]uint{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// lsParameters are those of a scan.
type lsParameters struct {
	maxval, near, rng int32
	t1, t2, t3, reset int32
	qbpp, limit       uint
}

// defaults sets the parameters of A.2.1 and C.2.4.1.1.1.
func (p *lsParameters) defaults(maxval, near int32) {
	p.maxval, p.near = maxval, near
	clamp := func(i, least int32) int32 {
		if i > maxval || i < least {
			return least
		}
		return i
	}
	if maxval >= 128 {
		f := (min(maxval, 4095) + 128) >> 8
		p.t1 = clamp(f+2+3*near, near+1)
		p.t2 = clamp(4*f+3+5*near, p.t1)
		p.t3 = clamp(17*f+4+7*near, p.t2)
	} else {
		f := 256 / (maxval + 1)
		p.t1 = clamp(max(2, 3/f+3*near), near+1)
		p.t2 = clamp(max(3, 7/f+5*near), p.t1)
		p.t3 = clamp(max(4, 21/f+7*near), p.t2)
	}
	p.reset = 64
	p.rng = (maxval+2*near)/(2*near+1) + 1
	p.qbpp = uint(bits.Len32(uint32(p.rng - 1)))
	bpp := max(2, uint(bits.Len32(uint32(maxval))))
	p.limit = 2 * (bpp + max(8, bpp))
}

// quantize is A.3.3: -4 .. 4.
func (p *lsParameters) quantize(g int32) int {
	switch {
	case g <= -p.t3:
		return -4
	case g <= -p.t2:
		return -3
	case g <= -p.t1:
		return -2
	case g < -p.near:
		return -1
	case g <= p.near:
		return 0
	case g < p.t1:
		return 1
	case g < p.t2:
		return 2
	case g < p.t3:
		return 3
	}
	return 4
}

// lsContext are the variables of a context.
type lsContext struct{ a, b, c, n int32 }

// cleared returns the contexts at the start of a scan, A.2.1.
func (p *lsParameters) cleared() (contexts [lsContexts]lsContext) {
	for i := range contexts {
		contexts[i] = lsContext{a: max(2, (p.rng+32)/64), n: 1}
	}
	return contexts
}

// update learns from the error e of a sample, A.6.
func (c *lsContext) update(e, near, reset int32) {
	c.b += e * (2*near + 1)
	c.a += abs32(e)
	if c.n == reset {
		c.a >>= 1
		c.b >>= 1
		c.n >>= 1
	}
	c.n++
	if c.b <= -c.n {
		c.b = max(c.b+c.n, 1-c.n)
		c.c = max(c.c-1, -128)
	} else if c.b > 0 {
		c.b = min(c.b-c.n, 0)
		c.c = min(c.c+1, 127)
	}
}

// interruptionK returns the Golomb parameter of the sample that ends a run; kind is RItype, A.7.2.
func (c *lsContext) interruptionK(kind int32) uint {
	if kind == 1 {
		return golombK(c.n, c.a+c.n>>1)
	}
	return golombK(c.n, c.a)
}

// updateRun learns from the error e, coded as m, of the sample that ends a run, A.7.2.
func (c *lsContext) updateRun(nn *int32, e, m, kind, reset int32) {
	if e < 0 {
		*nn++
	}
	c.a += (m + 1 - kind) >> 1
	if c.n == reset {
		c.a >>= 1
		c.n >>= 1
		*nn >>= 1
	}
	c.n++
}

// median is the prediction of A.4.1.
func median(ra, rb, rc int32) int32 {
	switch {
	case rc >= max(ra, rb):
		return min(ra, rb)
	case rc <= min(ra, rb):
		return max(ra, rb)
	}
	return ra + rb - rc
}

func golombK(n, a int32) (k uint) {
	for n<<k < a && k < 31 {
		k++
	}
	return k
}

func abs32(v int32) int32 { return max(v, -v) }
