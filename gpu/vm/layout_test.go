package vm

import (
	"fmt"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/gpu/launch"
	"mome/gpu/op"
)

// must is a node that could be added.
func must(t *testing.T) func(*gorgonia.Node, error) *gorgonia.Node {
	return func(n *gorgonia.Node, err error) *gorgonia.Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// transformer is a graph with all that a device joins or leaves out: two modalities of rows, with those of a volume, that are put
// together, seen by each other, taken apart again and fed forward, with the gradients of everything.
func transformer(t *testing.T, rows, embed int) (outputs, inputs []*gorgonia.Node) {
	g, ok := gorgonia.NewGraph(), must(t)
	input := func(name string, shape ...int) *gorgonia.Node {
		n := ok(op.Input(g, name, shape...))
		inputs = append(inputs, n)
		return n
	}
	linear := func(name string, x *gorgonia.Node, out int) *gorgonia.Node {
		return ok(op.Linear(x, input(name+".w", out, x.Shape()[1]), input(name+".b", out)))
	}
	norm := func(name string, x *gorgonia.Node) *gorgonia.Node {
		return ok(op.LayerNorm(x, input(name+".gamma", x.Shape()[1]), input(name+".beta", x.Shape()[1]), 1e-5))
	}
	stem := ok(op.InstanceNormReLU(ok(op.Conv3d(input("volume", 1, 2, 5, 6, 2*rows-1), input("stem", embed, 2, 3, 3, 3), op.Cube(3, 2, 1))), 1e-5))
	tokens := ok(op.Rows(ok(op.Tokens(stem)), 0, rows))
	table := input("positions", rows+1, embed)
	parts := make([]*gorgonia.Node, 2)
	for i := range parts {
		m := fmt.Sprint("m", i)
		parts[i] = ok(op.Sum(input(m, rows, embed), ok(op.Rows(table, 1, rows+1)), tokens))
	}
	var qkv []*gorgonia.Node
	for i, x := range parts {
		m := fmt.Sprint("m", i)
		h := norm(m+".norm", x)
		qkv = append(qkv, ok(op.ConcatCols(linear(m+".q", h, embed), linear(m+".k", h, embed), linear(m+".v", h, embed))))
	}
	seen := ok(op.Attention(ok(op.ConcatRows(qkv...)), 2))
	for i := range parts {
		m := fmt.Sprint("m", i)
		own := ok(op.Rows(seen, i*rows, (i+1)*rows))
		x := ok(op.Sum(parts[i], linear(m+".project", norm(m+".inner", own), embed)))
		h := norm(m+".final", x)
		f := linear(m+".fc2", norm(m+".ffn", ok(op.GELU(linear(m+".fc1", h, 4*embed)))), embed)
		parts[i] = ok(op.Sum(x, f, ok(op.GELU(linear(m+".adapter", h, embed)))))
	}
	logits := linear("head", ok(op.Rows(ok(op.ConcatRows(parts...)), 0, 2)), 2)
	loss := ok(op.CrossEntropy(logits, input("target", 2, 2)))
	grads, err := gorgonia.Grad(loss, inputs[:len(inputs)-1]...)
	if err != nil {
		t.Fatal(err)
	}
	return append(gorgonia.Nodes{logits, loss}, grads...), inputs
}

// Whatever a step reads must still be what was written there, whole, and the outputs must be there at the end.
func TestLayoutKeepsWhatIsRead(t *testing.T) {
	for _, size := range [][2]int{{3, 16}, {5, 8}, {4, 32}} {
		outputs, _ := transformer(t, size[0], size[1])
		c, err := read(outputs)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.values {
			c.values[i].fixed = c.values[i].kind == input && weight(c.values[i].name)
		}
		f := fuse(c)
		if len(f.steps) >= len(c.steps) {
			t.Errorf("rows of %d: %d steps, none was joined", size[1], len(f.steps))
		}
		for name, a := range map[string]*arrangement{
			"host": {values: c.values, steps: c.steps, wanted: c.wanted()},
			"device": {values: f.values, steps: f.steps, wanted: c.wanted(), part: f.part, loaded: func(v int) bool { return !f.values[v].fixed },
				workspace: func(step int) int { return step % 3 * 50 }},
		} {
			simulate(t, fmt.Sprint(name, " ", size), a, a.layout())
		}
	}
}

// simulate writes the number of its value into every float of an arena and looks whether it is there when it is read.
func simulate(t *testing.T, name string, a *arrangement, l layout) {
	t.Helper()
	arena := make([]int, l.size)
	write := func(v int) {
		root, offset := a.root(v)
		for i := range a.values[v].floats() {
			arena[l.offset[v]+i] = 1 + root<<20 + offset + i
		}
	}
	check := func(v int, when string) {
		root, offset := a.root(v)
		if l.offset[v] < 0 {
			if a.values[root].kind == result {
				t.Fatalf("%s: value %d has no place", name, v)
			}
			return
		}
		for i := range a.values[v].floats() {
			if arena[l.offset[v]+i] != 1+root<<20+offset+i {
				t.Fatalf("%s: value %d (%v) was overwritten at %d, %s", name, v, a.values[v].shape, i, when)
			}
		}
	}
	for v := range a.values {
		if a.values[v].kind == input && l.offset[v] >= 0 {
			write(v)
		}
	}
	for i, s := range a.steps {
		for _, v := range s.in {
			check(v, fmt.Sprintf("before step %d, %v", i, s.kernel))
		}
		if a.workspace != nil {
			for j := range a.workspace(i) {
				arena[l.space[i]+j] = -1
			}
			for n, v := range s.in { // the workspace is written while inputs are read
				if n > 0 || l.offset[v] != l.offset[s.out] {
					check(v, fmt.Sprintf("by the workspace of step %d, %v", i, s.kernel))
				}
			}
		}
		write(s.out)
	}
	for v, wanted := range a.wanted {
		if wanted {
			check(v, "at the end")
		}
	}
}

// A step that reads a value and a piece of it must not write over either.
func TestLayoutKeepsPieces(t *testing.T) {
	of := func(kind kind, shape ...int) value { return value{kind: kind, shape: shape} }
	a := &arrangement{
		values: []value{of(input, 1, 32), of(result, 1), of(result, 1, 32)},
		steps:  []step{{kernel: op.ScaleKernel{Rows: 1, Cols: 32}, in: []int{0, 1}, out: 2}},
		wanted: []bool{false, false, true},
		loaded: func(int) bool { return true },
		part:   []part{{whole: -1}, {whole: 0, offset: 16}, {whole: -1}},
	}
	if l := a.layout(); l.offset[2] < 32 {
		t.Errorf("what scales 32 numbers by the one at 16 writes to %d", l.offset[2])
	}
}

// What is joined must be what one kernel computes, and nothing else.
func TestFuse(t *testing.T) {
	outputs, _ := transformer(t, 4, 32)
	count := func(outputs []*gorgonia.Node, fixed bool) map[string]int {
		c, err := read(outputs)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.values {
			c.values[i].fixed = fixed && c.values[i].kind == input
		}
		n := map[string]int{}
		for _, s := range fuse(c).steps {
			switch k := s.kernel.(type) {
			case launch.LinearFused:
				n[fmt.Sprintf("linear gelu:%v terms:%d", k.GELU, k.Terms)]++
			default:
				n[fmt.Sprintf("%T", k)]++
			}
		}
		return n
	}
	forward := count(outputs[:1], true)
	for kind, want := range map[string]int{
		"linear gelu:true terms:0": 4, "linear gelu:false terms:1": 2, "linear gelu:false terms:2": 2, "op.GELUKernel": 0,
		"op.SumKernel": 2, "op.SliceKernel": 0, "op.LinearKernel": 3, "op.ConcatKernel": 0,
		"launch.Conv3dNorm": 1, "op.InstanceNormReLUKernel": 0,
	} {
		if forward[kind] != want {
			t.Errorf("forward: %d of %s, want %d: %v", forward[kind], kind, want, forward)
		}
	}
	// With gradients, what goes into a GELU is read again and must be there.
	if all := count(outputs, false); all["linear gelu:true terms:0"] != 0 || all["op.GELUKernel"] != 4 {
		t.Errorf("with gradients GELUs are joined: %v", all)
	}
}
