package lesion

import "slices"

const (
	refineReachMM = 4.0 // how far beyond a candidate's first outline its surface is looked for
	localMM       = 3.0 // standard deviation of the neighbourhood in which lesion and surroundings are compared
	refineRounds  = 4   // of both in turn; most voxels no longer change after two
)

// patch is a box of the crop around a candidate with its own dense arrays, i fastest.
type patch struct {
	f      *finder
	lo, n  [3]int    // of the crop
	may    []bool    // within reach, in the breast, below the skin, not another candidate's
	in     []bool    // the candidate
	signal []float32 // see discriminate
}

func (f *finder) newPatch(set []int, reachMM float64) *patch {
	near := f.grown(set, reachMM)
	b := emptyBox()
	for _, at := range near {
		b.add(f.voxel(at))
	}
	p := &patch{f: f, lo: b.lo}
	for a := range 3 {
		p.n[a] = b.hi[a] - b.lo[a] + 1
	}
	size := p.n[0] * p.n[1] * p.n[2]
	p.may, p.in, p.signal = make([]bool, size), make([]bool, size), make([]float32, size)
	for _, at := range near {
		p.may[p.from(at)] = !f.taken[at]
	}
	for _, at := range set {
		p.in[p.from(at)] = p.may[p.from(at)]
	}
	return p
}

// from and to turn a voxel of the crop into one of the patch, and back.
func (p *patch) from(crop int) int {
	i, j, k := p.f.voxel(crop)
	return ((k-p.lo[2])*p.n[1]+j-p.lo[1])*p.n[0] + i - p.lo[0]
}

func (p *patch) to(at int) int {
	v := p.voxel(at)
	return ((v[2]+p.lo[2])*p.f.n[1]+v[1]+p.lo[1])*p.f.n[0] + v[0] + p.lo[0]
}

func (p *patch) voxel(at int) [3]int {
	return [3]int{at % p.n[0], at / p.n[0] % p.n[1], at / (p.n[0] * p.n[1])}
}

// refined returns the outline of a candidate whose place is known. Its signal is not smoothed: the noise is taken out over
// time instead, see discriminate. A voxel belongs to the lesion where it is nearer to the mean of the lesion around it than to
// that of what surrounds the lesion there, both weighted by a Gaussian of localMM: the local form of the piecewise constant
// model of Chan and Vese (IEEE Trans Image Process 2001;10:266), as Lankton and Tannenbaum (ibid. 2008;17:2029) localised
// it, solved in turns. So an edge lies at half of its own height even where the lesion is brighter elsewhere. Voxels at the
// surface, which hold both, take no part in the means. What falls apart keeps its largest part; holes are filled, those of a rim
// with a gap too.
func (f *finder) refined(set []int) []int {
	p := f.newPatch(set, refineReachMM)
	p.discriminate()
	for range refineRounds {
		inner, outer := p.eroded(true), p.eroded(false)
		high, low := p.local(inner), p.local(outer)
		next := make([]bool, len(p.in))
		for at, may := range p.may {
			next[at] = may && 2*p.signal[at] >= high[at]+low[at]
		}
		all := p.set(next)
		parts := f.parts(all, members(all))
		if len(parts) == 0 {
			return set
		}
		most := slices.MaxFunc(parts, func(a, b []int) int { return len(a) - len(b) })
		clear(p.in)
		for _, at := range f.filled(most) {
			p.in[p.from(at)] = p.may[p.from(at)]
		}
	}
	return f.free(f.whole(p.set(p.in)))
}

// set returns the crop's voxels of a set of the patch, in order.
func (p *patch) set(in []bool) []int {
	var out []int
	for at, is := range in {
		if is {
			out = append(out, p.to(at))
		}
	}
	return out
}

// discriminate sets signal to the weighted sum of the rises S(t) - S(0) of all phases that tells the candidate from its
// surroundings best: Fisher's linear discriminant, whose weights are the inverse of the noise's covariance times the
// difference of both mean curves. The noise of the phases is equal and independent, that of S(0) is in all rises: the
// covariance is 1 + 1 1', its inverse 1 - 1 1' / (number of phases). With one post-contrast phase this is its subtraction.
func (p *patch) discriminate() {
	phases := p.f.s.DCE
	weight := make([]float64, len(phases)-1)
	var n [2]float64
	sums := [2][]float64{make([]float64, len(weight)), make([]float64, len(weight))}
	for at, may := range p.may {
		if !may {
			continue
		}
		index, c := p.f.index(p.to(at)), 0
		if p.in[at] {
			c = 1
		}
		n[c]++
		for t := range weight {
			sums[c][t] += float64(phases[t+1].Volume.Data[index]) - float64(phases[0].Volume.Data[index])
		}
	}
	mean := 0.0
	for t := range weight {
		weight[t] = sums[1][t]/max(n[1], 1) - sums[0][t]/max(n[0], 1)
		mean += weight[t] / float64(len(phases))
	}
	for t := range weight {
		weight[t] -= mean
	}
	for at := range p.signal {
		index := p.f.index(p.to(at))
		v := 0.0
		for t, w := range weight {
			v += w * (float64(phases[t+1].Volume.Data[index]) - float64(phases[0].Volume.Data[index]))
		}
		p.signal[at] = float32(v)
	}
}

// eroded returns the candidate, or else what surrounds it within reach, without the voxels at the surface between both;
// with them where nothing else is left.
func (p *patch) eroded(candidate bool) []bool {
	out := make([]bool, len(p.in))
	steps := [3]int{1, p.n[0], p.n[0] * p.n[1]}
	any := false
	for at, in := range p.in {
		if in != candidate || !p.may[at] {
			continue
		}
		inner := true
		for a, c := range p.voxel(at) {
			inner = inner && (c == 0 || p.in[at-steps[a]] == candidate) && (c == p.n[a]-1 || p.in[at+steps[a]] == candidate)
		}
		out[at] = inner
		any = any || inner
	}
	if !any {
		for at, in := range p.in {
			out[at] = in == candidate && p.may[at]
		}
	}
	return out
}

// local returns the mean signal of a set around every voxel, weighted by a Gaussian of localMM; where the set is out of its
// reach, of the whole set.
func (p *patch) local(set []bool) []float32 {
	sum, weight := make([]float32, len(set)), make([]float32, len(set))
	all, n := 0.0, 0.0
	for at, in := range set {
		if in {
			sum[at], weight[at] = p.signal[at], 1
			all, n = all+float64(p.signal[at]), n+1
		}
	}
	p.blur(sum)
	p.blur(weight)
	for at := range sum {
		if weight[at] > 1e-6 {
			sum[at] /= weight[at]
		} else {
			sum[at] = float32(all / max(n, 1))
		}
	}
	return sum
}

// blur smooths by a Gaussian of localMM.
func (p *patch) blur(v []float32) {
	buffer := make([]float32, max(p.n[0], p.n[1], p.n[2]))
	plane := p.n[0] * p.n[1]
	x, y, z := kernel(localMM, p.f.mm[0]), kernel(localMM, p.f.mm[1]), kernel(localMM, p.f.mm[2])
	for k := range p.n[2] {
		slice := v[k*plane:][:plane]
		convolve(slice, buffer, p.n[0], 1, p.n[1], p.n[0], x)
		convolve(slice, buffer, p.n[1], p.n[0], p.n[0], 1, y)
	}
	convolve(v, buffer, p.n[2], plane, plane, 1, z)
}
