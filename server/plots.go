package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mome/fusion/train"
	"mome/fusion/train/measure"
	"mome/fusion/train/plot"
	"mome/server/training"
)

// drawFit writes the course of a fit, as a table and as a picture.
func drawFit(dir string, h train.History, data string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "epochs.csv"), h.WriteCSV); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "epochs.png"), func(w io.Writer) error {
		return plot.Training(w, h, plot.Options{Subtitle: "validation part of " + data})
	})
}

// drawEvaluation writes the curves of the first line of an evaluation, and the ROC of every subset of modalities. What has
// too few cases is not drawn.
func drawEvaluation(dir string, e training.Evaluation, data string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if l := e.Lines[0]; l.Report != nil {
		err := writeFile(filepath.Join(dir, "overall.png"), func(w io.Writer) error {
			return plot.Evaluation(w, plot.Curves(e.Task, l.Cases, e.Threshold), l.Report.Reliability,
				plot.Options{Subtitle: fmt.Sprintf("%s, %s: %s", data, l.Name, countsText(l.Counts))})
		})
		if err != nil {
			return err
		}
	}
	var curves []plot.Curve
	for _, l := range e.Lines {
		if l.Group != training.ByModalities || l.Report == nil || len(e.Task.Classes) != 2 {
			continue
		}
		scores, positive := measure.OneVersusRest(l.Cases, 1)
		curves = append(curves, plot.Curve{Name: l.Name, Scores: scores, Positive: positive})
	}
	if curves == nil {
		return nil
	}
	return writeFile(filepath.Join(dir, "modalities.png"), func(w io.Writer) error {
		return plot.ROC(w, curves, plot.Options{Title: "Modalities", Subtitle: data})
	})
}
