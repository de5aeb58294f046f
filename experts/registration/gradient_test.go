package registration

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"mome/experts/volume"
)

// waves is a smooth volume without symmetries.
func waves(g volume.Grid, shift volume.Vec) *volume.Volume {
	v := volume.New(g)
	for at := range v.Data {
		i, j, k := g.Voxel(at)
		p := g.Point(float64(i), float64(j), float64(k)).Add(shift)
		v.Data[at] = float32(100*math.Sin(p[0]/9+0.3*math.Cos(p[1]/11)) + 80*math.Cos(p[1]/8-p[2]/13) + 60*math.Sin(p[2]/7+p[0]/17))
	}
	return v
}

// pairOf is a fixed volume and a moving one on an oblique, left-handed grid.
func pairOf() (fixed, moving *volume.Volume) {
	c, s := math.Cos(0.2), math.Sin(0.2)
	f := volume.Grid{Size: [3]int{40, 36, 32}, Axis: [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, SpacingMM: [3]float64{2.5, 2.5, 3}}
	m := volume.Grid{Size: [3]int{44, 40, 40}, Axis: [3]volume.Vec{{-c, -s, 0}, {-s, c, 0}, {0, 0, 1}}, SpacingMM: [3]float64{2.7, 2.6, 2.8},
		Origin: volume.Vec{114, 12, -7}}
	return waves(f, volume.Vec{1, 0.5, -0.7}), waves(m, volume.Vec{})
}

// The gradients that the minimiser is given are those of the cost: central differences agree within 1 % of the largest.
func TestGradients(t *testing.T) {
	fixed, moving := pairOf()
	p, err := newProblem(t.Context(), fixed, moving, Options{Levels: 1, SpacingMM: 3})
	if err != nil {
		t.Fatal(err)
	}
	l := p.finest()
	if reason, ok := p.comparable(); !ok {
		t.Fatal(reason)
	}
	rng := rand.New(rand.NewPCG(1, 1))

	t.Run("rigid", func(t *testing.T) {
		cost := p.rigidCost(t.Context(), l)
		checkGradient(t, []float64{0.7, -0.4, 0.9, 1.2, -0.8, 0.5}, []int{0, 1, 2, 3, 4, 5}, 1e-3, cost)
	})
	t.Run("deform", func(t *testing.T) {
		start := Transform{Centre: volume.Vec{50, 45, 48}, TranslationMM: volume.Vec{0.5, 0, 0.2}, RotationRad: volume.Vec{0.02, 0, -0.03}}
		lattice := newSpline(&l.grid, 25)
		held := newPenalty(&p.o, lattice, rotation(start.RotationRad), 1e5)
		pass, ok := newPass(l, lattice)
		if !ok {
			t.Fatal("the lattice is not on the grid's axes")
		}
		n := lattice.grid.Len()
		x := make([]float64, 3*n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		mask := make([]float64, 3*n) // the knots that may move
		for i := range mask {
			mask[i] = 1
		}
		lattice.restrict(mask, volume.Vec{})
		var free []int
		for i, m := range mask {
			if x[i] *= m; m != 0 && rng.IntN(n/8) == 0 {
				free = append(free, i)
			}
		}
		checkGradient(t, x, free, 1e-2, pass.cost(t.Context(), lattice, start, held, volume.Vec{}))
	})
}

func checkGradient(t *testing.T, x []float64, at []int, step float64, cost func(x, gradient []float64) (float64, error)) {
	t.Helper()
	gradient, scratch := make([]float64, len(x)), make([]float64, len(x))
	if _, err := cost(x, gradient); err != nil {
		t.Fatal(err)
	}
	top := largest(gradient)
	for _, i := range at {
		was := x[i]
		x[i] = was + step
		up, _ := cost(x, scratch)
		x[i] = was - step
		down, _ := cost(x, scratch)
		x[i] = was
		if want := (up - down) / (2 * step); math.Abs(gradient[i]-want) > 0.01*top {
			t.Errorf("derivative %d: got %.6g, central difference %.6g, largest %.6g", i, gradient[i], want, top)
		}
	}
	if len(at) < 5 || top == 0 {
		t.Errorf("checked %d derivatives, the largest %g: too few", len(at), top)
	}
}

// The separable evaluation is the one place by place, and its adjoint is one: <expand c, f> = <c, reduce f>.
func TestSplineTables(t *testing.T) {
	g := volume.Grid{Size: [3]int{13, 9, 7}, Axis: [3]volume.Vec{{0, 1, 0}, {1, 0, 0}, {0, 0, 1}}, SpacingMM: [3]float64{3, 4, 5}, Origin: volume.Vec{5, -3, 2}}
	s := newSpline(&g, 17)
	rng := rand.New(rand.NewPCG(2, 2))
	for c := range 3 {
		for i := range s.coeff[c] {
			s.coeff[c][i] = rng.Float32() - 0.5
		}
	}
	taps, ok := s.on(&g)
	if !ok {
		t.Fatal("the lattice is not on the grid's axes")
	}
	area := g.Size[0] * g.Size[1]
	var u, f, back [3][]float32
	for c := range 3 {
		u[c], f[c], back[c] = make([]float32, area), make([]float32, area), make([]float32, s.grid.Size[0]*s.grid.Size[1])
		for i := range f[c] {
			f[c][i] = rng.Float32() - 0.5
		}
	}
	const k = 3
	taps.expand(s, k, &u)
	taps.reduce(&f, &back)
	got, want := 0.0, 0.0
	for c := range 3 {
		for at := range area {
			i, j := at%g.Size[0], at/g.Size[0]
			if d := s.at(g.Point(float64(i), float64(j), k))[c] - float64(u[c][at]); math.Abs(d) > 1e-5 {
				t.Fatalf("component %d of voxel %d %d: off by %g", c, i, j, d)
			}
			want += float64(u[c][at] * f[c][at])
		}
		z := &taps.tap[2][k]
		for m := range 4 {
			for i, b := range back[c] {
				got += float64(z.w[m] * b * s.coeff[c][z.at[m]*len(back[c])+i])
			}
		}
	}
	if math.Abs(got-want) > 1e-4*math.Abs(want)+1e-5 {
		t.Errorf("adjoint: got %g, want %g", got, want)
	}
	oblique := g
	oblique.Axis[0], oblique.Axis[1] = volume.Vec{math.Sin(0.1), math.Cos(0.1), 0}, volume.Vec{math.Cos(0.1), -math.Sin(0.1), 0}
	if _, ok := s.on(&oblique); ok {
		t.Error("an oblique grid was taken for aligned")
	}
	if u := s.at(g.Point(1e4, 0, 0)); u != (volume.Vec{}) {
		t.Errorf("far away the field is %v, want zero", u)
	}
}

// Whatever the number of processors, the result is the same to the last bit.
func TestDeterministic(t *testing.T) {
	fixed, moving := pairOf()
	run := func(procs int) Result {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		r, err := Register(t.Context(), fixed, moving, Options{Margin: 1e-9})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := run(1), run(4)
	at := volume.Vec{40, 30, 50}
	if a.Transform.At(at) != b.Transform.At(at) || a.Deform.After != b.Deform.After || a.Transform.Identity() {
		t.Errorf("1 processor %v %+v, 4 processors %v %+v", a.Transform.At(at), a.Deform, b.Transform.At(at), b.Deform)
	}
}

func TestRotation(t *testing.T) {
	for _, w := range []volume.Vec{{}, {1e-8, 0, 0}, {0.3, -0.2, 0.5}, {0, 0, math.Pi / 2}} {
		r := rotation(w)
		for a := range 3 {
			for b := range 3 {
				want := 0.0
				if a == b {
					want = 1
				}
				if got := r[a].Dot(r[b]); math.Abs(got-want) > 1e-12 {
					t.Errorf("rotation %v: rows %d, %d have the product %g", w, a, b, got)
				}
			}
		}
		if off := r.apply(w).Sub(w).Norm(); off > 1e-12 {
			t.Errorf("rotation %v moves its axis by %g", w, off)
		}
	}
	quarter := rotation(volume.Vec{0, 0, math.Pi / 2})
	if got := quarter.apply(volume.Vec{1, 0, 0}); got.Sub(volume.Vec{0, 1, 0}).Norm() > 1e-12 {
		t.Errorf("a quarter about z takes x to %v, want y", got)
	}
}
