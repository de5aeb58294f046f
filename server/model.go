package main

import (
	"fmt"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/dwi"
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

// newAnalyzer wires the experts and the model; an empty path means the built-in weights.
func newAnalyzer(weightsPath string) (*analysis.Analyzer, error) {
	experts, err := panel()
	if err != nil {
		return nil, err
	}
	set, err := readWeights(weightsPath)
	if err != nil {
		return nil, err
	}
	model, err := fusion.New(set, fusion.Options{Branches: branches})
	if err != nil {
		return nil, err
	}
	return analysis.New(analysis.Config{Panel: experts, Model: model, Version: version})
}

func readWeights(path string) (weights.Set, error) {
	if path == "" {
		return pretrained.Phantom()
	}
	set, err := weights.Open(path)
	if err != nil {
		return weights.Set{}, fmt.Errorf("read weights %s: %w", path, err)
	}
	return set, nil
}
