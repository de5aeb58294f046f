// Package train fits a network of package fusion to labelled studies on the CPU: Gorgonia's gradients through the
// operations of package gpu/op, Adam, cosine schedule, modality dropout, drop-path, flips, shifts; then temperature and
// operating point on the validation part. Package measure says how good the result is, package plot draws it.
//
// Everything random follows from one seed. The result does not depend on the number of cores, nor on how often training
// was stopped and taken up again from its checkpoint. It was compared with the published training code for five steps.
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
	"strings"

	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/fusion/train/measure"
)

// Fit trains from the initial weights, which are not changed (see nn.Init for fresh ones), and returns the weights of
// the best epoch; tensors that are not trained share the initial ones' memory. Their metadata are the initial ones with
// the configuration, task, seed, temperature and, for two classes, operating point set; where they came from is for the
// caller to add. When ctx is done Fit returns its error, together with the best weights so far if an epoch was
// finished, neither calibrated. A checkpoint that does not belong to this training is refused with ErrCheckpoint.
func Fit(ctx context.Context, initial weights.Set, source Source, options Options) (weights.Set, History, error) {
	fail := func(err error) (weights.Set, History, error) { return weights.Set{}, History{Best: -1}, err }
	o, err := options.withDefaults()
	if err != nil {
		return fail(err)
	}
	config, err := nn.ConfigFrom(initial)
	if err != nil {
		return fail(err)
	}
	if o.Task, err = o.Task.fits(initial, config); err != nil {
		return fail(err)
	}
	if o.ClassWeights != nil && len(o.ClassWeights) != config.Classes {
		return fail(fmt.Errorf("%w: %d class weights for %d classes", ErrOptions, len(o.ClassWeights), config.Classes))
	}
	all, err := survey(ctx, source, config)
	if err != nil {
		return fail(err)
	}
	f := fit{o: o, config: config, census: all, history: History{Task: o.Task, Best: -1, DataSHA256: all.sha256}}
	f.history.Training, f.history.Validation = Split(all.groups, all.labels, o.ValidationFraction, o.Seed)
	if o.Validation != nil {
		if f.history.Training, f.history.Validation, err = divide(all.groups, o.Validation); err != nil {
			return fail(err)
		}
	}
	if err := f.enough(); err != nil {
		return fail(err)
	}
	f.learner = newLearner(config, initial, source, o)
	if err := f.resume(); err != nil {
		return fail(err)
	}
	err = f.run(ctx)
	set, finishErr := f.finish(err == nil)
	return set, f.history, errors.Join(err, finishErr)
}

// fit is one training under way.
type fit struct {
	o       Options
	config  nn.Config
	census  census
	learner *learner
	history History
	best    []float32   // trained weights of the best epoch
	logits  [][]float32 // of the validation part, with them
}

// enough refuses parts that nothing can be learnt from or chosen by.
func (f *fit) enough() error {
	if len(f.history.Training) == 0 || len(f.history.Validation) == 0 {
		return fmt.Errorf("%w: %d samples to train on, %d to validate", ErrOptions, len(f.history.Training), len(f.history.Validation))
	}
	if f.o.Best == HighestAUROC {
		seen := map[int]bool{}
		for _, label := range f.validationLabels() {
			seen[label] = true
		}
		if len(seen) != f.config.Classes {
			return fmt.Errorf("%w: the best epoch is to have the highest AUROC, but of %d classes only %d are in the validation part",
				ErrOptions, f.config.Classes, len(seen))
		}
	}
	return nil
}

func (f *fit) run(ctx context.Context) error {
	for e := len(f.history.Epochs); e < f.o.Epochs && !f.history.EndedEarly; e++ {
		epoch, err := f.epoch(ctx, e)
		if err != nil {
			return fmt.Errorf("epoch %d: %w", e, err)
		}
		if err := f.save(); err != nil {
			return fmt.Errorf("epoch %d: %w", e, err)
		}
		steps := f.perEpoch() * f.o.Epochs
		f.o.Progress(Progress{Epoch: e, Epochs: f.o.Epochs, Step: (e + 1) * f.perEpoch(), Steps: steps, Loss: epoch.TrainLoss, Done: &epoch})
	}
	if f.best == nil {
		return errors.New("validation loss was never finite")
	}
	return nil
}

// perEpoch is the number of steps of an epoch.
func (f *fit) perEpoch() int { return (len(f.history.Training) + f.o.Batch - 1) / f.o.Batch }

// epoch passes once over the training part and judges the weights that come out. What is random in it follows from
// the seed and its number alone, so that it can be done again after an interruption.
func (f *fit) epoch(ctx context.Context, e int) (Epoch, error) {
	random := rand.New(rand.NewPCG(f.o.Seed, uint64(e)+1))
	order := slices.Clone(f.history.Training)
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	var epoch Epoch
	for k := range f.perEpoch() {
		items := make([]item, 0, f.o.Batch)
		for _, index := range order[k*f.o.Batch : min((k+1)*f.o.Batch, len(order))] {
			items = append(items, f.draw(random, index))
		}
		step := e*f.perEpoch() + k
		epoch.LearningRate = f.o.rate(step, f.perEpoch())
		loss, length, err := f.learner.step(ctx, items, epoch.LearningRate)
		if err != nil {
			return epoch, err
		}
		epoch.TrainLoss += loss * float64(len(items)) / float64(len(order))
		epoch.GradientNorm += length / float64(f.perEpoch())
		f.o.Progress(Progress{Epoch: e, Epochs: f.o.Epochs, Step: step + 1, Steps: f.o.Epochs * f.perEpoch(), Loss: loss})
	}
	logits, err := f.validate(ctx, &epoch)
	if err != nil {
		return epoch, fmt.Errorf("validation: %w", err)
	}
	f.history.Epochs = append(f.history.Epochs, epoch)
	if f.better(epoch) {
		f.history.Best, f.logits = e, logits
		f.best = append(f.best[:0], f.learner.flat...)
	}
	f.history.EndedEarly = f.o.Patience > 0 && e-f.history.Best >= f.o.Patience && e+1 < f.o.Epochs
	return epoch, nil
}

// better compares an epoch with the best one before.
func (f *fit) better(e Epoch) bool {
	if !finite(e.ValidationLoss) {
		return false
	}
	if f.history.Best < 0 {
		return true
	}
	best := f.history.Epochs[f.history.Best]
	if f.o.Best == HighestAUROC && e.AUROC != best.AUROC {
		return e.AUROC > best.AUROC
	}
	return e.ValidationLoss < best.ValidationLoss
}

// validate computes the logits of the validation part and what they are worth.
func (f *fit) validate(ctx context.Context, epoch *Epoch) ([][]float32, error) {
	logits, err := f.learner.logits(ctx, f.history.Validation)
	if err != nil {
		return nil, err
	}
	epoch.ValidationLoss = measure.NLL(logits, f.validationLabels(), 1)
	cases := Cases(f.predictions(logits, 1))
	roc, pr := measure.AreaROC, measure.AreaPR
	if f.config.Classes > 2 {
		roc, pr = measure.MacroAreaROC, measure.MacroAreaPR
	}
	epoch.AUROC, epoch.AUPRC = roc.Of(cases, 0), pr.Of(cases, 0)
	return logits, nil
}

func (f *fit) validationLabels() []int {
	labels := make([]int, len(f.history.Validation))
	for i, index := range f.history.Validation {
		labels[i] = f.census.labels[index]
	}
	return labels
}

// predictions are what logits of the validation part say at a temperature.
func (f *fit) predictions(logits [][]float32, temperature float64) []Prediction {
	out := make([]Prediction, len(logits))
	for i, index := range f.history.Validation {
		p := measure.Softmax(logits[i], temperature)
		out[i] = Prediction{
			Index: index, Label: f.census.labels[index], Group: f.census.groups[index],
			Logits: logits[i], Probabilities: p, Probability: p[1],
		}
	}
	return out
}

// finish makes a set of the best weights, calibrated if training came to its end.
func (f *fit) finish(calibrate bool) (weights.Set, error) {
	if f.best == nil {
		return weights.Set{}, nil
	}
	metadata := f.config.Metadata()
	maps.Copy(metadata, f.learner.initial.Metadata)
	metadata[weights.Task], metadata[weights.Classes] = f.o.Task.Name, strings.Join(f.o.Task.Classes, ",")
	metadata[weights.Seed] = strconv.FormatUint(f.o.Seed, 10)
	delete(metadata, weights.SHA256) // of other tensors
	delete(metadata, weights.Temperature)
	delete(metadata, weights.OperatingPoint)
	if calibrate {
		f.history.Temperature = measure.Temperature(f.logits, f.validationLabels())
		metadata[weights.Temperature] = strconv.FormatFloat(f.history.Temperature, 'g', -1, 64)
		f.history.Predictions = f.predictions(f.logits, f.history.Temperature)
		if f.config.Classes == 2 {
			f.history.OperatingPoint = f.operatingPoint()
			metadata[weights.OperatingPoint] = strconv.FormatFloat(f.history.OperatingPoint, 'g', -1, 64)
		}
	}
	return f.learner.layout.set(f.best, f.config, f.learner.initial, metadata)
}

func (f *fit) operatingPoint() float64 {
	p, positive := measure.OneVersusRest(Cases(f.history.Predictions), 1)
	if f.o.Point == YoudenIndex {
		return measure.Youden(p, positive)
	}
	return measure.Threshold(p, positive, f.o.Sensitivity)
}

// Predict is what a finished model says of every sample, in the source's order.
func Predict(ctx context.Context, model *fusion.Model, source Source) ([]Prediction, error) {
	st := studio{config: model.Config()}
	out := make([]Prediction, source.Len())
	for i := range out {
		s, err := source.At(i)
		if err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
		in, err := st.input(s, middle(i))
		if err != nil {
			return nil, err
		}
		logits, err := model.Logits(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
		p := measure.Softmax(logits, model.Temperature())
		if slices.ContainsFunc(p, math.IsNaN) || len(p) < 2 {
			return nil, fmt.Errorf("sample %d: logits %v", i, logits)
		}
		out[i] = Prediction{Index: i, Label: s.Label, Group: s.Group, Logits: logits, Probabilities: p, Probability: p[1]}
	}
	return out, nil
}
