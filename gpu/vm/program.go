// Package vm runs graphs made of the operations of gpu/op: on the CPU, or on a device with the kernels of gpu/launch. The same
// planner serves both. A device that runs out of memory, or is lost, is no error: the CPU computes instead, and a warning is given.
package vm

import (
	"context"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/op"
)

// Program runs the part of a graph that some of its nodes need: every operation once, in an order fixed when it was compiled. All
// intermediate values live in the arena of its Lane.
//
// A Program is not safe for concurrent use, nor are the Programs of one Lane; several Programs may share the slices bound to their
// inputs.
type Program struct {
	*code
	lane   *Lane
	host   layout
	arena  []float32     // in which the last run on the CPU worked
	args   [][][]float32 // by step, reused from run to run
	device *deviceProgram
	ran    place
}

// place is where the last run was.
type place int

const (
	nowhere place = iota
	onHost
	onDevice
)

// Compile plans how to compute the outputs on the CPU, in an arena of their own. The graph must not be touched meanwhile, not even
// by another Compile: Gorgonia fills an index of nodes when it is asked for a node's children.
func Compile(outputs ...*gorgonia.Node) (*Program, error) {
	return new(Lane).Compile(outputs...)
}

// Compile is Compile for the lane.
func (l *Lane) Compile(outputs ...*gorgonia.Node) (*Program, error) {
	c, err := read(outputs)
	if err != nil {
		return nil, err
	}
	p := &Program{code: c, lane: l, args: make([][][]float32, len(c.steps))}
	for i, s := range c.steps {
		p.args[i] = make([][]float32, len(s.in))
	}
	p.host = (&arrangement{values: c.values, steps: c.steps, wanted: c.wanted()}).layout()
	if l.machine != nil {
		p.device = &deviceProgram{}
		l.programs = append(l.programs, p.device)
	}
	return p, nil
}

// ArenaFloats is the number of floats that intermediate values need on the CPU at most at one time.
func (p *Program) ArenaFloats() int { return p.host.size }

// Inputs are the names and shapes of the inputs that the outputs need.
func (p *Program) Inputs() map[string]tensor.Shape {
	all := make(map[string]tensor.Shape, len(p.names))
	for name, i := range p.names {
		all[name] = p.values[i].shape
	}
	return all
}

// Bind sets an input to data, which every Run reads anew but never writes, and which is not kept anywhere else.
func (p *Program) Bind(name string, data []float32) error { return p.bind(name, data, false) }

// BindFixed is Bind for data that never change again: a device copies them once, for all programs.
func (p *Program) BindFixed(name string, data []float32) error { return p.bind(name, data, true) }

func (p *Program) bind(name string, data []float32, fixed bool) error {
	i, ok := p.names[name]
	if !ok {
		return fmt.Errorf("bind: no input %q", name)
	}
	v := &p.values[i]
	if len(data) != v.floats() {
		return fmt.Errorf("bind: input %q holds %d floats, want shape %v", name, len(data), v.shape)
	}
	if p.device != nil && (fixed || v.fixed) && (fixed != v.fixed || v.data == nil || &v.data[0] != &data[0]) {
		p.device.stale = true
	}
	v.data, v.fixed = data, fixed
	return nil
}

// Unbind forgets an input's data, so that they can be freed; the next Run needs new ones.
func (p *Program) Unbind(name string) {
	if i, ok := p.names[name]; ok {
		p.values[i].data = nil
	}
}

// Run computes the outputs. On the CPU it stops between two operations when ctx is done, on a device before the first. Every input
// must be bound.
func (p *Program) Run(ctx context.Context) error {
	for name, i := range p.names {
		if p.values[i].data == nil {
			return fmt.Errorf("run: input %q is not bound", name)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.runOnDevice() {
		p.ran = onDevice
		return nil
	}
	p.ran = onHost
	p.arena = p.lane.host(p.host.size)
	for i := range p.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, args := &p.steps[i], p.args[i]
		for j, v := range s.in {
			args[j] = p.floats(v)
		}
		if s.kernel != nil {
			p.compute(s.kernel, p.floats(s.out), args)
		} else if err := p.foreign(s, args); err != nil {
			return fmt.Errorf("run %v: %w", s.op, err)
		}
	}
	return nil
}

// compute picks the form of the kernel for the lane's precision.
func (p *Program) compute(k op.Kernel, out []float32, in [][]float32) {
	if reduced, ok := k.(op.Reducible); ok && p.lane.precision == op.BFloat16 {
		reduced.RunBFloat16(out, in)
		return
	}
	k.Run(out, in)
}

// foreign runs an operation of Gorgonia's own and copies its result into the arena.
func (p *Program) foreign(s *step, args [][]float32) error {
	in := make([]gorgonia.Value, len(s.in))
	for j, v := range s.in {
		shape := p.values[v].shape
		if shape.Dims() == 0 {
			in[j] = gorgonia.NewF32(args[j][0])
		} else {
			in[j] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(args[j]))
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
	if n := copy(p.floats(s.out), data); n != len(data) || n != p.values[s.out].floats() {
		return fmt.Errorf("returned %d floats, want shape %v", len(data), p.values[s.out].shape)
	}
	return nil
}

// floats is a value on the CPU.
func (p *Program) floats(i int) []float32 {
	v := &p.values[i]
	if v.kind != result {
		return v.data
	}
	at, n := p.host.offset[i], v.floats()
	return p.arena[at : at+n : at+n]
}

// Value is what the last Run computed for one of the outputs. It is overwritten by the next Run of any program of the lane.
func (p *Program) Value(output *gorgonia.Node) ([]float32, error) {
	if !slices.Contains(p.outputs, output) {
		return nil, fmt.Errorf("value: %v is not an output of the program", output)
	}
	i := p.places[output]
	switch {
	case p.values[i].kind != result:
		return p.values[i].data, nil
	case p.ran == onHost:
		return p.floats(i), nil
	case p.ran == onDevice:
		return p.device.results[i], nil
	}
	return nil, fmt.Errorf("value: the program has not run")
}
