package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/nn"
	"mome/experts/t2"
	"mome/experts/weights"
	"mome/fusion"
	"mome/fusion/train"
	"mome/fusion/train/measure"
)

func branches() fusion.Branches {
	return fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}
}

// tiny is a network that learns in seconds.
func tiny() nn.Config {
	return nn.Config{
		Embed: 16, Heads: 2, Layers: 2, FusionFrom: 1, Experts: 2, Slots: 1, StemChannels: [2]int{4, 8}, Classes: 2,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 2, Size: [3]int{16, 16, 16}},
			T2:  nn.Box{Channels: 1, Size: [3]int{16, 16, 16}},
			DWI: nn.Box{Channels: 1, Size: [3]int{16, 16, 8}},
		},
	}
}

// blobs are cases in which class 1 is a bright ball in noise, seen by DCE and DWI, and T2 is noise alone. Two cases
// make a group; every fifth group lacks DWI.
func blobs(c nn.Config, n int) train.Samples {
	random := rand.New(rand.NewPCG(7, 7))
	volume := func(m experts.Modality, ball bool) []float32 {
		box := c.Boxes.Of(m)
		data := make([]float32, 0, box.Floats())
		for range box.Channels {
			for h := range box.Size[0] {
				for w := range box.Size[1] {
					for d := range box.Size[2] {
						x, y, z := float64(h-box.Size[0]/2), float64(w-box.Size[1]/2), float64(d-box.Size[2]/2)
						v := random.NormFloat64()
						if ball && x*x+y*y+z*z < 16 {
							v += 4
						}
						data = append(data, float32(v))
					}
				}
			}
		}
		return data
	}
	all := make(train.Samples, n)
	for i := range all {
		label := i / 2 % 2
		all[i] = train.Sample{
			DCE: volume(experts.DCE, label == 1), T2: volume(experts.T2, false), DWI: volume(experts.DWI, label == 1),
			Label: label, Group: fmt.Sprint("study ", i/2),
		}
		if i/2%5 == 0 {
			all[i].DWI = nil
		}
	}
	return all
}

func initial(t testing.TB, seed uint64) weights.Set {
	t.Helper()
	set, err := nn.Init(tiny(), seed)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestFitLearns(t *testing.T) {
	samples := blobs(tiny(), 80)
	options := train.Options{Branches: branches(), Epochs: 16, Batch: 4, LearningRate: 3e-3, ValidationFraction: 0.25, Seed: 3}
	start := initial(t, 1)
	before := start.SHA256()
	first, history, err := train.Fit(context.Background(), start, samples, options)
	if err != nil {
		t.Fatal(err)
	}
	best := history.Epochs[history.Best]
	if best.AUROC < 0.95 || best.AUPRC < 0.95 {
		t.Errorf("best epoch %d: AUROC %.3f, AUPRC %.3f, want above 0.95 on balls of four deviations", history.Best, best.AUROC, best.AUPRC)
	}
	if got := start.SHA256(); got != before {
		t.Errorf("the initial weights changed: hash %s, was %s", got, before)
	}

	m, err := fusion.New(first, fusion.Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	if m.Temperature() != history.Temperature || m.OperatingPoint() != history.OperatingPoint {
		t.Errorf("model has temperature %g and operating point %g, history %g and %g",
			m.Temperature(), m.OperatingPoint(), history.Temperature, history.OperatingPoint)
	}
	for _, want := range history.Predictions[:2] {
		s := samples[want.Index]
		p, err := m.Probability(context.Background(), fusion.Input{DCE: s.DCE, T2: s.T2, DWI: s.DWI})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(p-want.Probability) > 1e-6 {
			t.Errorf("sample %d: the model says %g, the history %g", want.Index, p, want.Probability)
		}
	}
	for name, leave := range map[string]func(s *train.Sample){
		"without DWI": func(s *train.Sample) { s.DWI = nil },
		"without T2":  func(s *train.Sample) { s.T2 = nil },
		"without DCE": func(s *train.Sample) { s.DCE = nil },
	} {
		var scores []float64
		var positive []bool
		for _, i := range history.Validation {
			s := samples[i]
			if leave(&s); s.DCE == nil && s.DWI == nil {
				continue
			}
			p, err := train.Predict(context.Background(), m, train.Samples{s})
			if err != nil {
				t.Fatal(err)
			}
			scores, positive = append(scores, p[0].Probability), append(positive, s.Label == 1)
		}
		if got := measure.AUROC(scores, positive); !(got > 0.8) {
			t.Errorf("%s: AUROC %.3f of %d samples", name, got, len(scores))
		}
	}
}

func TestFitDoesNotDependOnCores(t *testing.T) {
	options := train.Options{Branches: branches(), Epochs: 2, Batch: 4, LearningRate: 3e-3, Seed: 3}
	fit := func() string {
		set, _, err := train.Fit(context.Background(), initial(t, 1), blobs(tiny(), 24), options)
		if err != nil {
			t.Fatal(err)
		}
		return set.SHA256()
	}
	many := fit()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if one := fit(); one != many {
		t.Errorf("on one core training ends in %s, on more in %s", one, many)
	}
	options.Seed = 4
	if other := fit(); other == many {
		t.Error("the seed does not matter")
	}
}

func TestFitStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	options := train.Options{Branches: branches(), Epochs: 50, Progress: func(p train.Progress) {
		if p.Done != nil && p.Epoch == 1 {
			cancel()
		}
	}}
	set, history, err := train.Fit(ctx, initial(t, 1), blobs(tiny(), 20), options)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if len(history.Epochs) != 2 || set.Len() == 0 {
		t.Errorf("%d epochs and %d tensors after cancelling in epoch 1, want 2 epochs and their best weights", len(history.Epochs), set.Len())
	}
	if _, ok := set.Metadata[weights.Temperature]; ok {
		t.Error("weights of an unfinished training claim a calibration")
	}
}

func TestFitRefuses(t *testing.T) {
	good := blobs(tiny(), 8)
	short := blobs(tiny(), 8)
	short[3].T2 = short[3].T2[1:]
	label := blobs(tiny(), 8)
	label[0].Label = 2
	for _, c := range []struct {
		name    string
		samples train.Samples
		options train.Options
	}{
		{"negative batch", good, train.Options{Batch: -1}},
		{"all dropped", good, train.Options{ModalityDropout: 1}},
		{"nothing to train on", good[:0], train.Options{}},
		{"volume of another size", short, train.Options{}},
		{"unknown class", label, train.Options{}},
	} {
		c.options.Branches = branches()
		if _, _, err := train.Fit(context.Background(), initial(t, 1), c.samples, c.options); !errors.Is(err, train.ErrOptions) {
			t.Errorf("%s: error %v, want ErrOptions", c.name, err)
		}
	}
}

func TestFitReportsBranchErrors(t *testing.T) {
	if _, _, err := train.Fit(context.Background(), initial(t, 1), blobs(tiny(), 8), train.Options{}); err == nil {
		t.Error("no error without branches")
	}
}
