package fusion

import (
	"context"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/gpu/op"
)

// present says which modalities a graph has, in the order DCE, T2, DWI, and whether it has the context.
type present struct {
	modalities [3]bool
	context    bool
}

func presentIn(c nn.Config, in Input) present {
	return present{[3]bool{in.DCE != nil, in.T2 != nil, in.DWI != nil}, c.Context && in.Context != nil}
}

// executor computes the logits for one combination of modalities. It is not safe for concurrent use.
type executor struct {
	program *op.Program
	out     *gorgonia.Node
	which   present
}

// newExecutor builds the graph and binds the weights it uses.
func newExecutor(config nn.Config, set weights.Set, o Options, which present) (run *executor, err error) {
	defer func() {
		if cause := recover(); cause != nil { // Gorgonia panics where a type cannot be inferred
			run, err = nil, fmt.Errorf("%v", cause)
		}
	}()
	b, err := nn.NewBuilder(config)
	if err != nil {
		return nil, err
	}
	inputs := map[experts.Modality]*gorgonia.Node{}
	for i, m := range experts.Modalities {
		if which.modalities[i] {
			inputs[m] = b.Volume(m)
		}
	}
	if which.context {
		inputs[nn.ContextRows] = b.ContextInput()
	}
	out, err := Graph(b, o.Branches, inputs)
	if err != nil {
		return nil, err
	}
	program, err := op.Compile(out)
	if err != nil {
		return nil, err
	}
	program.SetPrecision(o.Precision)
	names, _ := b.Weights()
	for _, name := range names {
		t, _ := set.Tensor(name) // nn.ConfigFrom has seen them all
		if err := program.Bind(name, t.Data); err != nil {
			return nil, err
		}
	}
	return &executor{program: program, out: out, which: which}, nil
}

// logits runs the graph on the volumes, which must be those that the graph was built for.
func (e *executor) logits(ctx context.Context, in Input) ([]float32, error) {
	for i, m := range experts.Modalities {
		if !e.which.modalities[i] {
			continue
		}
		if err := e.program.Bind(nn.InputName(m), in.Of(m)); err != nil {
			return nil, err
		}
		defer e.program.Unbind(nn.InputName(m)) // a volume is not to outlive the call
	}
	if e.which.context {
		encoded, err := in.Context.Encode()
		if err != nil {
			return nil, err
		}
		if err := e.program.Bind(nn.InputName(nn.ContextRows), encoded); err != nil {
			return nil, err
		}
		defer e.program.Unbind(nn.InputName(nn.ContextRows))
	}
	if err := e.program.Run(ctx); err != nil {
		return nil, err
	}
	out, err := e.program.Value(e.out)
	return slices.Clone(out), err
}
