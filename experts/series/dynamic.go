package series

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mome/experts"
	"mome/experts/volume"
)

// dynamic is a candidate for the dynamic series: moments of one geometry and one sequence.
type dynamic struct {
	parts   []*part
	moments []moment
	timing
	copies  []*part // that hold only what others hold, too
	doubts  []doubt // parts that were taken out
	how     string  // what told the time points of one series apart, "" if each is a series
	grid    volume.Grid
	gridErr error
}

// chooseDynamic groups the T1-weighted parts into candidates, takes the best and gives all of them their role.
func (s *sorter) chooseDynamic(parts []*part) {
	namedAfter(parts)
	var candidates []*dynamic
	var unclear []*part // T1-weighted, their time points unknown
	for _, p := range parts {
		if !p.candidate(contrastT1) {
			continue
		}
		moments, how, err := split(p)
		if err != nil {
			p.verdict = verdict{experts.RoleUncertain, "time points unknown", "T1-weighted gradient echo, but " + err.Error() + ".", 0.2}
			unclear = append(unclear, p)
			continue
		}
		i := slices.IndexFunc(candidates, func(d *dynamic) bool { return d.continuedBy(p) })
		if i < 0 {
			candidates = append(candidates, &dynamic{})
			i = len(candidates) - 1
		}
		d := candidates[i]
		d.parts = append(d.parts, p)
		d.moments = append(d.moments, moments...)
		if how != "" {
			d.how = how
		}
	}
	candidates = slices.DeleteFunc(candidates, func(d *dynamic) bool { return d.beside(unclear) || d.thin() || d.partlyTimed() })
	for _, d := range slices.Clone(candidates) {
		candidates = append(candidates, d.sessions()[1:]...)
	}
	for _, d := range candidates {
		d.doubts = d.doubtful()
		for _, o := range d.doubts {
			o.part.verdict = o.verdict
		}
	}
	var best, second *dynamic
	for _, d := range candidates {
		if d.complete(); len(d.moments) < 2 {
			continue
		}
		switch {
		case s.first != nil && d.first() != *s.first:
		case best == nil || compareDynamic(d, best) > 0:
			best, second = d, best
		case second == nil || compareDynamic(d, second) > 0:
			second = d
		}
	}
	for _, d := range candidates {
		if d != best {
			d.passOver(best)
		}
	}
	if best == nil {
		return
	}
	if second != nil && best.otherSide(second) {
		second = nil // no rival
	}
	s.take(best, second)
	s.sides(best, candidates)
	s.findCompanions(parts, best)
	for _, d := range candidates {
		if d != best {
			s.Notes = append(s.Notes, d.warning(best)...)
		}
	}
}

// warning says what of a candidate that was not taken matters to the reader of the one that was.
func (d *dynamic) warning(best *dynamic) []string {
	a, b := &best.moments[0].images[0], &d.moments[0].images[0]
	number, parallel := d.parts[0].series.number, math.Abs(a.plane.Normal().Dot(b.plane.Normal())) > 0.99
	mine, theirs := placesOf(best.moments[0].images), placesOf(d.moments[0].images)
	apart := mine[0] > theirs[len(theirs)-1] || theirs[0] > mine[len(mine)-1]
	switch {
	case d.otherSide(best): // said already
	case len(d.moments) > 1 && math.Abs(d.parts[0].beganS()-best.parts[0].beganS()) > longestPauseS:
		return []string{apartNote(best, d)}
	case len(d.moments) > 1 && parallel && apart:
		return []string{fmt.Sprintf("series %d is another dynamic series of slices beside the one that was read: it was not read", number)}
	case len(d.moments) == 1 && d.parts[0].lacks(best.parts[0]) != "":
		return []string{fmt.Sprintf("series %d has the planes of the dynamic series and may be one of its phases, but %s stands in one of them only: it was left out",
			number, d.parts[0].lacks(best.parts[0]))}
	case len(d.moments) == 1 && parallel && number < best.parts[0].series.number && a.plane.Columns == b.plane.Columns && a.plane.Rows == b.plane.Rows &&
		2*shared(mine, theirs) > len(mine) && closeTo(a.sequence.trMS, b.sequence.trMS, 0.1) && closeTo(a.sequence.teMS, b.sequence.teMS, 0.1):
		return []string{fmt.Sprintf("series %d precedes the dynamic series and has its slices, but %s; if it is the pre-contrast phase, the first phase that was read is not", number, unlike(d, best))}
	}
	return nil
}

// continuedBy reports whether p's images are further time points of d: the same planes, the same sequence.
func (d *dynamic) continuedBy(p *part) bool {
	first := d.parts[0]
	a, b := &first.images[0], &p.images[0]
	if !a.alike(b) || !closeTo(a.sequence.trMS, b.sequence.trMS, 0.05) || !closeTo(a.sequence.flipDeg, b.sequence.flipDeg, 0.05) ||
		a.sequence.fatSuppressed != b.sequence.fatSuppressed || a.derived() != b.derived() || first.corrected() != p.corrected() {
		return false
	}
	return samePlanes(first.images, p.images)
}

// samePlanes reports whether at least eight tenths of the planes of either list are among the other's, by place and by
// where they lie in it.
func samePlanes(a, b []image) bool {
	mine, _ := places(a)
	theirs, _ := places(b)
	if 10*shared(mine, theirs) < 8*max(len(mine), len(theirs)) {
		return false
	}
	p, q := &a[0].plane, &b[0].plane
	inPlane := p.Position.Sub(q.Position)
	inPlane = inPlane.Sub(p.Normal().Scale(inPlane.Dot(p.Normal())))
	return inPlane.Norm() < min(p.SpacingMM[0], p.SpacingMM[1])
}

// shared counts the places, mm ascending, that both lists have.
func shared(a, b []float64) (n int) {
	for len(a) > 0 && len(b) > 0 {
		switch d := a[0] - b[0]; {
		case math.Abs(d) <= samePlaceMM:
			n++
			a, b = a[1:], b[1:]
		case d < 0:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return n
}

// derived reports images that were computed from others. Water images are, and so are motion-corrected ones: their
// kind says so.
func (im *image) derived() bool {
	return len(im.types) > 1 && im.types[0] == "DERIVED" && im.types[1] == "SECONDARY" && im.kind == ""
}

func (p *part) corrected() bool {
	return p.images[0].kind == kindCorrected || kindOfDescription(p.description()) == kindCorrected
}

// complete drops phases that lack many slices and cuts the others to the slices that all have, then orders them.
func (d *dynamic) complete() {
	var counts []int
	for _, m := range d.moments {
		counts = append(counts, len(m.images))
	}
	slices.Sort(counts)
	usual := counts[len(counts)/2]
	byNumber(d.moments)
	kept := d.moments[:0:0]
	for i, m := range d.moments {
		if slices.ContainsFunc(kept, m.copyOf) {
			d.notes = append(d.notes, fmt.Sprintf("series %d holds a dynamic phase a second time: the copy was left out", m.part.series.number))
			d.copies = append(d.copies, m.part)
			continue
		}
		if 10*len(m.images) >= 9*usual {
			kept = append(kept, m)
			continue
		}
		what := fmt.Sprintf("one dynamic phase has %d of %d slices and was left out", len(m.images), usual)
		if i == 0 {
			what = fmt.Sprintf("the first dynamic phase has %d of %d slices and was left out: the first of the others may not be pre-contrast", len(m.images), usual)
		}
		d.notes = append(d.notes, what)
	}
	common := placesOf(kept[0].images)
	for _, m := range kept[1:] {
		there := placesOf(m.images)
		common = slices.DeleteFunc(common, func(mm float64) bool { return !hasPlace(there, mm) })
	}
	for i, m := range kept {
		if len(m.images) > len(common) {
			d.notes = append(d.notes, fmt.Sprintf("the dynamic phases do not share all slices: %d of %d were taken", len(common), len(m.images)))
			kept[i].images = slices.DeleteFunc(slices.Clone(m.images), func(im image) bool { return !hasPlace(common, im.placeMM) })
		}
	}
	d.notes = slices.Compact(d.notes)
	d.moments = kept
	notes := d.notes
	d.timing = order(d.moments)
	d.notes = append(notes, d.notes...)
	d.grid, d.gridErr = gridOf(d.moments[0].images)
}

// copyOf reports whether both moments are one that was stored in two series: the same description, Acquisition Number
// and times in every slice. Times alone do not tell, since some scanners give all phases the same.
func (m moment) copyOf(o moment) bool {
	if m.part.series == o.part.series || m.part.description() == "" || m.part.description() != o.part.description() || len(m.images) != len(o.images) {
		return false
	}
	for i := range m.images {
		a, b := &m.images[i], &o.images[i]
		if a.acquisition == 0 || a.acquisition != b.acquisition ||
			a.clocks[acquisitionClock] != b.clocks[acquisitionClock] || a.clocks[contentClock] != b.clocks[contentClock] { // absent times are NaN and differ
			return false
		}
	}
	return true
}

func placesOf(images []image) []float64 {
	mm := make([]float64, len(images))
	for i := range images {
		mm[i] = images[i].placeMM
	}
	return mm
}

func hasPlace(sorted []float64, mm float64) bool {
	i, _ := slices.BinarySearch(sorted, mm-samePlaceMM)
	return i < len(sorted) && sorted[i] <= mm+samePlaceMM
}

func gridOf(images []image) (volume.Grid, error) {
	planes := make([]volume.Plane, len(images))
	for i := range images {
		planes[i] = images[i].plane
	}
	g, _, _, err := volume.Arrange(planes)
	return g, err
}

// passOver gives the parts of a candidate that was not taken their role.
func (d *dynamic) passOver(best *dynamic) {
	for _, p := range d.parts {
		reason := p.reason
		switch {
		case len(d.moments) >= 2:
			if d.otherSide(best) {
				p.verdict = verdict{experts.RoleDCE, fmt.Sprintf("other breast: %d phases, not used", len(d.moments)),
					fmt.Sprintf("%s It shows the other breast%s: its planes lie beside those of series %d.", reason, sideText(d.side()), best.parts[0].series.number), p.confidence}
				continue
			}
			_, why := compare(dynamicPreferences[:], best, d)
			p.verdict = verdict{experts.RoleDCE, fmt.Sprintf("%d phases, not used", len(d.moments)),
				fmt.Sprintf("%s Another dynamic series was taken because %s.", reason, why), p.confidence * 0.9}
			switch {
			case p.corrected():
				p.detail = kindCorrected + ", not used"
			case p.images[0].derived() && !best.moments[0].images[0].derived():
				p.verdict = verdict{experts.RoleUncertain, "derived T1 images", reason + " Image Type is DERIVED and does not say how; the dynamic series has the images as acquired.", 0.3}
			}
		case best != nil && p.lacks(best.parts[0]) != "":
			p.verdict = verdict{experts.RoleUncertain, "T1, may be a phase", fmt.Sprintf("%s It has the planes of the dynamic series, but %s stands in one of them only.",
				reason, p.lacks(best.parts[0])), 0.3}
		case best != nil:
			p.verdict = verdict{experts.RoleExcluded, "T1, one time point",
				fmt.Sprintf("%s One time point; %s from the dynamic series.", reason, unlike(d, best)), 0.8}
		default:
			p.verdict = verdict{experts.RoleUncertain, "T1, one time point", reason + " One time point, and no other series of its geometry: no dynamic series.", 0.4}
		}
	}
}

// unlike says in what a single time point differs from the dynamic series.
func unlike(d, best *dynamic) string {
	a, b := &d.parts[0].images[0], &best.parts[0].images[0]
	switch {
	case a.plane.Columns != b.plane.Columns || a.plane.Rows != b.plane.Rows:
		return fmt.Sprintf("its matrix of %d x %d differs", a.plane.Columns, a.plane.Rows)
	case math.Abs(a.plane.Normal().Dot(b.plane.Normal())) < 0.99:
		return "its orientation differs"
	case a.kind != b.kind:
		return "its kind of image differs"
	case a.plane.FrameOfReference != b.plane.FrameOfReference:
		return "its frame of reference differs"
	case !closeTo(a.plane.SpacingMM[0], b.plane.SpacingMM[0], 1e-3):
		return "its pixel spacing differs"
	case !closeTo(a.sequence.trMS, b.sequence.trMS, 0.05), !closeTo(a.sequence.flipDeg, b.sequence.flipDeg, 0.05), !closeTo(a.sequence.teMS, b.sequence.teMS, 0.05):
		return "its TR, TE or flip angle differs"
	}
	return "its slices or its preparation differ"
}

// take makes d the study's dynamic series.
func (s *sorter) take(d, second *dynamic) {
	s.dynamic, s.dynamicS = &d.moments[0].images[0].plane, d.parts[0].beganS()
	phasesOf := map[*part][]int{}
	study := experts.Study{}
	for i, m := range d.moments {
		stack := stackOf(m.images)
		s.DCE = append(s.DCE, Phase{Stack: stack, TimeS: d.timesS[i]})
		study.DCE = append(study.DCE, experts.Phase{TimeS: d.timesS[i]})
		m.part.stacks = append(m.part.stacks, stack)
		phasesOf[m.part] = append(phasesOf[m.part], i+1)
	}
	s.TimesKnown = d.known
	s.Reference, _ = study.EarlyLate(experts.EarlyS, experts.LateS)
	s.Notes = append(s.Notes, d.notes...)
	for _, o := range d.doubts {
		if o.verdict.role == experts.RoleUncertain {
			s.Notes = append(s.Notes, fmt.Sprintf("series %d has the planes of the dynamic series, but may be computed from it: it was left out", o.part.series.number))
		}
	}
	if second != nil {
		_, why := compare(dynamicPreferences[:], d, second)
		s.Notes = append(s.Notes, fmt.Sprintf("there is more than one dynamic series: the one that begins with series %d was taken because %s", d.parts[0].series.number, why))
	}
	for _, p := range d.parts {
		numbers, ok := phasesOf[p]
		switch {
		case ok:
		case slices.Contains(d.copies, p):
			p.verdict = verdict{experts.RoleDCE, "copy, not used", p.reason + " Another series holds the same phase.", p.confidence}
			continue
		default:
			p.verdict = verdict{experts.RoleDCE, "incomplete phase, not used", p.reason + " Slices are missing.", p.confidence}
			continue
		}
		p.used = true
		p.role = experts.RoleDCE
		p.detail = "phase" + plural(numbers) + " " + runs(numbers)
		p.reason = fmt.Sprintf("%s %s Times: %s.", p.reason, d.grouping(), d.timing.how)
		if len(d.moments) == 2 || !d.known {
			p.confidence -= 0.1
		}
	}
}

func (d *dynamic) grouping() string {
	switch n := len(d.parts); {
	case n == 1:
		return fmt.Sprintf("%d time points in one series, told apart by %s.", len(d.moments), d.how)
	case d.how != "":
		return fmt.Sprintf("%d time points in %d series of one geometry and sequence, within a series told apart by %s.", len(d.moments), n, d.how)
	default:
		return fmt.Sprintf("%d series of one geometry and sequence are the phases.", n)
	}
}

func (p *part) description() string { return p.series.description }

func plural(n []int) string {
	if len(n) == 1 {
		return ""
	}
	return "s"
}

// runs writes ascending numbers as "1, 3-6".
func runs(n []int) string {
	var b strings.Builder
	for i := 0; i < len(n); {
		j := i
		for j+1 < len(n) && n[j+1] == n[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d", n[i])
		if j > i {
			fmt.Fprintf(&b, "-%d", n[j])
		}
		i = j + 1
	}
	return b.String()
}
