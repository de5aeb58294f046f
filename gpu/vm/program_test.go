package vm_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/gpu/op"
	"mome/gpu/vm"
)

// chain is x through a number of GELUs, each of which may write over its input.
func chain(t *testing.T, rows, cols, length int) (y *gorgonia.Node) {
	t.Helper()
	y, err := op.Input(gorgonia.NewGraph(), "x", rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	for range length {
		if y, err = op.GELU(y); err != nil {
			t.Fatal(err)
		}
	}
	return y
}

func TestProgramReusesMemory(t *testing.T) {
	y := chain(t, 32, 32, 10)
	p, err := vm.Compile(y)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.ArenaFloats(), 32*32; got != want {
		t.Errorf("ten operations in place need %d floats, want %d", got, want)
	}
	x := make([]float32, 32*32)
	for i := range x {
		x[i] = 1
	}
	if err := p.Bind("x", x); err != nil {
		t.Fatal(err)
	}
	runProgram(t, p)
	first := slices.Clone(read(t, p, y))
	runProgram(t, p)
	if !slices.Equal(first, read(t, p, y)) {
		t.Error("a second run computes something else")
	}
	if slices.ContainsFunc(x, func(v float32) bool { return v != 1 }) {
		t.Error("the program wrote over its input")
	}
}

// A value that is still needed must survive: y = gelu(x), then sums that read it late.
func TestProgramKeepsWhatIsStillNeeded(t *testing.T) {
	x, err := op.Input(gorgonia.NewGraph(), "x", 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	early, err := op.GELU(x)
	if err != nil {
		t.Fatal(err)
	}
	late := early
	for range 5 {
		if late, err = op.Softmax(late, 1); err != nil {
			t.Fatal(err)
		}
	}
	total, err := op.Sum(late, early, early)
	if err != nil {
		t.Fatal(err)
	}
	p, err := vm.Compile(total, early)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Bind("x", []float32{0, 1, 2, 3, 4, 5, 6, 7, 8}); err != nil {
		t.Fatal(err)
	}
	runProgram(t, p)
	sum, kept := read(t, p, total), read(t, p, early)
	if kept[0] != 0 || kept[8] < 7.99 {
		t.Errorf("gelu is %v after the program", kept)
	}
	for r := range 3 { // softmax adds 1 to each row
		want, got := float32(1), float32(0)
		for c := range 3 {
			want += 2 * kept[3*r+c]
			got += sum[3*r+c]
		}
		if d := got - want; d > 1e-5 || d < -1e-5 {
			t.Errorf("row %d sums to %g, want %g", r, got, want)
		}
	}
}

func TestProgramRefuses(t *testing.T) {
	y := chain(t, 2, 3, 1)
	p, err := vm.Compile(y)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Value(y); err == nil {
		t.Error("a value before the first run")
	}
	if err := p.Run(context.Background()); err == nil {
		t.Error("ran without its input")
	}
	if err := p.Bind("x", make([]float32, 5)); err == nil {
		t.Error("bound 5 numbers to 2 x 3")
	}
	if err := p.Bind("y", make([]float32, 6)); err == nil {
		t.Error("bound an input that is not there")
	}
	if err := p.Bind("x", make([]float32, 6)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if err := p.Run(context.Background()); err != nil {
		t.Errorf("run after a cancelled one: %v", err)
	}
	if _, err := vm.Compile(y, nil); err == nil {
		t.Error("compiled a nil output")
	}
	other := chain(t, 2, 3, 1)
	if _, err := p.Value(other); err == nil {
		t.Error("a value of another graph")
	}
}

// Programs may share the slices they read.
func TestProgramsRunSideBySide(t *testing.T) {
	x := make([]float32, 64*64)
	for i := range x {
		x[i] = float32(i % 7)
	}
	var wait sync.WaitGroup
	results := make([][]float32, 4)
	for k := range results {
		y := chain(t, 64, 64, 3)
		p, err := vm.Compile(y)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Bind("x", x); err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			if p.Run(context.Background()) == nil {
				results[k], _ = p.Value(y)
			}
		})
	}
	wait.Wait()
	for k := range results {
		if results[k] == nil || !slices.Equal(results[k], results[0]) {
			t.Errorf("program %d computed something else", k)
		}
	}
}

func runProgram(t *testing.T, p *vm.Program) {
	t.Helper()
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, p *vm.Program, n *gorgonia.Node) []float32 {
	t.Helper()
	v, err := p.Value(n)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
