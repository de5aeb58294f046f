package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/fusion/train"
	"mome/server/analysis"
	"mome/server/training"
)

type trainCommand struct {
	Output     string  `short:"o" default:"weights.safetensors" type:"path" help:"File for the weights."`
	Studies    int     `default:"400" help:"Phantom studies to fit to; a fifth of them validates."`
	HeldOut    int     `default:"100" help:"Further phantom studies, never seen in training, that the result is measured on."`
	Resolution string  `enum:"small,standard,mixed" default:"mixed" help:"Of the training phantoms: small (2.7 mm voxels), standard (1.6 mm) or mixed (one in three standard). Those held out are standard."`
	Epochs     int     `default:"24" help:"Passes over the training part."`
	Embed      int     `default:"48" help:"Length of a token; divisible by 16."`
	Layers     int     `default:"4" help:"Transformer layers; the last one fuses the modalities."`
	FuseFrom   int     `default:"2" help:"First layer in which modalities see each other."`
	Rate       float64 `default:"0.001" help:"Learning rate at the start of the cosine."`
	Seed       uint64  `default:"1" help:"Seed of the weights, the order and the phantoms."`
}

// Help is the longer text of "server train --help".
func (trainCommand) Help() string {
	return `Makes phantom studies by seed, reads each with the node's own analysis as far as the lesions, labels every candidate by
the phantom's truth and fits experts and fusion together with Gorgonia's gradients. The held-out studies come from other
seeds and are looked at once, at the end. Ctrl-C ends the fit early and keeps the best epoch so far, uncalibrated.

What is measured here is measured on phantoms and says nothing of patients.`
}

// fieldMM is the edge of the cube around a lesion that the network sees: the largest lesion with its surroundings.
const fieldMM = 64

func (c *trainCommand) config() nn.Config {
	field := [3]float64{fieldMM, fieldMM, fieldMM}
	return nn.Config{
		Embed: c.Embed, Heads: 4, Layers: c.Layers, FusionFrom: c.FuseFrom, Experts: 8, Slots: 1,
		StemChannels: [2]int{16, 32}, Classes: 2,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 6, Size: [3]int{32, 32, 32}, FieldOfViewMM: field},
			T2:  nn.Box{Channels: 1, Size: [3]int{32, 32, 32}, FieldOfViewMM: field},
			DWI: nn.Box{Channels: 1, Size: [3]int{16, 16, 16}, FieldOfViewMM: field},
		},
	}
}

// Run fits and writes the weights.
func (c *trainCommand) Run(ctx context.Context, log *slog.Logger) error {
	config := c.config()
	initial, err := nn.Init(config, c.Seed)
	if err != nil {
		return err
	}
	experts, err := panel()
	if err != nil {
		return err
	}
	analyzer, err := analysis.New(analysis.Config{Panel: experts, Version: version})
	if err != nil {
		return err
	}
	fit, tally, err := c.candidates(ctx, analyzer, config.Boxes, "training", c.Resolution, int64(c.Seed)*1_000_000, c.Studies)
	if err != nil {
		return err
	}
	held, heldTally, err := c.candidates(ctx, analyzer, config.Boxes, "held-out", string(phantom.Standard), int64(c.Seed)*1_000_000+500_000, c.HeldOut)
	if err != nil {
		return err
	}
	fmt.Printf("training: %v\nheld-out: %v\n", tally, heldTally)

	began := time.Now()
	set, history, err := train.Fit(ctx, initial, source(fit), train.Options{
		Branches: branches, Epochs: c.Epochs, LearningRate: c.Rate, Seed: c.Seed,
		Progress: func(p train.Progress) {
			if e := p.Done; e != nil {
				fmt.Printf("epoch %2d of %d: training loss %.4f, validation loss %.4f, AUROC %.3f (%s)\n",
					p.Epoch+1, p.Epochs, e.TrainLoss, e.ValidationLoss, e.AUROC, time.Since(began).Round(time.Second))
			}
		},
	})
	if err != nil && len(set.Metadata) == 0 {
		return err
	}
	stopped := err
	measured, err := measure(ctx, set, held)
	if err != nil && stopped == nil {
		return err
	}
	fmt.Println("held-out phantoms:", measured)
	set.Metadata[weights.TrainedOn] = "digital phantoms, not patients"
	set.Metadata[weights.Origin] = fmt.Sprintf("server train --seed %d --studies %d --held-out %d --epochs %d", c.Seed, c.Studies, c.HeldOut, c.Epochs)
	set.Metadata[weights.Licence] = "Apache-2.0"
	set.Metadata[weights.DataCard] = fmt.Sprintf("digital breast phantoms of this project (fixtures/phantom), %s resolution, seeds from %d (training; %v) and from %d (held out; %v); candidates as the node's own detection finds them; label 1 is malignant, 0 benign or no lesion", c.Resolution,
		int64(c.Seed)*1_000_000, tally, int64(c.Seed)*1_000_000+500_000, heldTally)
	set.Metadata["held_out"] = measured
	set.Metadata["best_epoch"] = fmt.Sprint(history.Best + 1)
	f, err := os.Create(c.Output)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := set.WriteSafetensors(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	fmt.Printf("wrote %s, tensors' SHA-256 %s\n", c.Output, set.SHA256())
	return stopped
}

// candidates reads n phantoms from seed first on, on all cores, in an order that does not depend on their number.
func (c *trainCommand) candidates(ctx context.Context, a *analysis.Analyzer, boxes nn.Boxes, what, resolution string, first int64, n int) ([]training.Candidate, training.Tally, error) {
	vendors := []phantom.Vendor{phantom.Siemens, phantom.GE, phantom.Philips}
	perStudy := make([][]training.Candidate, n)
	var tally training.Tally
	var mu sync.Mutex
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error {
			cfg := phantom.Config{
				Seed: first + int64(i), Vendor: vendors[i%len(vendors)], MotionMM: float64(i%3) * 0.5,
				Resolution: phantom.Resolution(resolution),
			}
			if resolution == "mixed" {
				cfg.Resolution = [...]phantom.Resolution{phantom.Standard, phantom.Small, phantom.Small}[i/len(vendors)%3]
			}
			found, t, err := training.Study(ctx, a, boxes, cfg)
			if err != nil {
				return fmt.Errorf("phantom %d: %w", cfg.Seed, err)
			}
			mu.Lock()
			defer mu.Unlock()
			perStudy[i] = found
			tally.Add(t)
			if tally.Studies%25 == 0 {
				fmt.Printf("%s: %v (%s)\n", what, tally, time.Since(began).Round(time.Second))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, tally, err
	}
	var all []training.Candidate
	for _, s := range perStudy {
		all = append(all, s...)
	}
	return all, tally, nil
}

type source []training.Candidate

func (s source) Len() int                       { return len(s) }
func (s source) At(i int) (train.Sample, error) { return s[i].Sample, nil }

// measure runs the finished model on held-out candidates: malignant against benign, malignant against all others, and
// malignant against benign with one modality left out.
func measure(ctx context.Context, set weights.Set, held []training.Candidate) (string, error) {
	model, err := fusion.New(set, fusion.Options{Branches: branches})
	if err != nil {
		return "", err
	}
	score := func(drop string, use func(training.Candidate) bool) (float64, int, int, error) {
		var scores []float64
		var positive []bool
		n := [2]int{}
		for _, c := range held {
			if !use(c) {
				continue
			}
			in := fusion.Input{DCE: c.DCE, T2: c.T2, DWI: c.DWI}
			switch drop {
			case "DCE":
				in.DCE = nil
			case "T2":
				in.T2 = nil
			case "DWI":
				in.DWI = nil
			}
			p, err := model.Probability(ctx, in)
			if err != nil {
				return math.NaN(), 0, 0, err
			}
			scores, positive = append(scores, p), append(positive, c.Label == 1)
			n[c.Label]++
		}
		return train.AUROC(scores, positive), n[1], n[0], nil
	}
	lesions := func(c training.Candidate) bool { return c.Kind != training.Other && !c.Missed }
	everything := func(c training.Candidate) bool { return !c.Missed }
	auroc, positives, negatives, err := score("", lesions)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("AUROC %.3f malignant against benign (%d, %d lesions)", auroc, positives, negatives)
	all, _, others, err := score("", everything)
	if err != nil {
		return "", err
	}
	text += fmt.Sprintf(", %.3f against benign and false candidates (%d)", all, others)
	for _, m := range []string{"DCE", "T2", "DWI"} {
		without, _, _, err := score(m, lesions)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(", %.3f without %s", without, m)
	}
	return text + "; measured on digital phantoms", nil
}
