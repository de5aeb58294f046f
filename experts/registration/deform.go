package registration

import (
	"context"
	"fmt"

	"mome/experts"
	"mome/experts/volume"
)

// deform finds the deformation on top of start, at the two finest levels.
func (p *problem) deform(ctx context.Context, start Transform) (Transform, Report, error) {
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
		r.Reason, r.Took = "not deformed: "+reason, p.took()
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
		n, err := minimise(ctx, x, 25, 1e-4, pass.cost(ctx, lattice, start, held, p.o.Along))
		r.Evaluations += n
		if err != nil {
			return start, r, err
		}
	}
	found := start
	found.spline = lattice.with(x)
	return p.judge(ctx, start, found, &r)
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

// cost returns the cost of a lattice's coefficients on top of start, and its gradient.
func (p *pass) cost(ctx context.Context, lattice *spline, start Transform, held *penalty, along volume.Vec) func(x, gradient []float64) (float64, error) {
	return func(x, gradient []float64) (float64, error) {
		t := start
		t.spline = lattice.with(x)
		s, err := p.evaluate(ctx, &t, gradient)
		if err != nil {
			return 0, err
		}
		cost := held.add(t.spline, gradient) - s
		lattice.restrict(gradient, along)
		return cost, nil
	}
}
