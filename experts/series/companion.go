package series

import (
	"cmp"
	"context"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/volume"
)

// CompanionKind is what the vendor computed.
type CompanionKind string

// Kinds of companions.
const (
	Subtraction CompanionKind = "subtraction" // a phase less the one before contrast
	Projection  CompanionKind = "projection"  // maximum intensity along Direction, of a subtraction
)

// Companion is what the scanner or workstation computed from the dynamic series and stored beside it. It is not read
// for the analysis; what is computed from the phases can be held against it.
type Companion struct {
	Kind CompanionKind
	// Stack has the slices of the dynamic series where Kind is Subtraction, and one frame where it is Projection.
	Stack
	SeriesNumber int
	Phase        int        // index into Result.DCE of the phase that the one before contrast was taken from; -1 if not told
	Direction    volume.Vec // of a projection: unit normal of its plane, the sign without meaning; zero for a subtraction
}

// ReadStack reads one volume, its values as rescaled, such as that of a companion: a subtraction's has the grid of the
// dynamic series, a projection's one slice, the image in its plane. instances are those that Sort was given.
func ReadStack(ctx context.Context, instances []Instance, s Stack, open Opener) (*volume.Volume, error) {
	b := &builder{instances: instances, open: open}
	b.plan("stack", &s)
	if err := b.run(ctx); err != nil {
		return nil, err
	}
	return b.jobs[0].volume, b.jobs[0].err
}

// product is a companion with what tells of which phase it was made.
type product struct {
	Companion
	image *image // its first
	claim int    // the phase that its own attributes tell, -1 if none
}

// findCompanions looks through what was excluded for what was computed from the dynamic series d.
func (s *sorter) findCompanions(parts []*part, d *dynamic) {
	var all []*product
	for _, p := range parts {
		if p.role == experts.RoleExcluded && p.detail == kindSubtraction {
			all = append(all, d.subtractions(p)...)
		}
	}
	for _, p := range parts {
		if p.role == experts.RoleExcluded && p.detail == kindProjection && p.ofSubtraction(all) {
			all = append(all, d.projections(p, s.other)...)
		}
	}
	d.tellPhases(all)
	slices.SortStableFunc(all, func(a, b *product) int { return cmp.Compare(a.SeriesNumber, b.SeriesNumber) })
	for _, c := range all {
		s.Companions = append(s.Companions, c.Companion)
	}
}

// subtractions returns those in a part that covers the slices of the dynamic series, and no others. A difference that
// names another phase than the first as the one that was taken off is none.
func (d *dynamic) subtractions(p *part) (out []*product) {
	first := d.moments[0].images
	moments, _, err := split(p)
	if err != nil {
		return nil
	}
	for _, m := range moments {
		of, less := d.ofDifference(p.description())
		x, y := m.images[0], first[0]
		x.kind, x.sequence = y.kind, y.sequence // these may differ in what was computed
		if less > 0 || len(m.images) != len(first) || !x.alike(&y) || !samePlanes(m.images, first) {
			continue
		}
		c := &product{Companion: Companion{Kind: Subtraction, Stack: stackOf(m.images), SeriesNumber: p.series.number}, image: &m.images[0], claim: of}
		out = append(out, c)
	}
	return out
}

// ofSubtraction reports whether a maximum intensity projection says of itself that it shows a subtraction, or carries
// the description of one.
func (p *part) ofSubtraction(subtractions []*product) bool {
	im := &p.images[0]
	w := words(p.description())
	if hasPrefix(im.types, "MIN") || has(w, "min*") || has(w, "vrt") || slices.Contains(im.types, "VRT") {
		return false
	}
	return len(im.types) > 2 && hasPrefix(im.types[2:], "SUB") || has(w, "subtr*", "minus") || slices.ContainsFunc(w, numberedSub.MatchString) ||
		slices.ContainsFunc(subtractions, func(c *product) bool {
			name := c.image.header.String(tag.SeriesDescription)
			return name != "" && strings.Contains(p.description(), name)
		})
}

// projections returns one companion for each image of p that lies in the patient space of the dynamic series, and not
// nearer to the other breast's where each has its own.
func (d *dynamic) projections(p *part, other *dynamic) (out []*product) {
	mine := boxOf(d.moments[0].images)
	for i := range p.images {
		im := &p.images[i]
		if im.planeErr != nil || im.plane.FrameOfReference != d.moments[0].images[0].plane.FrameOfReference {
			continue
		}
		if other != nil {
			at, theirs := boxOf(p.images[i:i+1]), boxOf(other.moments[0].images)
			if at.middle().Sub(theirs.middle()).Norm() < at.middle().Sub(mine.middle()).Norm() {
				continue
			}
		}
		out = append(out, &product{
			Companion: Companion{Kind: Projection, Stack: stackOf(p.images[i : i+1]), SeriesNumber: p.series.number, Direction: im.plane.Normal()},
			image:     im, claim: -1,
		})
	}
	return out
}

// geDifference takes GE's name of a subtraction apart: (series/phase/echo)-(series/phase/echo).
var geDifference = regexp.MustCompile(`\(\s*\d+/(\d+)(?:/\d+)?\s*\)\s*-\s*\(\s*\d+/(\d+)(?:/\d+)?\s*\)`)

// ofDifference returns the phases that GE's name of a subtraction tells, from 0: the one that was kept and the one that
// was taken off; -1 where it tells none.
func (d *dynamic) ofDifference(description string) (of, less int) {
	m := geDifference.FindStringSubmatch(description)
	if m == nil {
		return -1, -1
	}
	of, _ = strconv.Atoi(m[1])
	less, _ = strconv.Atoi(m[2])
	if len(d.parts) > 1 || of > len(d.moments) || of < 2 || less < 1 {
		return -1, -1 // numbers of images or of series
	}
	return of - 1, less - 1
}

// tellPhases finds the phase of each companion: by its name, by the Temporal Position or the Acquisition Number that it
// shares with one phase alone, else, where there are as many of a kind as phases after contrast, by their order. Two
// companions of one kind that claim one phase tell nothing: a workstation may give all the number of the last phase.
func (d *dynamic) tellPhases(all []*product) {
	numbers := []func(im *image) int{
		func(im *image) int { return im.temporal },
		func(im *image) int { return im.acquisition },
	}
	for len(all) > 0 {
		first := all[0]
		same, others := []*product{}, []*product{}
		for _, c := range all {
			if c.Kind == first.Kind && math.Abs(c.Direction.Dot(first.Direction)) >= 0.99*first.Direction.Dot(first.Direction) {
				same = append(same, c)
			} else {
				others = append(others, c)
			}
		}
		for _, number := range numbers {
			for _, c := range same {
				if c.claim < 0 {
					c.claim = d.phaseOf(number(c.image), number)
				}
			}
		}
		d.settle(same)
		all = others
	}
}

// settle believes the claims of companions of one kind and direction where no two are the same, and else their order.
func (d *dynamic) settle(same []*product) {
	count := map[int]int{}
	for _, c := range same {
		count[c.claim]++
	}
	told := 0
	for _, c := range same {
		c.Phase = -1
		if c.claim > 0 && count[c.claim] == 1 {
			c.Phase = c.claim
			told++
		}
	}
	if told > 0 || len(same) != len(d.moments)-1 {
		return
	}
	slices.SortStableFunc(same, func(a, b *product) int {
		return cmp.Or(cmp.Compare(a.SeriesNumber, b.SeriesNumber), cmp.Compare(a.image.instanceNumber, b.image.instanceNumber))
	})
	for i, c := range same {
		c.Phase = i + 1
	}
}

// phaseOf returns the phase after contrast of which every image has the number n, where each phase has its own; -1 if
// there is none.
func (d *dynamic) phaseOf(n int, number func(im *image) int) int {
	found, seen := -1, map[int]bool{}
	for i, m := range d.moments {
		own := number(&m.images[0])
		if own == 0 || seen[own] || slices.ContainsFunc(m.images, func(im image) bool { return number(&im) != own }) {
			return -1
		}
		if seen[own] = true; own == n && i > 0 {
			found = i
		}
	}
	return found
}
