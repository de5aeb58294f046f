// Package train fits a network of package fusion to labelled studies on the CPU: Gorgonia's gradients through the
// operations of package gpu/op, Adam, cosine schedule, modality dropout, flips; then temperature and operating point on
// the validation part. Everything random follows from one seed, and the result does not depend on the number of cores.
package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
)

// Sample is one case: volumes in the network's boxes, [channel, H, W, D] row-major, nil where a modality is absent, and
// the class it belongs to.
type Sample struct {
	DCE, T2, DWI []float32
	Label        int
	Group        string // the study or patient; a split never cuts a group
}

func (s Sample) input() fusion.Input { return fusion.Input{DCE: s.DCE, T2: s.T2, DWI: s.DWI} }

// Source holds the samples. At must be safe for concurrent use and answer the same for the same index; Fit asks once
// for every sample at the start, to learn labels and groups, and then once for every use.
type Source interface {
	Len() int
	At(i int) (Sample, error)
}

// Samples is a Source in memory.
type Samples []Sample

// Len implements Source.
func (s Samples) Len() int { return len(s) }

// At implements Source.
func (s Samples) At(i int) (Sample, error) { return s[i], nil }

// Options are the settings of Fit. A zero field stands for the default given with it; where zero itself is meant, a
// negative number says so.
type Options struct {
	Branches fusion.Branches // the experts' graphs; required

	Epochs       int     // passes over the training part; 20
	Batch        int     // samples whose gradients are averaged for one step; 8
	LearningRate float64 // at the start of the cosine; 1e-3
	FinalRate    float64 // at its end; LearningRate / 100
	WarmUp       float64 // part of the steps in which the rate rises linearly; 0.05
	WeightDecay  float64 // times the weights, added to the gradient; 5e-4, as published
	ClipNorm     float64 // gradients longer than this are shortened to it; 1

	ModalityDropout float64 // probability that a present modality is left out of a sample, the last one never; 0.15
	Flip            float64 // probability that a sample is mirrored, for each axis on its own; 0.5

	ValidationFraction float64 // of the groups; 0.2
	Sensitivity        float64 // that the operating point keeps on the validation part; 0.95
	Seed               uint64

	// Trained says which tensors change; nil trains all.
	Trained func(name string) bool
	// Progress is called after every step and every epoch, from the goroutine that called Fit.
	Progress func(Progress)
}

// Progress is where training stands.
type Progress struct {
	Epoch, Epochs int // from 0
	Step, Steps   int // steps done and in all
	Loss          float64
	// Done is the finished epoch, nil in the midst of one.
	Done *Epoch
}

// Epoch is what one pass over the training part came to.
type Epoch struct {
	TrainLoss      float64 // mean cross-entropy, with dropout and flips
	ValidationLoss float64 // mean cross-entropy
	AUROC, AUPRC   float64 // of class 1 on the validation part; NaN where it lacks one of the classes
	LearningRate   float64 // of the last step
}

// History is the record of a training.
type History struct {
	Epochs         []Epoch
	Best           int // index of the epoch whose weights were kept: the least validation loss
	Training       []int
	Validation     []int // indices into the source
	Predictions    []Prediction
	Temperature    float64
	OperatingPoint float64
}

// Prediction is the kept network's answer about one sample of the validation part.
type Prediction struct {
	Index, Label int
	Logits       []float32
	Probability  float64 // of class 1, calibrated
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
	number(&o.LearningRate, 1e-3)
	number(&o.FinalRate, o.LearningRate/100)
	number(&o.WarmUp, 0.05)
	number(&o.WeightDecay, 5e-4)
	number(&o.ClipNorm, 1)
	number(&o.ModalityDropout, 0.15)
	number(&o.Flip, 0.5)
	number(&o.ValidationFraction, 0.2)
	number(&o.Sensitivity, 0.95)
	if o.Trained == nil {
		o.Trained = func(string) bool { return true }
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	wrong := func(name string, value any) (Options, error) {
		return o, fmt.Errorf("%w: Options.%s is %v", ErrOptions, name, value)
	}
	switch {
	case o.Epochs < 1:
		return wrong("Epochs", o.Epochs)
	case o.Batch < 1:
		return wrong("Batch", o.Batch)
	case o.WarmUp >= 1:
		return wrong("WarmUp", o.WarmUp)
	case o.ModalityDropout >= 1:
		return wrong("ModalityDropout", o.ModalityDropout)
	case o.Flip > 1:
		return wrong("Flip", o.Flip)
	case o.ValidationFraction >= 1:
		return wrong("ValidationFraction", o.ValidationFraction)
	case o.Sensitivity > 1:
		return wrong("Sensitivity", o.Sensitivity)
	}
	return o, nil
}

// Fit trains from the initial weights, which are not changed (see nn.Init for fresh ones), and returns the weights of
// the best epoch. Their metadata are the initial ones with the configuration, seed, temperature and operating point
// set; where they came from is for the caller to add. When ctx is done Fit returns its error, together with the best
// weights so far if an epoch was finished, neither calibrated.
func Fit(ctx context.Context, initial weights.Set, source Source, options Options) (weights.Set, History, error) {
	o, err := options.withDefaults()
	if err != nil {
		return weights.Set{}, History{}, err
	}
	config, err := nn.ConfigFrom(initial)
	if err != nil {
		return weights.Set{}, History{}, err
	}
	labels, groups, err := survey(source, config)
	if err != nil {
		return weights.Set{}, History{}, err
	}
	f := fit{o: o, config: config, source: source, labels: labels}
	f.history.Training, f.history.Validation = Split(groups, labels, o.ValidationFraction, o.Seed)
	if len(f.history.Training) == 0 || len(f.history.Validation) == 0 {
		return weights.Set{}, History{}, fmt.Errorf("%w: %d samples to train on, %d to validate", ErrOptions,
			len(f.history.Training), len(f.history.Validation))
	}
	if f.learner, err = newLearner(config, initial, o); err != nil {
		return weights.Set{}, History{}, err
	}
	err = f.run(ctx)
	set, finishErr := f.finish(initial, err == nil)
	return set, f.history, errors.Join(err, finishErr)
}

// survey reads every sample once.
func survey(source Source, config nn.Config) (labels []int, groups []string, err error) {
	for i := range source.Len() {
		s, err := source.At(i)
		if err != nil {
			return nil, nil, fmt.Errorf("sample %d: %w", i, err)
		}
		if s.Label < 0 || s.Label >= config.Classes {
			return nil, nil, fmt.Errorf("%w: sample %d has label %d of %d classes", ErrOptions, i, s.Label, config.Classes)
		}
		for _, m := range nn.RowOrder() {
			if data := s.input().Of(m); data != nil && len(data) != config.Boxes.Of(m).Floats() {
				return nil, nil, fmt.Errorf("%w: sample %d: %s has %d values, want %d", ErrOptions, i, m, len(data), config.Boxes.Of(m).Floats())
			}
		}
		labels, groups = append(labels, s.Label), append(groups, s.Group)
	}
	return labels, groups, nil
}

// fit is one training under way.
type fit struct {
	o       Options
	config  nn.Config
	source  Source
	labels  []int
	learner *learner
	history History
	best    []float32   // flat weights
	logits  [][]float32 // of the validation part, with the best weights
}

func (f *fit) run(ctx context.Context) error {
	perEpoch := (len(f.history.Training) + f.o.Batch - 1) / f.o.Batch
	steps := perEpoch * f.o.Epochs
	least := math.Inf(1)
	for e := range f.o.Epochs {
		random := rand.New(rand.NewPCG(f.o.Seed, uint64(e)+1))
		order := slices.Clone(f.history.Training)
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		epoch := Epoch{}
		for k := range perEpoch {
			batch := order[k*f.o.Batch : min((k+1)*f.o.Batch, len(order))]
			items := make([]item, len(batch))
			for i, index := range batch {
				items[i] = f.draw(random, index)
			}
			epoch.LearningRate = f.o.rate(e*perEpoch+k, steps)
			loss, err := f.learner.step(ctx, items, epoch.LearningRate)
			if err != nil {
				return fmt.Errorf("epoch %d: %w", e, err)
			}
			epoch.TrainLoss += loss * float64(len(batch)) / float64(len(order))
			f.o.Progress(Progress{Epoch: e, Epochs: f.o.Epochs, Step: e*perEpoch + k + 1, Steps: steps, Loss: loss})
		}
		logits, err := f.validate(ctx, &epoch)
		if err != nil {
			return fmt.Errorf("epoch %d: validation: %w", e, err)
		}
		f.history.Epochs = append(f.history.Epochs, epoch)
		if epoch.ValidationLoss < least {
			least = epoch.ValidationLoss
			f.history.Best, f.best, f.logits = e, slices.Clone(f.learner.flat), logits
		}
		f.o.Progress(Progress{Epoch: e, Epochs: f.o.Epochs, Step: (e + 1) * perEpoch, Steps: steps, Loss: epoch.TrainLoss, Done: &epoch})
	}
	if f.best == nil {
		return errors.New("validation loss was never finite")
	}
	return nil
}

// rate is linear from 0 over the warm-up, then a half cosine from LearningRate to FinalRate (Loshchilov and Hutter,
// arXiv 1608.03983, eq. 5).
func (o Options) rate(step, steps int) float64 {
	warm := int(o.WarmUp * float64(steps))
	if step < warm {
		return o.LearningRate * float64(step+1) / float64(warm)
	}
	part := float64(step-warm) / float64(max(1, steps-warm-1))
	return o.FinalRate + (o.LearningRate-o.FinalRate)*(1+math.Cos(math.Pi*part))/2
}

// validate computes the logits of the validation part and what they are worth.
func (f *fit) validate(ctx context.Context, epoch *Epoch) ([][]float32, error) {
	logits, err := f.learner.logits(ctx, f.source, f.history.Validation)
	if err != nil {
		return nil, err
	}
	scores, positive := make([]float64, len(logits)), make([]bool, len(logits))
	for i, index := range f.history.Validation {
		if scores[i], err = fusion.LogOdds(logits[i], 1); err != nil {
			return nil, err
		}
		positive[i] = f.labels[index] == 1
	}
	epoch.ValidationLoss = NLL(logits, f.validationLabels(), 1)
	epoch.AUROC, epoch.AUPRC = AUROC(scores, positive), AUPRC(scores, positive)
	return logits, nil
}

func (f *fit) validationLabels() []int {
	labels := make([]int, len(f.history.Validation))
	for i, index := range f.history.Validation {
		labels[i] = f.labels[index]
	}
	return labels
}

// finish makes a set of the best weights, calibrated if training came to its end.
func (f *fit) finish(initial weights.Set, calibrate bool) (weights.Set, error) {
	if f.best == nil {
		return weights.Set{}, nil
	}
	metadata := f.config.Metadata()
	maps.Copy(metadata, initial.Metadata)
	metadata[weights.Seed] = strconv.FormatUint(f.o.Seed, 10)
	delete(metadata, weights.SHA256) // of other tensors
	delete(metadata, weights.Temperature)
	delete(metadata, weights.OperatingPoint)
	if calibrate {
		labels := f.validationLabels()
		t := Temperature(f.logits, labels)
		probabilities, positive := []float64{}, []bool{}
		for i, index := range f.history.Validation {
			odds, err := fusion.LogOdds(f.logits[i], t)
			if err != nil {
				return weights.Set{}, err
			}
			p := 1 / (1 + math.Exp(-odds))
			f.history.Predictions = append(f.history.Predictions, Prediction{Index: index, Label: labels[i], Logits: f.logits[i], Probability: p})
			probabilities, positive = append(probabilities, p), append(positive, labels[i] == 1)
		}
		f.history.Temperature, f.history.OperatingPoint = t, Threshold(probabilities, positive, f.o.Sensitivity)
		metadata[weights.Temperature] = strconv.FormatFloat(t, 'g', -1, 64)
		metadata[weights.OperatingPoint] = strconv.FormatFloat(f.history.OperatingPoint, 'g', -1, 64)
	}
	return f.learner.layout.set(f.best, metadata)
}
