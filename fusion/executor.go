package fusion

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/gpu/vm"
)

// stage is a part of the network that runs by itself: one modality's expert, or the fusion of a combination. An
// expert's rows do not depend on other modalities, so they are computed once however many combinations are asked for.
type stage struct {
	// expert is the modality whose expert it is; "" for the fusion.
	expert experts.Modality
	// alone is for DCE's expert without a volume: the class token.
	alone bool
	// parts say which modalities are fused, in the order DCE, T2, DWI, and context whether the context is. Of DCE the
	// class token's row is always there.
	parts   [3]bool
	context bool
}

// executor computes one stage. It is not safe for concurrent use.
type executor struct {
	program *vm.Program
	out     *gorgonia.Node
}

// lane runs the stages of one call at a time, all in one memory.
type lane struct {
	vm     *vm.Lane
	stages map[stage]*executor
}

// newExecutor builds the stage's graph for a lane and binds the weights it uses.
func newExecutor(config nn.Config, set weights.Set, branches Branches, l *vm.Lane, s stage) (run *executor, err error) {
	defer func() {
		if cause := recover(); cause != nil { // Gorgonia panics where a type cannot be inferred
			run, err = nil, fmt.Errorf("%v", cause)
		}
	}()
	b, err := nn.NewBuilder(config)
	if err != nil {
		return nil, err
	}
	out, err := s.graph(b, branches)
	if err != nil {
		return nil, err
	}
	program, err := l.Compile(out)
	if err != nil {
		return nil, err
	}
	names, _ := b.Weights()
	for _, name := range names {
		t, _ := set.Tensor(name) // nn.ConfigFrom has seen them all
		if err := program.BindFixed(name, t.Data); err != nil {
			return nil, err
		}
	}
	return &executor{program: program, out: out}, nil
}

// graph is the expert's rows [T, E] from its volume, or the logits [1, classes] from the experts' rows.
func (s stage) graph(b *nn.Builder, branches Branches) (*gorgonia.Node, error) {
	if s.expert != "" {
		var input *gorgonia.Node
		if !s.alone {
			input = b.Volume(s.expert)
		}
		return expertRows(b, branches, s.expert, input)
	}
	var parts []rows
	for _, m := range nn.RowOrder() {
		count := 0
		if m == experts.DCE {
			count = 1 // the class token
		}
		if s.has(m) {
			count += b.Config.Boxes.Of(m).Tokens()
		}
		if count > 0 {
			parts = append(parts, rows{m, b.Input(rowsName(m), count, b.Config.Embed)})
		}
	}
	if s.context {
		parts = append(parts, rows{nn.ContextRows, b.EmbedContext(b.ContextInput())})
	}
	return fuse(b, parts)
}

// has says whether the stage fuses a modality.
func (s stage) has(m experts.Modality) bool { return s.parts[slices.Index(experts.Modalities[:], m)] }

// rowsName is the name of the input that holds an expert's rows.
func rowsName(m experts.Modality) string { return "rows." + nn.InputName(m) }

// run computes the stage from the given inputs, which are forgotten afterwards. The answer is the caller's.
func (e *executor) run(ctx context.Context, inputs map[string][]float32) ([]float32, error) {
	for name, data := range inputs {
		if err := e.program.Bind(name, data); err != nil {
			return nil, err
		}
		defer e.program.Unbind(name) // a volume is not to outlive the call
	}
	if err := e.program.Run(ctx); err != nil {
		return nil, err
	}
	out, err := e.program.Value(e.out)
	return slices.Clone(out), err
}

// opinions are what the experts say of one input: their rows before fusion.
type opinions struct {
	rows    map[experts.Modality][]float32 // of the modalities that are present
	alone   []float32                      // the class token's row where DCE is left out
	context []float32                      // encoded; nil where there is none, or the network reads none
}

// read runs the experts of the input. The class token alone is computed where there is no DCE, or where it is asked for.
func (m *Model) read(ctx context.Context, in Input, withoutDCE bool) (opinions, error) {
	o := opinions{rows: map[experts.Modality][]float32{}}
	if err := m.check(in); err != nil {
		return o, err
	}
	for _, modality := range nn.RowOrder() {
		data := in.Of(modality)
		if data == nil {
			continue
		}
		rows, err := m.run(ctx, stage{expert: modality}, map[string][]float32{nn.InputName(modality): data})
		if err != nil {
			return o, err
		}
		o.rows[modality] = rows
	}
	var err error
	if in.DCE == nil || withoutDCE {
		if o.alone, err = m.run(ctx, stage{expert: experts.DCE, alone: true}, nil); err != nil {
			return o, err
		}
	}
	if in.Context != nil && m.config.Context {
		o.context, err = in.Context.Encode()
	}
	return o, err
}

// logits fuses the opinions of the given modalities.
func (m *Model) logits(ctx context.Context, o opinions, of ...experts.Modality) ([]float32, error) {
	s := stage{context: o.context != nil}
	inputs := map[string][]float32{rowsName(experts.DCE): o.alone}
	for i, modality := range experts.Modalities {
		if rows := o.rows[modality]; rows != nil && slices.Contains(of, modality) {
			s.parts[i] = true
			inputs[rowsName(modality)] = rows
		}
	}
	if s.context {
		inputs[nn.InputName(nn.ContextRows)] = o.context
	}
	return m.run(ctx, s, inputs)
}

// run computes a stage as soon as a lane is free.
func (m *Model) run(ctx context.Context, s stage, inputs map[string][]float32) ([]float32, error) {
	var l *lane
	select {
	case l = <-m.lanes:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { m.lanes <- l }()
	e, err := m.executor(l, s)
	if err != nil {
		return nil, err
	}
	return e.run(ctx, inputs)
}

// executor is the lane's for a stage, built when it is first met.
func (m *Model) executor(l *lane, s stage) (*executor, error) {
	if e, ok := l.stages[s]; ok {
		return e, nil
	}
	e, err := newExecutor(m.config, m.set, m.options.Branches, l.vm, s)
	if err != nil {
		return nil, fmt.Errorf("build graph: %w", err)
	}
	l.stages[s] = e
	return e, nil
}

// Close gives back what the model has on a device. No call may be under way, and none may follow.
func (m *Model) Close() error {
	var err error
	for range cap(m.lanes) {
		l := <-m.lanes
		err = errors.Join(err, l.vm.Close())
	}
	return err
}
