package op_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/gpu/op"
	"mome/gpu/vm"
)

func TestLevel(t *testing.T) {
	const sigma = 5.0
	size, step := [3]int{3, 4, 5}, [3]float64{2, 1, 3}
	n := 60
	random := rand.New(rand.NewPCG(3, 0))
	x := make([]float32, 3*n)
	for i := range x {
		x[i] = float32(random.NormFloat64() * 100)
	}
	g := gorgonia.NewGraph()
	in, err := op.Input(g, "x", 1, 3, size[0], size[1], size[2])
	if err != nil {
		t.Fatal(err)
	}
	y, err := op.Level(in, 1, step, sigma)
	if err != nil {
		t.Fatal(err)
	}
	p, err := vm.Compile(y)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Bind("x", x); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := p.Value(y)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range x[:2*n] {
		sum += float64(v) * float64(v)
	}
	level := math.Sqrt(sum / float64(2*n))
	for i, v := range x {
		want := float64(v) / level
		if i >= 2*n {
			r := 0.0
			for a, at := range [3]int{(i - 2*n) / 20, (i - 2*n) / 5 % 4, (i - 2*n) % 5} {
				d := (float64(at) - float64(size[a]-1)/2) * step[a]
				r += d * d
			}
			want = float64(v) * math.Exp(-r/(2*sigma*sigma))
		}
		if math.Abs(float64(got[i])-want) > 1e-5*math.Max(1, math.Abs(want)) {
			t.Fatalf("value %d is %g, want %g", i, got[i], want)
		}
	}
	if _, err := op.Level(in, 4, step, sigma); err == nil {
		t.Error("four absolute channels of three were taken")
	}
	if _, err := op.Level(in, 1, step, 0); err == nil {
		t.Error("a window of no width was taken")
	}
}
