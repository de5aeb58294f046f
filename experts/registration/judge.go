package registration

import (
	"context"
	"fmt"
	"math"
	"slices"

	"mome/experts/volume"
)

// leastMeasure is what two images of one body have in common at the very least: the phantoms' DWI of 3.5 x 5 mm reaches 0.8
// against the dynamic series, an image against noise 0.
const leastMeasure = 0.2

// rigidMargin is the part of Options.Margin that a rigid motion has to gain: its six parameters follow noise less. On
// phantoms at rest they gained 0.001 at most, at 0.9 mm of motion 0.0049.
const rigidMargin = 0.4

// judge compares what was found with the start, completes the report and returns the one of both that is to be used.
func (p *problem) judge(ctx context.Context, start, found Transform, r *Report) (Transform, Report, error) {
	l := p.finest()
	var err error
	if r.Before, err = l.measure(ctx, &start); err != nil {
		return start, *r, err
	}
	if r.After, err = l.measure(ctx, &found); err != nil {
		return start, *r, err
	}
	moved := l.displacements(&start, &found)
	margin := p.o.Margin
	if !found.Deforms() {
		margin *= rigidMargin
	}
	r.JacobianMin, r.JacobianMax = l.jacobian(&found)
	out := start
	switch gain := (r.After - r.Before) / max(r.Before, leastMeasure); {
	case !(r.After >= leastMeasure):
		r.Reason = fmt.Sprintf("not kept: the images have too little in common, the measure is %.2f", r.After)
	case !(gain >= margin):
		r.Reason = fmt.Sprintf("not kept: the measure changes by %+.2f %%, less than %g %%", 100*gain, 100*margin)
	case moved.mean < p.o.MinMM:
		r.Reason = fmt.Sprintf("not kept: %.2f mm on average is less motion than %g mm", moved.mean, p.o.MinMM)
	case moved.mean > p.o.MaxMM:
		r.Reason = fmt.Sprintf("not kept: %.0f mm on average is more motion than %g mm", moved.mean, p.o.MaxMM)
	case p.o.Along == volume.Vec{} && (r.JacobianMin < minJacobian || r.JacobianMax > maxJacobian):
		r.Reason = fmt.Sprintf("not kept: volumes would change by factors of %.2f to %.2f", r.JacobianMin, r.JacobianMax)
	case r.JacobianMin <= 0.2:
		r.Reason = fmt.Sprintf("not kept: the deformation nearly folds, its Jacobian falls to %.2f", r.JacobianMin)
	default:
		r.Kept, out = true, found
		r.Reason = fmt.Sprintf("kept: the measure rises by %.1f %%", 100*gain)
	}
	total := l.displacements(&Transform{}, &out)
	r.MeanMM, r.P95MM, r.MaxMM = total.mean, total.p95, total.max
	r.Took = p.took()
	return out, *r, nil
}

// motion is a distribution of displacements, mm.
type motion struct{ mean, p95, max float64 }

// displacements returns how far apart a and b move the voxels within the mask.
func (l *level) displacements(a, b *Transform) motion {
	if l.voxels == 0 {
		return motion{}
	}
	ma, mb := newMapping(a), newMapping(b)
	d := make([]float64, 0, l.voxels)
	sum := 0.0
	l.each(func(_ int, p volume.Vec) {
		mm := mb.at(p).Sub(ma.at(p)).Norm()
		sum += mm
		d = append(d, mm)
	})
	slices.Sort(d)
	return motion{mean: sum / float64(len(d)), p95: d[int(0.95*float64(len(d)-1))], max: d[len(d)-1]}
}

// jacobian returns the extremes of t's Jacobian determinant within the mask, by central differences of the working
// grid.
func (l *level) jacobian(t *Transform) (low, high float64) {
	if t.spline == nil {
		return 1, 1
	}
	m := newMapping(t)
	low, high = math.Inf(1), math.Inf(-1)
	g := &l.grid
	det0 := g.Axis[0].Dot(g.Axis[1].Cross(g.Axis[2]))
	l.each(func(_ int, p volume.Vec) {
		var f matrix
		for a := range 3 {
			h := g.Axis[a].Scale(g.SpacingMM[a])
			f[a] = m.at(p.Add(h)).Sub(m.at(p.Sub(h))).Scale(0.5 / g.SpacingMM[a])
		}
		j := f[0].Dot(f[1].Cross(f[2])) / det0
		low, high = min(low, j), max(high, j)
	})
	return low, high
}

// mapping is a Transform with its rotation worked out.
type mapping struct {
	*Transform
	r matrix
}

func newMapping(t *Transform) mapping { return mapping{t, rotation(t.RotationRad)} }

func (m *mapping) at(p volume.Vec) volume.Vec {
	q := m.r.apply(p.Sub(m.Centre)).Add(m.Centre).Add(m.TranslationMM)
	if m.spline != nil {
		q = q.Add(m.spline.at(p))
	}
	return q
}
