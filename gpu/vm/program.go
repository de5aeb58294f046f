package vm

import (
	"context"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/op"
)

// Program runs the part of a graph that some of its nodes need: every operation once, in an order fixed when it was
// compiled. All intermediate values live in one arena, where a value's room is given to others after its last use,
// and kernels that can do so write over their input.
//
// A Program is not safe for concurrent use; several Programs may share the slices bound to their inputs.
type Program struct {
	steps   []step
	places  map[*gorgonia.Node]int // index into values
	names   map[string]int         // of inputs
	values  []value
	outputs []*gorgonia.Node
	size    int // floats of the arena
	arena   []float32

	precision op.Precision
}

type step struct {
	kernel op.Kernel   // nil for an operation of Gorgonia's own
	op     gorgonia.Op // Gorgonia's own
	in     []int
	out    int
	args   [][]float32 // reused from run to run
}

// value is what a node stands for: data bound from outside, a constant, or floats of the arena.
type value struct {
	name   string
	shape  tensor.Shape
	data   []float32
	input  bool
	inside bool // lives in the arena
	offset int
}

// Compile plans how to compute the outputs. The graph must not be touched meanwhile, not even by another Compile:
// Gorgonia fills an index of nodes when it is asked for a node's children.
func Compile(outputs ...*gorgonia.Node) (*Program, error) {
	p := &Program{places: map[*gorgonia.Node]int{}, names: map[string]int{}, outputs: outputs}
	for i, n := range outputs {
		if n == nil {
			return nil, fmt.Errorf("compile: output %d is nil", i)
		}
		if err := p.visit(n); err != nil {
			return nil, err
		}
	}
	p.plan()
	return p, nil
}

// visit adds n after everything that it needs.
func (p *Program) visit(n *gorgonia.Node) error {
	if _, ok := p.places[n]; ok {
		return nil
	}
	v := value{name: n.Name(), shape: n.Shape().Clone()}
	o := n.Op()
	children := op.Children(n)
	switch {
	case o == nil:
		if _, ok := p.names[v.name]; ok {
			return fmt.Errorf("compile: two inputs are named %q", v.name)
		}
		v.input = true
		p.names[v.name] = len(p.values)
	case len(children) == 0:
		if n.Value() == nil {
			return fmt.Errorf("compile: %v has neither inputs nor a value", n)
		}
		data, err := op.Floats(n.Value())
		if err != nil {
			return fmt.Errorf("compile: constant %v: %w", n, err)
		}
		v.data = data
	default:
		s := step{op: o}
		if own, ok := o.(op.Op); ok {
			s.kernel, s.op = own.Kernel, nil
		}
		for _, c := range children {
			if err := p.visit(c); err != nil {
				return err
			}
			s.in = append(s.in, p.places[c])
		}
		s.out = len(p.values)
		s.args = make([][]float32, len(s.in))
		v.inside = true
		p.steps = append(p.steps, s)
	}
	p.places[n] = len(p.values)
	p.values = append(p.values, v)
	return nil
}

// plan gives every intermediate value its place in the arena: the lowest gap that is free from the step that writes
// the value to the last one that reads it.
func (p *Program) plan() {
	const forever = int(^uint(0) >> 1)
	last := make([]int, len(p.values))
	for i, s := range p.steps {
		last[s.out] = i
		for _, v := range s.in {
			last[v] = i
		}
	}
	for _, n := range p.outputs {
		last[p.places[n]] = forever
	}
	var live []int // values in the arena, by offset
	for i, s := range p.steps {
		out := &p.values[s.out]
		if first := s.in[0]; p.overwrites(s, last[first] == i) {
			out.offset = p.values[first].offset
			live[slices.Index(live, first)] = s.out
		} else {
			at := 0
			out.offset, at = gap(p.values, live, out.shape.TotalSize())
			live = slices.Insert(live, at, s.out)
		}
		p.size = max(p.size, out.offset+out.shape.TotalSize())
		live = slices.DeleteFunc(live, func(v int) bool { return last[v] <= i })
	}
}

// overwrites says whether a step may take over the room of its first input, given whether it is the last to read it.
func (p *Program) overwrites(s step, lastUse bool) bool {
	first := s.in[0]
	_, able := s.kernel.(op.InPlace)
	return able && lastUse && p.values[first].inside && !slices.Contains(s.in[1:], first) &&
		p.values[first].shape.TotalSize() == p.values[s.out].shape.TotalSize()
}

// gap finds the lowest room of the given size between the live values, and its position among them.
func gap(values []value, live []int, size int) (offset, at int) {
	for i, v := range live {
		if values[v].offset-offset >= size {
			return offset, i
		}
		offset = values[v].offset + align(values[v].shape.TotalSize())
	}
	return offset, len(live)
}

// align rounds up to a cache line of 16 floats.
func align(n int) int { return (n + 15) &^ 15 }

// ArenaFloats is the number of floats that intermediate values need at most at one time.
func (p *Program) ArenaFloats() int { return p.size }

// UseArena lets the program work in memory of the caller, of at least ArenaFloats; Programs that never run at the
// same time may share it. Without it, the first Run allocates.
func (p *Program) UseArena(arena []float32) error {
	if len(arena) < p.size {
		return fmt.Errorf("arena of %d floats, want %d", len(arena), p.size)
	}
	p.arena = arena
	return nil
}

// Inputs are the names and shapes of the inputs that the outputs need.
func (p *Program) Inputs() map[string]tensor.Shape {
	all := make(map[string]tensor.Shape, len(p.names))
	for name, i := range p.names {
		all[name] = p.values[i].shape
	}
	return all
}

// Bind sets an input to data, which the program reads but never writes, and which is not copied.
func (p *Program) Bind(name string, data []float32) error {
	i, ok := p.names[name]
	if !ok {
		return fmt.Errorf("bind: no input %q", name)
	}
	v := &p.values[i]
	if len(data) != v.shape.TotalSize() {
		return fmt.Errorf("bind: input %q holds %d floats, want shape %v", name, len(data), v.shape)
	}
	v.data = data
	return nil
}

// Unbind forgets an input's data, so that they can be freed; the next Run needs new ones.
func (p *Program) Unbind(name string) {
	if i, ok := p.names[name]; ok {
		p.values[i].data = nil
	}
}

// Run computes the outputs. It stops between two operations when ctx is done. Every input must be bound.
func (p *Program) Run(ctx context.Context) error {
	for name, i := range p.names {
		if p.values[i].data == nil {
			return fmt.Errorf("run: input %q is not bound", name)
		}
	}
	if len(p.arena) < p.size {
		p.arena = make([]float32, p.size)
	}
	for i := range p.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &p.steps[i]
		for j, v := range s.in {
			s.args[j] = p.floats(v)
		}
		if s.kernel != nil {
			p.run(s.kernel, p.floats(s.out), s.args)
		} else if err := p.foreign(s); err != nil {
			return fmt.Errorf("run %v: %w", s.op, err)
		}
	}
	return nil
}

// run picks the form of the kernel for the program's precision.
func (p *Program) run(k op.Kernel, out []float32, in [][]float32) {
	if reduced, ok := k.(op.Reducible); ok && p.precision == op.BFloat16 {
		reduced.RunBFloat16(out, in)
		return
	}
	k.Run(out, in)
}

// foreign runs an operation of Gorgonia's own and copies its result into the arena.
func (p *Program) foreign(s *step) error {
	in := make([]gorgonia.Value, len(s.in))
	for j, v := range s.in {
		shape := p.values[v].shape
		if shape.Dims() == 0 {
			in[j] = gorgonia.NewF32(s.args[j][0])
		} else {
			in[j] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(s.args[j]))
		}
	}
	result, err := s.op.Do(in...)
	if err != nil {
		return err
	}
	data, err := op.Floats(result)
	if err != nil {
		return err
	}
	if n := copy(p.floats(s.out), data); n != len(data) || n != p.values[s.out].shape.TotalSize() {
		return fmt.Errorf("returned %d floats, want shape %v", len(data), p.values[s.out].shape)
	}
	return nil
}

func (p *Program) floats(i int) []float32 {
	v := &p.values[i]
	if !v.inside {
		return v.data
	}
	return p.arena[v.offset : v.offset+v.shape.TotalSize() : v.offset+v.shape.TotalSize()]
}

// Value is what the last Run computed for one of the outputs. It is overwritten by the next.
func (p *Program) Value(output *gorgonia.Node) ([]float32, error) {
	if !slices.Contains(p.outputs, output) {
		return nil, fmt.Errorf("value: %v is not an output of the program", output)
	}
	if i := p.places[output]; !p.values[i].inside || p.arena != nil {
		return p.floats(i), nil
	}
	return nil, fmt.Errorf("value: the program has not run")
}

// SetPrecision decides how the program's next runs compute. The default is op.Float32.
func (p *Program) SetPrecision(to op.Precision) { p.precision = to }
