package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/gpu/op"
)

// lanes is the number of sums into which the gradients of a batch are collected, sample i into sum i mod lanes. It is
// fixed, so that the order of additions does not depend on the cores at hand, and more than most machines that train
// this have.
const lanes = 4

const targetInput = "target"

// layout says where each tensor lies in a flat array of all weights.
type layout struct {
	specs  []nn.TensorSpec
	offset map[string]int
	length map[string]int
	size   int
}

func newLayout(config nn.Config) layout {
	l := layout{specs: config.Tensors(), offset: map[string]int{}, length: map[string]int{}}
	for _, s := range l.specs {
		n := 1
		for _, d := range s.Shape {
			n *= d
		}
		l.offset[s.Name], l.length[s.Name] = l.size, n
		l.size += n
	}
	return l
}

func (l layout) of(flat []float32, name string) []float32 {
	at, n := l.offset[name], l.length[name]
	return flat[at : at+n : at+n]
}

// set makes tensors of a flat array, sharing its memory.
func (l layout) set(flat []float32, metadata map[string]string) (weights.Set, error) {
	tensors := make([]weights.Tensor, len(l.specs))
	for i, s := range l.specs {
		tensors[i] = weights.Tensor{Name: s.Name, Shape: slices.Clone(s.Shape), Data: l.of(flat, s.Name)}
	}
	return weights.New(tensors, metadata)
}

// learner holds the weights and what is needed to change them.
type learner struct {
	config nn.Config
	o      Options
	layout layout
	flat   []float32 // all weights
	sum    []float32 // gradient of the batch
	adam   *adam
	lanes  [lanes]*lane

	building sync.Mutex
	graphs   map[[3]bool]*graph
}

// graph is the network for one combination of modalities, with the gradients of the loss.
type graph struct {
	logits, loss *gorgonia.Node
	trained      []string // names, in the order of grads
	grads        gorgonia.Nodes
}

func newLearner(config nn.Config, initial weights.Set, o Options) (*learner, error) {
	l := &learner{config: config, o: o, layout: newLayout(config), graphs: map[[3]bool]*graph{}}
	l.flat = make([]float32, l.layout.size)
	l.sum = make([]float32, l.layout.size)
	for _, s := range l.layout.specs {
		t, _ := initial.Tensor(s.Name) // nn.ConfigFrom has seen them all
		copy(l.layout.of(l.flat, s.Name), t.Data)
	}
	l.adam = newAdam(l.layout.size)
	for i := range l.lanes {
		l.lanes[i] = &lane{learner: l, gradient: make([]float32, l.layout.size), runs: map[runKey]*op.Program{}, touched: map[string]bool{}}
	}
	return l, nil
}

// step changes the weights by one batch and returns its mean loss before the change.
func (l *learner) step(ctx context.Context, batch []item, rate float64) (float64, error) {
	losses := make([]float64, len(batch))
	err := l.each(len(batch), func(lane *lane, i int) (err error) {
		losses[i], err = lane.learn(ctx, batch[i])
		return err
	})
	if err != nil {
		return 0, err
	}
	clear(l.sum)
	touched := map[string]bool{}
	for _, lane := range l.lanes {
		for i, v := range lane.gradient {
			l.sum[i] += v
		}
		clear(lane.gradient)
		for name := range lane.touched {
			touched[name] = true
		}
	}
	scale := 1 / float64(len(batch))
	if length := scale * norm(l.sum); l.o.ClipNorm > 0 && length > l.o.ClipNorm {
		scale *= l.o.ClipNorm / length
	} else if math.IsNaN(length) {
		return 0, fmt.Errorf("gradient is not finite")
	}
	l.adam.begin(rate, l.o.WeightDecay)
	for _, s := range l.layout.specs {
		if touched[s.Name] { // a tensor that no graph uses must not decay
			at := l.layout.offset[s.Name]
			l.adam.update(at, l.layout.of(l.flat, s.Name), l.layout.of(l.sum, s.Name), scale)
		}
	}
	mean := 0.0
	for _, v := range losses {
		mean += v / float64(len(batch))
	}
	return mean, nil
}

func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// logits computes the head's outputs for the samples, without dropout or flips.
func (l *learner) logits(ctx context.Context, source Source, indices []int) ([][]float32, error) {
	out := make([][]float32, len(indices))
	err := l.each(len(indices), func(lane *lane, i int) error {
		s, err := source.At(indices[i])
		if err != nil {
			return fmt.Errorf("sample %d: %w", indices[i], err)
		}
		out[i], err = lane.logits(ctx, s.input())
		return err
	})
	return out, err
}

// each calls do for i in [0, n), item i on lane i mod lanes, lanes side by side, and returns the first lane's error.
func (l *learner) each(n int, do func(lane *lane, i int) error) error {
	var wait sync.WaitGroup
	errs := make([]error, lanes)
	for k := range lanes {
		wait.Go(func() {
			defer func() {
				if cause := recover(); cause != nil {
					errs[k] = fmt.Errorf("%v", cause)
				}
			}()
			for i := k; i < n && errs[k] == nil; i += lanes {
				errs[k] = do(l.lanes[k], i)
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

// graph returns the graph for a combination of modalities, built when it is first met.
func (l *learner) graph(which [3]bool) (*graph, error) {
	l.building.Lock()
	defer l.building.Unlock()
	if g, ok := l.graphs[which]; ok {
		return g, nil
	}
	b, err := nn.NewBuilder(l.config)
	if err != nil {
		return nil, err
	}
	inputs := map[experts.Modality]*gorgonia.Node{}
	for i, m := range experts.Modalities {
		if which[i] {
			inputs[m] = b.Volume(m)
		}
	}
	g := &graph{}
	if g.logits, err = fusion.Graph(b, l.o.Branches, inputs); err != nil {
		return nil, err
	}
	target := b.Input(targetInput, 1, l.config.Classes)
	g.loss = b.Add(func() (*gorgonia.Node, error) { return op.CrossEntropy(g.logits, target) })
	if err := b.Err(); err != nil {
		return nil, err
	}
	names, nodes := b.Weights()
	var wrt gorgonia.Nodes
	for i, name := range names {
		if l.o.Trained(name) {
			g.trained, wrt = append(g.trained, name), append(wrt, nodes[i])
		}
	}
	if len(wrt) > 0 {
		if g.grads, err = gorgonia.Grad(g.loss, wrt...); err != nil {
			return nil, fmt.Errorf("gradients: %w", err)
		}
	}
	l.graphs[which] = g
	return g, nil
}

// lane runs samples one after the other and sums their gradients.
type lane struct {
	learner  *learner
	gradient []float32
	touched  map[string]bool // tensors that have had a gradient
	runs     map[runKey]*op.Program
	arena    []float32
}

type runKey struct {
	which    [3]bool
	learning bool
}

// learn adds one sample's gradient and returns its loss.
func (l *lane) learn(ctx context.Context, it item) (float64, error) {
	in, label, err := it.input(l.learner.config)
	if err != nil {
		return 0, fmt.Errorf("sample %d: %w", it.index, err)
	}
	g, p, err := l.prepare(in, true)
	if err != nil {
		return 0, err
	}
	target := make([]float32, l.learner.config.Classes)
	target[label] = 1
	if err := p.Bind(targetInput, target); err != nil {
		return 0, err
	}
	if err := p.Run(ctx); err != nil {
		return 0, err
	}
	for i, name := range g.trained {
		grad, err := p.Value(g.grads[i])
		if err != nil {
			return 0, err
		}
		sum := l.learner.layout.of(l.gradient, name)
		for j, v := range grad {
			sum[j] += v
		}
		l.touched[name] = true
	}
	loss, err := p.Value(g.loss)
	if err != nil {
		return 0, err
	}
	return float64(loss[0]), nil
}

func (l *lane) logits(ctx context.Context, in fusion.Input) ([]float32, error) {
	g, p, err := l.prepare(in, false)
	if err != nil {
		return nil, err
	}
	if err := p.Run(ctx); err != nil {
		return nil, err
	}
	out, err := p.Value(g.logits)
	return slices.Clone(out), err
}

// prepare finds the program for the modalities of in and binds them.
func (l *lane) prepare(in fusion.Input, learning bool) (*graph, *op.Program, error) {
	key := runKey{learning: learning}
	for i, m := range experts.Modalities {
		key.which[i] = in.Of(m) != nil
	}
	g, err := l.learner.graph(key.which)
	if err != nil {
		return nil, nil, err
	}
	p := l.runs[key]
	if p == nil {
		if p, err = l.compile(g, learning); err != nil {
			return nil, nil, err
		}
		l.runs[key] = p
	}
	for i, m := range experts.Modalities {
		if key.which[i] {
			if err := p.Bind(nn.InputName(m), in.Of(m)); err != nil {
				return nil, nil, err
			}
		}
	}
	return g, p, nil
}

// compile plans the loss and gradients, or the logits alone, in the lane's arena and on the learner's weights.
func (l *lane) compile(g *graph, learning bool) (*op.Program, error) {
	outputs := []*gorgonia.Node{g.logits}
	if learning {
		outputs = append([]*gorgonia.Node{g.loss}, g.grads...)
	}
	l.learner.building.Lock() // even reading a graph changes it; see op.Compile
	p, err := op.Compile(outputs...)
	l.learner.building.Unlock()
	if err != nil {
		return nil, err
	}
	for name := range p.Inputs() {
		if _, ok := l.learner.layout.offset[name]; !ok {
			continue // a volume or the target
		}
		if err := p.Bind(name, l.learner.layout.of(l.learner.flat, name)); err != nil {
			return nil, err
		}
	}
	if p.ArenaFloats() > len(l.arena) {
		l.arena = make([]float32, p.ArenaFloats())
		for _, other := range l.runs {
			if err := other.UseArena(l.arena); err != nil {
				return nil, err
			}
		}
	}
	return p, p.UseArena(l.arena)
}
