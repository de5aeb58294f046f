// Package crosscheck holds what the scanner's own software computed from a dynamic series, subtractions and maximum intensity
// projections of them, against the same computed from the phases as they were read. Agreement shows that the phases were
// put into the right order and read as they are; a disagreement is something that a reader of the results should know. It
// does not say who is right: scanners may correct motion before they subtract.
package crosscheck

import (
	"context"
	"fmt"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/series"
	"mome/experts/volume"
)

// Notes sums checks up in sentences for the report's reader: one for all that agree, one for each that does not.
func Notes(checks []experts.Check) (notes []string) {
	agree := 0
	for _, c := range checks {
		if c.Agrees {
			agree++
		} else {
			notes = append(notes, c.Text)
		}
	}
	if agree > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d images or volumes that the scanner's own software computed agree with what was computed here.", agree, len(checks)))
	}
	return notes
}

// Read reads the volume of a companion.
type Read func(ctx context.Context, c series.Companion) (*volume.Volume, error)

// Companions compares each companion with what it was computed from, in their order; s has its volumes as acquired. One
// that cannot be read gets a check that says so, a projection along no axis of the dynamic series none. The error is
// ctx's.
//
// A vendor's values are taken as a straight line of ours, scale x difference + offset, cut off at zero (Siemens: 1 and
// 100), so that offsets and rescaling do not count as disagreement.
func Companions(ctx context.Context, s *experts.Study, companions []series.Companion, read Read) ([]experts.Check, error) {
	var out []experts.Check
	o := ours{phases: s.DCE, projections: map[[2]int]*volume.Volume{}}
	for _, c := range companions {
		axis := -1
		if c.Kind == series.Projection {
			if axis = axisOf(&s.DCE[0].Volume.Grid, c.Direction); axis < 0 {
				continue
			}
		}
		theirs, err := read(ctx, c)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			out = append(out, notCompared(c, fmt.Sprintf("could not be compared with the phases: %v", err)))
			continue
		}
		check, err := o.compare(ctx, c, theirs, axis)
		if err != nil {
			return nil, err
		}
		out = append(out, check)
	}
	return out, nil
}

// axisOf returns the axis of g that a direction runs along, -1 if none.
func axisOf(g *volume.Grid, direction volume.Vec) int {
	return slices.IndexFunc(g.Axis[:], func(a volume.Vec) bool { return math.Abs(a.Dot(direction)) > 0.999 })
}

// notCompared is the check of a companion of which no voxel was compared, and why.
func notCompared(c series.Companion, why string) experts.Check {
	return experts.Check{Name: fmt.Sprintf("%s of series %d", c.Kind, c.SeriesNumber), SeriesUID: c.SeriesUID,
		Text: fmt.Sprintf("The %s in series %d %s.", c.Kind, c.SeriesNumber, why)}
}

// leastR is the correlation from which both are called the same: interpolation, filters and other rounding stay above it on
// phantoms, another phase of the same study falls below.
const leastR = 0.995

// ours is what is computed here from the phases as they were read.
type ours struct {
	phases      []experts.Phase
	projections map[[2]int]*volume.Volume // by phase and axis: scanners store many of each
}

// compare finds the phase where the companion does not tell it: that which it fits best.
func (o *ours) compare(ctx context.Context, c series.Companion, theirs *volume.Volume, axis int) (experts.Check, error) {
	const elsewhere = "does not show the places of the dynamic series; it was not compared"
	if axis < 0 && !theirs.Same(&o.phases[0].Volume.Grid) {
		return notCompared(c, elsewhere), nil
	}
	phases := []int{c.Phase}
	if c.Phase < 1 || c.Phase >= len(o.phases) {
		phases = phases[:0]
		for n := 1; n < len(o.phases); n++ {
			phases = append(phases, n)
		}
	}
	best, at := fit{}, 0
	for _, n := range phases {
		if err := ctx.Err(); err != nil {
			return experts.Check{}, err
		}
		if f := fitOf(o.pairs(n, theirs, axis)); f.n > 0 && (at == 0 || f.r > best.r) {
			best, at = f, n
		}
	}
	if at == 0 {
		return notCompared(c, elsewhere), nil
	}
	check := experts.Check{
		Name:      fmt.Sprintf("%s of series %d against phase %d less phase 1", c.Kind, c.SeriesNumber, at+1),
		SeriesUID: c.SeriesUID, Voxels: best.n, R: experts.Known(best.r), MaxDifference: experts.Known(best.most), Agrees: best.r >= leastR,
	}
	what := fmt.Sprintf("The %s in series %d", c.Kind, c.SeriesNumber)
	of := fmt.Sprintf("phase %d less phase 1", at+1)
	if c.Kind == series.Projection {
		of = "that of " + of
	}
	switch {
	case check.Agrees && best.most == 0:
		check.Text = fmt.Sprintf("%s equals %s in all of %d voxels.", what, of, best.n)
	case check.Agrees:
		check.Text = fmt.Sprintf("%s agrees with %s (r %.4f over %d voxels).", what, of, best.r, best.n)
	default:
		check.Text = fmt.Sprintf("%s does not agree with %s of the phases as read (r %.3f over %d voxels): the scanner may have corrected motion or filtered, or the phases are not what they were taken for.",
			what, of, best.r, best.n)
	}
	return check, nil
}

// pairs calls do with our value and the vendor's for every voxel that both have.
func (o *ours) pairs(phase int, theirs *volume.Volume, axis int) func(do func(ours, theirs float64)) {
	before, after := o.phases[0].Volume, o.phases[phase].Volume
	if axis < 0 {
		return func(do func(ours, theirs float64)) {
			for at, v := range theirs.Data {
				do(float64(after.Data[at]-before.Data[at]), float64(v))
			}
		}
	}
	flat := o.projection(phase, axis)
	return func(do func(ours, theirs float64)) {
		for at, v := range theirs.Data {
			i, j, k := theirs.Voxel(at)
			x, y, z := flat.At(theirs.Point(float64(i), float64(j), float64(k)))
			index := [3]int{int(math.Floor(x + 0.5)), int(math.Floor(y + 0.5)), int(math.Floor(z + 0.5))}
			index[axis] = 0
			if flat.Contains(index[0], index[1], index[2]) {
				do(float64(flat.Data[flat.Index(index[0], index[1], index[2])]), float64(v))
			}
		}
	}
}

// projection is the maximum along an axis of a phase less the first.
func (o *ours) projection(phase, axis int) *volume.Volume {
	key := [2]int{phase, axis}
	if o.projections[key] == nil {
		before, after := o.phases[0].Volume, o.phases[phase].Volume
		difference := volume.New(before.Grid)
		for at := range difference.Data {
			difference.Data[at] = after.Data[at] - before.Data[at]
		}
		o.projections[key] = volume.MIP(difference, axis)
	}
	return o.projections[key]
}
