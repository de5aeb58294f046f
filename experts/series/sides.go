package series

import (
	"fmt"
	"math"
	"slices"

	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/volume"
)

// otherSide reports whether both candidates are dynamic series of one breast each: side by side from left to right, with
// hardly any overlap, at the same height and depth.
func (d *dynamic) otherSide(o *dynamic) bool {
	if len(d.moments) < 2 || len(o.moments) < 2 {
		return false
	}
	a, b := boxOf(d.moments[0].images), boxOf(o.moments[0].images)
	return a.overlap(&b, 0) < 0.25 && a.overlap(&b, 1) > 0.5 && a.overlap(&b, 2) > 0.5
}

// box is the space of a stack along the patient's axes, mm.
type box struct{ least, most [3]float64 }

func boxOf(images []image) (b box) {
	b.least = [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	b.most = [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for i := range images {
		p := &images[i].plane
		for _, corner := range [][2]int{{0, 0}, {p.Columns - 1, 0}, {0, p.Rows - 1}, {p.Columns - 1, p.Rows - 1}} {
			at := p.Position.Add(p.Axis[0].Scale(float64(corner[0]) * p.SpacingMM[0])).Add(p.Axis[1].Scale(float64(corner[1]) * p.SpacingMM[1]))
			for a := range at {
				b.least[a], b.most[a] = min(b.least[a], at[a]), max(b.most[a], at[a])
			}
		}
	}
	return b
}

func (b *box) middle() volume.Vec { return volume.Vec(b.least).Add(b.most).Scale(0.5) }

// overlap returns the share of the shorter of two intervals along an axis that lies in the other.
func (b *box) overlap(o *box, axis int) float64 {
	shorter := min(b.most[axis]-b.least[axis], o.most[axis]-o.least[axis])
	return max(0, min(b.most[axis], o.most[axis])-max(b.least[axis], o.least[axis])) / max(shorter, 1e-3)
}

// side tells which breast the candidate shows: by Laterality, by the words of its description and by where it lies
// (+x is left; scanners put the patient's middle near 0). Sources that contradict each other tell nothing.
func (d *dynamic) side() experts.Side {
	b := boxOf(d.moments[0].images)
	h := d.moments[0].images[0].header
	votes := map[experts.Side]int{}
	vote := func(left, right bool) {
		switch {
		case left && !right:
			votes[experts.Left]++
		case right && !left:
			votes[experts.Right]++
		}
	}
	for _, t := range []tag.Tag{tag.Laterality, tag.ImageLaterality, tag.FrameLaterality} {
		vote(h.String(t) == "L", h.String(t) == "R")
	}
	w := words(d.parts[0].description())
	vote(has(w, "l", "lt", "left"), has(w, "r", "rt", "right"))
	middle := (b.least[0] + b.most[0]) / 2
	vote(middle > 10, middle < -10)
	switch {
	case votes[experts.Left] > 0 && votes[experts.Right] == 0:
		return experts.Left
	case votes[experts.Right] > 0 && votes[experts.Left] == 0:
		return experts.Right
	}
	return ""
}

func sideText(s experts.Side) string {
	switch s {
	case experts.Left:
		return ", the left one"
	case experts.Right:
		return ", the right one"
	}
	return ""
}

// slabGapMM: sagittal slices further apart than this are of two breasts; what lies between is the sternum.
const slabGapMM = 15

// slabs parts a sagittal T1-weighted part whose slices lie in two blocks, one for each breast, as scanners store them
// that acquire both at once.
func (p *part) slabs() []*part {
	if !p.candidate(contrastT1) || math.Abs(p.images[0].plane.Normal()[0]) < 0.9 {
		return []*part{p}
	}
	mm, _ := places(p.images)
	if len(mm) < 2*leastSlices {
		return []*part{p}
	}
	gaps := make([]float64, len(mm)-1)
	for i := range gaps {
		gaps[i] = mm[i+1] - mm[i]
	}
	widest := 0
	for i, g := range gaps {
		if g > gaps[widest] {
			widest = i
		}
	}
	sorted := slices.Sorted(slices.Values(gaps))
	if usual := sorted[len(sorted)/2]; gaps[widest] < slabGapMM || gaps[widest] < 3*usual || widest+1 < leastSlices || len(mm)-widest-1 < leastSlices {
		return []*part{p}
	}
	middle := mm[widest] + gaps[widest]/2
	low, high := *p, *p
	low.images, high.images = nil, nil
	for _, im := range p.images {
		if im.placeMM < middle {
			low.images = append(low.images, im)
		} else {
			high.images = append(high.images, im)
		}
	}
	low.reason += " Its slices lie in two blocks, one for each breast."
	high.reason = low.reason
	return []*part{&low, &high}
}

// first names the candidate from one sorting of the same instances to the next.
func (d *dynamic) first() Frame { return d.moments[0].images[0].Frame }

// sides notes which breast the dynamic series shows where another candidate shows the other one.
func (s *sorter) sides(d *dynamic, candidates []*dynamic) {
	for _, o := range candidates {
		if o == d || len(o.moments) < 2 || !d.otherSide(o) {
			continue
		}
		mine, theirs := d.side(), o.side()
		if mine == theirs {
			mine, theirs = "", ""
		}
		s.Side = mine
		if s.other == nil {
			s.other = o
		}
		if number := d.parts[0].series.number; number == o.parts[0].series.number {
			s.Notes = append(s.Notes, fmt.Sprintf("the slices of series %d lie in two blocks, one for each breast: these results are of one breast%s; the other block shows the other breast%s",
				number, sideText(mine), sideText(theirs)))
			continue
		}
		s.Notes = append(s.Notes, fmt.Sprintf("the breasts have a dynamic series each: these results are of the one in series %d%s; series %d shows the other breast%s",
			d.parts[0].series.number, sideText(mine), o.parts[0].series.number, sideText(theirs)))
	}
}
