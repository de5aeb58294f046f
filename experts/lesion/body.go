package lesion

import (
	"math"
	"slices"
)

// bins of the logarithmic histogram; the signal range it spans is 1 : 1000.
const bins = 128

// histogram counts ln(value) of the cells between 1/1000 of the 99th percentile and it; all below fall into bin 0.
func histogram(values []float32) (count [bins]float64, of func(float32) int, level func(int) float64) {
	top := math.Log(max(float64(percentile(values, 0.99)), 1e-6))
	bottom := top - math.Log(1000)
	width := (top - bottom) / (bins - 1)
	of = func(v float32) int {
		if !(v > 0) {
			return 0
		}
		return min(max(int((math.Log(float64(v))-bottom)/width), 0), bins-1)
	}
	level = func(bin int) float64 { return math.Exp(bottom + float64(bin+1)*width) }
	for _, v := range values {
		count[of(v)]++
	}
	return count, of, level
}

// airThreshold returns the signal that parts air from tissue: the lower of two Otsu thresholds (Otsu, IEEE Trans SMC
// 1979;9:62, three classes) on the logarithm of the signal. With fat suppression the classes are air, fat, gland;
// without it air, gland and muscle, fat: the lower threshold is the air's in both, where two classes would part fat from
// gland.
func airThreshold(values []float32) float64 {
	count, _, level := histogram(values)
	var n, s [bins + 1]float64 // cumulative count and first moment
	for b, c := range count {
		n[b+1], s[b+1] = n[b]+c, s[b]+c*float64(b)
	}
	between := func(from, to int) float64 { // a class's part in the between-class variance
		c := n[to] - n[from]
		if c == 0 {
			return 0
		}
		m := s[to] - s[from]
		return m * m / c
	}
	best, low := -1.0, 0
	for a := 1; a < bins-1; a++ {
		for b := a + 1; b < bins; b++ {
			if v := between(0, a) + between(a, b) + between(b, bins); v > best {
				best, low = v, a
			}
		}
	}
	return level(low - 1)
}

// body returns the cells inside the patient: above the air threshold, closed by one cell, the largest connected part,
// with everything that air in front of the patient does not reach within an axial slice (lungs, suppressed fat).
func (c *coarse) body(threshold float64) []bool {
	set := make([]bool, c.len())
	for at, v := range c.soft {
		set[at] = float64(v) > threshold
	}
	set = c.erode(c.dilate(set))
	set = c.largest(set)
	inside := make([]bool, c.len())
	var queue []int
	for z := range c.size[2] {
		outside := make([]bool, c.size[0]*c.size[1])
		queue = queue[:0]
		visit := func(x, y int) {
			if x < 0 || y < 0 || x >= c.size[0] || y >= c.size[1] {
				return
			}
			if at := y*c.size[0] + x; !outside[at] && !set[c.at(x, y, z)] {
				outside[at] = true
				queue = append(queue, at)
			}
		}
		for x := range c.size[0] {
			visit(x, 0)
		}
		for len(queue) > 0 {
			at := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			x, y := at%c.size[0], at/c.size[0]
			visit(x-1, y)
			visit(x+1, y)
			visit(x, y-1)
			visit(x, y+1)
		}
		for at, out := range outside {
			inside[z*len(outside)+at] = !out
		}
	}
	return c.trimmed(inside)
}

// trimmed takes off the surface cells that hold less than half of their brightest neighbour's signal: the threshold of
// air lies far below the skin's signal, so that cells which the skin only touches are above it.
func (c *coarse) trimmed(inside []bool) []bool {
	out := slices.Clone(inside)
	steps := [3]int{1, c.size[0], c.size[0] * c.size[1]}
	for z := range c.size[2] {
		for y := range c.size[1] {
			for x := range c.size[0] {
				at := c.at(x, y, z)
				if !inside[at] {
					continue
				}
				surface, brightest := false, float32(0)
				for a, p := range [3]int{x, y, z} {
					for _, n := range [2]struct {
						ok bool
						at int
					}{{p > 0, at - steps[a]}, {p < c.size[a]-1, at + steps[a]}} {
						if n.ok {
							surface = surface || !inside[n.at]
							brightest = max(brightest, c.soft[n.at])
						}
					}
				}
				if surface && c.soft[at] < brightest/2 {
					out[at] = false
				}
			}
		}
	}
	return out
}

// dilate and erode move a set's surface by one cell along the axes. Beyond the volume lies what lies at its border.
func (c *coarse) dilate(set []bool) []bool { return c.morph(set, true) }
func (c *coarse) erode(set []bool) []bool  { return c.morph(set, false) }

func (c *coarse) morph(set []bool, grow bool) []bool {
	out := make([]bool, len(set))
	steps := [3]int{1, c.size[0], c.size[0] * c.size[1]}
	for z := range c.size[2] {
		for y := range c.size[1] {
			for x := range c.size[0] {
				at := c.at(x, y, z)
				v := set[at]
				for a, p := range [3]int{x, y, z} {
					if v == grow {
						break
					}
					if p > 0 && set[at-steps[a]] == grow || p < c.size[a]-1 && set[at+steps[a]] == grow {
						v = grow
					}
				}
				out[at] = v
			}
		}
	}
	return out
}

// largest returns the largest part of set that is connected over faces.
func (c *coarse) largest(set []bool) []bool {
	label := make([]int32, len(set))
	best, most, next := int32(0), 0, int32(0)
	steps := [3]int{1, c.size[0], c.size[0] * c.size[1]}
	var queue []int
	for seed := range set {
		if !set[seed] || label[seed] != 0 {
			continue
		}
		next++
		label[seed] = next
		queue = append(queue[:0], seed)
		n := 0
		for len(queue) > 0 {
			at := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			n++
			p := [3]int{at % c.size[0], at / c.size[0] % c.size[1], at / steps[2]}
			for a := range 3 {
				if to := at - steps[a]; p[a] > 0 && set[to] && label[to] == 0 {
					label[to] = next
					queue = append(queue, to)
				}
				if to := at + steps[a]; p[a] < c.size[a]-1 && set[to] && label[to] == 0 {
					label[to] = next
					queue = append(queue, to)
				}
			}
		}
		if n > most {
			most, best = n, next
		}
	}
	out := make([]bool, len(set))
	for at, l := range label {
		out[at] = best != 0 && l == best
	}
	return out
}
