package series

import (
	"cmp"
	"math"
)

// preference is one ground on which one candidate is better than another.
type preference[T any] struct {
	why  string // completes "it was preferred because ..."
	rank func(T) float64
}

// dynamicPreferences in order of weight.
var dynamicPreferences = [...]preference[*dynamic]{
	{"its slices make a regular volume", func(d *dynamic) float64 { return truth(d.gridErr == nil) }},
	{"its images are not derived ones", func(d *dynamic) float64 { return truth(!d.moments[0].images[0].derived()) }},
	{"it has more than two phases", func(d *dynamic) float64 { return truth(len(d.moments) > 2) }},
	{"it lasts long enough to show wash-out", func(d *dynamic) float64 { return truth(!d.known || d.timesS[len(d.timesS)-1] >= 180) }},
	{"its images are as acquired, not motion-corrected", func(d *dynamic) float64 { return truth(!d.parts[0].corrected()) }},
	{"it holds the water images", func(d *dynamic) float64 { return dixonRank(d.moments[0].images[0].kind, d.parts[0].description()) }},
	{"its voxels are finer", func(d *dynamic) float64 { return -math.Round(10 * math.Log(d.grid.VoxelMM3()+1e-6)) }},
	{"it has more phases", func(d *dynamic) float64 { return float64(len(d.moments)) }},
	{"it covers more slices", func(d *dynamic) float64 { return float64(len(d.moments[0].images)) }},
	{"it comes first", func(d *dynamic) float64 { return -float64(d.parts[0].series.number) }},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// dixonRank orders the images of a Dixon acquisition by how well fat is suppressed in them.
func dixonRank(kind, description string) float64 {
	if kind == "" {
		kind = kindOfDescription(description)
	}
	switch kind {
	case kindIn:
		return 1
	case kindOpposed:
		return 0
	case kindWater:
		return 3
	}
	return 2
}

func compareDynamic(a, b *dynamic) int {
	c, _ := compare(dynamicPreferences[:], a, b)
	return c
}

// compare returns 1 if a is preferred to b, -1 for the reverse, 0 if nothing parts them, and the ground.
func compare[T any](grounds []preference[T], a, b T) (int, string) {
	for _, g := range grounds {
		if c := cmp.Compare(g.rank(a), g.rank(b)); c != 0 {
			return c, g.why
		}
	}
	return 0, "both are alike"
}
