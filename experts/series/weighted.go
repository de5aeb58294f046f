package series

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mome/experts"
)

// weighted is a candidate for the diffusion series: b-values of one geometry.
type weighted struct {
	parts []*part
	bs    []bImages // ascending b
	notes []string
	setting
}

// bImages is the images of one b-value.
type bImages struct {
	bSPerMM2 float64
	part     *part
	images   []image // ascending place; several at a place are directions or repeats
	trace    bool
	most     int // images at one place
}

var diffusionPreferences = []preference[*weighted]{
	{"its slices make a regular volume", func(w *weighted) float64 { return truth(w.gridErr == nil) }},
	{"it was acquired in the exam of the dynamic series", func(w *weighted) float64 { return truth(w.sameExam) }},
	{"it shares the frame of reference of the dynamic series", func(w *weighted) float64 { return truth(w.sameSpace) }},
	{"it has two b-values or more", func(w *weighted) float64 { return truth(len(w.bs) > 1) }},
	{"its highest b-value is 500 s/mm2 or more", func(w *weighted) float64 { return truth(w.bs[len(w.bs)-1].bSPerMM2 >= 500) }},
	{"its planes are parallel to the dynamic series'", func(w *weighted) float64 { return truth(w.parallel) }},
	{"its images are the scanner's means over directions", func(w *weighted) float64 { return truth(w.bs[len(w.bs)-1].trace) }},
	{"it has more b-values", func(w *weighted) float64 { return float64(len(w.bs)) }},
	{"its voxels are finer", func(w *weighted) float64 { return w.fineness() }},
	{"it covers more slices", func(w *weighted) float64 { return float64(w.grid.Size[2]) }},
	{"it comes first", func(w *weighted) float64 { return -float64(w.parts[0].series.number) }},
}

// chooseDiffusion groups the diffusion-weighted parts into candidates, takes the best and gives all their role.
func (s *sorter) chooseDiffusion(parts []*part) {
	var all []*weighted
	for _, p := range parts {
		if !p.candidate(contrastDiffusion) {
			continue
		}
		w := weightedOf(p)
		if len(w.bs) == 0 {
			p.verdict = verdict{experts.RoleUncertain, "diffusion, b-values unknown", "Diffusion-weighted, but no b-value covers the slices.", 0.2}
			continue
		}
		if i := slices.IndexFunc(all, func(o *weighted) bool { return o.joins(w) }); i >= 0 {
			all[i].join(w)
		} else {
			all = append(all, w)
		}
	}
	var best *weighted
	for _, w := range all {
		w.setting = s.settingOf(w.parts[0], firstOfEach(w.bs[0].images))
		if best == nil {
			best = w
		} else if better, _ := compare(diffusionPreferences, w, best); better > 0 {
			best = w
		}
	}
	for _, w := range all {
		for _, p := range w.parts {
			p.role = experts.RoleDWI
			p.detail = "b " + bList(w.bsOf(p)) + " s/mm2"
			if w != best {
				_, why := compare(diffusionPreferences, best, w)
				p.detail += ", not used"
				p.reason += fmt.Sprintf(" Series %d was taken because %s.", best.parts[0].series.number, why)
				p.confidence *= 0.9
				if w.mayBeMap(best) {
					p.verdict = verdict{experts.RoleUncertain, "one b-value again", fmt.Sprintf("%s Series %d has this b-value and more; "+
						"neither Image Type nor Series Description tells whether this is diffusion-weighted or a map made from it.", p.reason, best.parts[0].series.number), 0.3}
				}
			}
		}
	}
	if best != nil {
		s.takeDiffusion(best)
	}
}

// mayBeMap reports a single b-value that best has, too, in images of which nothing says what they are: maps keep the
// sequence name or the b-value of one of their sources.
func (w *weighted) mayBeMap(best *weighted) bool {
	im := &w.bs[0].images[0]
	return len(w.bs) == 1 && len(im.types) < 3 && w.parts[0].description() == "" &&
		slices.ContainsFunc(best.bs, func(b bImages) bool { return math.Abs(b.bSPerMM2-w.bs[0].bSPerMM2) < leastDiffusion })
}

func (s *sorter) takeDiffusion(w *weighted) {
	s.Notes = append(s.Notes, w.notes...)
	if !w.sameSpace {
		s.Notes = append(s.Notes, "the diffusion series has another frame of reference than the dynamic series: their alignment is not assured")
	}
	if w.gridErr == nil {
		s.diffusion = &w.grid
	}
	for _, b := range w.bs {
		stack := Stack{SeriesUID: b.part.series.uid, Geometric: !b.trace && b.bSPerMM2 >= leastDiffusion && b.most > 1}
		_, of := places(b.images)
		for i, im := range b.images {
			if of[i] == len(stack.Slices) {
				stack.Slices = append(stack.Slices, nil)
			}
			stack.Slices[of[i]] = append(stack.Slices[of[i]], im.Frame)
		}
		b.part.used = true
		b.part.stacks = append(b.part.stacks, stack)
		s.DWI = append(s.DWI, BStack{Stack: stack, BSPerMM2: b.bSPerMM2})
		switch {
		case b.most > 1 && b.trace:
			b.part.reason += fmt.Sprintf(" b %s: mean of %d trace images.", bText(b.bSPerMM2), b.most)
		case b.most > 1 && stack.Geometric:
			b.part.reason += fmt.Sprintf(" b %s: geometric mean over %d images of single directions.", bText(b.bSPerMM2), b.most)
		case b.most > 1:
			b.part.reason += fmt.Sprintf(" b %s: mean of %d images.", bText(b.bSPerMM2), b.most)
		case b.trace:
			b.part.reason += fmt.Sprintf(" b %s: trace image.", bText(b.bSPerMM2))
		}
	}
}

// weightedOf parts the images of p by b-value. Where the scanner made trace images of a b-value, the single directions
// beside them are left aside. b-values that cover less than nine tenths of the slices are dropped.
func weightedOf(p *part) *weighted {
	w := &weighted{parts: []*part{p}}
	ge := hasPrefix([]string{p.images[0].manufacturer}, "GE ")
	var known []image
	for _, im := range p.images {
		if math.IsNaN(im.diffusion.b) && ge {
			im.diffusion.b = 0 // GE leaves the attribute out at b = 0
		}
		if !math.IsNaN(im.diffusion.b) {
			known = append(known, im)
		}
	}
	if n := len(p.images) - len(known); n > 0 {
		w.notes = append(w.notes, fmt.Sprintf("%d diffusion images without a b-value were left out", n))
	}
	slices.SortStableFunc(known, func(a, b image) int { return cmp.Compare(a.diffusion.b, b.diffusion.b) })
	all, _ := places(known)
	for len(known) > 0 {
		// b-values that vary by 5 % or 5 s/mm2 are one: scanners add what the imaging gradients do.
		first, n := known[0].diffusion.b, 1
		for n < len(known) && known[n].diffusion.b-first <= max(5, 0.05*first) {
			n++
		}
		b := bImages{part: p, images: slices.Clone(known[:n]), bSPerMM2: known[n/2].diffusion.b}
		known = known[n:]
		if b.bSPerMM2 < 1 {
			b.bSPerMM2 = 0
		}
		b.settle()
		if mm, _ := places(b.images); 10*len(mm) >= 9*len(all) {
			w.bs = append(w.bs, b)
		} else {
			w.notes = append(w.notes, fmt.Sprintf("b %s covers %d of %d slices and was left out", bText(b.bSPerMM2), len(mm), len(all)))
		}
	}
	if len(w.bs) > maxBValues {
		w.bs = nil // a sampling of q-space; it has no b-values in this sense
	}
	w.share()
	return w
}

// maxBValues of one series; IVIM protocols have up to 20.
const maxBValues = 64

// settle keeps the trace images where there are any, in ascending order of place.
func (b *bImages) settle() {
	if slices.ContainsFunc(b.images, func(im image) bool { return im.diffusion.trace }) {
		b.trace = true
		b.images = slices.DeleteFunc(b.images, func(im image) bool { return !im.diffusion.trace })
	}
	slices.SortStableFunc(b.images, func(x, y image) int { return cmp.Compare(x.placeMM, y.placeMM) })
	mm, of := places(b.images)
	count := make([]int, len(mm))
	for _, at := range of {
		count[at]++
		b.most = max(b.most, count[at])
	}
}

// share cuts all b-values to the places that each has.
func (w *weighted) share() {
	for i := range w.bs {
		for j := range w.bs {
			there := placesOf(w.bs[j].images)
			before := len(w.bs[i].images)
			w.bs[i].images = slices.DeleteFunc(w.bs[i].images, func(im image) bool { return !hasPlace(there, im.placeMM) })
			if n := before - len(w.bs[i].images); n > 0 {
				w.notes = append(w.notes, fmt.Sprintf("%d images of b %s have no counterpart in b %s and were left out", n, bText(w.bs[i].bSPerMM2), bText(w.bs[j].bSPerMM2)))
			}
		}
	}
	if slices.ContainsFunc(w.bs, func(b bImages) bool { return len(b.images) == 0 }) {
		w.bs = nil
	}
}

// joins reports whether o holds one b-value more of the same slices: some scanners make a series of each.
func (w *weighted) joins(o *weighted) bool {
	if len(o.bs) != 1 || slices.ContainsFunc(w.parts, func(p *part) bool { return len(w.bsOf(p)) != 1 }) {
		return false
	}
	b := &o.bs[0]
	if slices.ContainsFunc(w.bs, func(have bImages) bool { return math.Abs(have.bSPerMM2-b.bSPerMM2) < leastDiffusion }) {
		return false
	}
	x, y := w.bs[0].images[0], b.images[0]
	x.kind, y.kind = "", ""
	if !x.alike(&y) {
		return false
	}
	return samePlanes(w.bs[0].images, b.images)
}

func (w *weighted) join(o *weighted) {
	w.parts = append(w.parts, o.parts...)
	w.bs = append(w.bs, o.bs...)
	w.notes = append(w.notes, o.notes...)
	slices.SortStableFunc(w.bs, func(a, b bImages) int { return cmp.Compare(a.bSPerMM2, b.bSPerMM2) })
	w.share()
}

func (w *weighted) bsOf(p *part) (bs []float64) {
	for _, b := range w.bs {
		if b.part == p {
			bs = append(bs, b.bSPerMM2)
		}
	}
	return bs
}

// firstOfEach returns one image for each place; images are in ascending order of place.
func firstOfEach(images []image) (out []image) {
	_, of := places(images)
	for i, at := range of {
		if at == len(out) {
			out = append(out, images[i])
		}
	}
	return out
}

func bText(b float64) string { return strconv.FormatFloat(math.Round(10*b)/10, 'f', -1, 64) }

func bList(bs []float64) string {
	text := make([]string, len(bs))
	for i, b := range bs {
		text[i] = bText(b)
	}
	return strings.Join(text, ", ")
}
