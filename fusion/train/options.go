package train

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"mome/fusion"
	"mome/gpu/vm"
)

// Options are the settings of Fit. A zero field stands for the default given with it; where zero itself is meant, a
// negative number says so. The defaults are for fresh small networks, of which all tensors are trained; see Published
// for the authors' way.
type Options struct {
	Branches fusion.Branches // the experts' graphs; required
	Task     Task            // what the labels mean; by default what the initial weights' metadata say, see fusion.TaskOf

	Epochs       int     // passes over the training part; 20
	Batch        int     // samples, taken one by one, whose gradients are averaged for one step; 8
	LearningRate float64 // at the start of the cosine; 1e-3
	FinalRate    float64 // at its end; LearningRate / 100
	WarmUp       float64 // part of the training in which the rate rises linearly; 0.05
	RatePerEpoch bool    // the rate changes after every epoch; by default after every step
	WeightDecay  float64 // times the weights, added to the gradient; 5e-4
	ClipNorm     float64 // gradients longer than this are shortened to it; 1

	// DropPath is the probability with which a residual branch of the last layer is left out, falling linearly to 0 in
	// the first (stochastic depth, arXiv 1603.09382); 0.
	DropPath float64
	// ClassWeights multiply the loss of a sample by its label, in training only; nil weighs all alike. See Balanced.
	ClassWeights []float64

	// ModalityDropout is the probability that a present modality is left out of a sample, the last one never, and that
	// the clinical context is; 0.15.
	ModalityDropout float64
	Flips           []Flip // one of them, all alike in odds, mirrors each use of a sample; AllFlips
	// Jitter is the deviation of the logarithm of the factors by which the channels of a volume are multiplied; 0. Only
	// ratios of channels matter: the stems do not see the scale of a whole volume.
	Jitter float64

	ValidationFraction float64   // of the groups, drawn by Split; 0.2
	Validation         []int     // instead: the samples to validate with, by index; all others are trained on
	Best               Criterion // which epoch's weights are kept; LeastLoss
	Patience           int       // epochs without a better one after which training ends; 0 stands for never
	Point              Rule      // how the operating point of two classes is chosen; KeepSensitivity
	Sensitivity        float64   // that KeepSensitivity keeps on the validation part; 0.95
	Seed               uint64

	// Lanes is the number of samples computed side by side, each in memory of its own (4.8 GB for the published sizes
	// and PublishedTrained); one per core, and no more than Batch. It does not change the result.
	Lanes int
	// Machine is where graphs run; nil is the CPU. Adam is the CPU's in either case. A device rounds otherwise, so that results
	// are not the same bits.
	Machine *vm.Machine
	// Checkpoint is a file that is rewritten after every epoch. Where it exists Fit goes on from it, and ends with the
	// same bits as if it had never been stopped. None by default.
	Checkpoint string

	// Trained says which tensors change; nil trains all.
	Trained func(name string) bool
	// Progress is called after every step and every epoch, from the goroutine that called Fit.
	Progress func(Progress)
}

// Criterion says what makes one epoch better than another.
type Criterion string

// Criteria. Of epochs with equal AUROC the one with the least loss is better.
const (
	LeastLoss    Criterion = "loss"  // validation loss
	HighestAUROC Criterion = "auroc" // of the validation part; with more than two classes the mean of each against the rest
)

// Rule says how the operating point is chosen on the validation part.
type Rule string

// Rules.
const (
	KeepSensitivity Rule = "sensitivity" // the highest threshold that keeps Options.Sensitivity; 1 misses nobody
	YoudenIndex     Rule = "youden"      // where sensitivity plus specificity is greatest
)

// Published are the settings of the authors (arXiv 2408.12606 and its code) but for Branches and Task: 100 epochs of
// Adam with a cosine from 1e-4 to 1e-6 that falls after every epoch, decay 5e-4, 32 samples a step, one at a time,
// drop-path 0.15, PublishedFlips, the epoch with the highest AUROC, and PublishedTrained. They need initial weights
// from BEiT-3, whose tensors stay as they are. Modality dropout is this project's addition: the authors' network needs
// all three modalities, this one shall work with any. Samples that are left over at the end of an epoch make a smaller
// step of their own here; there they wait for the next epoch. One lane, since volumes of that size keep all cores busy.
func Published() Options {
	return Options{
		Epochs: 100, Batch: 32, LearningRate: 1e-4, FinalRate: 1e-6, WarmUp: -1, RatePerEpoch: true, WeightDecay: 5e-4, ClipNorm: -1,
		DropPath: 0.15, ModalityDropout: 0.15, Flips: PublishedFlips(), Best: HighestAUROC, Lanes: 1, Trained: PublishedTrained,
	}
}

// PublishedTrained says whether the authors train a tensor: stems, class token, positions, adapters, the last norm and
// the head. Attention, feed-forward and their norms stay as in BEiT-3. The clinical context's tensor, which their network
// lacks, is trained.
func PublishedTrained(name string) bool {
	for _, part := range []string{"_embed.stem.", "_embed.cls_token", ".embed_positions.", ".MLP_Adapter."} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return strings.HasPrefix(name, "fc_norm.") || strings.HasPrefix(name, "head.") || strings.HasPrefix(name, "context.")
}

// Balanced are class weights by which every class counts alike: cases / (classes · cases of the class), 0 for a class
// without cases.
func Balanced(labels []int, classes int) []float64 {
	counts := make([]int, classes)
	for _, label := range labels {
		counts[label]++
	}
	w := make([]float64, classes)
	for class, n := range counts {
		if n > 0 {
			w[class] = float64(len(labels)) / float64(classes*n)
		}
	}
	return w
}

// ErrOptions is wrapped by errors about settings and samples that cannot be trained on.
var ErrOptions = errors.New("cannot train")

// withDefaults fills in what is zero and refuses what is impossible.
func (o Options) withDefaults() (Options, error) {
	number := func(v *float64, fallback float64) {
		if *v == 0 {
			*v = fallback
		}
		*v = max(*v, 0)
	}
	count := func(v *int, fallback int) {
		if *v == 0 {
			*v = fallback
		}
	}
	count(&o.Epochs, 20)
	count(&o.Batch, 8)
	count(&o.Lanes, min(runtime.GOMAXPROCS(0), max(1, o.Batch)))
	number(&o.LearningRate, 1e-3)
	number(&o.FinalRate, o.LearningRate/100)
	number(&o.WarmUp, 0.05)
	number(&o.WeightDecay, 5e-4)
	number(&o.ClipNorm, 1)
	number(&o.DropPath, 0)
	number(&o.ModalityDropout, 0.15)
	number(&o.Jitter, 0)
	number(&o.ValidationFraction, 0.2)
	number(&o.Sensitivity, 0.95)
	if o.Flips == nil {
		o.Flips = AllFlips()
	}
	if o.Best == "" {
		o.Best = LeastLoss
	}
	if o.Point == "" {
		o.Point = KeepSensitivity
	}
	if o.Trained == nil {
		o.Trained = func(string) bool { return true }
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	for _, c := range []struct {
		name  string
		value any
		wrong bool
	}{
		{"Epochs", o.Epochs, o.Epochs < 1},
		{"Batch", o.Batch, o.Batch < 1},
		{"Lanes", o.Lanes, o.Lanes < 1},
		{"LearningRate", o.LearningRate, !finite(o.LearningRate)},
		{"FinalRate", o.FinalRate, !finite(o.FinalRate)},
		{"WarmUp", o.WarmUp, !(o.WarmUp < 1)},
		{"WeightDecay", o.WeightDecay, !finite(o.WeightDecay)},
		{"DropPath", o.DropPath, !(o.DropPath < 1)},
		{"ClassWeights", o.ClassWeights, slices.ContainsFunc(o.ClassWeights, func(w float64) bool { return !(finite(w) && w >= 0) })},
		{"ModalityDropout", o.ModalityDropout, !(o.ModalityDropout < 1)},
		{"Flips", o.Flips, len(o.Flips) == 0},
		{"Jitter", o.Jitter, !(o.Jitter <= 1)},
		{"ValidationFraction", o.ValidationFraction, !(o.ValidationFraction < 1)},
		{"Sensitivity", o.Sensitivity, !(o.Sensitivity <= 1)},
		{"Patience", o.Patience, o.Patience < 0},
		{"Best", o.Best, o.Best != LeastLoss && o.Best != HighestAUROC},
		{"Point", o.Point, o.Point != KeepSensitivity && o.Point != YoudenIndex},
	} {
		if c.wrong {
			return o, fmt.Errorf("%w: Options.%s is %v", ErrOptions, c.name, c.value)
		}
	}
	return o, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// rate is linear from 0 over the warm-up, then a half cosine from LearningRate to FinalRate (Loshchilov and Hutter,
// arXiv 1608.03983, eq. 5). Step by step the last step has FinalRate; epoch by epoch the cosine would reach it one
// epoch after the last, as in the authors' schedule.
func (o Options) rate(step, perEpoch int) float64 {
	at, of := float64(step), float64(o.Epochs*perEpoch)
	last := of - 1
	if o.RatePerEpoch {
		at, of = float64(step/perEpoch), float64(o.Epochs)
		last = of
	}
	warm := math.Floor(o.WarmUp * of)
	if at < warm {
		return o.LearningRate * (at + 1) / warm
	}
	part := (at - warm) / max(1, last-warm)
	return o.FinalRate + (o.LearningRate-o.FinalRate)*(1+math.Cos(math.Pi*part))/2
}
