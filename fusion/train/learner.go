package train

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/gpu/op"
)

const targetInput = "target"

// learner holds the weights and what is needed to change them.
type learner struct {
	config  nn.Config
	o       Options
	source  Source
	initial weights.Set
	layout  layout
	flat    []float32 // trained weights
	sum     []float32 // gradient of the batch
	touched []bool    // trained tensors that had a gradient in the batch
	adam    *adam
	lanes   []*lane

	building sync.Mutex
	graphs   map[kind]*graph
}

// kind is what a graph is for: the modalities present, whether the context is, and whether gradients are wanted.
type kind struct {
	which    [3]bool
	context  bool
	learning bool
}

// graph is the network for one kind of run, when learning with the gradients of the loss.
type graph struct {
	logits, loss *gorgonia.Node
	trained      []int // numbers in the layout, in the order of grads
	grads        gorgonia.Nodes
}

func newLearner(config nn.Config, initial weights.Set, source Source, o Options) *learner {
	l := &learner{config: config, o: o, source: source, initial: initial, layout: newLayout(config, o.Trained), graphs: map[kind]*graph{}}
	l.flat, l.sum = make([]float32, l.layout.size()), make([]float32, l.layout.size())
	for i, s := range l.layout.specs {
		t, _ := initial.Tensor(s.Name) // nn.ConfigFrom has seen them all
		copy(l.layout.of(l.flat, i), t.Data)
	}
	l.touched = make([]bool, len(l.layout.specs))
	l.adam = newAdam(l.layout)
	l.lanes = make([]*lane, o.Lanes)
	for i := range l.lanes {
		l.lanes[i] = &lane{learner: l, studio: studio{config: config, jitter: o.Jitter}, target: make([]float32, config.Classes), runs: map[kind]*run{}}
	}
	return l
}

// step changes the weights by one batch and returns its mean loss before the change and the length of the gradient.
func (l *learner) step(ctx context.Context, batch []item, rate float64) (loss, length float64, err error) {
	clear(l.sum)
	clear(l.touched)
	err = l.each(len(batch), func(lane *lane, i int) error {
		return lane.learn(ctx, batch[i])
	}, func(lane *lane, _ int) error {
		value, err := lane.settle()
		loss += value / float64(len(batch))
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	scale := 1 / float64(len(batch))
	length = scale * norm(l.sum)
	switch {
	case !finite(length) || !finite(loss):
		return 0, 0, fmt.Errorf("loss %g has a gradient of length %g", loss, length)
	case l.o.ClipNorm > 0 && length > l.o.ClipNorm:
		scale *= l.o.ClipNorm / length
	}
	for i, touched := range l.touched {
		if touched {
			l.adam.update(l.layout, i, l.flat, l.sum, scale, rate, l.o.WeightDecay)
		}
	}
	return loss, length, nil
}

// logits computes the head's outputs for the samples, without dropout or augmentation.
func (l *learner) logits(ctx context.Context, indices []int) ([][]float32, error) {
	out := make([][]float32, len(indices))
	err := l.each(len(indices), func(lane *lane, i int) (err error) {
		out[i], err = lane.logits(ctx, middle(indices[i]))
		return err
	}, nil)
	return out, err
}

// each calls work for i in [0, n), lanes side by side, and after it settle, on the same lane but in the order of i and
// one at a time: sums made there do not depend on the number of lanes. The answer is the error of the lowest i.
func (l *learner) each(n int, work, settle func(lane *lane, i int) error) error {
	lanes := min(len(l.lanes), n)
	errs, failed := make([]error, n), make(chan struct{})
	turns := make([]chan struct{}, n+1) // each closed when the item may settle
	for i := range turns {
		turns[i] = make(chan struct{})
	}
	close(turns[0])
	one := func(lane *lane, i int) (err error) {
		defer func() {
			if cause := recover(); cause != nil { // Gorgonia panics where a type cannot be inferred
				err = fmt.Errorf("%v", cause)
			}
		}()
		if err := work(lane, i); err != nil || settle == nil {
			return err
		}
		select {
		case <-turns[i]:
			defer close(turns[i+1])
			return settle(lane, i)
		case <-failed:
			return nil
		}
	}
	var wait sync.WaitGroup
	var once sync.Once
	for k := range lanes {
		wait.Go(func() {
			for i := k; i < n; i += lanes {
				select {
				case <-failed:
					return
				default:
				}
				if errs[i] = one(l.lanes[k], i); errs[i] != nil {
					once.Do(func() { close(failed) })
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// graph returns the graph of a kind, built when it is first asked for. l.building must be held.
func (l *learner) graph(k kind) (*graph, error) {
	if g, ok := l.graphs[k]; ok {
		return g, nil
	}
	b, err := nn.NewBuilder(l.config)
	if err != nil {
		return nil, err
	}
	b.DropPath = k.learning && l.o.DropPath > 0
	inputs := map[experts.Modality]*gorgonia.Node{}
	for i, m := range experts.Modalities {
		if k.which[i] {
			inputs[m] = b.Volume(m)
		}
	}
	if k.context {
		inputs[nn.ContextRows] = b.ContextInput()
	}
	g := &graph{}
	if g.logits, err = fusion.Graph(b, l.o.Branches, inputs); err != nil {
		return nil, err
	}
	if k.learning {
		if err := l.differentiate(b, g); err != nil {
			return nil, err
		}
	}
	l.graphs[k] = g
	return g, nil
}

// differentiate adds the loss and its gradients.
func (l *learner) differentiate(b *nn.Builder, g *graph) (err error) {
	target := b.Input(targetInput, 1, l.config.Classes)
	g.loss = b.Add(func() (*gorgonia.Node, error) { return op.CrossEntropy(g.logits, target) })
	if err := b.Err(); err != nil {
		return err
	}
	names, nodes := b.Weights()
	var wrt gorgonia.Nodes
	for i, name := range names {
		if number, ok := l.layout.number[name]; ok {
			g.trained, wrt = append(g.trained, number), append(wrt, nodes[i])
		}
	}
	if len(wrt) > 0 {
		if g.grads, err = gorgonia.Grad(g.loss, wrt...); err != nil {
			return fmt.Errorf("gradients: %w", err)
		}
	}
	return nil
}

// lane runs samples one after the other in memory of its own.
type lane struct {
	learner *learner
	studio  studio
	target  []float32 // [1, classes]
	runs    map[kind]*run
	arena   []float32

	last   *run // what learn computed and settle has still to add
	factor float32
}

// run is a graph made ready.
type run struct {
	graph   *graph
	program *op.Program
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

// compile plans the loss and gradients, or the logits alone, in the lane's arena and on the learner's weights.
func (l *lane) compile(k kind) (*run, error) {
	l.learner.building.Lock() // even reading a graph changes it; see op.Compile
	defer l.learner.building.Unlock()
	g, err := l.learner.graph(k)
	if err != nil {
		return nil, err
	}
	outputs := []*gorgonia.Node{g.logits}
	if k.learning {
		outputs = append([]*gorgonia.Node{g.loss}, g.grads...)
	}
	p, err := op.Compile(outputs...)
	if err != nil {
		return nil, err
	}
	r := &run{graph: g, program: p}
	if err := l.bind(r); err != nil {
		return nil, err
	}
	if p.ArenaFloats() > len(l.arena) {
		l.arena = make([]float32, p.ArenaFloats())
		for _, other := range l.runs {
			if err := other.program.UseArena(l.arena); err != nil {
				return nil, err
			}
		}
	}
	return r, p.UseArena(l.arena)
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
		var data []float32
		if i, ok := l.learner.layout.number[name]; ok {
			data = l.learner.layout.of(l.learner.flat, i)
		} else if t, ok := l.learner.initial.Tensor(name); ok {
			data = t.Data
		} else if name == targetInput {
			data = l.target
		} else {
			continue // a volume, the context or a drop-path input
		}
		if err := r.program.Bind(name, data); err != nil {
			return err
		}
	}
	return nil
}
