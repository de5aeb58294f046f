package train

import (
	"context"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/fusion"
	"mome/gpu/vm"
)

// lane runs samples one after the other in memory of its own.
type lane struct {
	learner *learner
	studio  studio
	target  []float32 // [1, classes]
	runs    map[kind]*run
	vm      *vm.Lane // where they run

	last   *run // what learn computed and settle has still to add
	factor float32
}

// run is a graph made ready.
type run struct {
	graph   *graph
	program *vm.Program
	paths   []int // places of the inputs of nn.DropPathInputs that the graph has
}

// learn computes one sample's loss and gradient.
func (l *lane) learn(ctx context.Context, it item) error {
	s, err := l.learner.source.At(it.index)
	if err != nil {
		return fmt.Errorf("sample %d: %w", it.index, err)
	}
	in, err := l.studio.input(s, it)
	if err != nil {
		return err
	}
	clear(l.target)
	l.target[s.Label] = 1
	l.factor = 1
	if w := l.learner.o.ClassWeights; w != nil {
		l.factor = float32(w[s.Label])
	}
	l.last, err = l.execute(ctx, in, it, true)
	return err
}

// settle adds what learn computed to the learner's sums and returns the loss.
func (l *lane) settle() (float64, error) {
	for i, number := range l.last.graph.trained {
		gradient, err := l.last.program.Value(l.last.graph.grads[i])
		if err != nil {
			return 0, err
		}
		accumulate(l.learner.layout.of(l.learner.sum, number), gradient, l.factor)
		l.learner.touched[number] = true
	}
	loss, err := l.last.program.Value(l.last.graph.loss)
	if err != nil {
		return 0, err
	}
	return float64(l.factor) * float64(loss[0]), nil
}

func (l *lane) logits(ctx context.Context, it item) ([]float32, error) {
	s, err := l.learner.source.At(it.index)
	if err != nil {
		return nil, fmt.Errorf("sample %d: %w", it.index, err)
	}
	in, err := l.studio.input(s, it)
	if err != nil {
		return nil, err
	}
	r, err := l.execute(ctx, in, it, false)
	if err != nil {
		return nil, err
	}
	out, err := r.program.Value(r.graph.logits)
	return slices.Clone(out), err
}

// execute runs the program for the modalities of in.
func (l *lane) execute(ctx context.Context, in fusion.Input, it item, learning bool) (*run, error) {
	k := kind{context: in.Context != nil, learning: learning}
	for i, m := range experts.Modalities {
		k.which[i] = in.Of(m) != nil
	}
	r := l.runs[k]
	if r == nil {
		var err error
		if r, err = l.compile(k); err != nil {
			return nil, err
		}
		l.runs[k] = r
	}
	for i, m := range experts.Modalities {
		if !k.which[i] {
			continue
		}
		if err := r.program.Bind(nn.InputName(m), in.Of(m)); err != nil {
			return nil, err
		}
		defer r.program.Unbind(nn.InputName(m)) // a volume is not to outlive the call
	}
	if k.context {
		encoded, err := in.Context.Encode()
		if err != nil {
			return nil, err
		}
		if err := r.program.Bind(nn.InputName(nn.ContextRows), encoded); err != nil {
			return nil, err
		}
	}
	names := nn.DropPathInputs(l.learner.config)
	for _, at := range r.paths {
		if err := r.program.Bind(names[at], it.path[at:at+1]); err != nil {
			return nil, err
		}
	}
	return r, r.program.Run(ctx)
}

// compile plans the loss and gradients, or the logits alone, on the learner's weights.
func (l *lane) compile(k kind) (*run, error) {
	l.learner.building.Lock() // even reading a graph changes it; see vm.Compile
	defer l.learner.building.Unlock()
	g, err := l.learner.graph(k)
	if err != nil {
		return nil, err
	}
	outputs := []*gorgonia.Node{g.logits}
	if k.learning {
		outputs = append([]*gorgonia.Node{g.loss}, g.grads...)
	}
	p, err := l.vm.Compile(outputs...)
	if err != nil {
		return nil, err
	}
	r := &run{graph: g, program: p}
	return r, l.bind(r)
}

// bind gives a run its weights, trained or frozen, and notes its drop-path inputs.
func (l *lane) bind(r *run) error {
	inputs := r.program.Inputs()
	for i, name := range nn.DropPathInputs(l.learner.config) {
		if _, ok := inputs[name]; ok {
			r.paths = append(r.paths, i)
		}
	}
	for name := range inputs {
		bind := r.program.Bind
		var data []float32
		if i, ok := l.learner.layout.number[name]; ok {
			data = l.learner.layout.of(l.learner.flat, i)
		} else if t, ok := l.learner.initial.Tensor(name); ok {
			data, bind = t.Data, r.program.BindFixed
		} else if name == targetInput {
			data = l.target
		} else {
			continue // a volume, the context or a drop-path input
		}
		if err := bind(name, data); err != nil {
			return err
		}
	}
	return nil
}
