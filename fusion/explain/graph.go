package explain

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

// seedInput names the graph input that holds the derivative of what is explained after what the graph computes. Gradients
// begin there, and not at the constant one of gorgonia.Grad, which all graphs share: so graphs can be built side by side.
const seedInput = "seed"

// present says which modalities a graph has, in the order of experts.Modalities, and whether it has a clinical context.
type present struct {
	modalities [len(experts.Modalities)]bool
	context    bool
}

func (x *Explainer) presentIn(in fusion.Input) present {
	which := present{context: in.Context != nil && x.model.Config().Context}
	for i, m := range experts.Modalities {
		which.modalities[i] = in.Of(m) != nil
	}
	return which
}

// stem turns a modality's volume into tokens, and a derivative after the tokens into one after the volume.
type stem struct {
	volume            string // name of the input
	forward, backward *vm.Program
	out, gradient     *gorgonia.Node
}

// stem returns the modality's stem, built when it is first asked for; x.turn must be held.
func (x *Explainer) stem(m experts.Modality) (s *stem, err error) {
	if s, ok := x.stems[m]; ok {
		return s, nil
	}
	defer recovered(&err, "stem of "+string(m))
	b, err := nn.NewBuilder(x.model.Config())
	if err != nil {
		return nil, err
	}
	volume := b.Volume(m)
	if _, err := branch(x.model, m)(b, volume); err != nil {
		return nil, err
	}
	s = &stem{volume: nn.InputName(m), out: b.Marked("stem." + nn.InputName(m))}
	if s.out == nil {
		return nil, fmt.Errorf("expert %s marks no stem", m)
	}
	seed := b.Input(seedInput, s.out.Shape()...)
	if b.Err() != nil {
		return nil, b.Err()
	}
	gradients, err := gorgonia.Backpropagate(gorgonia.Nodes{s.out}, gorgonia.Nodes{seed}, gorgonia.Nodes{volume})
	if err != nil {
		return nil, fmt.Errorf("gradients: %w", err)
	}
	s.gradient = gradients[0]
	if s.forward, err = x.compile(b, s.out); err != nil {
		return nil, err
	}
	if s.backward, err = x.compile(b, s.gradient); err != nil {
		return nil, err
	}
	x.stems[m] = s
	return s, nil
}

func branch(model *fusion.Model, m experts.Modality) fusion.Branch {
	all := model.Options().Branches
	switch m {
	case experts.DCE:
		return all.DCE
	case experts.T2:
		return all.T2
	default:
		return all.DWI
	}
}

// tokens are the stem's output for a volume, [T, E].
func (s *stem) tokens(ctx context.Context, volume []float32) ([]float32, error) {
	if err := s.forward.Bind(s.volume, volume); err != nil {
		return nil, err
	}
	defer s.forward.Unbind(s.volume)
	return result(ctx, s.forward, s.out)
}

// slope is the derivative of sum(seed * tokens) after the volume, [channel, H, W, D].
func (s *stem) slope(ctx context.Context, volume, seed []float32) ([]float32, error) {
	if err := s.backward.Bind(s.volume, volume); err != nil {
		return nil, err
	}
	defer s.backward.Unbind(s.volume)
	if err := s.backward.Bind(seedInput, seed); err != nil {
		return nil, err
	}
	return result(ctx, s.backward, s.gradient)
}

// network is everything behind the stems for one combination of modalities: tokens to logits, and a derivative after
// the logits into those after the tokens.
type network struct {
	modalities        []experts.Modality       // present, in the order of experts.Modalities
	tokens            map[experts.Modality]int // rows
	classes, experts  int
	forward, backward *vm.Program
	logits            *gorgonia.Node
	gradients         gorgonia.Nodes // by modality
	gates             []gateNodes
}

// network returns the network for a combination of modalities, built when it is first met; x.turn must be held.
func (x *Explainer) network(which present) (n *network, err error) {
	if n, ok := x.networks[which]; ok {
		return n, nil
	}
	defer recovered(&err, "network")
	config := x.model.Config()
	b, err := nn.NewBuilder(config)
	if err != nil {
		return nil, err
	}
	n = &network{classes: config.Classes, experts: config.Experts, tokens: map[experts.Modality]int{}}
	inputs := map[experts.Modality]*gorgonia.Node{}
	var tokens gorgonia.Nodes
	for i, m := range experts.Modalities {
		if which.modalities[i] {
			n.tokens[m] = config.Boxes.Of(m).Tokens()
			inputs[m] = b.Input(nn.InputName(m), n.tokens[m], config.Embed)
			tokens = append(tokens, inputs[m])
			n.modalities = append(n.modalities, m)
		}
	}
	if which.context {
		inputs[nn.ContextRows] = b.ContextInput()
	}
	if n.logits, err = fusion.Graph(b, x.model.Options().Branches, inputs); err != nil {
		return nil, err
	}
	seed := b.Input(seedInput, 1, config.Classes)
	if b.Err() != nil {
		return nil, b.Err()
	}
	if n.gates, err = gatesOf(b); err != nil {
		return nil, err
	}
	n.gradients, err = gorgonia.Backpropagate(gorgonia.Nodes{n.logits}, gorgonia.Nodes{seed}, tokens)
	if err != nil {
		return nil, fmt.Errorf("gradients: %w", err)
	}
	outputs := gorgonia.Nodes{n.logits}
	for _, g := range n.gates {
		outputs = append(outputs, g.dispatch, g.combine)
	}
	if n.forward, err = x.compile(b, outputs...); err != nil {
		return nil, err
	}
	if n.backward, err = x.compile(b, n.gradients...); err != nil {
		return nil, err
	}
	x.networks[which] = n
	return n, nil
}

// compile plans the outputs on the model's weights and in the memory that all programs share.
func (x *Explainer) compile(b *nn.Builder, outputs ...*gorgonia.Node) (*vm.Program, error) {
	p, err := x.lane.Compile(outputs...)
	if err != nil {
		return nil, err
	}
	weights, inputs := x.model.Weights(), p.Inputs()
	names, _ := b.Weights()
	for _, name := range names {
		if _, needed := inputs[name]; !needed {
			continue
		}
		t, _ := weights.Tensor(name) // the model was made of them
		if err := p.BindFixed(name, t.Data); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// result runs a program and copies one of its outputs.
func result(ctx context.Context, p *vm.Program, out *gorgonia.Node) ([]float32, error) {
	if err := p.Run(ctx); err != nil {
		return nil, err
	}
	v, err := p.Value(out)
	return slices.Clone(v), err
}

// recovered makes an error of a panic: Gorgonia panics where a type cannot be inferred.
func recovered(err *error, what string) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("build %s: %v", what, cause)
	}
}
