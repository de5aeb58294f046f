package series

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// sameTimeS: images closer in time than this belong to one phase (UCSF's rule; no breast protocol is faster).
const sameTimeS = 2

// samePlaceMM: planes closer than this along their normal lie at one place.
const samePlaceMM = 0.05

// moment is the images of one time point, one for each place, in ascending order of place.
type moment struct {
	part   *part
	images []image
	rank   int // order within the part, as its identifiers or numbers tell it
}

// places returns the distinct places of the images along their normal, ascending, and for each image its place's index.
func places(images []image) (mm []float64, of []int) {
	order := make([]int, len(images))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(images[a].placeMM, images[b].placeMM) })
	of = make([]int, len(images))
	for _, i := range order {
		if n := len(mm); n == 0 || images[i].placeMM-mm[n-1] > samePlaceMM {
			mm = append(mm, images[i].placeMM)
		}
		of[i] = len(mm) - 1
	}
	return mm, of
}

// split parts the images of a series, which are in order of Instance Number, into time points, and tells what told them
// apart. Identifiers that the standard made for it go first, then clocks, then the order of numbers at each place.
func split(p *part) (moments []moment, how string, err error) {
	mm, of := places(p.images)
	repeats := make([]int, len(mm))
	most := 0
	for _, at := range of {
		repeats[at]++
		most = max(most, repeats[at])
	}
	if most <= 1 {
		return momentsBy(p, of, make([]int, len(of))), "", nil
	}
	for _, id := range identifiers(p.images) {
		if phase, ok := ranks(id.values, of, most); ok {
			return momentsBy(p, of, phase), id.name, nil
		}
	}
	if least := slices.Min(repeats); least != most {
		return nil, "", fmt.Errorf("%d places with %d to %d images each and nothing that tells their time points apart", len(mm), least, most)
	}
	if !numbered(p.images, of) {
		return nil, "", fmt.Errorf("%d images at each place and nothing that tells their order: Instance Numbers are absent or repeat", most)
	}
	// The n-th image at a place, by Instance Number, belongs to the n-th time point.
	phase, count := make([]int, len(of)), make([]int, len(mm))
	for i, at := range of {
		phase[i] = count[at]
		count[at]++
	}
	return momentsBy(p, of, phase), "the repeats of each position in order of Instance Number", nil
}

// numbered reports whether the images at each place, which are in order of Instance Number and frame, differ in them.
func numbered(images []image, of []int) bool {
	last := map[int]*image{}
	for i, at := range of {
		im := &images[i]
		if b := last[at]; b != nil && b.instanceNumber == im.instanceNumber && (b.uid != im.uid || b.Number == im.Number) {
			return false
		}
		last[at] = im
	}
	return true
}

// identifier is an attribute whose values may tell time points apart; NaN where it is absent.
type identifier struct {
	name   string
	values []float64
}

func identifiers(images []image) []identifier {
	collect := func(name string, f func(im *image) float64) identifier {
		id := identifier{name: name}
		for i := range images {
			id.values = append(id.values, f(&images[i]))
		}
		return id
	}
	positive := func(n int) float64 {
		if n <= 0 {
			return math.NaN()
		}
		return float64(n)
	}
	ids := []identifier{
		collect("Temporal Position", func(im *image) float64 { return positive(im.temporal) }),
		collect("Acquisition Number", func(im *image) float64 { return positive(im.acquisition) }),
	}
	for _, c := range clockOrder(images) {
		id := collect(clockNames[c], func(im *image) float64 { return im.clocks[c] })
		id.values = bundle(id.values)
		ids = append(ids, id)
	}
	return ids
}

// bundle replaces times by the first of the run of times that follow each other by less than sameTimeS.
func bundle(timesS []float64) []float64 {
	sorted := slices.DeleteFunc(slices.Clone(timesS), math.IsNaN)
	slices.Sort(sorted)
	start := map[float64]float64{}
	for i, t := range sorted {
		if i > 0 && t-sorted[i-1] < sameTimeS {
			start[t] = start[sorted[i-1]]
		} else {
			start[t] = t
		}
	}
	out := make([]float64, len(timesS))
	for i, t := range timesS {
		out[i] = t
		if s, ok := start[t]; ok {
			out[i] = s
		}
	}
	return out
}

// ranks numbers the distinct values in ascending order. They tell time points apart where every image has one, none
// occurs twice at a place, there are as many as the images that share a place, and no time point lacks half its images.
func ranks(values []float64, of []int, most int) (rank []int, ok bool) {
	distinct := slices.Clone(values)
	if slices.ContainsFunc(distinct, math.IsNaN) {
		return nil, false
	}
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	if len(distinct) != most {
		return nil, false
	}
	type cell struct{ place, rank int }
	seen := map[cell]bool{}
	rank, size := make([]int, len(values)), make([]int, len(distinct))
	for i, v := range values {
		r, _ := slices.BinarySearch(distinct, v)
		if c := (cell{of[i], r}); seen[c] {
			return nil, false
		} else {
			seen[c] = true
		}
		rank[i] = r
		size[r]++
	}
	return rank, 2*slices.Min(size) >= slices.Max(size)
}

func momentsBy(p *part, of, phase []int) []moment {
	out := make([]moment, slices.Max(phase)+1)
	order := make([]int, len(of))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(of[a], of[b]) })
	for r := range out {
		out[r] = moment{part: p, rank: r}
	}
	for _, i := range order {
		m := &out[phase[i]]
		m.images = append(m.images, p.images[i])
	}
	return out
}
