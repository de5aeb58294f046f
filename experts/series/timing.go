package series

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"mome/dicomweb/dicom/tag"
)

// clockOrder lists the clocks in the order in which they are believed: the frame's own; Content Time; Trigger Time if
// any is positive; Acquisition Time. On Philips scanners Trigger Time and the private dynamic time go first.
func clockOrder(images []image) []clock {
	trigger := slices.ContainsFunc(images, func(im image) bool { return im.clocks[triggerClock] > 0 })
	order := []clock{frameClock, contentClock}
	if hasPrefix([]string{images[0].manufacturer}, "PHILIPS") {
		order = []clock{philipsClock, frameClock, contentClock}
		if trigger {
			order = append([]clock{triggerClock}, order...)
		}
	} else if trigger {
		order = append(order, triggerClock)
	}
	return append(order, acquisitionClock)
}

// span returns the earliest and latest time that the clock gives for the moment, NaN if one image has none.
func (m *moment) span(c clock) (firstS, lastS float64) {
	firstS, lastS = math.Inf(1), math.Inf(-1)
	for i := range m.images {
		t := m.images[i].clocks[c]
		if math.IsNaN(t) {
			return math.NaN(), math.NaN()
		}
		firstS, lastS = min(firstS, t), max(lastS, t)
	}
	return firstS, lastS
}

// timing is when the moments of a dynamic series were acquired.
type timing struct {
	timesS []float64 // of each moment, s since the first
	known  bool
	how    string   // the attribute that told, or the assumption
	notes  []string // for the report's reader
}

// assumedPhaseS is the distance of phases whose times are unknown: breast protocols acquire one in 60 to 90 s.
const assumedPhaseS = 60

// longestPauseS: phases further apart than this are not one dynamic acquisition, or the clock is wrong.
const longestPauseS = 1800

// order sorts the moments by time and tells their times.
func order(moments []moment) timing {
	byNumber(moments)
	if len(moments) == 0 {
		return timing{}
	}
	severalParts := slices.ContainsFunc(moments, func(m moment) bool { return m.part != moments[0].part })
	var all []image
	for _, m := range moments {
		all = append(all, m.images...)
	}
	found := map[clock][]float64{}
	var believed clock = -1
	for _, c := range clockOrder(all) {
		if times, ok := read(moments, c, severalParts); ok {
			found[c] = times
			if believed < 0 {
				believed = c
			}
		}
	}
	if believed < 0 {
		return assume(moments)
	}
	t := timing{known: true}
	if a, ok := found[acquisitionClock]; ok && disagree(found[believed], a) {
		t.notes = append(t.notes, fmt.Sprintf("%s and Acquisition Time disagree on the times of the phases; Acquisition Time was taken", clockNames[believed]))
		believed = acquisitionClock
	}
	times := found[believed]
	index := make([]int, len(moments))
	for i := range index {
		index[i] = i
	}
	slices.SortFunc(index, func(a, b int) int { return cmp.Compare(times[a], times[b]) })
	if !slices.IsSorted(index) {
		t.notes = append(t.notes, fmt.Sprintf("the order of the phases by %s differs from that of their numbers; the times were taken", clockNames[believed]))
	}
	sorted := make([]moment, len(moments))
	for i, from := range index {
		sorted[i] = moments[from]
		t.timesS = append(t.timesS, times[from]-times[index[0]])
	}
	copy(moments, sorted)
	t.how = clockNames[believed]
	return t
}

// read returns the moments' times by one clock; ok if it tells all of them apart without overlap.
func read(moments []moment, c clock, severalParts bool) (timesS []float64, ok bool) {
	type interval struct{ first, last float64 }
	in := make([]interval, len(moments))
	for i := range moments {
		first, last := moments[i].span(c)
		if c.relative() && severalParts {
			// The clock starts anew in each series: its own acquisition time anchors it.
			start, ok := moments[i].part.startS()
			if !ok {
				return nil, false
			}
			first, last = first+start, last+start
		}
		if math.IsNaN(first) {
			return nil, false
		}
		in[i] = interval{first, last}
		timesS = append(timesS, first)
	}
	slices.SortFunc(in, func(a, b interval) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(in); i++ {
		pause := in[i].first - in[i-1].first
		if pause < sameTimeS || pause > longestPauseS || in[i].first <= in[i-1].last {
			return nil, false
		}
	}
	return timesS, true
}

// startS returns the earliest Acquisition Time of the part.
func (p *part) startS() (float64, bool) {
	s := math.Inf(1)
	for i := range p.images {
		if t := p.images[i].clocks[acquisitionClock]; t < s {
			s = t
		}
	}
	return s, !math.IsInf(s, 1)
}

// disagree reports intervals between phases that differ by more than 10 % and 5 s: Content Time may tell when images
// were made from raw data that was long acquired.
func disagree(a, b []float64) bool {
	for i := 1; i < len(a); i++ {
		if d := math.Abs((a[i] - a[0]) - (b[i] - b[0])); d > 5 && d > 0.1*math.Abs(b[i]-b[0]) {
			return true
		}
	}
	return false
}

// assume gives times to phases of which only the order is known.
func assume(moments []moment) timing {
	stepS, basis := float64(assumedPhaseS), "were assumed"
	if ms, ok := moments[len(moments)-1].images[0].header.Float(tag.TemporalResolution); ok && ms >= 1000*sameTimeS && ms <= 1000*longestPauseS {
		stepS, basis = ms/1000, "were taken from Temporal Resolution"
	}
	t := timing{how: "order only"}
	for i := range moments {
		t.timesS = append(t.timesS, float64(i)*stepS)
	}
	t.notes = []string{fmt.Sprintf("the times of the dynamic phases are unknown, only their order is; %s s from phase to phase %s",
		strconv.FormatFloat(stepS, 'g', 4, 64), basis)}
	return t
}

// byNumber sorts moments by what tells their order without a clock: the Acquisition Number, or the phase that GE names in
// the description, where each series has its own, else Series Number; within a series by rank.
func byNumber(moments []moment) {
	number, distinct := numberEach(moments, func(p *part) int {
		n := p.images[0].acquisition
		if n == 0 || slices.ContainsFunc(p.images, func(im image) bool { return im.acquisition != n }) {
			return -1
		}
		return n
	})
	if !distinct {
		number, distinct = numberEach(moments, func(p *part) int { return phaseNumber(p.description()) })
	}
	slices.SortStableFunc(moments, func(a, b moment) int {
		if a.part != b.part && distinct {
			return cmp.Compare(number[a.part], number[b.part])
		}
		return cmp.Or(cmp.Compare(a.part.series.number, b.part.series.number), cmp.Compare(a.part.series.uid, b.part.series.uid), cmp.Compare(a.rank, b.rank))
	})
}

// numberEach collects a number of each series; distinct unless one is -1 or two are the same.
func numberEach(moments []moment, of func(p *part) int) (number map[*part]int, distinct bool) {
	number, distinct = map[*part]int{}, true
	taken := map[int]bool{-1: true}
	for _, m := range moments {
		if _, ok := number[m.part]; ok {
			continue
		}
		n := of(m.part)
		distinct = distinct && !taken[n]
		number[m.part], taken[n] = n, true
	}
	return number, distinct
}
