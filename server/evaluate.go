package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"

	"mome/experts/nn"
	"mome/fusion"
	"mome/fusion/train"
	"mome/fusion/train/measure"
	"mome/server/training"
)

type evaluateCommand struct {
	dataFlags
	computeFlags

	Weights    string `type:"existingfile" placeholder:"FILE" help:"Weights to measure (safetensors or PyTorch checkpoint); default: the built-in ones."`
	Resolution string `enum:"tiny,small,standard,mixed" default:"standard" help:"Of the phantoms: tiny, small, standard or mixed."`
	CSV        string `name:"csv" type:"path" placeholder:"FILE" help:"Write every candidate with its label and probabilities."`
	JSON       bool   `name:"json" help:"Print JSON instead of tables."`
	Plots      string `type:"path" placeholder:"DIR" help:"Draw ROC, precision and recall, and calibration there as PNG."`
	Explain    bool   `help:"Also measure whether explanations point at lesions; phantoms only, each is read anew."`
}

// Help is the longer text of "server evaluate --help".
func (evaluateCommand) Help() string {
	return `Measures weights on studies that they must not have been fitted to: held-out phantoms, or the labels of split test (all labels,
where the table has no split). Every number has a 95 % interval from 2000 resamples of patients. A set with fewer than
` + strconv.Itoa(training.MinCases) + ` cases of a class gets no numbers.

The rows "modalities" ask the model with some of them alone. Lesions that the analysis missed are counted in the line of
detection and are no part of the rows of lesions: the model was not asked about them. The row of studies takes a study by its
highest candidate, and by 0 where none was found.
` + dataHelp
}

// Run measures and prints.
func (c *evaluateCommand) Run(ctx context.Context, log *slog.Logger) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Explain && !c.phantoms() {
		return errors.New("--explain needs phantoms: of other studies nobody knows which voxels are lesion")
	}
	set, err := readWeights(c.Weights)
	if err != nil {
		return err
	}
	o, err := c.options(log)
	if err != nil {
		return err
	}
	model, err := fusion.New(set, o)
	if err != nil {
		return err
	}
	task := taskOf(model)
	if c.phantoms() && task.Name != train.Malignancy().Name {
		return fmt.Errorf("weights of task %s need studies with labels: phantoms know malignancy alone", task.Name)
	}
	p, err := c.heldOut(ctx, log, task, model.Config().Boxes, c.Resolution, c.allWithoutSplit)
	if err != nil {
		return err
	}
	if p == nil {
		return errors.New("nothing to measure on: --held-out is 0")
	}
	e, scored, err := judge(ctx, model, p, task, c.Seed)
	if err != nil {
		return err
	}
	if c.Explain {
		if e.Pointing, err = c.point(ctx, model); err != nil {
			return err
		}
	}
	if c.CSV != "" {
		if err := writeFile(c.CSV, func(w io.Writer) error { return writeScores(w, task, scored) }); err != nil {
			return err
		}
	}
	if c.Plots != "" {
		if err := drawEvaluation(c.Plots, e, c.provenance()); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(evaluationOf(e, model, c.provenance()))
	}
	fmt.Printf("%s, weights %s, trained on %s; measured on %s\n\n", task.Name, model.SHA256()[:12], model.TrainedOn(), c.provenance())
	printEvaluation(os.Stdout, e)
	return nil
}

// point measures explanations.
func (c *evaluateCommand) point(ctx context.Context, model *fusion.Model) (*training.Pointing, error) {
	uncached := c.dataFlags
	uncached.Cache = ""
	p, err := uncached.preparer(ctx, model.Config().Boxes)
	if err != nil {
		return nil, err
	}
	line := newProgressLine(os.Stderr)
	defer line.end()
	out, err := p.Point(ctx, model, c.heldOutPhantoms(c.Resolution), func(done, total int) {
		line.show("explanations", float64(done)/float64(total), fmt.Sprintf("%d of %d phantoms", done, total))
	})
	return &out, err
}

// allWithoutSplit takes every label where the table names no test part.
func (c *evaluateCommand) allWithoutSplit(rows []training.Row) bool {
	for _, r := range rows {
		if r.Split == training.Test {
			return false
		}
	}
	fmt.Fprintln(os.Stderr, "the table has no split test: every label is measured on, so none of its studies must have been trained on")
	return true
}

// taskOf adds the metrics to a model's task.
func taskOf(model *fusion.Model) train.Task {
	t := train.Task{Task: model.Task(), Metrics: measure.Multiclass()}
	if len(t.Classes) == 2 {
		t.Metrics = measure.Binary()
	}
	return t
}

// heldOut reads what weights are measured on: phantoms of other seeds, or the studies of split test. all decides whether a
// table without such a split is taken whole; nil means that it is not, and the answer is then nil.
func (f *dataFlags) heldOut(ctx context.Context, log *slog.Logger, task train.Task, boxes nn.Boxes, resolution string, all func([]training.Row) bool) (*training.Prepared, error) {
	if f.phantoms() && f.HeldOut == 0 {
		return nil, nil
	}
	p, err := f.preparer(ctx, boxes)
	if err != nil {
		return nil, err
	}
	if f.phantoms() {
		return p.Phantoms(ctx, "held-out", f.heldOutPhantoms(resolution))
	}
	exams, closeData, err := f.labelled(ctx, log, task, func(rows []training.Row) []training.Row {
		if all != nil && all(rows) {
			return rows
		}
		return ofSplit(rows, func(s training.Split) bool { return s == training.Test })
	}, os.Stderr)
	if err != nil || exams == nil {
		return nil, err
	}
	out, err := p.Exams(ctx, "test", exams)
	if err = errors.Join(err, closeData()); err != nil {
		return nil, err
	}
	tell(os.Stderr, out.Problems)
	return out, nil
}

// judge asks a model about all cases and measures the answers.
func judge(ctx context.Context, model *fusion.Model, p *training.Prepared, task train.Task, seed uint64) (training.Evaluation, []training.Scored, error) {
	line := newProgressLine(os.Stderr)
	scored, err := training.Score(ctx, model, p.Cases(func(*training.Case) bool { return true }), true, func(done, total int) {
		line.show("model", float64(done)/float64(total), fmt.Sprintf("%d of %d candidates", done, total))
	})
	line.end()
	if err != nil {
		return training.Evaluation{}, nil, err
	}
	e, err := training.Evaluate(p, scored, task, model.OperatingPoint(), measure.Bootstrap{Seed: seed})
	return e, scored, err
}
