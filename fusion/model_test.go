package fusion

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/nn"
	"mome/gpu/op"
)

func oddModel(t testing.TB) (*Model, nn.Config) {
	t.Helper()
	c := odd()[1]
	m, err := New(shaken(t, c), Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	return m, c
}

// only leaves out the modalities whose bit is not in the set; the context stays.
func only(in Input, players []experts.Modality, set int) Input {
	out := Input{Context: in.Context}
	for i, p := range players {
		if set>>i&1 == 0 {
			continue
		}
		switch p {
		case experts.DCE:
			out.DCE = in.DCE
		case experts.T2:
			out.T2 = in.T2
		case experts.DWI:
			out.DWI = in.DWI
		}
	}
	return out
}

func TestProbabilityIsCalibrated(t *testing.T) {
	c := odd()[0] // three classes
	set := shaken(t, c)
	set.Metadata["temperature"] = "2.5"
	set.Metadata["operating_point"] = "0.125"
	m, err := New(set, Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	if m.OperatingPoint() != 0.125 || m.Temperature() != 2.5 {
		t.Errorf("operating point %g and temperature %g, want 0.125 and 2.5", m.OperatingPoint(), m.Temperature())
	}
	in := noise(c, 1)
	logits, err := m.Logits(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) / 2.5)
	}
	want := math.Exp(float64(logits[1])/2.5) / sum
	got, err := m.Probability(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("probability %g, want %g of logits %v", got, want, logits)
	}
}

func TestContributionsAddUp(t *testing.T) {
	m, c := oddModel(t)
	ctx := context.Background()
	odds := func(in Input) float64 {
		t.Helper()
		v, err := m.logOdds(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	full := noise(c, 2)
	for which := range 8 {
		in := only(full, experts.Modalities[:], which)
		got, err := m.Contributions(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		sum, shares := 0.0, 0.0
		for _, part := range got {
			if in.Of(part.Modality) == nil {
				t.Errorf("modalities %03b: %s is absent and contributes", which, part.Modality)
			}
			sum += part.LogOdds
			shares += part.Share
		}
		if want := odds(in) - odds(Input{Context: in.Context}); math.Abs(sum-want) > 1e-9 {
			t.Errorf("modalities %03b: contributions sum to %g, want %g", which, sum, want)
		}
		if which != 0 && math.Abs(shares-1) > 1e-9 {
			t.Errorf("modalities %03b: shares sum to %g", which, shares)
		}
	}
	// A single modality moves the log-odds by all of the difference; of two, by the mean over both orders.
	none := Input{Context: full.Context}
	dce, t2, both := none, none, none
	dce.DCE, t2.T2, both.DCE, both.T2 = full.DCE, full.T2, full.DCE, full.T2
	pair, err := m.Contributions(ctx, both)
	if err != nil {
		t.Fatal(err)
	}
	want := (odds(dce) - odds(none) + odds(both) - odds(t2)) / 2
	if math.Abs(pair[0].LogOdds-want) > 1e-9 {
		t.Errorf("DCE beside T2 contributes %g, want %g", pair[0].LogOdds, want)
	}
}

func TestShapley(t *testing.T) {
	for _, c := range []struct {
		name  string
		worth []float64
		want  []float64
	}{
		{"additive", []float64{0, 1, 2, 3, 4, 5, 6, 7}, []float64{1, 2, 4}},
		{"all needed", []float64{0, 0, 0, 0, 0, 0, 0, 3}, []float64{1, 1, 1}},
		{"a glove and two others", []float64{0, 0, 0, 6, 0, 6, 0, 6}, []float64{4, 1, 1}},
		{"nobody", []float64{5}, nil},
	} {
		got := shapley(len(c.want), c.worth)
		for i := range c.want {
			if math.Abs(got[i]-c.want[i]) > 1e-12 {
				t.Errorf("%s: values %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

func TestModelRefusesInput(t *testing.T) {
	m, c := oddModel(t)
	short, nan, infinite := noise(c, 1), noise(c, 1), noise(c, 1)
	short.T2 = short.T2[:len(short.T2)-1]
	nan.DCE[7] = float32(math.NaN())
	infinite.DWI[0] = float32(math.Inf(-1))
	empty := noise(c, 1)
	empty.DWI = []float32{}
	stranger := noise(c, 1)
	stranger.Context = &clinical.Context{Prior: "lump"}
	for name, in := range map[string]Input{
		"too short": short, "NaN": nan, "infinite": infinite, "empty": empty, "no such prior": stranger,
	} {
		if _, err := m.Logits(context.Background(), in); !errors.Is(err, ErrInput) {
			t.Errorf("%s: error %v, want ErrInput", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Probability(ctx, noise(c, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if _, err := m.Contributions(ctx, noise(c, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled contributions: error %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(metadata map[string]string, b *Branches){
		"temperature zero":       func(m map[string]string, _ *Branches) { m["temperature"] = "0" },
		"temperature in words":   func(m map[string]string, _ *Branches) { m["temperature"] = "cold" },
		"operating point of 1.5": func(m map[string]string, _ *Branches) { m["operating_point"] = "1.5" },
		"operating point NaN":    func(m map[string]string, _ *Branches) { m["operating_point"] = "NaN" },
		"no expert for T2":       func(_ map[string]string, b *Branches) { b.T2 = nil },
		"no heads":               func(m map[string]string, _ *Branches) { m["heads"] = "0" },
	} {
		set, b := shaken(t, odd()[1]), branches()
		change(set.Metadata, &b)
		if _, err := New(set, Options{Branches: b}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBranchErrorsAndPanicsAreErrors(t *testing.T) {
	for name, branch := range map[string]Branch{
		"error": func(*nn.Builder, *gorgonia.Node) (*gorgonia.Node, error) { return nil, errors.New("boom") },
		"panic": func(*nn.Builder, *gorgonia.Node) (*gorgonia.Node, error) { panic("boom") },
	} {
		b := branches()
		b.DWI = branch
		m, err := New(shaken(t, odd()[1]), Options{Branches: b})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Logits(context.Background(), noise(odd()[1], 1)); err == nil || !strings.Contains(err.Error(), "boom") {
			t.Errorf("%s: error %v, want one that says boom", name, err)
		}
	}
}

// Calls from many goroutines must answer what they answer alone.
func TestModelIsSafeForConcurrentUse(t *testing.T) {
	m, c := oddModel(t)
	full := noise(c, 3)
	alone, _ := oddModel(t)
	var wait sync.WaitGroup
	for which := range 16 {
		in := only(full, experts.Modalities[:], which%8)
		want, err := alone.Probability(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			got, err := m.Probability(context.Background(), in)
			if err != nil || got != want {
				t.Errorf("modalities %03b: probability %g, error %v; alone %g", which%8, got, err, want)
			}
		})
	}
	wait.Wait()
}

// Factors of 8 bits change a product by up to 2^-8 of itself; over many products and inputs most of that cancels.
func TestBFloat16IsNear(t *testing.T) {
	set, err := nn.Init(trainable(), 3)
	if err != nil {
		t.Fatal(err)
	}
	logits := func(precision op.Precision) []float32 {
		t.Helper()
		m, err := New(set, Options{Branches: branches(), Precision: precision})
		if err != nil {
			t.Fatal(err)
		}
		var all []float32
		for seed := range uint64(8) {
			got, err := m.Logits(context.Background(), noise(trainable(), seed))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, got...)
		}
		return all
	}
	want, got := logits(op.Float32), logits(op.BFloat16)
	d := farthest(got, want) / norm(want)
	t.Logf("largest difference %.2g of the norm of 16 logits", d)
	if d > 2e-2 || d == 0 {
		t.Errorf("bfloat16 %v, float32 %v: relative difference %.2g, want at most 2e-2 and not none", got, want, d)
	}
}

// A context changes what a model says that has learnt of contexts, and no other.
func TestContext(t *testing.T) {
	with, without := odd()[1], odd()[1]
	without.Context = false
	ctx := context.Background()
	young, old, nothing := noise(with, 2), noise(with, 2), noise(with, 2)
	young.Context = &clinical.Context{AgeYears: experts.Known(25)}
	old.Context = &clinical.Context{AgeYears: experts.Known(75)}
	nothing.Context = nil
	logits := func(c nn.Config, in Input) []float32 {
		t.Helper()
		m, err := New(shaken(t, c), Options{Branches: branches()})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Logits(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if a, b, c := logits(with, young), logits(with, old), logits(with, nothing); farthest(a, b) < 1e-3 || farthest(a, c) < 1e-3 {
		t.Errorf("logits of 25 years %v, of 75 years %v, without a context %v", a, b, c)
	}
	if a, b := logits(without, young), logits(without, nothing); farthest(a, b) != 0 {
		t.Errorf("a model without a tensor for it says %v with a context and %v without", a, b)
	}
}
