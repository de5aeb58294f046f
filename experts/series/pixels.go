package series

import (
	"fmt"
	"math"

	"mome/experts"
)

// Bounds of what phases of one dynamic series look like. They are wide: contrast agent changes the signal of vessels,
// glands and lesions, a small part of the field, and the body stays in its place.
const (
	leastLikeness = 0.5  // correlation of a phase with the others' mean; differences and maps lie near 0
	leastRise     = 0.98 // mean signal of any later phase against the first's; contrast agent does not lower it
	likenessCount = 200_000
)

// checkPhases looks at the pixels for what headers do not tell: a phase that is a difference, a map or another body part,
// one that is there twice, a first phase that is brighter than all others and so not the one before contrast. It names
// what it finds; it does not change what the headers told.
func checkPhases(phases []experts.Phase) (notes []string) {
	n := phases[0].Volume.Len()
	stride := max(1, n/likenessCount) | 1 // odd: it does not keep to one column
	at := func(p, i int) float64 { return float64(phases[p].Volume.Data[i]) }
	means := make([]float64, len(phases))
	for p := range phases {
		var sum, count float64
		for i := 0; i < n; i += stride {
			sum += at(p, i)
			count++
		}
		means[p] = sum / count
		for q := range p {
			if same(phases[p].Volume.Data, phases[q].Volume.Data) {
				notes = append(notes, fmt.Sprintf("dynamic phases %d and %d have the same pixels: one is a copy", q+1, p+1))
			}
		}
		if r := likeness(phases, p, stride); len(phases) > 2 && r < leastLikeness {
			notes = append(notes, fmt.Sprintf("dynamic phase %d does not look like the others (correlation %.2f): it may be a difference or a map", p+1, r))
		}
	}
	brightest := math.Inf(-1)
	for _, m := range means[1:] {
		brightest = max(brightest, m)
	}
	if means[0] > 0 && brightest < leastRise*means[0] {
		notes = append(notes, "the first dynamic phase is brighter than all others: it may not be the one before contrast")
	}
	return notes
}

// same reports whether both volumes have equal values that are not all one.
func same(a, b []float32) bool {
	varied := false
	for i := range a {
		if a[i] != b[i] {
			return false
		}
		varied = varied || a[i] != a[0]
	}
	return varied
}

// likeness returns the correlation of phase p with the mean of the others over every stride-th voxel; 1 where one of
// them is constant and there is nothing to compare.
func likeness(phases []experts.Phase, p, stride int) float64 {
	var sx, sy, sxx, syy, sxy, n float64
	for i := 0; i < len(phases[p].Volume.Data); i += stride {
		x, y := float64(phases[p].Volume.Data[i]), 0.0
		for q := range phases {
			if q != p {
				y += float64(phases[q].Volume.Data[i])
			}
		}
		y /= float64(len(phases) - 1)
		sx, sy, sxx, syy, sxy, n = sx+x, sy+y, sxx+x*x, syy+y*y, sxy+x*y, n+1
	}
	vx, vy := n*sxx-sx*sx, n*syy-sy*sy
	if vx <= 1e-9*n*sxx || vy <= 1e-9*n*syy {
		return 1
	}
	return (n*sxy - sx*sy) / math.Sqrt(vx*vy)
}
