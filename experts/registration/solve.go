package registration

import (
	"context"
	"fmt"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

// minVoxels is the least number of voxels of the working grid that a registration is tried on: a cube of 2.5 cm.
const minVoxels = 1000

// rimMM is how far from the moving volume's border a voxel has to lie to be compared, mm.
const rimMM = 5

// problem is a pair of images at all resolutions, the finest last.
type problem struct {
	o      Options
	levels []*level
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
	p := &problem{o: o}
	for n := range o.Levels {
		mm := o.SpacingMM * float64(int(1)<<(o.Levels-1-n))
		wide := box
		for a := range 3 {
			rim := int(math.Ceil(2 * max(mm/fixed.SpacingMM[a], 1)))
			wide[a] = span{max(box[a].from-rim, 0), min(box[a].to+rim, fixed.Size[a]-1)}
		}
		l, err := newLevel(ctx, fixed, moving, o.Mask, wide, mm, rimMM)
		if err != nil {
			return nil, err
		}
		p.levels = append(p.levels, l)
	}
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
	began := p.o.Now()
	r := Report{JacobianMin: 1, JacobianMax: 1, Voxels: p.finest().voxels}
	reason, ok := p.comparable()
	if !ok {
		r.Reason, r.Took = "not registered: "+reason, p.o.Now().Sub(began)
		return Transform{}, r, nil
	}
	centre, radiusMM := p.finest().extent()
	// Of the rotation, x holds arcs at the mask's radius: all six are mm and move the image about as much.
	of := func(x []float64) Transform {
		return Transform{Centre: centre, TranslationMM: volume.Vec(x[:3]), RotationRad: volume.Vec(x[3:6]).Scale(1 / radiusMM)}
	}
	x := make([]float64, 6)
	for _, l := range p.levels {
		if l.voxels < minVoxels/8 {
			continue
		}
		var n int
		var err error
		n, err = minimise(ctx, x, 30, 2e-5, func(x, gradient []float64) (float64, error) {
			t := of(x)
			s, err := l.measure(ctx, &t)
			if err == nil {
				err = l.pull(ctx)
			}
			if err != nil {
				return 0, err
			}
			force, torque := l.balance(&t)
			turn := leftJacobian(t.RotationRad)
			arc := turn.transposed(torque).Scale(1 / radiusMM)
			for a := range 3 {
				gradient[a], gradient[3+a] = -force[a], -arc[a]
			}
			return -s, nil
		})
		r.Evaluations += n
		if err != nil {
			return Transform{}, r, err
		}
	}
	found := of(x)
	return p.judge(ctx, Transform{}, found, &r, began)
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

// deform finds the deformation on top of start, at the two finest levels.
func (p *problem) deform(ctx context.Context, start Transform) (Transform, Report, error) {
	began := p.o.Now()
	fine := p.finest()
	r := Report{JacobianMin: 1, JacobianMax: 1, Voxels: fine.voxels}
	reason, ok := p.comparable()
	if ok && start.spline != nil {
		reason, ok = "the start is a deformation already", false
	}
	lattice := newSpline(&fine.grid, p.o.KnotMM)
	if ok && lattice.grid.Len() > maxKnots {
		reason, ok = fmt.Sprintf("%d knots are too many", lattice.grid.Len()), false
	}
	if !ok {
		r.Reason, r.Took = "not deformed: "+reason, p.o.Now().Sub(began)
		return start, r, nil
	}
	knots := lattice.grid.Len()
	held := newPenalty(&p.o, lattice, rotation(start.RotationRad), float64(fine.voxels)*fine.grid.VoxelMM3())
	x := make([]float64, 3*knots)
	for _, l := range p.levels[max(0, len(p.levels)-2):] {
		pass, ok := newPass(l, lattice)
		if !ok || l.voxels < minVoxels/8 {
			continue
		}
		var n int
		var err error
		n, err = minimise(ctx, x, 25, 1e-4, func(x, gradient []float64) (float64, error) {
			t := start
			t.spline = lattice.with(x)
			s, err := pass.evaluate(ctx, &t, gradient)
			if err != nil {
				return 0, err
			}
			cost := held.add(t.spline, gradient) - s
			lattice.restrict(gradient, p.o.Along)
			return cost, nil
		})
		r.Evaluations += n
		if err != nil {
			return start, r, err
		}
	}
	found := start
	found.spline = lattice.with(x)
	return p.judge(ctx, start, found, &r, began)
}

// with returns a field of the same lattice with the coefficients x, component after component.
func (s *spline) with(x []float64) *spline {
	out := &spline{grid: s.grid}
	n := s.grid.Len()
	for c := range out.coeff {
		out.coeff[c] = make([]float32, n)
		for i, v := range x[c*n:][:n] {
			out.coeff[c][i] = float32(v)
		}
	}
	return out
}

// restrict takes out of a gradient what must not move: the outermost knots, and directions other than along, if any.
func (s *spline) restrict(gradient []float64, along volume.Vec) {
	g := &s.grid
	n := g.Len()
	for at := range n {
		i, j, k := g.Voxel(at)
		if i == 0 || j == 0 || k == 0 || i == g.Size[0]-1 || j == g.Size[1]-1 || k == g.Size[2]-1 {
			gradient[at], gradient[n+at], gradient[2*n+at] = 0, 0, 0
		} else if along != (volume.Vec{}) {
			f := along.Scale(along.Dot(volume.Vec{gradient[at], gradient[n+at], gradient[2*n+at]}))
			gradient[at], gradient[n+at], gradient[2*n+at] = f[0], f[1], f[2]
		}
	}
}

// pass evaluates deformations at one level.
type pass struct {
	*level
	taps   *tables
	planes [][3][]float32 // per slice of the level: forces on the knots of one plane
}

func newPass(l *level, s *spline) (*pass, bool) {
	taps, ok := s.on(&l.grid)
	p := &pass{level: l, taps: taps, planes: make([][3][]float32, l.grid.Size[2])}
	for k := range p.planes {
		for c := range 3 {
			p.planes[k][c] = make([]float32, s.grid.Size[0]*s.grid.Size[1])
		}
	}
	return p, ok
}

// evaluate returns the measure for t and writes the gradient of its negative.
func (p *pass) evaluate(ctx context.Context, t *Transform, gradient []float64) (float64, error) {
	s, err := p.measure(ctx, t)
	if err == nil {
		err = p.pull(ctx)
	}
	if err != nil {
		return 0, err
	}
	area := p.area()
	err = experts.EachSlice(ctx, p.grid.Size[2], func(k int) {
		force := [3][]float32{p.force[0][k*area:][:area], p.force[1][k*area:][:area], p.force[2][k*area:][:area]}
		p.taps.reduce(&force, &p.planes[k])
	})
	if err != nil {
		return 0, err
	}
	plane := p.taps.knots[0] * p.taps.knots[1]
	knots := plane * p.taps.knots[2]
	for k := range p.planes { // in order, so that sums do not depend on the number of processors
		z := &p.taps.tap[2][k]
		for c := range 3 {
			for m := range 4 {
				if z.w[m] == 0 {
					continue
				}
				to := gradient[c*knots+z.at[m]*plane:][:plane]
				for i, f := range p.planes[k][c] {
					to[i] -= float64(z.w[m] * f)
				}
			}
		}
	}
	return s, nil
}
