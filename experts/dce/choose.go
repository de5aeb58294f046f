package dce

import (
	"fmt"
	"math"
	"strings"

	"mome/experts"
)

// choose returns n indices into the post-contrast phases, ascending, whose times lie nearest (least sum of distances)
// to n times spread evenly from the first phase to the last, both of which are always among them. Where there are more
// phases than n none is taken twice; where there are fewer each is taken at least once and some are repeated.
func choose(post []experts.Phase, n int) []int {
	p := len(post)
	timeS := func(phase int) float64 { return post[phase].TimeS - post[0].TimeS }
	if !(timeS(p-1) > 0) { // no times: the order is all there is
		timeS = func(phase int) float64 { return float64(phase) }
	}
	cost := func(slot, phase int) float64 {
		return math.Abs(timeS(phase) - timeS(p-1)*float64(slot)/float64(n-1))
	}
	leastStep, mostStep := 0, 1
	if p >= n {
		leastStep, mostStep = 1, p
	}
	// best[slot][phase]: the least cost of slots 0..slot with slot on phase; from: the phase of the slot before.
	best, from := make([][]float64, n), make([][]int, n)
	for slot := range n {
		best[slot], from[slot] = make([]float64, p), make([]int, p)
		for phase := range p {
			best[slot][phase] = math.Inf(1)
			if slot == 0 {
				if phase == 0 {
					best[0][0] = cost(0, 0)
				}
				continue
			}
			for step := leastStep; step <= min(mostStep, phase); step++ {
				if c := best[slot-1][phase-step] + cost(slot, phase); c < best[slot][phase] {
					best[slot][phase], from[slot][phase] = c, phase-step
				}
			}
		}
	}
	out := make([]int, n)
	out[n-1] = p - 1
	for slot := n - 1; slot > 0; slot-- {
		out[slot-1] = from[slot][out[slot]]
	}
	return out
}

// list writes indices as numbers from 1.
func list(indices []int) string {
	words := make([]string, len(indices))
	for n, k := range indices {
		words[n] = fmt.Sprint(k + 1)
	}
	return strings.Join(words, ", ")
}
