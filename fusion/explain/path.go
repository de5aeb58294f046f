package explain

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/integrate/quad"

	"mome/experts"
	"mome/experts/nn"
	"mome/fusion"
	"mome/gpu/vm"
)

// The path integral begins with firstPanels panels of panelPoints points each; 32 points together. It goes on until it
// is complete or has used lastSteps.
const (
	firstPanels = 4
	panelPoints = 8
	lastSteps   = 512
)

// Attributions are complete when their sum misses the difference in log-odds by less than a thousandth of it, or by
// less than what float32 logits can tell.
const (
	relativeTolerance = 1e-3
	absoluteTolerance = 1e-5
)

// path is the straight line from zero tokens to the study's, behind the stems.
//
// It does not begin at a zero volume: the stem is invariant to its input's scale, so nothing changes along that path
// but at its very beginning. Zero tokens are what a zero volume gives.
type path struct {
	net         *network
	tokens      map[experts.Modality][]float32 // [T, E]
	context     []float32                      // encoded, the same all along the path; nil where there is none
	rows        []fusion.Part                  // of the fusion layers
	class       int
	temperature float64
}

// panel is a stretch of the path and what changes along it.
type panel struct {
	from, to float64                        // in u; the path's alpha is u²
	odds     [2]float64                     // at its ends
	sums     map[experts.Modality][]float64 // gradients integrated over alpha, [T, E]
	missed   float64                        // what the attributions lack or have too much, log-odds
}

// integrate attributes the change of the log-odds f along the path to the tokens x (eq. 1 of the paper, summed over a
// token's elements):
//
//	attribution_t = sum over e of x_te * mean over the path of df/dx_te
//
// It also returns these means, [T, E] by modality.
//
// A network can change abruptly somewhere on the path, where a row that a layer norm reads is nearly constant. But
// completeness holds for every stretch of the path, so each panel knows its error, and the worst is halved until all
// of them together are small.
func (p *path) integrate(ctx context.Context) (*Explanation, map[experts.Modality][]float32, error) {
	e := &Explanation{Class: p.class}
	var err error
	if e.Baseline, err = p.logOdds(ctx, 0); err != nil {
		return nil, nil, err
	}
	if e.LogOdds, err = p.logOdds(ctx, 1); err != nil {
		return nil, nil, err
	}
	if e.Gates, err = p.net.readGates(p.rows); err != nil { // of the run at the study's own tokens
		return nil, nil, err
	}
	var panels []panel
	odds := e.Baseline
	for i := range firstPanels {
		next := panel{from: float64(i) / firstPanels, to: float64(i+1) / firstPanels}
		next.odds[0] = odds
		if next.odds[1], err = p.logOdds(ctx, next.to); err != nil {
			return nil, nil, err
		}
		if err := p.measure(ctx, &next); err != nil {
			return nil, nil, err
		}
		odds = next.odds[1]
		panels = append(panels, next)
	}
	tolerance := max(absoluteTolerance, relativeTolerance*math.Abs(e.LogOdds-e.Baseline))
	for e.Steps = firstPanels * panelPoints; e.Steps+2*panelPoints <= lastSteps; e.Steps += 2 * panelPoints {
		worst, missed := 0, 0.0
		for i := range panels {
			missed += math.Abs(panels[i].missed)
			if math.Abs(panels[i].missed) > math.Abs(panels[worst].missed) {
				worst = i
			}
		}
		if missed <= tolerance {
			break
		}
		halves, err := p.halve(ctx, panels[worst])
		if err != nil {
			return nil, nil, err
		}
		panels = slices.Replace(panels, worst, worst+1, halves[:]...)
	}
	mean := p.mean(panels)
	e.Parts = p.parts(mean)
	return e, mean, nil
}

// halve measures both halves of a panel.
func (p *path) halve(ctx context.Context, whole panel) (halves [2]panel, err error) {
	middle := (whole.from + whole.to) / 2
	odds, err := p.logOdds(ctx, middle)
	if err != nil {
		return halves, err
	}
	halves[0] = panel{from: whole.from, to: middle, odds: [2]float64{whole.odds[0], odds}}
	halves[1] = panel{from: middle, to: whole.to, odds: [2]float64{odds, whole.odds[1]}}
	for i := range halves {
		if err := p.measure(ctx, &halves[i]); err != nil {
			return halves, err
		}
	}
	return halves, nil
}

// measure integrates the gradients over a panel, by Gauss-Legendre quadrature in u.
func (p *path) measure(ctx context.Context, s *panel) error {
	points, weights := make([]float64, panelPoints), make([]float64, panelPoints)
	quad.Legendre{}.FixedLocations(points, weights, s.from, s.to)
	s.sums = map[experts.Modality][]float64{}
	for _, m := range p.net.modalities {
		s.sums[m] = make([]float64, len(p.tokens[m]))
	}
	for i, u := range points {
		gradients, err := p.gradients(ctx, u)
		if err != nil {
			return err
		}
		weight := 2 * u * weights[i] // d alpha = 2 u du
		for j, m := range p.net.modalities {
			for k, v := range gradients[j] {
				s.sums[m][k] += weight * float64(v)
			}
		}
	}
	s.missed = s.odds[0] - s.odds[1]
	for m, sum := range s.sums {
		for k, v := range sum {
			s.missed += v * float64(p.tokens[m][k])
		}
	}
	if math.IsNaN(s.missed) || math.IsInf(s.missed, 0) {
		return fmt.Errorf("gradients are not finite")
	}
	return nil
}

// mean is the sum of all panels: the path has length 1 in alpha.
func (p *path) mean(panels []panel) map[experts.Modality][]float32 {
	means := map[experts.Modality][]float32{}
	for _, m := range p.net.modalities {
		means[m] = make([]float32, len(p.tokens[m]))
		for k := range means[m] {
			sum := 0.0
			for i := range panels {
				sum += panels[i].sums[m][k]
			}
			means[m][k] = float32(sum)
		}
	}
	return means
}

// logOdds are those of the class at a point of the path: u is 0 at zero tokens, 1 at the study's.
func (p *path) logOdds(ctx context.Context, u float64) (float64, error) {
	logits, err := p.logits(ctx, u)
	if err != nil {
		return 0, err
	}
	return logOdds(logits, p.class, p.temperature)
}

// logits are the network's answer at a point of the path.
func (p *path) logits(ctx context.Context, u float64) ([]float32, error) {
	if err := p.bind(p.net.forward, u*u); err != nil {
		return nil, err
	}
	return result(ctx, p.net.forward, p.net.logits)
}

// gradients are the derivatives of the log-odds after the tokens of each modality at a point of the path. They are
// overwritten by the next run.
func (p *path) gradients(ctx context.Context, u float64) ([][]float32, error) {
	logits := make([]float32, p.net.classes)
	if p.net.classes > 2 { // of two classes the log-odds are linear in the logits
		var err error
		if logits, err = p.logits(ctx, u); err != nil {
			return nil, err
		}
	}
	program := p.net.backward
	if err := p.bind(program, u*u); err != nil {
		return nil, err
	}
	if err := program.Bind(seedInput, seed(logits, p.class, p.temperature)); err != nil {
		return nil, err
	}
	if err := program.Run(ctx); err != nil {
		return nil, err
	}
	out := make([][]float32, len(p.net.gradients))
	for i, g := range p.net.gradients {
		var err error
		if out[i], err = program.Value(g); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// bind scales the tokens by alpha and gives them to a program.
func (p *path) bind(program *vm.Program, alpha float64) error {
	for _, m := range p.net.modalities {
		scaled := make([]float32, len(p.tokens[m]))
		for i, v := range p.tokens[m] {
			scaled[i] = float32(alpha) * v
		}
		if err := program.Bind(nn.InputName(m), scaled); err != nil {
			return err
		}
	}
	if p.context != nil {
		return program.Bind(nn.InputName(nn.ContextRows), p.context)
	}
	return nil
}

// parts are the attributions of all tokens, given the mean gradients.
func (p *path) parts(mean map[experts.Modality][]float32) []Part {
	var parts []Part
	for _, m := range p.net.modalities {
		tokens := make([]float64, p.net.tokens[m])
		embed := len(p.tokens[m]) / len(tokens)
		for k, v := range p.tokens[m] {
			tokens[k/embed] += float64(v) * float64(mean[m][k])
		}
		parts = append(parts, Part{Modality: m, Tokens: tokens})
	}
	return parts
}

// logOdds are those of a class, calibrated.
func logOdds(logits []float32, class int, temperature float64) (float64, error) {
	swapped := slices.Clone(logits)
	swapped[Malignant], swapped[class] = swapped[class], swapped[Malignant]
	return fusion.LogOdds(swapped, temperature)
}

// seed is the derivative of the log-odds of a class after the logits, [1, classes]: 1/T for the class itself, and for
// the others minus the softmax among them over T.
func seed(logits []float32, class int, temperature float64) []float32 {
	top := math.Inf(-1)
	for i, v := range logits {
		if i != class {
			top = max(top, float64(v))
		}
	}
	share, total := make([]float64, len(logits)), 0.0
	for i, v := range logits {
		if i != class {
			share[i] = math.Exp((float64(v) - top) / temperature)
			total += share[i]
		}
	}
	out := make([]float32, len(logits))
	for i := range out {
		out[i] = float32(-share[i] / total / temperature)
	}
	out[class] = float32(1 / temperature)
	return out
}
