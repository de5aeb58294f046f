package op_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/op"
	"mome/gpu/vm"
)

// operation is a small graph of one operation, of odd sizes wherever it takes them.
type operation struct {
	name   string
	inputs [][]int
	apply  func(x []*gorgonia.Node) (*gorgonia.Node, error)
	fixed  int // index of the input that has no gradient, plus one
}

func operations() []operation {
	type nodes = []*gorgonia.Node
	return []operation{
		{"matmul", [][]int{{3, 5}, {5, 2}}, func(x nodes) (*gorgonia.Node, error) { return op.MatMul(x[0], x[1], false, false) }, 0},
		{"matmul aT", [][]int{{5, 3}, {5, 2}}, func(x nodes) (*gorgonia.Node, error) { return op.MatMul(x[0], x[1], true, false) }, 0},
		{"matmul bT", [][]int{{3, 5}, {2, 5}}, func(x nodes) (*gorgonia.Node, error) { return op.MatMul(x[0], x[1], false, true) }, 0},
		{"matmul aT bT", [][]int{{5, 3}, {2, 5}}, func(x nodes) (*gorgonia.Node, error) { return op.MatMul(x[0], x[1], true, true) }, 0},
		{"matmul of one factor", [][]int{{3, 5}}, func(x nodes) (*gorgonia.Node, error) { return op.MatMul(x[0], x[0], false, true) }, 0},
		{"linear", [][]int{{3, 5}, {7, 5}, {7}}, func(x nodes) (*gorgonia.Node, error) { return op.Linear(x[0], x[1], x[2]) }, 0},
		{"grouped linear", [][]int{{6, 5}, {3, 5, 4}, {3, 4}}, func(x nodes) (*gorgonia.Node, error) { return op.GroupedLinear(x[0], x[1], x[2]) }, 0},
		{"conv3d", [][]int{{2, 3, 5, 4, 7}, {2, 3, 3, 3, 3}}, func(x nodes) (*gorgonia.Node, error) { return op.Conv3d(x[0], x[1], op.Cube(3, 2, 1)) }, 0},
		{"conv3d uneven", [][]int{{1, 2, 5, 4, 3}, {3, 2, 1, 2, 3}}, func(x nodes) (*gorgonia.Node, error) {
			return op.Conv3d(x[0], x[1], op.Window{Kernel: [3]int{1, 2, 3}, Stride: [3]int{2, 1, 3}, Pad: [3]int{0, 1, 2}})
		}, 0},
		{"maxpool3d", [][]int{{2, 2, 5, 3, 4}}, func(x nodes) (*gorgonia.Node, error) { return op.MaxPool3d(x[0], op.Cube(3, 2, 1)) }, 0},
		{"instance norm", [][]int{{2, 3, 3, 2, 5}}, func(x nodes) (*gorgonia.Node, error) { return op.InstanceNormReLU(x[0], 1e-5) }, 0},
		{"layer norm", [][]int{{3, 7}, {7}, {7}}, func(x nodes) (*gorgonia.Node, error) { return op.LayerNorm(x[0], x[1], x[2], 1e-5) }, 0},
		{"softmax columns", [][]int{{5, 3}}, func(x nodes) (*gorgonia.Node, error) { return op.Softmax(x[0], 0) }, 0},
		{"softmax rows", [][]int{{5, 3}}, func(x nodes) (*gorgonia.Node, error) { return op.Softmax(x[0], 1) }, 0},
		{"attention", [][]int{{5, 18}}, func(x nodes) (*gorgonia.Node, error) { return op.Attention(x[0], 2) }, 0},
		{"attention of two blocks", [][]int{{67, 9}}, func(x nodes) (*gorgonia.Node, error) { return op.Attention(x[0], 3) }, 0},
		{"gelu", [][]int{{5, 3}}, func(x nodes) (*gorgonia.Node, error) { return op.GELU(x[0]) }, 0},
		{"sum", [][]int{{5, 3}, {5, 3}, {5, 3}}, func(x nodes) (*gorgonia.Node, error) { return op.Sum(x...) }, 0},
		{"sum of one term twice", [][]int{{5, 3}}, func(x nodes) (*gorgonia.Node, error) { return op.Sum(x[0], x[0]) }, 0},
		{"scale", [][]int{{5, 3}, {1}}, func(x nodes) (*gorgonia.Node, error) { return op.Scale(x[0], x[1]) }, 2},
		{"level", [][]int{{1, 3, 2, 4, 3}}, func(x nodes) (*gorgonia.Node, error) {
			return op.Level(x[0], 1, [3]float64{1, 2, 1}, 2)
		}, 0},
		{"level without absolute channels", [][]int{{1, 2, 2, 1, 3}}, func(x nodes) (*gorgonia.Node, error) {
			return op.Level(x[0], 0, [3]float64{1, 1, 1}, 2)
		}, 0},
		{"tokens", [][]int{{1, 3, 2, 3, 5}}, func(x nodes) (*gorgonia.Node, error) { return op.Tokens(x[0]) }, 0},
		{"rows", [][]int{{5, 3}}, func(x nodes) (*gorgonia.Node, error) { return op.Rows(x[0], 1, 4) }, 0},
		{"cols", [][]int{{5, 4}}, func(x nodes) (*gorgonia.Node, error) { return op.Cols(x[0], 1, 3) }, 0},
		{"concat rows", [][]int{{2, 3}, {4, 3}, {1, 3}}, func(x nodes) (*gorgonia.Node, error) { return op.ConcatRows(x...) }, 0},
		{"concat cols", [][]int{{3, 2}, {3, 4}}, func(x nodes) (*gorgonia.Node, error) { return op.ConcatCols(x...) }, 0},
		{"cross-entropy", [][]int{{3, 4}, {3, 4}}, func(x nodes) (*gorgonia.Node, error) { return op.CrossEntropy(x[0], x[1]) }, 2},
	}
}

// bench is a graph with its inputs bound to random values.
type bench struct {
	g    *gorgonia.ExprGraph
	x    gorgonia.Nodes
	data [][]float32
	y    *gorgonia.Node
}

func build(t *testing.T, o operation) *bench {
	t.Helper()
	b := &bench{g: gorgonia.NewGraph()}
	random := rand.New(rand.NewPCG(1, 2))
	for i, shape := range o.inputs {
		n, err := op.Input(b.g, fmt.Sprint("x", i), shape...)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]float32, n.Shape().TotalSize())
		for j := range data {
			data[j] = float32(random.NormFloat64())
		}
		b.x, b.data = append(b.x, n), append(b.data, data)
	}
	var err error
	if b.y, err = o.apply(b.x); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) bind(t *testing.T, p *vm.Program) {
	t.Helper()
	for i := range b.x {
		if err := p.Bind(b.x[i].Name(), b.data[i]); err != nil {
			t.Fatal(err)
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

// Every gradient against the central difference of sum(c·y) with random c, in double precision outside the kernel.
// 1e-2 of the gradient's size allows for the rounding of y: 1e-7 over twice the step.
func TestGradientsAgainstDifferences(t *testing.T) {
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			b := build(t, o)
			var wrt gorgonia.Nodes
			for i, n := range b.x {
				if i != o.fixed-1 {
					wrt = append(wrt, n)
				}
			}
			c, err := op.Input(b.g, "c", b.y.Shape()...)
			if err != nil {
				t.Fatal(err)
			}
			grads, err := gorgonia.Backpropagate(gorgonia.Nodes{b.y}, gorgonia.Nodes{c}, wrt)
			if err != nil {
				t.Fatal(err)
			}
			p, err := vm.Compile(append([]*gorgonia.Node{b.y}, grads...)...)
			if err != nil {
				t.Fatal(err)
			}
			b.bind(t, p)
			random := rand.New(rand.NewPCG(3, 4))
			weight := make([]float32, b.y.Shape().TotalSize())
			for i := range weight {
				weight[i] = float32(random.NormFloat64())
			}
			if err := p.Bind("c", weight); err != nil {
				t.Fatal(err)
			}
			runProgram(t, p)
			var got [][]float32
			for _, g := range grads {
				got = append(got, append([]float32(nil), read(t, p, g)...))
			}
			total := func() float64 {
				runProgram(t, p)
				sum := 0.0
				for i, v := range read(t, p, b.y) {
					sum += float64(v) * float64(weight[i])
				}
				return sum
			}
			k := 0
			for i := range b.x {
				if i == o.fixed-1 {
					continue
				}
				if len(got[k]) != len(b.data[i]) {
					t.Fatalf("gradient of x%d has %d numbers, want %d", i, len(got[k]), len(b.data[i]))
				}
				for j := range b.data[i] {
					const step = 1.0 / 256
					keep := b.data[i][j]
					b.data[i][j] = keep + step
					up := total()
					b.data[i][j] = keep - step
					down := total()
					b.data[i][j] = keep
					want := (up - down) / (2 * step)
					if math.Abs(float64(got[k][j])-want) > 1e-2*(1+math.Abs(want)) {
						t.Fatalf("d/dx%d[%d] = %g, difference quotient %g", i, j, got[k][j], want)
					}
				}
				k++
			}
		})
	}
}

// Gorgonia's own machine must compute the same values as a Program, forward and backward.
func TestProgramMatchesTapeMachine(t *testing.T) {
	g := gorgonia.NewGraph()
	data := map[string][]float32{}
	random := rand.New(rand.NewPCG(5, 6))
	input := func(name string, shape ...int) *gorgonia.Node {
		n, err := op.Input(g, name, shape...)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, n.Shape().TotalSize())
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		data[name] = x
		return n
	}
	must := func(n *gorgonia.Node, err error) *gorgonia.Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	x, w, bias := input("x", 5, 6), input("w", 6, 6), input("b", 6)
	h := must(op.Linear(x, w, bias))
	h = must(op.Sum(x, must(op.GELU(h)), must(op.Softmax(h, 0)), must(op.Softmax(h, 1)))) // x and h are used more than once
	logits := must(op.Rows(h, 1, 3))
	loss := must(op.CrossEntropy(logits, input("target", 2, 6)))
	grads, err := gorgonia.Grad(loss, x, w, bias)
	if err != nil {
		t.Fatal(err)
	}
	outputs := append(gorgonia.Nodes{h, loss}, grads...)
	p, err := vm.Compile(outputs...)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range data {
		if err := p.Bind(name, v); err != nil {
			t.Fatal(err)
		}
	}
	runProgram(t, p)

	tape := make([]gorgonia.Value, len(outputs))
	for i, n := range outputs {
		gorgonia.Read(n, &tape[i])
	}
	for name, v := range data {
		n := g.ByName(name)[0]
		if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(v))); err != nil {
			t.Fatal(err)
		}
	}
	machine := gorgonia.NewTapeMachine(g)
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	for i, n := range outputs {
		want := []float32{}
		switch v := tape[i].Data().(type) {
		case float32:
			want = append(want, v)
		case []float32:
			want = v
		}
		got := read(t, p, n)
		if len(got) != len(want) {
			t.Fatalf("%v: %d numbers, tape machine %d", n, len(got), len(want))
		}
		for j := range got {
			if math.Abs(float64(got[j]-want[j])) > 1e-6 {
				t.Errorf("%v: number %d is %g, tape machine %g", n, j, got[j], want[j])
			}
		}
	}
}

// One operation on two inputs of equal shape, or twice on one, is two nodes: Gorgonia must not merge them.
func TestNodesAreNotMerged(t *testing.T) {
	g := gorgonia.NewGraph()
	a, err := op.Input(g, "a", 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := op.Input(g, "b", 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[*gorgonia.Node]string{}
	for range 100 {
		for name, x := range map[string]*gorgonia.Node{"a": a, "b": b} {
			for axis := range 2 {
				n, err := op.Softmax(x, axis)
				if err != nil {
					t.Fatal(err)
				}
				what := fmt.Sprint("softmax of ", name, " along ", axis)
				if other, ok := seen[n]; ok {
					t.Fatalf("%s is the node of %s", what, other)
				}
				seen[n] = what
			}
		}
	}
}

func TestWrongShapesAreErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		n, err := op.Input(g, name, shape...)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	m, v, vol := input("m", 4, 6), input("v", 6), input("vol", 1, 2, 3, 3, 3)
	w := input("w", 2, 2, 3, 3, 3)
	for name, try := range map[string]func() (*gorgonia.Node, error){
		"matmul of unlike inner lengths": func() (*gorgonia.Node, error) { return op.MatMul(m, m, false, false) },
		"matmul of a vector":             func() (*gorgonia.Node, error) { return op.MatMul(m, v, false, false) },
		"linear with a wrong bias":       func() (*gorgonia.Node, error) { return op.Linear(m, m, v) },
		"layer norm of a vector":         func() (*gorgonia.Node, error) { return op.LayerNorm(v, v, v, 1e-5) },
		"softmax along axis 2":           func() (*gorgonia.Node, error) { return op.Softmax(m, 2) },
		"attention with 4 heads":         func() (*gorgonia.Node, error) { return op.Attention(m, 4) },
		"attention with wide heads":      func() (*gorgonia.Node, error) { return op.Attention(input("wide", 2, 3*400), 1) },
		"attention with no heads":        func() (*gorgonia.Node, error) { return op.Attention(m, 0) },
		"rows beyond the end":            func() (*gorgonia.Node, error) { return op.Rows(m, 2, 5) },
		"no rows":                        func() (*gorgonia.Node, error) { return op.Rows(m, 2, 2) },
		"concat of unlike widths":        func() (*gorgonia.Node, error) { return op.ConcatRows(m, input("narrow", 4, 5)) },
		"concat of nothing":              func() (*gorgonia.Node, error) { return op.ConcatCols() },
		"sum of unlike shapes":           func() (*gorgonia.Node, error) { return op.Sum(m, input("other", 6, 4)) },
		"sum of nothing":                 func() (*gorgonia.Node, error) { return op.Sum() },
		"conv3d of a matrix":             func() (*gorgonia.Node, error) { return op.Conv3d(m, w, op.Cube(3, 2, 1)) },
		"conv3d with another window":     func() (*gorgonia.Node, error) { return op.Conv3d(vol, w, op.Cube(2, 2, 1)) },
		"conv3d beyond the volume":       func() (*gorgonia.Node, error) { return op.MaxPool3d(vol, op.Cube(4, 1, 0)) },
		"scale by a matrix":              func() (*gorgonia.Node, error) { return op.Scale(m, m) },
		"scale of a vector":              func() (*gorgonia.Node, error) { return op.Scale(v, input("factor", 1)) },
		"a nil input":                    func() (*gorgonia.Node, error) { return op.GELU(nil) },
		"a nil second input":             func() (*gorgonia.Node, error) { return op.Sum(m, nil) },
		"grouped linear of odd rows":     func() (*gorgonia.Node, error) { return op.GroupedLinear(m, input("w3", 3, 6, 2), v) },
		"an input of a used name":        func() (*gorgonia.Node, error) { return op.Input(g, "m", 4, 6) },
		"an input of no size":            func() (*gorgonia.Node, error) { return op.Input(g, "empty", 4, 0) },
	} {
		if n, err := try(); err == nil {
			t.Errorf("%s: no error, node %v", name, n)
		}
	}
}

func TestSecondDerivativesAreRefused(t *testing.T) {
	b := build(t, operation{inputs: [][]int{{2, 3}, {2, 3}}, apply: func(x []*gorgonia.Node) (*gorgonia.Node, error) {
		return op.CrossEntropy(x[0], x[1])
	}})
	grads, err := gorgonia.Grad(b.y, b.x[0])
	if err != nil {
		t.Fatal(err)
	}
	o := grads[0].Op().(op.Op)
	if _, err := o.SymDiff(b.x, grads[0], b.y); err == nil || !strings.Contains(err.Error(), "no derivative") {
		t.Errorf("error %v, want one that says that there is no derivative", err)
	}
}
