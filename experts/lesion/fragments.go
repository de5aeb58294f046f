package lesion

import (
	"math"
	"slices"
)

// When two candidates are fragments of one lesion, this project's criterion.
const (
	gapMM       = 4.5  // at most between the centres of their voxels: two of the widest ones that are searched, see workMM
	heightRatio = 1.5  // at most between their heights of enhancement
	riseApart   = 0.25 // at most between their late rises, see finder.lateRise
	holeShare   = 0.1  // at least of a set's volume, by a hole that a gap leaves open
	bridgeShare = 0.33 // at least of the way from the background to the lower one's height, by what lies between them
)

// joined returns the candidates with fragments of one lesion made one: arcs of a rim, parts of an uneven one. Fragments lie
// within gapMM, enhance alike, early and late, with no tissue of background enhancement between them; and what they make up,
// gaps closed and holes filled, is compact and has no neck, see lobes: lesions that merely touch stay apart.
func (f *finder) joined(found []*candidate) []*candidate {
	for a := 0; a < len(found); a++ {
		for b := a + 1; b < len(found); b++ {
			whole := f.join(found[a], found[b])
			if whole == nil {
				continue
			}
			found[a] = whole
			found = slices.Delete(found, b, b+1)
			b = a // the larger one is held against all others anew
		}
	}
	return found
}

// join returns the lesion that a and b are fragments of, nil where they are none.
func (f *finder) join(a, b *candidate) *candidate {
	near := members(f.grown(a.set, gapMM))
	if !slices.ContainsFunc(b.set, func(at int) bool { return near[at] }) || !f.alike(a.set, b.set) {
		return nil
	}
	parts := slices.Concat(a.set, b.set)
	in, closed := members(parts), parts
	if len(f.parts(parts, members(parts))) > 1 { // where they touch a closing would hide the neck that parted them
		closed = f.closed(parts)
	}
	var between []float32
	for _, at := range closed {
		if !in[at] {
			between = append(between, f.pe[at])
		}
	}
	level := f.back.median + bridgeShare*(min(f.height(f.pe, a.set), f.height(f.pe, b.set))-f.back.median)
	if len(between) > 0 && float64(percentile(between, 0.5)) < level {
		return nil
	}
	whole := f.filled(closed)
	others := slices.ContainsFunc(whole, func(at int) bool { return f.taken[at] && !in[at] })
	if others || !f.compact(whole) || len(f.lobes(whole)) > 1 {
		return nil
	}
	for _, at := range whole {
		f.taken[at] = true
	}
	return &candidate{set: whole, suspicion: max(a.suspicion, b.suspicion)}
}

// alike reports whether two sets have the same kinetics, as far as parts of one lesion do.
func (f *finder) alike(a, b []int) bool {
	apart := math.Abs(math.Log(f.height(f.rise, a) / f.height(f.rise, b))) // not a number where one does not rise
	return apart <= math.Log(heightRatio) && math.Abs(f.lateRise(a)-f.lateRise(b)) <= riseApart
}

// whole returns the set with its holes filled, those too that gaps of up to gapMM leave open if they are large: the middle
// of a rim.
func (f *finder) whole(set []int) []int {
	filled := f.filled(set)
	closed := f.closed(set)
	if full := f.filled(closed); float64(len(full)-len(closed)-len(filled)+len(set)) > holeShare*float64(len(set)) {
		return full
	}
	return filled
}

// closed returns the closing of the set by a ball of half of gapMM, in the breast.
func (f *finder) closed(set []int) []int {
	grown := f.grown(set, gapMM/2)
	depth := f.depthIn(grown)
	half := (f.mm[0] + f.mm[1] + f.mm[2]) / 6 // both ways are taken from centre to centre
	in := members(set)
	var out []int
	for n, at := range grown {
		if in[at] || float64(depth[n])+half > gapMM/2 {
			out = append(out, at)
		}
	}
	return out
}
