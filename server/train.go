package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"mome/experts/dce"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/fusion/train"
	"mome/gpu/vm"
	"mome/server/training"
)

type trainCommand struct {
	dataFlags
	deviceFlag

	Output  string `short:"o" default:"weights.safetensors" type:"path" help:"File for the weights."`
	State   string `type:"path" placeholder:"FILE" help:"File that keeps a running fit, written after every epoch; default: the output's name and .state."`
	Resume  bool   `help:"Go on with the fit that the state file keeps, if there is one. The other flags must be the same."`
	Curves  string `type:"path" placeholder:"DIR" help:"Write the course of the fit there, as CSV and PNG."`
	Task    string `enum:"malignancy,tnbc,pcr,subtype" default:"malignancy" help:"What to learn: malignancy, tnbc, pcr or subtype."`
	Preset  string `enum:"fresh,published" default:"fresh" help:"Settings of the fit: fresh, for small networks of which everything is trained, or published, the authors' for weights that began as BEiT-3."`
	Weights string `type:"existingfile" env:"MOME_TRAIN_WEIGHTS" placeholder:"FILE" help:"Weights to start from (safetensors or PyTorch checkpoint); default: fresh ones of the size below."`

	Studies    int     `default:"400" help:"Phantom studies to fit to, the validation part among them."`
	Resolution string  `enum:"tiny,small,standard,mixed" default:"mixed" help:"Of the training phantoms: tiny (5.4 mm voxels, to try commands), small (2.7 mm), standard (1.6 mm) or mixed (one in three standard, the others small). Those held out are standard."`
	Validation float64 `default:"0.2" help:"Share of the patients that chooses the best epoch, temperature and operating point, where no label table does."`

	Epochs   int      `help:"Passes over the training part; default: 24, published 100."`
	Rate     float64  `help:"Learning rate at the start of the cosine; default: 0.001, published 0.0001."`
	Batch    int      `help:"Samples of one step; default: 8, published 32."`
	Patience int      `help:"End after so many epochs without a better one; default: never."`
	Best     string   `enum:"loss,auroc," default:"" help:"What makes an epoch the best one, on the validation part: loss or auroc; default: loss, published auroc."`
	Decay    *float64 `help:"Weight decay; default: 0.0005."`
	Dropout  *float64 `help:"Probability that a modality, or the clinical context, is left out of a sample in training; default: 0.15."`
	DropPath *float64 `help:"Probability that a residual branch of the last layer is left out in training, less in those before; default: 0, published 0.15."`
	Jitter   *float64 `help:"Deviation of the logarithm of random factors by which channels are multiplied in training; default: 0."`
	Balanced bool     `help:"Weigh the classes so that each counts alike."`
	ShiftMM  float64  `name:"shift" default:"4" help:"Move the lesion at random by up to so many mm in training."`

	Embed    int `default:"48" help:"Of fresh weights: length of a token; divisible by 16."`
	Layers   int `default:"4" help:"Of fresh weights: transformer layers; the last one fuses the modalities."`
	FuseFrom int `default:"2" help:"Of fresh weights: first layer in which modalities see each other."`

	Context bool `help:"Of fresh weights: read the clinical context too (age, menopause, family history, indication, prior), as far as it is known."`

	Licence string `help:"Licence of the weights, an SPDX identifier or a sentence; default: Apache-2.0 for phantoms, else not stated."`
}

// Help is the longer text of "server train --help".
func (trainCommand) Help() string {
	return `Reads every study with the node's own analysis as far as the candidates, labels them and fits experts and fusion together with
Gorgonia's gradients; then measures what it did not fit to: held-out phantoms, or the labels of split test. With --cache a run
that was killed goes on where it was; with --resume the fit does too, and ends with the same weights. Ctrl-C ends it and keeps
the best epoch so far, uncalibrated.
` + dataHelp + `

Labels of split test are never fitted to. Those of split validation choose the best epoch, temperature and operating point;
where the table has none of them, --validation draws its share of the patients.`
}

// fieldMM is the edge of the cube around a lesion that the network sees: the largest lesion with its surroundings.
const fieldMM = 64

// windowMM is the deviation of the window around the lesion for channels that are read against a mark: of 8, 12 mm and
// none, 12 told most on phantoms.
const windowMM = 12

// fresh is the size of weights that begin at random.
func (c *trainCommand) fresh(classes int) nn.Config {
	field := [3]float64{fieldMM, fieldMM, fieldMM}
	return nn.Config{
		Embed: c.Embed, Heads: 4, Layers: c.Layers, FusionFrom: c.FuseFrom, Experts: 8, Slots: 1,
		StemChannels: [2]int{16, 32}, Classes: classes, Context: c.Context,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: dce.Channels + 2, Size: [3]int{40, 40, 40}, FieldOfViewMM: field},
			T2:  nn.Box{Channels: 1, Size: [3]int{40, 40, 40}, FieldOfViewMM: field},
			DWI: nn.Box{Channels: 2, Size: [3]int{24, 24, 24}, FieldOfViewMM: field},
		},
		Absolute: nn.Absolutes{ // the kinetic maps and the ADC
			DCE: nn.Absolute{Channels: 2, WindowMM: windowMM}, DWI: nn.Absolute{Channels: 1, WindowMM: windowMM},
		},
	}
}

// initial returns the weights to start from.
func (c *trainCommand) initial(task train.Task) (weights.Set, nn.Config, error) {
	if c.Weights == "" {
		config := c.fresh(len(task.Classes))
		set, err := nn.Init(config, c.Seed)
		return set, config, err
	}
	set, err := readWeights(c.Weights)
	if err != nil {
		return weights.Set{}, nn.Config{}, err
	}
	config, err := nn.ConfigFrom(set)
	if err != nil {
		return weights.Set{}, nn.Config{}, fmt.Errorf("weights %s: %w", c.Weights, err)
	}
	if config.Classes != len(task.Classes) {
		return weights.Set{}, nn.Config{}, fmt.Errorf("weights %s have %d classes, task %s has %d", c.Weights, config.Classes, task.Name, len(task.Classes))
	}
	return set, config, nil
}

// options are the preset with what the flags change.
func (c *trainCommand) options(task train.Task, cases []training.Case) train.Options {
	o := train.Options{Epochs: 24}
	if c.Preset == "published" {
		o = train.Published()
	}
	o.Branches, o.Task, o.Seed, o.ValidationFraction, o.Patience, o.Checkpoint = branches, task, c.Seed, c.Validation, c.Patience, c.state()
	for n := range cases {
		if cases[n].Split == training.Validation {
			o.Validation = append(o.Validation, n)
		}
	}
	if c.Epochs > 0 {
		o.Epochs = c.Epochs
	}
	if c.Rate > 0 {
		o.LearningRate, o.FinalRate = c.Rate, c.Rate/100
	}
	if c.Batch > 0 {
		o.Batch = c.Batch
	}
	if c.Best != "" {
		o.Best = train.Criterion(c.Best)
	}
	for _, set := range []struct{ to, from *float64 }{
		{&o.WeightDecay, c.Decay}, {&o.ModalityDropout, c.Dropout}, {&o.DropPath, c.DropPath}, {&o.Jitter, c.Jitter},
	} {
		switch {
		case set.from == nil:
		case *set.from == 0:
			*set.to = -1 // none, and not the default
		default:
			*set.to = *set.from
		}
	}
	if c.Balanced {
		labels := make([]int, len(cases))
		for i := range cases {
			labels[i] = cases[i].Label
		}
		o.ClassWeights = train.Balanced(labels, len(task.Classes))
	}
	return o
}

// state is the file that keeps the running fit.
func (c *trainCommand) state() string {
	if c.State != "" {
		return c.State
	}
	return c.Output + ".state"
}

// margin is the shift in voxels of each modality's box; none for weights that read whole examinations.
func (c *trainCommand) margin(boxes nn.Boxes) train.Margin {
	voxels := func(b nn.Box) int {
		if b.FieldOfViewMM[0] == 0 {
			return 0
		}
		return int(math.Round(c.ShiftMM / b.FieldOfViewMM[0] * float64(b.Size[0])))
	}
	return train.Margin{DCE: voxels(boxes.DCE), T2: voxels(boxes.T2), DWI: voxels(boxes.DWI)}
}

func (c *trainCommand) check() error {
	if err := c.dataFlags.check(); err != nil {
		return err
	}
	switch {
	case c.phantoms() && c.Task != train.Malignancy().Name:
		return fmt.Errorf("--task %s needs studies with labels: phantoms know malignancy alone", c.Task)
	case c.Preset == "published" && c.Weights == "":
		return errors.New("--preset published needs --weights: it trains a part of the network only")
	case c.phantoms() && c.Studies < 1:
		return fmt.Errorf("--studies %d: at least one is needed", c.Studies)
	case !(c.ShiftMM >= 0 && c.ShiftMM <= fieldMM/2):
		return fmt.Errorf("--shift %g is not within 0 to %d mm", c.ShiftMM, fieldMM/2)
	case c.Epochs < 0 || c.Batch < 0 || c.Patience < 0 || !(c.Rate >= 0 && c.Rate < 1):
		return fmt.Errorf("--epochs %d, --batch %d, --patience %d and --rate %g cannot be negative, the rate is less than 1; 0 is the default", c.Epochs, c.Batch, c.Patience, c.Rate)
	case !isShare(c.Dropout) || !isShare(c.DropPath) || !isShare(c.Decay) || !isShare(c.Jitter):
		return errors.New("--dropout, --drop-path, --decay and --jitter are numbers from 0 up to, not including, 1")
	case !(c.Validation > 0 && c.Validation < 1):
		return fmt.Errorf("--validation %g is not between 0 and 1", c.Validation)
	}
	if c.Resume {
		return nil
	}
	if _, err := os.Stat(c.state()); err == nil {
		return fmt.Errorf("%s keeps a fit that was not finished: go on with --resume, or remove it", c.state())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// isShare reports whether v, where it is given, is a number in [0, 1).
func isShare(v *float64) bool { return v == nil || *v >= 0 && *v < 1 }

// Run fits and writes the weights.
func (c *trainCommand) Run(ctx context.Context, log *slog.Logger) error {
	if err := c.check(); err != nil {
		return err
	}
	task, err := train.TaskNamed(c.Task)
	if err != nil {
		return err
	}
	initial, config, err := c.initial(task)
	if err != nil {
		return err
	}
	margin := c.margin(config.Boxes)
	fit, err := c.prepare(ctx, log, task, margin.Grow(config.Boxes))
	if err != nil {
		return err
	}
	source := training.Source{Cases: fit.Labelled(), Margin: margin}
	fmt.Printf("training: %v; %s\n", fit.Tally, classCounts(task, source.Cases))

	machine, err := c.machine(log)
	if err != nil {
		return err
	}
	set, history, err := c.fit(ctx, initial, source, task, machine)
	if err != nil && len(set.Metadata) == 0 {
		return err
	}
	stopped := err
	c.describe(set, initial, fit, source.Cases, task)
	set.Metadata["best_epoch"] = fmt.Sprint(history.Best + 1)
	if stopped != nil {
		set.Metadata["stopped"] = fmt.Sprintf("after %d epochs, before the end of the fit; not calibrated", len(history.Epochs))
	}
	if c.Curves != "" && len(history.Epochs) > 0 {
		if err := drawFit(c.Curves, history, c.provenance()); err != nil {
			return errors.Join(stopped, err, c.write(set))
		}
	}
	if stopped == nil {
		if err := c.measure(ctx, log, machine, set, config.Boxes, task); err != nil {
			return errors.Join(fmt.Errorf("measure: %w", err), c.write(set))
		}
	}
	if err := c.write(set); err != nil {
		return errors.Join(stopped, err)
	}
	if stopped != nil {
		fmt.Printf("stopped; the weights are of epoch %d and not calibrated. Go on with the same command and --resume.\n", history.Best+1)
		return stopped
	}
	return os.Remove(c.state())
}

// prepare reads what the weights are fitted to.
func (c *trainCommand) prepare(ctx context.Context, log *slog.Logger, task train.Task, boxes nn.Boxes) (*training.Prepared, error) {
	p, err := c.preparer(ctx, boxes)
	if err != nil {
		return nil, err
	}
	if c.phantoms() {
		return p.Phantoms(ctx, "training", c.trainingPhantoms(c.Studies, c.Resolution))
	}
	exams, closeData, err := c.labelled(ctx, log, task, func(rows []training.Row) []training.Row {
		return ofSplit(rows, func(s training.Split) bool { return s != training.Test })
	}, os.Stderr)
	switch {
	case err != nil:
		return nil, err
	case exams == nil:
		return nil, errors.New("every label is of split test: there is nothing to fit to")
	}
	out, err := p.Exams(ctx, "training", exams)
	if err = errors.Join(err, closeData()); err != nil {
		return nil, err
	}
	tell(os.Stderr, out.Problems)
	return out, nil
}

// fit runs the training and prints every epoch.
func (c *trainCommand) fit(ctx context.Context, initial weights.Set, source training.Source, task train.Task, machine *vm.Machine) (weights.Set, train.History, error) {
	o := c.options(task, source.Cases)
	o.Machine = machine
	line, began, first := newProgressLine(os.Stderr), time.Now(), -1
	o.Progress = func(p train.Progress) {
		if first < 0 {
			first = p.Step - 1 // a resumed fit begins in the midst
		}
		left := time.Since(began) / time.Duration(max(1, p.Step-first)) * time.Duration(p.Steps-p.Step)
		if line.terminal {
			line.show("fit", float64(p.Step)/float64(p.Steps), fmt.Sprintf("epoch %d of %d, about %s left", p.Epoch+1, p.Epochs, left.Round(time.Second)))
		}
		if e := p.Done; e != nil {
			line.end()
			fmt.Printf("epoch %2d of %d: training loss %.4f, validation loss %.4f, AUROC %.3f (%s, about %s left)\n", p.Epoch+1, p.Epochs,
				e.TrainLoss, e.ValidationLoss, e.AUROC, time.Since(began).Round(time.Second), left.Round(time.Second))
		}
	}
	set, history, err := train.Fit(ctx, initial, source, o)
	line.end()
	return set, history, err
}

// measure adds what the weights do on data that they were not fitted to.
func (c *trainCommand) measure(ctx context.Context, log *slog.Logger, machine *vm.Machine, set weights.Set, boxes nn.Boxes, task train.Task) error {
	p, err := c.heldOut(ctx, log, task, boxes, string(phantom.Standard), nil)
	if err != nil || p == nil {
		return err
	}
	model, err := fusion.New(set, fusion.Options{Branches: branches, Machine: machine})
	if err != nil {
		return err
	}
	e, _, err := judge(ctx, model, p, task, c.Seed)
	if err != nil {
		return err
	}
	printEvaluation(os.Stdout, e)
	set.Metadata["held_out"] = c.provenance() + ": " + summaryOf(e)
	return nil
}

// write puts the weights in their place in one step.
func (c *trainCommand) write(set weights.Set) error {
	if err := writeFile(c.Output, func(w io.Writer) error { return set.WriteSafetensors(w) }); err != nil {
		return err
	}
	fmt.Printf("wrote %s, tensors' SHA-256 %s\n", c.Output, set.SHA256())
	return nil
}

func classCounts(task train.Task, cases []training.Case) string {
	counts := make([]int, len(task.Classes))
	for i := range cases {
		counts[cases[i].Label]++
	}
	var parts []string
	for i, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, task.Classes[i]))
	}
	return strings.Join(parts, ", ")
}
