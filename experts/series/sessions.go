package series

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// examS: what began further than this from the dynamic series, s, belongs to another exam of the same study, such as one
// that was repeated; a breast protocol takes less.
const examS = 3600

// beganS returns when the part began by Acquisition Time, else by Content Time, NaN where both are absent.
func (p *part) beganS() float64 {
	if s, ok := p.startS(); ok {
		return s
	}
	s := math.NaN()
	for i := range p.images {
		if t := p.images[i].clocks[contentClock]; !(t >= s) {
			s = t
		}
	}
	return s
}

// sessions parts a candidate where more than longestPauseS lies between its series: an exam that was done twice has
// phases of the same planes and sequence, but another bolus. Series without times stay with the first.
func (d *dynamic) sessions() []*dynamic {
	order := slices.Clone(d.parts)
	slices.SortStableFunc(order, func(a, b *part) int {
		return cmp.Compare(a.beganS(), b.beganS()) // NaN goes first
	})
	out := []*dynamic{d}
	for i, p := range order {
		if i == 0 || !(p.beganS()-order[i-1].beganS() > longestPauseS) {
			continue
		}
		later := &dynamic{how: d.how}
		for _, q := range order[i:] {
			later.moments = append(later.moments, d.momentsOf(q)...)
			later.parts = append(later.parts, q)
		}
		for _, q := range later.parts {
			d.drop(q)
		}
		return append(out, later.sessions()...)
	}
	return out
}

// apartNote says that the study holds dynamic series of several exams.
func apartNote(taken, left *dynamic) string {
	return fmt.Sprintf("the study holds two exams: the dynamic series that begin with series %d and %d lie more than %d minutes apart; only one was read, and T2 and diffusion of the same exam where there are any",
		taken.parts[0].series.number, left.parts[0].series.number, longestPauseS/60)
}
