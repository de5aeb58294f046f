package registration

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"mome/experts/volume"
)

// minVoxels is the least number of voxels of the working grid that a registration is tried on: a cube of 2.5 cm.
const minVoxels = 1000

// rimMM is how far from the moving volume's border a voxel has to lie to be compared, mm: motion by less does not change
// what is compared, beyond it the outermost values stand in.
const rimMM = 5

// problem is a pair of images at all resolutions, the finest last.
type problem struct {
	o        Options
	levels   []*level
	centre   volume.Vec // of the voxels compared, and their distance from it, mm
	radiusMM float64
	since    time.Time // when what is timed next began
}

// took returns how long the step took that ends now: the first includes the preparation of the images.
func (p *problem) took() time.Duration {
	now := p.o.Now()
	d := now.Sub(p.since)
	p.since = now
	return d
}

func newProblem(ctx context.Context, fixed, moving *volume.Volume, o Options) (*problem, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	if err := usable("fixed", fixed); err != nil {
		return nil, err
	}
	if err := usable("moving", moving); err != nil {
		return nil, err
	}
	box := whole(&fixed.Grid)
	if o.Mask != nil {
		if !o.Mask.Same(&fixed.Grid) || len(o.Mask.Data) != fixed.Len() {
			return nil, fmt.Errorf("registration options: Mask is not on the fixed volume's grid")
		}
		box = bounds(o.Mask)
	}
	p := &problem{o: o, since: o.Now()}
	for n := range o.Levels {
		mm := o.SpacingMM * float64(int(1)<<(o.Levels-1-n))
		wide := box
		for a := range 3 {
			rim := int(math.Ceil(2 * max(mm/fixed.SpacingMM[a], 1)))
			wide[a] = span{max(box[a].from-rim, 0), min(box[a].to+rim, fixed.Size[a]-1)}
		}
		l, err := newLevel(ctx, fixed, moving, wide, mm, &o)
		if err != nil {
			return nil, err
		}
		p.levels = append(p.levels, l)
	}
	p.centre, p.radiusMM = p.finest().extent()
	return p, nil
}

// bounds returns the box around a mask; of an empty one, its first voxel.
func bounds(m *volume.Mask) [3]span {
	out := [3]span{{m.Size[0], -1}, {m.Size[1], -1}, {m.Size[2], -1}}
	for k := range m.Size[2] {
		for j := range m.Size[1] {
			row := m.Data[m.Index(0, j, k):][:m.Size[0]]
			first := slices.Index(row, true)
			if first < 0 {
				continue
			}
			last := first
			for i := first; i < len(row); i++ {
				if row[i] {
					last = i
				}
			}
			for a, s := range [3]span{{first, last}, {j, j}, {k, k}} {
				out[a].from, out[a].to = min(out[a].from, s.from), max(out[a].to, s.to)
			}
		}
	}
	if out[0].to < 0 {
		return [3]span{}
	}
	return out
}

func (p *problem) finest() *level { return p.levels[len(p.levels)-1] }

// comparable reports whether there is anything to register, else why not.
func (p *problem) comparable() (string, bool) {
	l := p.finest()
	switch {
	case l.voxels < minVoxels:
		return fmt.Sprintf("only %d voxels of %.1f mm of the mask lie on both images", l.voxels, p.o.SpacingMM), false
	case !(l.norm > 0) || !(l.eta2 > 1e-20):
		return "one of the images has no edges within the mask", false
	}
	return "", true
}

// rigid finds the rigid motion, from the coarsest level to the finest.
func (p *problem) rigid(ctx context.Context) (Transform, Report, error) {
	r := Report{JacobianMin: 1, JacobianMax: 1, Voxels: p.finest().voxels}
	reason, ok := p.comparable()
	if !ok {
		r.Reason, r.Took = "not registered: "+reason, p.took()
		return Transform{}, r, nil
	}
	x := make([]float64, 6)
	for _, l := range p.levels {
		if l.voxels < minVoxels/8 {
			continue
		}
		n, err := minimise(ctx, x, 30, 2e-5, p.rigidCost(ctx, l))
		r.Evaluations += n
		if err != nil {
			return Transform{}, r, err
		}
	}
	return p.judge(ctx, Transform{}, p.motion(x), &r)
}

// motion returns the transform of six unknowns: the translation, and the rotation as arcs at the mask's radius. All are mm
// and move the image about as much.
func (p *problem) motion(x []float64) Transform {
	return Transform{Centre: p.centre, TranslationMM: volume.Vec(x[:3]), RotationRad: volume.Vec(x[3:6]).Scale(1 / p.radiusMM)}
}

// rigidCost returns the cost of six unknowns, and its gradient.
func (p *problem) rigidCost(ctx context.Context, l *level) func(x, gradient []float64) (float64, error) {
	return func(x, gradient []float64) (float64, error) {
		t := p.motion(x)
		s, err := l.measure(ctx, &t)
		if err == nil {
			err = l.pull(ctx)
		}
		if err != nil {
			return 0, err
		}
		force, torque := l.balance(&t)
		turn := leftJacobian(t.RotationRad)
		arc := turn.transposed(torque).Scale(1 / p.radiusMM)
		for a := range 3 {
			gradient[a], gradient[3+a] = -force[a], -arc[a]
		}
		return -s, nil
	}
}

// extent returns the mean place of the voxels within the mask and the root mean square of their distance to it, mm.
func (l *level) extent() (centre volume.Vec, radiusMM float64) {
	var square float64
	l.each(func(_ int, p volume.Vec) { centre = centre.Add(p.Scale(1 / float64(l.voxels))) })
	l.each(func(_ int, p volume.Vec) {
		d := p.Sub(centre)
		square += d.Dot(d) / float64(l.voxels)
	})
	return centre, max(math.Sqrt(square), 1)
}

// each calls do with every voxel within the mask and its place.
func (l *level) each(do func(at int, p volume.Vec)) {
	nx := l.grid.Size[0]
	for k := range l.within {
		for _, in := range l.within[k] {
			do(int(in)+k*l.area(), l.grid.Point(float64(int(in)%nx), float64(int(in)/nx), float64(k)))
		}
	}
}

// balance sums the forces and their torques about t's centre, of the rotated places.
func (l *level) balance(t *Transform) (force, torque volume.Vec) {
	r := rotation(t.RotationRad)
	nx := l.grid.Size[0]
	for k := range l.needed {
		for _, in := range l.needed[k] {
			at := int(in) + k*l.area()
			f := volume.Vec{float64(l.force[0][at]), float64(l.force[1][at]), float64(l.force[2][at])}
			y := r.apply(l.grid.Point(float64(int(in)%nx), float64(int(in)/nx), float64(k)).Sub(t.Centre))
			force, torque = force.Add(f), torque.Add(y.Cross(f))
		}
	}
	return force, torque
}
