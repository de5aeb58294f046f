package series

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
	"mome/experts"
)

// doubt is why a part of a dynamic candidate is not counted among its time points.
type doubt struct {
	part    *part
	verdict verdict
}

// doubtful takes out of d the parts that have its planes and its sequence but are not shown to be further time points.
// Subtractions, maps and corrected copies are made of the phases, carry their geometry, and often nothing but a
// description or the end of Image Type tells of it. What remains after those are gone: a computed series repeats the
// acquisition of a phase, or comes after a series that already holds several phases without a time that is later.
func (d *dynamic) doubtful() (out []doubt) {
	if len(d.parts) < 2 {
		return nil
	}
	out = append(out, d.unnumbered()...)
	out = append(out, d.repeated()...)
	out = append(out, d.afterwards()...)
	return out
}

// beside reports whether d has the planes of a series that holds several time points which could not be told apart, and
// calls d uncertain then: it may be computed from that series.
func (d *dynamic) beside(unclear []*part) bool {
	for _, u := range unclear {
		a, b := &u.images[0], &d.parts[0].images[0]
		if a.alike(b) && closeTo(a.sequence.trMS, b.sequence.trMS, 0.05) && samePlanes(u.images, d.parts[0].images) {
			for _, p := range d.parts {
				p.verdict = verdict{experts.RoleUncertain, "T1, time unclear",
					fmt.Sprintf("%s It has the planes of series %d, whose time points could not be told apart: it may be computed from them.", p.reason, u.series.number), 0.2}
			}
			return true
		}
	}
	return false
}

// leastSlices of a dynamic series: fewer are projections or single cuts, even where they repeat.
const leastSlices = 4

// thin reports several moments of too few slices, and calls them uncertain. A single one is judged as a time point.
func (d *dynamic) thin() bool {
	if len(d.moments) < 2 || slices.ContainsFunc(d.moments, func(m moment) bool { return len(m.images) >= leastSlices }) {
		return false
	}
	for _, p := range d.parts {
		p.verdict = verdict{experts.RoleUncertain, "too few slices", fmt.Sprintf("%s But there are fewer than %d slices: projections or single cuts.", p.reason, leastSlices), 0.3}
	}
	return true
}

// drop takes p out of the candidate.
func (d *dynamic) drop(p *part) {
	var parts []*part
	for _, q := range d.parts {
		if q != p {
			parts = append(parts, q)
		}
	}
	var moments []moment
	for _, m := range d.moments {
		if m.part != p {
			moments = append(moments, m)
		}
	}
	d.parts, d.moments = parts, moments
}

func (d *dynamic) momentsOf(p *part) (out []moment) {
	for _, m := range d.moments {
		if m.part == p {
			out = append(out, m)
		}
	}
	return out
}

// namedAfter excludes Philips' subtractions among the T1-weighted parts: they have the description of another series with
// an s before it.
func namedAfter(parts []*part) {
	for _, p := range parts {
		rest, ok := strings.CutPrefix(p.description(), "s")
		if !ok || rest == "" || !p.candidate(contrastT1) || !strings.HasPrefix(p.images[0].manufacturer, "PHILIPS") {
			continue
		}
		if i := slices.IndexFunc(parts, func(q *part) bool { return q.description() == rest }); i >= 0 {
			p.verdict = verdict{experts.RoleExcluded, kindSubtraction,
				fmt.Sprintf("Its Series Description is that of series %d with an s before it: a subtraction in Philips' naming.", parts[i].series.number), 0.85}
		}
	}
}

// lacks names what a part does not tell and the dynamic series does, where its planes are the same: it may be a phase. ""
// if it tells all, or lies elsewhere.
func (p *part) lacks(best *part) string {
	a, b := p.images[0], best.images[0]
	absent := func(x, y float64) bool { return math.IsNaN(x) != math.IsNaN(y) }
	what := ""
	switch {
	case (a.plane.FrameOfReference == "") != (b.plane.FrameOfReference == ""):
		what = "Frame of Reference UID"
	case absent(a.sequence.trMS, b.sequence.trMS):
		what = "Repetition Time"
	case absent(a.sequence.teMS, b.sequence.teMS):
		what = "Echo Time"
	case absent(a.sequence.flipDeg, b.sequence.flipDeg):
		what = "Flip Angle"
	case a.sequence.fatSuppressed != b.sequence.fatSuppressed && (a.header.String(tag.ScanOptions) == "") != (b.header.String(tag.ScanOptions) == ""):
		what = "Scan Options"
	default:
		return ""
	}
	a.plane.FrameOfReference, a.sequence.teMS = b.plane.FrameOfReference, b.sequence.teMS
	if !a.alike(&b) || !samePlanes(p.images, best.images) {
		return ""
	}
	return what
}

// acquisition is what tells one acquisition from another: its number and when it began, NaN if absent.
type acquisition struct {
	number int
	timeS  float64
}

func (m *moment) acquisition() acquisition {
	first, _ := m.span(acquisitionClock)
	return acquisition{m.images[0].acquisition, first}
}

// repeated finds series that repeat the acquisition of another: the same Acquisition Number and, where there is one, the
// same Acquisition Time, while other series have other numbers. The source is made first: it has the lower Series
// Number.
func (d *dynamic) repeated() (out []doubt) {
	numbers := map[int]bool{}
	for _, m := range d.moments {
		numbers[m.images[0].acquisition] = true
	}
	if len(numbers) < 2 || len(numbers) == len(d.moments) {
		return nil
	}
	for _, p := range d.parts {
		mine := d.momentsOf(p)
		if len(mine) != 1 || mine[0].images[0].acquisition == 0 {
			continue
		}
		a := mine[0].acquisition()
		for _, m := range d.moments {
			b := m.acquisition()
			sameTime := math.Abs(a.timeS-b.timeS) < sameTimeS || math.IsNaN(a.timeS) && math.IsNaN(b.timeS)
			if m.part == p || a.number != b.number || !sameTime || m.part.series.number >= p.series.number || mine[0].copyOf(m) ||
				numberedPhases(p.description(), m.part.description()) {
				continue
			}
			out = append(out, doubt{p, verdict{experts.RoleUncertain, "another image of an acquisition",
				fmt.Sprintf("%s It has the Acquisition Number and time of series %d, which came first: it may be computed from it.", p.reason, m.part.series.number), 0.3}})
			break
		}
	}
	for _, o := range out {
		d.drop(o.part)
	}
	return out
}

// unnumbered finds series that come after those whose descriptions number the phases, and have no such number.
func (d *dynamic) unnumbered() (out []doubt) {
	first := slices.IndexFunc(d.parts, func(p *part) bool {
		return slices.ContainsFunc(d.parts, func(q *part) bool { return numberedPhases(p.description(), q.description()) })
	})
	if first < 0 {
		return nil
	}
	for _, p := range d.parts {
		if f := d.parts[first]; p != f && !numberedPhases(f.description(), p.description()) && p.series.number >= f.series.number {
			out = append(out, doubt{p, verdict{experts.RoleUncertain, "no numbered phase",
				fmt.Sprintf("%s It has the planes of series %d, whose description numbers the phases, and no number: it may be computed from them.", p.reason, f.series.number), 0.3}})
		}
	}
	for _, o := range out {
		d.drop(o.part)
	}
	return out
}

// partlyTimed reports series of one Acquisition Number of which several share a time and others have their own: phases at
// one time, and what was computed from them later, or the reverse. All are called uncertain then, unless descriptions
// number them.
func (d *dynamic) partlyTimed() bool {
	if len(d.moments) != len(d.parts) || slices.ContainsFunc(d.parts, func(p *part) bool { return numberedPhases(p.description(), d.parts[0].description()) }) {
		return false
	}
	at := map[float64]int{}
	for i, m := range d.moments {
		t, _ := m.span(acquisitionClock)
		if math.IsNaN(t) {
			t, _ = m.span(contentClock)
		}
		if math.IsNaN(t) || m.images[0].acquisition != d.moments[0].images[0].acquisition {
			return false
		}
		if !slices.ContainsFunc(d.moments[:i], m.copyOf) {
			at[t]++
		}
	}
	several := 0
	for _, n := range at {
		several = max(several, n)
	}
	if several < 2 || len(at) < 2 {
		return false
	}
	for _, p := range d.parts {
		p.verdict = verdict{experts.RoleUncertain, "T1, time unclear",
			fmt.Sprintf("%s Of %d series with its planes some share a time and others do not: some may be computed from the others.", p.reason, len(d.parts)), 0.3}
	}
	return true
}

// phaseNumber returns n of Ph<n>/..., as GE describes what it made by splitting a series; -1 of other descriptions.
func phaseNumber(description string) int {
	name, _, ok := strings.Cut(strings.ToLower(description), "/")
	digits, isPhase := strings.CutPrefix(name, "ph")
	if n, err := strconv.Atoi(digits); ok && isPhase && err == nil && n >= 0 {
		return n
	}
	return -1
}

// numberedPhases reports two descriptions that name different phases: Ph1/... and Ph2/...
func numberedPhases(a, b string) bool {
	x, y := phaseNumber(a), phaseNumber(b)
	return x >= 0 && y >= 0 && x != y
}

// afterwards finds what stands beside a series of several phases and is not shown to be acquired before or after it.
func (d *dynamic) afterwards() (out []doubt) {
	var main *part
	most := 1
	for _, p := range d.parts {
		if n := len(d.momentsOf(p)); n > most {
			main, most = p, n
		}
	}
	if main == nil {
		return nil
	}
	firstS, lastS, timed := extent(d.momentsOf(main))
	for _, p := range d.parts {
		if p == main {
			continue
		}
		beganS, endedS, told := extent(d.momentsOf(p))
		switch {
		case timed && told && (endedS < firstS || beganS > lastS+sameTimeS): // a time of its own
		case p.series.number < main.series.number && !(timed && told): // as a series for the phase before contrast is
		default:
			out = append(out, doubt{p, verdict{experts.RoleUncertain, "T1, time unclear",
				fmt.Sprintf("%s It has the planes of series %d, which holds %d phases, but no time that shows it to be one more: it may be computed from them.",
					p.reason, main.series.number, most), 0.3}})
		}
	}
	for _, o := range out {
		d.drop(o.part)
	}
	return out
}

// extent returns when the first and the last of a series' moments began, s of the day; told only if a clock tells the
// moments apart, or there is but one.
func extent(moments []moment) (firstS, lastS float64, told bool) {
	for _, c := range clockOrder(moments[0].images) {
		times, ok := read(moments, c, true)
		if !ok || c == contentClock { // Content Time may be when an image was computed
			continue
		}
		firstS, lastS = times[0], times[0]
		for _, t := range times {
			firstS, lastS = min(firstS, t), max(lastS, t)
		}
		return firstS, lastS, true
	}
	return 0, 0, false
}
