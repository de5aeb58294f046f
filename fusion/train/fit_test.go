package train_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mome/experts/clinical"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/fusion/train"
	"mome/fusion/train/measure"
)

// four is a network of four classes and samples that DCE's two channels tell apart: bright in neither, one, the other
// or both.
func four(t *testing.T, n int) (weights.Set, train.Samples) {
	t.Helper()
	c := tiny()
	c.Classes = 4
	set, err := nn.Init(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	samples := blobs(c, n)
	for i := range samples {
		label := i / 2 % 4
		samples[i].Label = label
		half := len(samples[i].DCE) / 2
		for j := range samples[i].DCE {
			if x := j % 16; x > 3 && x < 12 && (j < half && label&1 != 0 || j >= half && label&2 != 0) {
				samples[i].DCE[j] += 3
			}
		}
	}
	return set, samples
}

func TestFitOfFourClasses(t *testing.T) {
	set, samples := four(t, 64)
	options := train.Options{
		Branches: branches(), Task: train.Subtype(), Epochs: 14, Batch: 4, LearningRate: 4e-3, ValidationFraction: 0.25, ModalityDropout: -1,
		Best: train.HighestAUROC, Seed: 2,
	}
	trained, history, err := train.Fit(context.Background(), set, samples, options)
	if err != nil {
		t.Fatal(err)
	}
	if best := history.Epochs[history.Best]; best.AUROC < 0.9 || best.AUPRC < 0.8 {
		t.Errorf("best epoch %d: macro AUROC %.3f, AUPRC %.3f", history.Best, best.AUROC, best.AUPRC)
	}
	for _, e := range history.Epochs {
		if e.AUROC > history.Epochs[history.Best].AUROC {
			t.Errorf("an epoch has AUROC %g, the best one %g", e.AUROC, history.Epochs[history.Best].AUROC)
		}
	}
	if point, ok := trained.Metadata[weights.OperatingPoint]; ok || history.OperatingPoint != 0 {
		t.Errorf("four classes have the operating point %s", point)
	}
	if task, classes := trained.Metadata[weights.Task], trained.Metadata[weights.Classes]; task != "subtype" || strings.Count(classes, ",") != 3 {
		t.Errorf("weights for task %q of classes %q", task, classes)
	}
	report, err := measure.Evaluate(train.Cases(history.Predictions), history.Task.Metrics, 0, measure.Bootstrap{Resamples: 50})
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := report.Value(measure.MacroAreaROC); !ok || v.Estimate < 0.9 {
		t.Errorf("calibrated: %v, want above 0.9", v)
	}

	model, err := fusion.New(trained, fusion.Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	var validation train.Samples
	for _, i := range history.Validation {
		validation = append(validation, samples[i])
	}
	predictions, err := train.Predict(context.Background(), model, validation)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range history.Predictions {
		want.Index = i
		got := predictions[i]
		for class, p := range want.Probabilities {
			if math.Abs(got.Probabilities[class]-p) > 1e-6 {
				t.Errorf("sample %d: the model says %v, the history %v", i, got.Probabilities, want.Probabilities)
				break
			}
		}
		if got.Label != want.Label || got.Group != want.Group {
			t.Errorf("sample %d: label %d of %s, want %d of %s", i, got.Label, got.Group, want.Label, want.Group)
		}
	}
}

func TestFitEndsEarly(t *testing.T) {
	options := train.Options{Branches: branches(), Epochs: 30, Batch: 4, LearningRate: 0.3, ClipNorm: -1, Patience: 2, Seed: 1}
	_, history, err := train.Fit(context.Background(), initial(t, 1), blobs(tiny(), 16), options)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(history.Epochs), history.Best+1+options.Patience; got != want || !history.EndedEarly {
		t.Errorf("%d epochs with the best at %d (ended early: %v), want %d: steps of that size do not converge", got, history.Best, history.EndedEarly, want)
	}
	if history.Predictions == nil {
		t.Error("weights of a training that ended early are not calibrated")
	}
}

func TestFitWithMarginsAndClassWeights(t *testing.T) {
	margin := train.Margin{DCE: 2, T2: 2, DWI: 1}
	grown := tiny()
	grown.Boxes = margin.Grow(grown.Boxes)
	samples := blobs(grown, 24)
	var labels []int
	for i := range samples {
		samples[i].Margin = margin
		labels = append(labels, samples[i].Label)
	}
	options := train.Options{
		Branches: branches(), Epochs: 2, Batch: 4, Seed: 3, ClassWeights: train.Balanced(labels, 2), Point: train.YoudenIndex, Trained: train.PublishedTrained,
	}
	start := initial(t, 1)
	set, history, err := train.Fit(context.Background(), start, samples, options)
	if err != nil {
		t.Fatal(err)
	}
	p, positive := measure.OneVersusRest(train.Cases(history.Predictions), 1)
	if got, want := history.OperatingPoint, measure.Youden(p, positive); got != want {
		t.Errorf("operating point %g, want Youden's %g", got, want)
	}
	for _, tensor := range set.All() {
		before, _ := start.Tensor(tensor.Name)
		if same := slices.Equal(tensor.Data, before.Data); !same && !train.PublishedTrained(tensor.Name) {
			t.Errorf("%s is frozen and changed", tensor.Name)
		}
	}
	model, err := fusion.New(set, fusion.Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	at := history.Validation[0]
	predictions, err := train.Predict(context.Background(), model, samples[at:at+1])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := predictions[0].Probability, history.Predictions[0].Probability; math.Abs(got-want) > 1e-6 {
		t.Errorf("the model says %g of the middle of a sample, the history %g", got, want)
	}
}

// The authors' settings on a network of random weights, one epoch of them: they must fit together.
func TestFitAsPublished(t *testing.T) {
	options := train.Published()
	options.Branches, options.Epochs, options.ValidationFraction = branches(), 1, 0.5
	start := initial(t, 1)
	set, history, err := train.Fit(context.Background(), start, blobs(tiny(), 16), options)
	if err != nil {
		t.Fatal(err)
	}
	if e := history.Epochs[0]; e.LearningRate != 1e-4 || !(e.TrainLoss > 0) {
		t.Errorf("epoch %+v, want the rate 1e-4", e)
	}
	changed := 0
	for _, tensor := range set.All() {
		before, _ := start.Tensor(tensor.Name)
		if !slices.Equal(tensor.Data, before.Data) {
			changed++
			if !train.PublishedTrained(tensor.Name) {
				t.Errorf("%s is frozen and changed", tensor.Name)
			}
		}
	}
	if changed == 0 {
		t.Error("no tensor changed")
	}
}

// Samples of noise whose class the patient's family history gives away.
func TestFitReadsTheContext(t *testing.T) {
	c := tiny()
	c.Context = true
	start, err := nn.Init(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	samples := blobs(c, 48)
	for i := range samples {
		samples[i].Label = i / 4 % 2
		samples[i].Context = &clinical.Context{FamilyHistory: []clinical.FamilyHistory{clinical.NoRelatives, clinical.FirstDegree}[i/4%2]}
		if i == 7 {
			samples[i].Context = nil
		}
	}
	options := train.Options{Branches: branches(), Epochs: 10, Batch: 4, LearningRate: 1e-2, ValidationFraction: 0.25, Best: train.HighestAUROC, Seed: 2}
	set, history, err := train.Fit(context.Background(), start, samples, options)
	if err != nil {
		t.Fatal(err)
	}
	if got := history.Epochs[history.Best].AUROC; got < 0.95 {
		t.Errorf("AUROC %.3f, want the family history to be learnt", got)
	}
	model, err := fusion.New(set, fusion.Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	at := history.Validation[0]
	predictions, err := train.Predict(context.Background(), model, samples[at:at+1])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := predictions[0].Probability, history.Predictions[0].Probability; math.Abs(got-want) > 1e-6 {
		t.Errorf("the model says %g, the history %g", got, want)
	}
	changed := slices.Clone(samples)
	changed[3].Context = &clinical.Context{}
	_, other, err := train.Fit(context.Background(), start, changed[:8], train.Options{Branches: branches(), Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, same, err := train.Fit(context.Background(), start, samples[:8], train.Options{Branches: branches(), Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if other.DataSHA256 == same.DataSHA256 {
		t.Error("the data's hash does not see the context")
	}
	changed[3].Context = &clinical.Context{Prior: "lump"}
	if _, _, err := train.Fit(context.Background(), start, changed, options); !errors.Is(err, train.ErrOptions) {
		t.Errorf("impossible context: error %v, want ErrOptions", err)
	}
}

func TestHistoryAsCSV(t *testing.T) {
	h := train.History{Best: 1, Epochs: []train.Epoch{
		{TrainLoss: 0.7, ValidationLoss: 0.75, AUROC: math.NaN(), AUPRC: math.NaN(), LearningRate: 1e-4, GradientNorm: 2},
		{TrainLoss: 1.0 / 3, ValidationLoss: 0.5, AUROC: 0.9, AUPRC: 0.8, LearningRate: 1e-6, GradientNorm: 1.5},
	}}
	var b bytes.Buffer
	if err := h.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(&b).ReadAll()
	want := [][]string{
		{"epoch", "training_loss", "validation_loss", "auroc", "auprc", "learning_rate", "gradient_norm", "best"},
		{"1", "0.7", "0.75", "", "", "0.0001", "2", "0"},
		{"2", "0.33333333", "0.5", "0.9", "0.8", "1e-06", "1.5", "1"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("lines\n%q (%v), want\n%q", got, err, want)
	}
}

func TestTasks(t *testing.T) {
	for _, want := range []train.Task{train.Malignancy(), train.TNBC(), train.PCR(), train.Subtype()} {
		got, err := train.TaskNamed(want.Name)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("task %q: %v (%v), want %v", want.Name, got, err, want)
		}
		if n := len(want.Classes); n != 2 && want.Name != "subtype" || want.Name == "subtype" && n != 4 {
			t.Errorf("task %q has %d classes", want.Name, n)
		}
		if macro := slices.Contains(want.Metrics, measure.MacroAreaROC); macro != (len(want.Classes) > 2) {
			t.Errorf("task %q of %d classes: macro AUROC applies: %v", want.Name, len(want.Classes), macro)
		}
	}
	if _, err := train.TaskNamed("prognosis"); !errors.Is(err, train.ErrOptions) {
		t.Errorf("unknown task: error %v, want ErrOptions", err)
	}
}

func TestFitRefusesTasksAndParts(t *testing.T) {
	good := blobs(tiny(), 12)
	one := slices.Clone(good)
	for i := range one {
		one[i].Label = 0
	}
	comma := train.Malignancy()
	comma.Classes = []string{"benign", "in situ, invasive"}
	margin := slices.Clone(good)
	margin[2].Margin.T2 = 1
	for _, c := range []struct {
		name    string
		samples train.Samples
		options train.Options
	}{
		{"four classes for two", good, train.Options{Task: train.Subtype()}},
		{"a comma in a class", good, train.Options{Task: comma}},
		{"three weights for two classes", good, train.Options{ClassWeights: []float64{1, 1, 1}}},
		{"a negative weight", good, train.Options{ClassWeights: []float64{1, -1}}},
		{"no AUROC to choose by", one, train.Options{Best: train.HighestAUROC}},
		{"a margin that the volume lacks", margin, train.Options{}},
		{"no flip to choose", good, train.Options{Flips: []train.Flip{}}},
		{"every branch dropped", good, train.Options{DropPath: 1}},
		{"unknown criterion", good, train.Options{Best: "luck"}},
		{"unknown rule", good, train.Options{Point: "luck"}},
		{"a rate that is no number", good, train.Options{LearningRate: math.NaN()}},
	} {
		c.options.Branches = branches()
		if _, history, err := train.Fit(context.Background(), initial(t, 1), c.samples, c.options); !errors.Is(err, train.ErrOptions) || history.Best != -1 {
			t.Errorf("%s: error %v, best epoch %d, want ErrOptions and none", c.name, err, history.Best)
		}
	}
}
