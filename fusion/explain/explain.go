// Package explain says why a model judged a study as it did: how much each token, and each voxel under it, added to the
// log-odds (integrated gradients, Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017,
// arXiv 1703.01365), and how the gate of the fusion layers weighed the modalities. What each modality added as a whole
// is a Shapley value: fusion.Model.Contributions. An explanation describes the model and not the disease: attribution
// is no segmentation.
package explain

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"mome/experts"
	"mome/experts/nn"
	"mome/fusion"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// Malignant is the class that Explain explains.
const Malignant = 1

// Explainer explains what one model answers. It is safe for concurrent use; calls take turns, since one already uses
// all cores. Graphs are built when a combination of modalities is first met, and kept. It computes in float32 whatever
// precision the model runs with, on the model's machine. Of the published network an explanation takes some hundred times the
// processor time of a forward pass.
type Explainer struct {
	model *fusion.Model

	turn     sync.Mutex
	stems    map[experts.Modality]*stem
	networks map[present]*network
	lane     *vm.Lane // where all of these run, since they take turns
}

// New returns an Explainer for a model.
func New(model *fusion.Model) (*Explainer, error) {
	if model == nil {
		return nil, fmt.Errorf("explain: no model")
	}
	return &Explainer{model: model, stems: map[experts.Modality]*stem{}, networks: map[present]*network{}, lane: model.Options().Machine.Lane(op.Float32)}, nil
}

// Explanation is what the calibrated log-odds of one class, ln(p / (1-p)), were made of.
type Explanation struct {
	Class    int
	LogOdds  float64 // of the study
	Baseline float64 // with all tokens of the modalities present set to zero: only positions and clinical context are left
	Parts    []Part  // the modalities present, in the order of experts.Modalities
	Gates    []Gate  // one per fusion layer
	Steps    int     // points at which gradients were taken
}

// Part is what one modality's tokens and voxels added. Token attributions over all parts sum to LogOdds - Baseline up
// to the completeness error; voxels sum to their tokens.
type Part struct {
	Modality experts.Modality
	Box      nn.Box
	Tokens   []float64 // log-odds, one per token, in the order H, W, D of Box.Grid, D fastest
	Voxels   []float32 // log-odds, one per voxel of the box, [H, W, D], D fastest
}

// Sum is what the modality's tokens added together, log-odds.
func (p *Part) Sum() float64 {
	sum := 0.0
	for _, v := range p.Tokens {
		sum += v
	}
	return sum
}

// Sum is what all tokens added together, log-odds.
func (e *Explanation) Sum() float64 {
	sum := 0.0
	for i := range e.Parts {
		sum += e.Parts[i].Sum()
	}
	return sum
}

// CompletenessError is how far the attributions miss what they must sum to, LogOdds - Baseline: in log-odds, and
// relative to it. Where the two are equal the relative error is 0 or infinite.
func (e *Explanation) CompletenessError() (absolute, relative float64) {
	want := e.LogOdds - e.Baseline
	absolute = math.Abs(e.Sum() - want)
	if absolute == 0 {
		return 0, 0
	}
	return absolute, absolute / math.Abs(want)
}

// Explain attributes the log-odds of class 1, malignant, to the modalities present in the input. An input that the
// model cannot read, or that holds no modality, is a fusion.ErrInput.
func (x *Explainer) Explain(ctx context.Context, in fusion.Input) (*Explanation, error) {
	return x.ExplainClass(ctx, in, Malignant)
}

// ExplainClass attributes the log-odds of another class of the head.
func (x *Explainer) ExplainClass(ctx context.Context, in fusion.Input, class int) (*Explanation, error) {
	if n := x.model.Config().Classes; class < 0 || class >= n || n < 2 {
		return nil, fmt.Errorf("explain: class %d of %d", class, n)
	}
	if which := x.presentIn(in); !slices.Contains(which.modalities[:], true) {
		return nil, fmt.Errorf("explain: %w: no modality is present", fusion.ErrInput)
	}
	if _, err := x.model.Logits(ctx, in); err != nil { // also checks the volumes
		return nil, fmt.Errorf("explain: %w", err)
	}
	x.turn.Lock()
	defer x.turn.Unlock()
	e, err := x.explain(ctx, in, class)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	return e, nil
}

// path is the path from zero tokens to those of an input.
func (x *Explainer) path(ctx context.Context, in fusion.Input, class int) (*path, error) {
	which, config := x.presentIn(in), x.model.Config()
	net, err := x.network(which)
	if err != nil {
		return nil, err
	}
	p := &path{
		net: net, tokens: map[experts.Modality][]float32{}, rows: fusion.Rows(config, in),
		class: class, temperature: x.model.Temperature(),
	}
	for _, m := range net.modalities {
		s, err := x.stem(m)
		if err != nil {
			return nil, err
		}
		if p.tokens[m], err = s.tokens(ctx, in.Of(m)); err != nil {
			return nil, err
		}
	}
	if which.context {
		p.context, err = in.Context.Encode()
	}
	return p, err
}

// explain does the work; x.turn must be held.
func (x *Explainer) explain(ctx context.Context, in fusion.Input, class int) (*Explanation, error) {
	p, err := x.path(ctx, in, class)
	if err != nil {
		return nil, err
	}
	e, mean, err := p.integrate(ctx)
	if err != nil {
		return nil, err
	}
	for i := range e.Parts {
		p := &e.Parts[i]
		p.Box = x.model.Config().Boxes.Of(p.Modality)
		s, err := x.stem(p.Modality)
		if err != nil {
			return nil, err
		}
		slope, err := s.slope(ctx, in.Of(p.Modality), mean[p.Modality])
		if err != nil {
			return nil, err
		}
		p.Voxels = spread(p.Box, p.Tokens, in.Of(p.Modality), slope)
	}
	return e, nil
}
