package main

import (
	"errors"
	"fmt"
	"log/slog"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/registration"
	"mome/experts/t2"
	"mome/experts/weights"
	"mome/fusion"
	"mome/fusion/pretrained"
	"mome/server/analysis"
)

// branches are the graphs of the panel's experts.
var branches = fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}

// panel returns one expert for each modality, in the order in which they read.
func panel() ([]experts.Expert, error) {
	d, err := dce.New(dce.Config{})
	if err != nil {
		return nil, err
	}
	t, err := t2.New(t2.Config{})
	if err != nil {
		return nil, err
	}
	w, err := dwi.New(dwi.Config{})
	if err != nil {
		return nil, err
	}
	return []experts.Expert{d, t, w}, nil
}

// modelFlags choose what judges lesions and examinations.
type modelFlags struct {
	Weights []string `type:"existingfile" sep:"none" placeholder:"FILE" help:"Weights of a model (safetensors or PyTorch checkpoint); may be repeated for further tasks. Default: the built-in ones, trained on digital phantoms."`
	Motion  string   `enum:"deformable,rigid,off" default:"deformable" help:"Motion to correct between phases and series: deformable, rigid or off."`
	computeFlags
}

// newAnalyzer wires the experts and the models, which as many studies at once may use on a device as lanes says. The first model of
// malignancy judges the findings.
func newAnalyzer(f modelFlags, lanes int, log *slog.Logger) (*analysis.Analyzer, error) {
	experts, err := panel()
	if err != nil {
		return nil, err
	}
	c := analysis.Config{
		Panel: experts, Version: version,
		Motion: registration.Settings{Off: f.Motion == "off", RigidOnly: f.Motion == "rigid"},
	}
	o, err := f.options(log)
	if err != nil {
		return nil, err
	}
	o.Lanes = lanes
	paths := f.Weights
	if len(paths) == 0 {
		paths = []string{""}
	}
	for _, path := range paths {
		model, err := openModel(path, o)
		if err != nil {
			return nil, err
		}
		if c.Model == nil && model.Task().Name == fusion.Malignancy {
			c.Model = model
		} else {
			c.Further = append(c.Further, model)
		}
	}
	return analysis.New(c)
}

// explaining is the analyzer that also explains its findings, where its model judges any.
func explaining(a *analysis.Analyzer) (*analysis.Analyzer, error) {
	e, err := a.Explaining()
	if errors.Is(err, analysis.ErrNothingToExplain) {
		return a, nil
	}
	return e, err
}

// openModel reads weights, the built-in ones for an empty path.
func openModel(path string, o fusion.Options) (*fusion.Model, error) {
	set, err := readWeights(path)
	if err != nil {
		return nil, err
	}
	model, err := fusion.New(set, o)
	if err != nil && path != "" {
		return nil, fmt.Errorf("weights %s: %w", path, err)
	}
	return model, err
}

func readWeights(path string) (weights.Set, error) {
	if path == "" {
		return pretrained.Phantom()
	}
	return weights.Open(path) // its error names the file
}
