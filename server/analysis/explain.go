package analysis

import (
	"context"
	"errors"
	"fmt"

	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
	"mome/fusion/explain"
)

// Explanation is why the model judged a finding as it did.
type Explanation struct {
	*explain.Explanation
	Maps   map[experts.Modality]*volume.Volume // attribution on each modality's box around the finding, log-odds per voxel
	PeakMM *volume.Vec                         // where the finding's heat map is highest, mm; nil if nothing speaks for malignancy
}

// ErrNothingToExplain says that an Analyzer has no model that judges the malignancy of findings.
var ErrNothingToExplain = errors.New("analysis: no model judges findings")

// Explaining is an Analyzer that also explains its findings: Reading.Explanations and Reading.Attribution. It fails
// with ErrNothingToExplain without a model that judges them. With the built-in weights an explanation takes a tenth to a fifth of a second
// of processor time a finding.
func (a *Analyzer) Explaining() (*Analyzer, error) {
	if m := a.cfg.Model; m == nil || m.Config().ReadsWhole() || m.Task().Name != fusion.Malignancy {
		return nil, ErrNothingToExplain
	}
	explainer, err := explain.New(a.cfg.Model)
	if err != nil {
		return nil, err
	}
	also := *a
	also.explainer = explainer
	return &also, nil
}

// explain explains the findings of the assessment, in its order.
func (w *work) explain(ctx context.Context) error {
	if w.explainer == nil {
		return nil
	}
	w.stage("explanation", 0.9)
	grid, channels := w.reading.Assessment.Grid, w.reading.Channels()
	for n, f := range w.reading.Assessment.Findings {
		w.progress("explanation", 0.9+0.1*float64(n)/float64(len(w.reading.Assessment.Findings)))
		in, err := w.input(w.cfg.Model, f.Lesion, channels)
		if err != nil {
			return fmt.Errorf("explain %s: %w", f.Label, err)
		}
		found, err := w.explainer.Explain(ctx, in)
		if err != nil {
			return fmt.Errorf("explain %s: %w", f.Label, err)
		}
		e := &Explanation{Explanation: found, Maps: map[experts.Modality]*volume.Volume{}}
		for i := range found.Parts {
			part := &found.Parts[i]
			if e.Maps[part.Modality], err = part.Map(f.CentreMM, grid.FrameOfReference); err != nil {
				return fmt.Errorf("explain %s: %w", f.Label, err)
			}
		}
		heat, err := found.Heatmap(f.CentreMM, grid)
		if err != nil {
			return fmt.Errorf("explain %s: %w", f.Label, err)
		}
		if peakMM, ok := explain.PeakMM(heat); ok {
			e.PeakMM = &peakMM
		}
		if w.reading.Attribution != nil {
			if heat, err = explain.Combine(w.reading.Attribution, heat); err != nil {
				return err
			}
		}
		w.reading.Attribution = heat
		w.reading.Explanations = append(w.reading.Explanations, e)
	}
	return nil
}

// ExplanationFinding is an explanation for programs, in log-odds of malignancy.
type ExplanationFinding struct {
	LogOdds           float64            `json:"log_odds"`
	Baseline          float64            `json:"baseline_log_odds"`  // with all tokens of the modalities set to zero
	Attribution       map[string]float64 `json:"attribution"`        // integrated gradients, by modality; they sum to log_odds - baseline
	CompletenessError float64            `json:"completeness_error"` // by which they miss that
	Steps             int                `json:"steps"`
	PeakMM            *volume.Vec        `json:"peak_mm,omitempty"`
	Gates             []GateFinding      `json:"gates"`
}

// GateFinding is how one fusion layer weighed what the class token took from the mixture of experts; the shares of the
// modalities and the class token's own sum to 1, and so do the experts'.
type GateFinding struct {
	Layer      int                `json:"layer"`
	Modalities map[string]float64 `json:"modalities"`
	ClassToken float64            `json:"class_token"`
	Experts    []float64          `json:"experts"`
}

// explanationOf is the explanation of finding n, nil where there is none.
func (r *Reading) explanationOf(n int) *ExplanationFinding {
	if n >= len(r.Explanations) {
		return nil
	}
	e := r.Explanations[n]
	f := &ExplanationFinding{LogOdds: e.LogOdds, Baseline: e.Baseline, Steps: e.Steps, PeakMM: e.PeakMM, Attribution: map[string]float64{}}
	f.CompletenessError, _ = e.CompletenessError()
	for i := range e.Parts {
		f.Attribution[string(e.Parts[i].Modality)] = e.Parts[i].Sum()
	}
	for _, g := range e.Gates {
		out := GateFinding{Layer: g.Layer, Modalities: map[string]float64{}, ClassToken: g.ClassShare, Experts: g.Experts}
		for m, share := range g.Share {
			out.Modalities[string(m)] = share
		}
		f.Gates = append(f.Gates, out)
	}
	return f
}
