package detection

import (
	"math"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fixtures/phantom/anatomy"
)

// Region holds one breast's region against the phantom.
type Region struct {
	Dice        float64 // with the tissue in front of the muscle, see breastTruth
	Gland       float64 // Dice of the fibroglandular tissue with gland, lesions and cysts in the region; NaN where none was told
	GlandInside float64 // share of the side's gland that lies in the region
	LesionIn    float64 // share of the planted lesions' voxels that do; NaN without any
	Behind      float64 // share of the region that is muscle, bone or what lies behind them
	WallMM      float64 // mean of the distance along y between the region's back and the muscle, signed: + reaches behind
	WallAbsMM   float64 // mean of its absolute value
	NippleMM    float64 // from lesion.Nipple to the nipple's own centre
}

// minDepthMM is the least tissue between skin and muscle that is a breast's: less is skin and the fat over the chest.
const minDepthMM = 12

// regions measures the breasts that were found.
func (t *truth) regions(breasts []experts.Breast) []Region {
	var out []Region
	g := &t.study.DCE[0].Volume.Grid
	lines := newLines(g)
	for _, b := range breasts {
		r := Region{Gland: math.NaN(), NippleMM: math.NaN()}
		target := t.breastTruth(lines, b)
		r.Dice = dice(b.Mask.Data, target.Data)
		r.WallMM, r.WallAbsMM = t.wall(lines, b)
		var gland, glandIn, lesions, lesionIn, region, behind float64
		for at, in := range b.Mask.Data {
			one := 0.0
			if in {
				one = 1
				region++
				if t.is(at, anatomy.Muscle, anatomy.Cortex, anatomy.Marrow, anatomy.Lung, anatomy.Myocardium, anatomy.Liver) {
					behind++
				}
			}
			if sideOf(g, at) != b.Side {
				continue
			}
			if t.is(at, anatomy.Gland) {
				gland, glandIn = gland+1, glandIn+one
			}
			if n := int(t.labels[at]); n > 0 && t.truth.Lesions[n-1].Kind != phantom.Cyst {
				lesions, lesionIn = lesions+1, lesionIn+one
			}
		}
		r.GlandInside, r.LesionIn, r.Behind = glandIn/gland, lesionIn/lesions, behind/region
		if b.Fibroglandular != nil {
			is := make([]bool, g.Len())
			for at, in := range b.Mask.Data {
				is[at] = in && (t.is(at, anatomy.Gland) || t.labels[at] > 0)
			}
			r.Gland = dice(b.Fibroglandular.Data, is)
		}
		if p, ok := lesion.Nipple(b); ok {
			if q, ok := t.nipple(b.Side); ok {
				r.NippleMM = p.Sub(q).Norm()
			}
		}
		out = append(out, r)
	}
	return out
}

// sideOf tells the side of a voxel by its x: the phantom's midline is near 0.
func sideOf(g *volume.Grid, at int) experts.Side {
	i, j, k := g.Voxel(at)
	if g.Point(float64(i), float64(j), float64(k))[0] > 0 {
		return experts.Left
	}
	return experts.Right
}

func (t *truth) nipple(side experts.Side) (centre volume.Vec, ok bool) {
	g := &t.study.DCE[0].Volume.Grid
	n := 0.0
	for at := range t.tissue {
		if t.is(at, anatomy.Nipple) && sideOf(g, at) == side {
			i, j, k := g.Voxel(at)
			centre = centre.Add(g.Point(float64(i), float64(j), float64(k)))
			n++
		}
	}
	return centre.Scale(1 / n), n > 0
}

// lines are the grid's lines of voxels that run most from front to back.
type lines struct {
	n, step int // voxels of a line, and their distance in Data
	mm      float64
	starts  []int // front ends
}

func newLines(g *volume.Grid) lines {
	axis := 0
	for a := range 3 {
		if math.Abs(g.Axis[a][1]) > math.Abs(g.Axis[axis][1]) {
			axis = a
		}
	}
	steps := [3]int{1, g.Size[0], g.Size[0] * g.Size[1]}
	l := lines{n: g.Size[axis], step: steps[axis], mm: g.SpacingMM[axis]}
	for at := range g.Len() {
		if at/l.step%l.n == 0 {
			start := at
			if g.Axis[axis][1] < 0 {
				start += (l.n - 1) * l.step
			}
			l.starts = append(l.starts, start)
		}
	}
	if g.Axis[axis][1] < 0 {
		l.step = -l.step
	}
	return l
}

// back returns the voxel of a line, counted from the front, at which the skin begins and at which the muscle does; false
// where the line meets no muscle.
func (t *truth) back(l lines, start int) (skin, muscle int, ok bool) {
	skin = -1
	for n := range l.n {
		at := start + n*l.step
		switch {
		case skin < 0 && !t.is(at, anatomy.Air):
			skin = n
		case skin >= 0 && t.is(at, anatomy.Muscle):
			return skin, n, true
		}
	}
	return 0, 0, false
}

// breastTruth is the tissue between skin and muscle on lines where that is minDepthMM or deeper, on one side, no farther
// behind than the region itself reaches: where a breast ends at the patient's flank is a convention.
func (t *truth) breastTruth(l lines, b experts.Breast) *volume.Mask {
	m := volume.NewMask(b.Mask.Grid)
	last := 0
	for _, start := range l.starts {
		for n := range l.n {
			if b.Mask.Data[start+n*l.step] {
				last = max(last, n)
			}
		}
	}
	for _, start := range l.starts {
		skin, muscle, ok := t.back(l, start)
		if !ok || float64(muscle-skin)*l.mm < minDepthMM || sideOf(&m.Grid, start) != b.Side {
			continue
		}
		for n := skin; n < min(muscle, last+1); n++ {
			m.Data[start+n*l.step] = true
		}
	}
	return m
}

// wall compares the region's back with the muscle, on the lines that have both.
func (t *truth) wall(l lines, b experts.Breast) (mean, absolute float64) {
	count := 0.0
	for _, start := range l.starts {
		end := -1
		for n := range l.n {
			if b.Mask.Data[start+n*l.step] {
				end = n
			}
		}
		if end < 0 {
			continue
		}
		if _, muscle, ok := t.back(l, start); ok {
			d := float64(end+1-muscle) * l.mm
			mean, absolute, count = mean+d, absolute+math.Abs(d), count+1
		}
	}
	return mean / count, absolute / count
}
