package train

import (
	"context"
	"fmt"
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
		l.lanes[i] = &lane{
			learner: l, studio: studio{config: config, jitter: o.Jitter}, target: make([]float32, config.Classes),
			vm: o.Machine.Lane(op.Float32), runs: map[kind]*run{},
		}
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
