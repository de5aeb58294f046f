package vm

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/op"
)

// code is what a part of a graph computes: its values, and the operations that make them in an order in which each comes after
// what it needs.
type code struct {
	steps   []step
	values  []value
	places  map[*gorgonia.Node]int // index into values
	names   map[string]int         // of inputs
	outputs []*gorgonia.Node
}

type step struct {
	kernel op.Kernel   // nil for an operation of Gorgonia's own
	op     gorgonia.Op // Gorgonia's own
	in     []int       // values
	out    int
}

// value is what a node stands for: data bound from outside, a constant, or the result of a step.
type value struct {
	name  string
	shape tensor.Shape
	kind  kind
	data  []float32 // of inputs and constants
	fixed bool      // an input that is promised not to change
	joins []int     // fixed inputs that this one consists of, one after the other; only a device knows such
}

type kind int

const (
	result kind = iota
	input
	constant
)

func (v *value) floats() int { return v.shape.TotalSize() }

// read collects the operations that the outputs need.
func read(outputs []*gorgonia.Node) (*code, error) {
	c := &code{places: map[*gorgonia.Node]int{}, names: map[string]int{}, outputs: outputs}
	for i, n := range outputs {
		if n == nil {
			return nil, fmt.Errorf("compile: output %d is nil", i)
		}
		if err := c.visit(n); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// visit adds n after everything that it needs.
func (c *code) visit(n *gorgonia.Node) error {
	if _, ok := c.places[n]; ok {
		return nil
	}
	v := value{name: n.Name(), shape: n.Shape().Clone()}
	o := n.Op()
	children := op.Children(n)
	switch {
	case o == nil:
		if _, ok := c.names[v.name]; ok {
			return fmt.Errorf("compile: two inputs are named %q", v.name)
		}
		v.kind = input
		c.names[v.name] = len(c.values)
	case len(children) == 0:
		if n.Value() == nil {
			return fmt.Errorf("compile: %v has neither inputs nor a value", n)
		}
		data, err := op.Floats(n.Value())
		if err != nil {
			return fmt.Errorf("compile: constant %v: %w", n, err)
		}
		v.kind, v.data = constant, data
	default:
		s := step{op: o}
		if own, ok := o.(op.Op); ok {
			s.kernel, s.op = own.Kernel, nil
		}
		for _, child := range children {
			if err := c.visit(child); err != nil {
				return err
			}
			s.in = append(s.in, c.places[child])
		}
		s.out = len(c.values)
		c.steps = append(c.steps, s)
	}
	c.places[n] = len(c.values)
	c.values = append(c.values, v)
	return nil
}

// wanted says for every value whether it is an output.
func (c *code) wanted() []bool {
	all := make([]bool, len(c.values))
	for _, n := range c.outputs {
		all[c.places[n]] = true
	}
	return all
}
