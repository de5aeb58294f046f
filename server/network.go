package main

import (
	"context"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// network is the whole graph for one combination of modalities, compiled for what a command wants to see of it.
type network struct {
	config       nn.Config
	present      [3]bool // in the order of experts.Modalities
	lane         *vm.Lane
	program      *vm.Program
	inputs       map[string][]float32 // what is bound
	logits, loss *gorgonia.Node
	marks        []marked
	trained      []string // tensors of the graph, in the order of grads
	grads        gorgonia.Nodes
}

// marked is an intermediate value that a network part has named; see nn.Builder.Marked.
type marked struct {
	name string
	node *gorgonia.Node
}

// wants are what a network computes besides the logits.
type wants struct{ marks, gradients bool }

const targetInput = "target"

// newNetwork builds and compiles the graph over the tensors of the set, which are not copied.
func newNetwork(set weights.Set, config nn.Config, present [3]bool, lane *vm.Lane, want wants) (n *network, err error) {
	defer func() {
		if cause := recover(); cause != nil { // Gorgonia panics where a type cannot be inferred
			n, err = nil, fmt.Errorf("build graph: %v", cause)
		}
	}()
	b, err := nn.NewBuilder(config)
	if err != nil {
		return nil, err
	}
	inputs := map[experts.Modality]*gorgonia.Node{}
	for i, m := range experts.Modalities {
		if present[i] {
			inputs[m] = b.Volume(m)
		}
	}
	n = &network{config: config, present: present, lane: lane, inputs: map[string][]float32{}}
	if n.logits, err = fusion.Graph(b, branches, inputs); err != nil {
		return nil, err
	}
	outputs := gorgonia.Nodes{n.logits}
	if want.marks {
		for _, name := range markNames(config) {
			if node := b.Marked(name); node != nil {
				n.marks = append(n.marks, marked{name, node})
				outputs = append(outputs, node)
			}
		}
	}
	names, nodes := b.Weights()
	if want.gradients {
		target := b.Input(targetInput, 1, config.Classes)
		n.loss = b.Add(func() (*gorgonia.Node, error) { return op.CrossEntropy(n.logits, target) })
		if err := b.Err(); err != nil {
			return nil, err
		}
		if n.grads, err = gorgonia.Grad(n.loss, nodes...); err != nil {
			return nil, fmt.Errorf("gradients: %w", err)
		}
		n.trained = slices.Clone(names)
		outputs = append(append(outputs, n.loss), n.grads...)
	}
	if n.program, err = lane.Compile(outputs...); err != nil {
		return nil, err
	}
	for _, name := range names {
		t, ok := set.Tensor(name)
		if !ok {
			return nil, fmt.Errorf("tensor %q is missing", name)
		}
		n.inputs[name] = t.Data
		if err := n.program.BindFixed(name, t.Data); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// markNames are all names that parts of the network may have marked.
func markNames(c nn.Config) []string {
	var names []string
	for _, part := range []string{"stem", "embed"} {
		for _, m := range nn.RowOrder() {
			names = append(names, part+"."+nn.InputName(m))
		}
	}
	for i := range c.Layers {
		for _, part := range []string{"inner", "attention", "ffn", "adapter", "layer"} {
			for _, m := range nn.RowOrder() {
				names = append(names, fmt.Sprintf("%s.%d.%s", part, i, nn.InputName(m)))
			}
		}
		for _, part := range []string{"dispatch.%d", "combine.%d", "mixture.%d", "adapter.%d", "layer.%d.cls"} {
			names = append(names, fmt.Sprintf(part, i))
		}
	}
	return append(names, "fc_norm")
}

func (n *network) bind(name string, data []float32) error {
	n.inputs[name] = data
	return n.program.Bind(name, data)
}

// run computes everything for one case. The label counts only where gradients are wanted.
func (n *network) run(ctx context.Context, in fusion.Input, label int) error {
	for i, m := range experts.Modalities {
		if !n.present[i] {
			continue
		}
		if err := n.bind(nn.InputName(m), in.Of(m)); err != nil {
			return err
		}
	}
	if n.loss != nil {
		if label < 0 || label >= n.config.Classes {
			return fmt.Errorf("label %d of %d classes", label, n.config.Classes)
		}
		target := make([]float32, n.config.Classes)
		target[label] = 1
		if err := n.bind(targetInput, target); err != nil {
			return err
		}
	}
	return n.program.Run(ctx)
}

// value is what the last run computed for a node, to be read before the next.
func (n *network) value(node *gorgonia.Node) ([]float32, error) { return n.program.Value(node) }
