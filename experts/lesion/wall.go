package lesion

import (
	"math"
	"slices"
)

// Proportions of the chest, from which the wall is drawn. The thorax is near an ellipse in cross-section, wider than
// deep; the pectoral muscle follows it. The wall is an ellipse through a point a little behind the deepest skin over the
// sternum: the landmark that fat-suppressed and other images, prone and supine share, where edges between gland, fat
// and muscle change their sign from one to the next. (Sternum as landmark: Lin et al., Med Phys 2013;40:122301.)
const (
	sternumMM     = 9.0   // skin and fat in front of the sternum, where the wall begins
	chestDepth    = 0.65  // half depth over half width of the ellipse; thoracic index of adults about 0.7, ribs a little flatter
	halfWidthMM   = 150.0 // half width where the images do not show it
	minHalfMM     = 125.0 // least and
	maxHalfMM     = 175.0 // most that is believed of the images
	lateralMM     = 60.0  // how far behind the sternum's skin breast tissue reaches: about the mid-axillary line
	minDepthMM    = 12.0  // tissue between skin and wall that is a breast's and not only skin and fat
	cleavageMM    = 25.0  // half width of the strip around the midline in which the sternum's skin is the deepest
	midlineMM     = 60.0  // how far from the scanner's x = 0 the midline is looked for
	minBesideMM   = 20.0  // body beyond the midline that proves it to lie in the images
	minBreastMM   = 60.0  // body beside the midline that can hold a breast
	minWidthMM    = 40.0  // of a breast that the images show, from side to side and from head to feet
	sternumSpanMM = 20.0  // half span of the running median over slices
)

// chest is the front of the body as functions of the column x and the slice z, in mm along the canonical axis y (to
// posterior) from the volume's edge.
type chest struct {
	*coarse
	inside  []bool    // cells of the body
	depth   []float32 // of each cell below the body's surface, mm
	skin    []float64 // [z][x]: the first body surface from the front, +Inf where there is none
	midline float64   // column, fractional; may lie outside
	closed  bool      // both sides lie in the images, but no cleavage was found
	sternum []float64 // [z]: the deepest skin near the midline, NaN where there is none
	halfMM  float64   // half width of the thorax
	offset  []float32 // [z][x]: mm by which the wall lies behind the ellipse; nil while it is not known
}

// newChest finds the skin, the midline and the sternum.
func newChest(c *coarse) *chest {
	threshold := airThreshold(c.soft)
	ch := &chest{coarse: c, inside: c.body(threshold)}
	ch.depth = chamfer(ch.inside, ch.size, ch.cellMM)
	ch.findSkin()
	ch.findMidline()
	ch.findSternum()
	ch.findWidth()
	ch.findMuscle()
	return ch
}

// findSkin sets the first body surface of each column, between cells where the signal crosses half of the skin's.
func (ch *chest) findSkin() {
	ch.skin = make([]float64, ch.size[0]*ch.size[2])
	for z := range ch.size[2] {
		for x := range ch.size[0] {
			s := math.Inf(1)
			for y := range ch.size[1] {
				at := ch.at(x, y, z)
				if !ch.inside[at] {
					continue
				}
				s = float64(y) * ch.cellMM[1]
				if y > 0 {
					skin := ch.soft[at]
					for n := 1; n <= 2 && y+n < ch.size[1]; n++ {
						skin = max(skin, ch.soft[at+n*ch.size[0]])
					}
					air, body := float64(ch.soft[at-ch.size[0]]), float64(ch.soft[at])
					if part := (float64(skin)/2 - air) / (body - air); part >= 0 && part <= 1 {
						s = (float64(y) - 0.5 + part) * ch.cellMM[1]
					}
				}
				break
			}
			ch.skin[z*ch.size[0]+x] = s
		}
	}
}

// findMidline looks for the cleavage: the column where the front of the body, over all slices, lies deepest between two
// bumps. Without one the midline is the middle of a body that reaches far to both sides, else the scanner's x = 0.
func (ch *chest) findMidline() {
	front := make([]float64, ch.size[0]) // the tenth most anterior skin of the column
	first, last := ch.size[0], -1
	for x := range front {
		var column []float64
		for z := range ch.size[2] {
			if s := ch.skin[z*ch.size[0]+x]; !math.IsInf(s, 1) {
				column = append(column, s)
			}
		}
		front[x] = math.Inf(1)
		if len(column)*4 < ch.size[2] { // hardly any body: an arm, noise
			continue
		}
		slices.Sort(column)
		front[x] = column[len(column)/10]
		first, last = min(first, x), max(last, x)
	}
	zero := (0 - ch.patientX(0)) / ch.cellMM[0]
	ch.midline = zero
	if last < 0 {
		return
	}
	const prominenceMM, flatMM = 4.0, 3.0
	beside := int(minBesideMM / ch.cellMM[0])
	least := make([]float64, ch.size[0]) // the most anterior front up to x; then compared with that from x on
	m := math.Inf(1)
	for x := range front {
		m = min(m, front[x])
		least[x] = m
	}
	m = math.Inf(1)
	best, most := -1, prominenceMM
	for x := ch.size[0] - 1; x >= 0; x-- {
		m = min(m, front[x])
		if math.IsInf(front[x], 1) || math.Abs(float64(x)-zero)*ch.cellMM[0] > midlineMM || x-first < beside || last-x < beside {
			continue
		}
		if p := min(front[x]-least[x], front[x]-m); p > most {
			best, most = x, p
		}
	}
	if best >= 0 { // the bottom of the cleavage is flat: its middle counts
		lo, hi := best, best
		for lo > first && front[lo-1] >= front[best]-flatMM {
			lo--
		}
		for hi < last && front[hi+1] >= front[best]-flatMM {
			hi++
		}
		ch.midline = float64(lo+hi) / 2
		return
	}
	if centre := float64(first+last) / 2; (zero-float64(first))*ch.cellMM[0] > minBreastMM && (float64(last)-zero)*ch.cellMM[0] > minBreastMM {
		ch.midline, ch.closed = centre, true
	}
}

// findSternum sets the depth of the skin over the sternum for each slice: the deepest skin near the midline, or in the
// strip nearest to a midline outside the images, as a running median over slices: breasts that touch hide it in some.
func (ch *chest) findSternum() {
	half := cleavageMM / ch.cellMM[0]
	from, to := int(math.Ceil(ch.midline-half)), int(math.Floor(ch.midline+half))
	if width := to - from; to < 0 || from >= ch.size[0] || min(to, ch.size[0]-1)-max(from, 0) < width/3 {
		if ch.midline < float64(ch.size[0])/2 {
			from, to = 0, width/2
		} else {
			from, to = ch.size[0]-1-width/2, ch.size[0]-1
		}
	}
	from, to = max(from, 0), min(to, ch.size[0]-1)
	raw := make([]float64, ch.size[2])
	for z := range raw {
		raw[z] = math.NaN()
		for x := from; x <= to; x++ {
			if s := ch.skin[z*ch.size[0]+x]; !math.IsInf(s, 1) && !(s <= raw[z]) {
				raw[z] = s
			}
		}
	}
	ch.sternum = make([]float64, ch.size[2])
	span := int(math.Ceil(sternumSpanMM / ch.cellMM[2]))
	for z := range raw {
		var near []float64
		for n := max(z-span, 0); n <= min(z+span, len(raw)-1); n++ {
			if !math.IsNaN(raw[n]) {
				near = append(near, raw[n])
			}
		}
		ch.sternum[z] = math.NaN()
		if len(near) > 0 {
			ch.sternum[z] = median(near)
		}
	}
}

// findWidth measures half the body's width behind the sternum's skin; a body that fills the images does not show it.
func (ch *chest) findWidth() {
	var widths []float64
	for z := range ch.size[2] {
		if math.IsNaN(ch.sternum[z]) {
			continue
		}
		y := int((ch.sternum[z] + lateralMM) / ch.cellMM[1])
		if y >= ch.size[1] {
			continue
		}
		for _, side := range [2]int{-1, 1} {
			x := int(ch.midline + 0.5)
			if x < 0 || x >= ch.size[0] || !ch.inside[ch.at(x, y, z)] {
				continue
			}
			for x+side >= 0 && x+side < ch.size[0] && ch.inside[ch.at(x+side, y, z)] {
				x += side
			}
			if x > 0 && x < ch.size[0]-1 {
				widths = append(widths, math.Abs(float64(x)-ch.midline)*ch.cellMM[0])
			}
		}
	}
	ch.halfMM = halfWidthMM
	if len(widths) > 0 {
		ch.halfMM = min(max(median(widths), minHalfMM), maxHalfMM)
	}
}

// wallMM returns the depth of the chest wall at column x (fractional) of slice z, NaN where no breast can be.
func (ch *chest) wallMM(x float64, z int) float64 {
	u := math.Abs(x-ch.midline) * ch.cellMM[0] / ch.halfMM
	if u >= 1 {
		return math.NaN()
	}
	depth := sternumMM + chestDepth*ch.halfMM*(1-math.Sqrt(1-u*u))
	if ch.offset != nil {
		x0 := min(max(int(math.Floor(x)), 0), ch.size[0]-1)
		x1 := min(x0+1, ch.size[0]-1)
		part := min(max(x-float64(x0), 0), 1)
		depth += (1-part)*float64(ch.offset[z*ch.size[0]+x0]) + part*float64(ch.offset[z*ch.size[0]+x1])
	}
	return ch.sternum[z] + min(depth, lateralMM)
}
