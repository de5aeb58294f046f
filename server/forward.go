package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mome/experts"
	"mome/experts/nn"
	"mome/fusion"
	"mome/fusion/train/measure"
)

type modelCommand struct {
	Forward modelForwardCommand `cmd:"" help:"Run any weights on any volumes: logits, activations, gradients."`
}

type modelForwardCommand struct {
	Weights string `type:"existingfile" placeholder:"FILE" help:"Weights (safetensors or PyTorch checkpoint); default: the built-in ones."`
	networkFlags
	DCE         string   `name:"dce" type:"existingfile" placeholder:"X.npy" help:"DCE subtractions, float32 [batch, channel, H, W, D] or without batch."`
	DWI         string   `name:"dwi" type:"existingfile" placeholder:"Y.npy" help:"DWI or ADC, in the same form."`
	T2          string   `name:"t2" type:"existingfile" placeholder:"Z.npy" help:"T2, in the same form."`
	Without     []string `placeholder:"NAME" help:"Leave a modality out: dce, dwi or t2, comma-separated; its rows are absent, not zero."`
	Output      string   `short:"o" type:"path" placeholder:"FILE" help:"File for the logits, [batch, classes]."`
	Activations string   `type:"path" placeholder:"DIR" help:"Folder for intermediate values, one file for each, [batch, rows, cols]."`
	Gradients   string   `type:"path" placeholder:"FILE" help:"File (.npz) for the gradients of the batch's mean cross-entropy, under the tensors' names."`
	Labels      []int    `placeholder:"1,0" help:"With --gradients, the class of each case."`
	computeFlags
}

// Help is the longer text of "server model forward --help".
func (modelForwardCommand) Help() string {
	return `Runs the network on volumes as numpy.save writes them, so that it can be held against another implementation. Volumes must
have the size of the network's boxes (see server weights show); intensities are taken as they are. DCE, DWI and T2 must each
have a file or be left out by --without. Gradients hold every tensor of the network; where the logits do not depend on
one, as on those of an absent modality, they are zeros. Activations are named by part, layer and modality, such as stem.dce.npy,
layer.0.t2.npy, mixture.9.npy or fc_norm.npy; DCE's rows have the class token first, except in the stem.

Examples:
    server model forward --weights model.th --dce dce.npy --dwi dwi.npy --t2 t2.npy -o logits.npy
    server model forward --weights model.th --dce dce.npy --dwi dwi.npy --without t2 --activations act
    server model forward --weights model.th --dce dce.npy --dwi dwi.npy --t2 t2.npy --gradients g.npz --labels 1,0`
}

// Run computes and writes what is asked for.
func (c *modelForwardCommand) Run(ctx context.Context, log *slog.Logger) error {
	set, name, err := openSet(c.Weights)
	if err != nil {
		return err
	}
	config, err := c.config(set)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	lane, err := c.lane(log)
	if err != nil {
		return err
	}
	cases, present, err := c.cases(config)
	if err != nil {
		return err
	}
	if c.Gradients != "" && len(c.Labels) != len(cases) {
		return fmt.Errorf("--labels names %d classes for %d cases: give one for each, such as --labels 1,0", len(c.Labels), len(cases))
	}
	net, err := newNetwork(set, config, present, lane, wants{marks: c.Activations != "", gradients: c.Gradients != ""})
	if err != nil {
		return err
	}
	all := newCollector(net, len(cases))
	for i, in := range cases {
		label := 0
		if c.Gradients != "" {
			label = c.Labels[i]
		}
		if err := net.run(ctx, in, label); err != nil {
			return fmt.Errorf("case %d: %w", i, err)
		}
		if err := all.add(); err != nil {
			return err
		}
		logits := all.logits.data[i*config.Classes:]
		fmt.Printf("case %d: logits %v, softmax %.4f\n", i, logits, measure.Softmax(logits, 1))
	}
	if c.Gradients != "" {
		fmt.Printf("mean cross-entropy %.6f\n", all.loss)
	}
	return c.write(all)
}

// cases reads the volumes and pairs them up over the batch.
func (c *modelForwardCommand) cases(config nn.Config) (cases []fusion.Input, present [3]bool, err error) {
	for _, name := range c.Without {
		if !slices.Contains([]string{"dce", "dwi", "t2"}, strings.ToLower(name)) {
			return nil, present, fmt.Errorf("--without %s: no such modality, want dce, dwi or t2", name)
		}
	}
	files := map[experts.Modality]string{experts.DCE: c.DCE, experts.T2: c.T2, experts.DWI: c.DWI}
	first := ""
	for i, m := range experts.Modalities {
		name := nn.InputName(m)
		if slices.ContainsFunc(c.Without, func(w string) bool { return strings.EqualFold(w, name) }) {
			continue
		}
		if files[m] == "" {
			return nil, present, fmt.Errorf("no volume for %s: give --%s FILE.npy, or leave it out by --without %s", m, name, name)
		}
		box := config.Boxes.Of(m)
		data, batch, err := readNPY(files[m], []int{box.Channels, box.Size[0], box.Size[1], box.Size[2]})
		if err != nil {
			return nil, present, err
		}
		if i := slices.IndexFunc(data, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }); i >= 0 {
			return nil, present, fmt.Errorf("%s: case %d is not finite at value %d: the network reads numbers only", files[m], i/box.Floats(), i%box.Floats())
		}
		if first == "" {
			first, cases = files[m], make([]fusion.Input, batch)
		} else if batch != len(cases) {
			return nil, present, fmt.Errorf("%s has %d cases, %s has %d", files[m], batch, first, len(cases))
		}
		present[i] = true
		for k := range cases {
			one := data[k*box.Floats() : (k+1)*box.Floats()]
			switch m {
			case experts.DCE:
				cases[k].DCE = one
			case experts.T2:
				cases[k].T2 = one
			case experts.DWI:
				cases[k].DWI = one
			}
		}
	}
	if first == "" {
		cases = make([]fusion.Input, 1) // the class token alone
	}
	return cases, present, nil
}

// collector gathers what a network computes over a batch.
type collector struct {
	net       *network
	batch     int
	logits    array
	loss      float64 // mean
	marks     []array
	gradients []array // of every tensor of the network, in its order; means
	index     map[string]int
}

func newCollector(n *network, batch int) *collector {
	c := &collector{net: n, batch: batch, logits: array{name: "logits", shape: []int{batch, n.config.Classes}}}
	for _, m := range n.marks {
		c.marks = append(c.marks, array{name: m.name, shape: append([]int{batch}, m.node.Shape()...)})
	}
	if n.loss != nil {
		c.index = map[string]int{}
		for i, s := range n.config.Tensors() {
			c.index[s.Name] = i
			c.gradients = append(c.gradients, array{name: s.Name, shape: s.Shape, data: make([]float32, product(s.Shape))})
		}
	}
	return c
}

// add takes what the last run computed.
func (c *collector) add() error {
	n := c.net
	v, err := n.value(n.logits)
	if err != nil {
		return err
	}
	c.logits.data = append(c.logits.data, v...)
	for i, m := range n.marks {
		if v, err = n.value(m.node); err != nil {
			return err
		}
		c.marks[i].data = append(c.marks[i].data, v...)
	}
	if n.loss == nil {
		return nil
	}
	if v, err = n.value(n.loss); err != nil {
		return err
	}
	share := 1 / float32(c.batch)
	c.loss += float64(v[0]) / float64(c.batch)
	for i, name := range n.trained {
		if v, err = n.value(n.grads[i]); err != nil {
			return err
		}
		sum := c.gradients[c.index[name]].data
		for j := range sum {
			sum[j] += share * v[j]
		}
	}
	return nil
}

func product(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// write writes the files that were asked for.
func (c *modelForwardCommand) write(all *collector) error {
	put := func(path string, a array) error {
		return writeFile(path, func(w io.Writer) error { return writeNPY(w, a.shape, a.data) })
	}
	if c.Output != "" {
		if err := put(c.Output, all.logits); err != nil {
			return err
		}
	}
	if c.Activations != "" {
		if err := os.MkdirAll(c.Activations, 0o755); err != nil {
			return err
		}
		for _, a := range all.marks {
			if err := put(filepath.Join(c.Activations, a.name+".npy"), a); err != nil {
				return err
			}
		}
		fmt.Printf("%d activations in %s\n", len(all.marks), c.Activations)
	}
	if c.Gradients == "" {
		return nil
	}
	if err := writeFile(c.Gradients, func(w io.Writer) error { return writeNPZ(w, all.gradients) }); err != nil {
		return err
	}
	unused := len(all.gradients) - len(all.net.trained)
	fmt.Printf("gradients of %d tensors in %s, %d of which are zeros because the logits do not depend on them\n", len(all.gradients), c.Gradients, unused)
	return nil
}
