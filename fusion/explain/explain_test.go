package explain

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/weights"
	"mome/fusion"
)

// pathOf is the path from zero tokens to those of an input.
func pathOf(t testing.TB, x *Explainer, in fusion.Input, class int) *path {
	t.Helper()
	p, err := x.path(context.Background(), in, class)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// odds are the log-odds of other tokens than the path's own.
func odds(t testing.TB, p *path, tokens map[experts.Modality][]float32) float64 {
	t.Helper()
	other := *p
	other.tokens = tokens
	v, err := other.logOdds(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// differences integrates gradients along the path once more, by differences of the network's answers alone: how the
// log-odds change when one token grows by a little, in the middle of each of n steps.
func differences(t testing.TB, p *path, n int) map[experts.Modality][]float64 {
	t.Helper()
	const h = 1.0 / 256
	out := map[experts.Modality][]float64{}
	for _, m := range p.net.modalities {
		count := p.net.tokens[m]
		out[m] = make([]float64, count)
		width := len(p.tokens[m]) / count
		for token := range count {
			for step := range n {
				u := (float64(step) + 0.5) / float64(n)
				at := func(change float64) float64 {
					moved := map[experts.Modality][]float32{}
					for _, o := range p.net.modalities {
						moved[o] = make([]float32, len(p.tokens[o]))
						for k, v := range p.tokens[o] {
							scale := u * u
							if o == m && k/width == token {
								scale += change
							}
							moved[o][k] = float32(scale * float64(v))
						}
					}
					return odds(t, p, moved)
				}
				out[m][token] += (at(h) - at(-h)) / (2 * h) * 2 * u / float64(n)
			}
		}
	}
	return out
}

func TestAttributionsMatchDifferences(t *testing.T) {
	for _, c := range []struct {
		name           string
		classes, class int
		without        experts.Modality
		context        *clinical.Context
	}{
		{name: "two classes", classes: 2, class: 1},
		{name: "two classes, the first", classes: 2, class: 0},
		{name: "four classes", classes: 4, class: 2},
		{name: "without T2", classes: 2, class: 1, without: experts.T2},
		{name: "with a clinical context", classes: 2, class: 1, context: &clinical.Context{AgeYears: experts.Known(71)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := tiny(c.classes)
			config.Context = c.context != nil
			set := shaken(t, config)
			set.Metadata[weights.Temperature] = "1.7"
			x := explainer(t, set)
			in := noise(config, 4)
			in.Context = c.context
			if c.without == experts.T2 {
				in.T2 = nil
			}
			got, err := x.ExplainClass(context.Background(), in, c.class)
			if err != nil {
				t.Fatal(err)
			}
			p, err := x.model.Probability(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if odds := math.Log(p / (1 - p)); c.class == 1 && math.Abs(got.LogOdds-odds) > 1e-4 {
				t.Errorf("log-odds %g, the model says %g", got.LogOdds, odds)
			}
			want := differences(t, pathOf(t, x, in, c.class), 64)
			if len(got.Parts) != len(want) {
				t.Fatalf("%d modalities, want %d", len(got.Parts), len(want))
			}
			largest := 0.0
			for _, part := range got.Parts {
				for _, v := range part.Tokens {
					largest = max(largest, math.Abs(v))
				}
			}
			for _, part := range got.Parts {
				for token, v := range part.Tokens {
					if d := math.Abs(v - want[part.Modality][token]); d > 0.02*largest {
						t.Errorf("%s token %d: %g, by differences %g; largest attribution %g", part.Modality, token, v, want[part.Modality][token], largest)
					}
				}
			}
		})
	}
}

func TestAttributionsAreComplete(t *testing.T) {
	check := func(t *testing.T, x *Explainer, in fusion.Input) {
		t.Helper()
		e, err := x.Explain(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		absolute, relative := e.CompletenessError()
		t.Logf("log-odds %.4f, baseline %.4f, %d steps, error %.1e (%.1e relative)", e.LogOdds, e.Baseline, e.Steps, absolute, relative)
		if relative > relativeTolerance && absolute > absoluteTolerance {
			t.Errorf("%d steps miss %g by %g", e.Steps, e.LogOdds-e.Baseline, absolute)
		}
		for _, p := range e.Parts {
			sum, size := 0.0, 0.0
			for _, v := range p.Voxels {
				sum += float64(v)
				size += math.Abs(float64(v))
			}
			if math.Abs(sum-p.Sum()) > 1e-5*size {
				t.Errorf("%s: voxels sum to %g, tokens to %g", p.Modality, sum, p.Sum())
			}
		}
	}
	t.Run("random networks", func(t *testing.T) {
		for classes := 2; classes <= 4; classes++ {
			check(t, explainer(t, shaken(t, tiny(classes))), noise(tiny(classes), uint64(classes)))
		}
	})
	t.Run("built-in weights", func(t *testing.T) {
		x := builtIn(t)
		check(t, x, lesion(x.model.Config()))
		check(t, x, noise(x.model.Config(), 1))
	})
	t.Run("published code's weights", func(t *testing.T) {
		dir := oracle(t)
		x := explainer(t, oracleWeights(t, dir))
		for i := range 2 {
			check(t, x, oracleInput(t, dir, x.model.Config(), i))
		}
	})
}

func TestAttributionsMatchOracle(t *testing.T) {
	dir := oracle(t)
	raw, err := os.ReadFile(filepath.Join(dir, "variants.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		None struct {
			Zero []float64 `json:"zero_logits"`
		} `json:"none"`
		All struct {
			Drop []float64 `json:"drop_logits"`
		} `json:"dce+dwi+t2"`
		Gradients map[string]float64 `json:"ig_tokens_zero_baseline_128"`
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	set := oracleWeights(t, dir)
	// The oracle explains the logit of class 1, which the log-odds are where that of class 0 is always 0.
	for _, name := range []string{"head.weight", "head.bias"} {
		tensor, _ := set.Tensor(name)
		clear(tensor.Data[:len(tensor.Data)/2])
	}
	x := explainer(t, set)
	e, err := x.Explain(context.Background(), oracleInput(t, dir, x.model.Config(), 0))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.LogOdds-want.All.Drop[1]) > 1e-5 || math.Abs(e.Baseline-want.None.Zero[1]) > 1e-5 {
		t.Errorf("from %g to %g, want from %g to %g", e.Baseline, e.LogOdds, want.None.Zero[1], want.All.Drop[1])
	}
	for _, p := range e.Parts {
		name := map[experts.Modality]string{experts.DCE: "dce", experts.T2: "t2", experts.DWI: "dwi"}[p.Modality]
		if got := p.Sum(); math.Abs(got-want.Gradients[name]) > 1e-3 {
			t.Errorf("%s adds %g, want %g", p.Modality, got, want.Gradients[name])
		}
	}
}

func TestAbsentModalityGetsNothing(t *testing.T) {
	config := tiny(2)
	x := explainer(t, shaken(t, config))
	full := noise(config, 2)
	for _, c := range []struct {
		name string
		in   fusion.Input
		want []experts.Modality
	}{
		{"all", full, []experts.Modality{experts.DCE, experts.T2, experts.DWI}},
		{"no DCE", fusion.Input{T2: full.T2, DWI: full.DWI}, []experts.Modality{experts.T2, experts.DWI}},
		{"DCE alone", fusion.Input{DCE: full.DCE}, []experts.Modality{experts.DCE}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := x.Explain(context.Background(), c.in)
			if err != nil {
				t.Fatal(err)
			}
			var got []experts.Modality
			for _, p := range e.Parts {
				got = append(got, p.Modality)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("explained %v, want %v", got, c.want)
			}
			for _, g := range e.Gates {
				for _, m := range experts.Modalities {
					if weight := g.Share[m]; (weight > 0) != slices.Contains(c.want, m) {
						t.Errorf("layer %d: %s has weight %g", g.Layer, m, weight)
					}
				}
			}
			wanted, err := x.model.Logits(context.Background(), c.in)
			if err != nil {
				t.Fatal(err)
			}
			if odds := float64(wanted[1] - wanted[0]); math.Abs(e.LogOdds-odds) > 1e-5 {
				t.Errorf("log-odds %g, the model says %g", e.LogOdds, odds)
			}
		})
	}
}

func TestZeroHeadExplainsNothing(t *testing.T) {
	config := tiny(2)
	set := shaken(t, config)
	fill(t, set, "head.weight", 0)
	e, err := explainer(t, set).Explain(context.Background(), noise(config, 1))
	if err != nil {
		t.Fatal(err)
	}
	if absolute, relative := e.CompletenessError(); absolute != 0 || relative != 0 {
		t.Errorf("completeness error %g (%g relative), want none", absolute, relative)
	}
	for _, p := range e.Parts {
		for i, v := range p.Voxels {
			if v != 0 {
				t.Fatalf("%s voxel %d is %g, want 0", p.Modality, i, v)
			}
		}
	}
}

func TestClassesOfTwoAreOpposite(t *testing.T) {
	config := tiny(2)
	x, in := explainer(t, shaken(t, config)), noise(config, 6)
	var both [2]*Explanation
	for class := range both {
		var err error
		if both[class], err = x.ExplainClass(context.Background(), in, class); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range both[0].Parts {
		for token, v := range p.Tokens {
			if o := both[1].Parts[i].Tokens[token]; math.Abs(v+o) > 1e-6 {
				t.Errorf("%s token %d: %g for class 0, %g for class 1", p.Modality, token, v, o)
			}
		}
	}
}

func TestTokensThatChangePlacesChangeAttributions(t *testing.T) {
	config := tiny(2)
	set := shaken(t, config)
	fill(t, set, "beit3.encoder.embed_positions.C.weight", 0.3) // all positions of T2 alike
	x := explainer(t, set)
	p := pathOf(t, x, noise(config, 8), Malignant)
	before, _, err := p.integrate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	swapped, width := slices.Clone(p.tokens[experts.T2]), config.Embed
	for e := range width {
		swapped[e], swapped[2*width+e] = swapped[2*width+e], swapped[e]
	}
	p.tokens[experts.T2] = swapped
	after, _, err := p.integrate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range before.Parts {
		want := slices.Clone(part.Tokens)
		if part.Modality == experts.T2 {
			want[0], want[2] = want[2], want[0]
		}
		for token, v := range after.Parts[i].Tokens {
			if math.Abs(v-want[token]) > 1e-3*max(1, math.Abs(before.Sum())) {
				t.Errorf("%s token %d: %g after two T2 tokens changed places, want %g", part.Modality, token, v, want[token])
			}
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	config := tiny(2)
	x := explainer(t, shaken(t, config))
	full := noise(config, 1)
	bad := slices.Clone(full.T2)
	bad[3] = float32(math.NaN())
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		in    fusion.Input
		class int
		want  error // nil: any
	}{
		{"no modality", context.Background(), fusion.Input{}, 1, fusion.ErrInput},
		{"another size", context.Background(), fusion.Input{DCE: full.DCE[1:]}, 1, fusion.ErrInput},
		{"not a number", context.Background(), fusion.Input{T2: bad}, 1, fusion.ErrInput},
		{"a class that the head has not", context.Background(), full, 2, nil},
		{"a negative class", context.Background(), full, -1, nil},
		{"cancelled", cancelled, full, 1, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := x.ExplainClass(c.ctx, c.in, c.class)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, error %v, want %v", e, err, c.want)
			}
		})
	}
	if _, err := New(nil); err == nil {
		t.Error("an explainer of no model was made")
	}
}

func TestExplainTogether(t *testing.T) {
	config := tiny(2)
	x := explainer(t, shaken(t, config))
	inputs := make([]fusion.Input, 6)
	want := make([]float64, len(inputs))
	for i := range inputs {
		inputs[i] = noise(config, uint64(i))
		if i%2 == 1 {
			inputs[i].DWI = nil
		}
		e, err := x.Explain(context.Background(), inputs[i])
		if err != nil {
			t.Fatal(err)
		}
		want[i] = e.Parts[0].Tokens[0]
	}
	// Graphs are built again, in another order, and by two explainers at the same time.
	both := []*Explainer{explainer(t, shaken(t, config)), explainer(t, shaken(t, config))}
	var wait sync.WaitGroup
	for i, in := range inputs {
		wait.Go(func() {
			e, err := both[i/2%2].Explain(context.Background(), in)
			if err != nil {
				t.Error(err)
				return
			}
			if got := e.Parts[0].Tokens[0]; math.Abs(got-want[i]) > 1e-6 {
				t.Errorf("input %d: %g beside others, %g alone", i, got, want[i])
			}
		})
	}
	wait.Wait()
}

// contributions by brute force: the mean over all orders in which the modalities could come.
func permutations(t *testing.T, m *fusion.Model, in fusion.Input) map[experts.Modality]float64 {
	t.Helper()
	worth := func(of []experts.Modality) float64 {
		var some fusion.Input
		for _, m := range of {
			switch m {
			case experts.DCE:
				some.DCE = in.DCE
			case experts.T2:
				some.T2 = in.T2
			case experts.DWI:
				some.DWI = in.DWI
			}
		}
		p, err := m.Probability(context.Background(), some)
		if err != nil {
			t.Fatal(err)
		}
		return math.Log(p / (1 - p))
	}
	d, z, w := experts.DCE, experts.T2, experts.DWI
	out := map[experts.Modality]float64{}
	for _, order := range [][]experts.Modality{{d, z, w}, {d, w, z}, {z, d, w}, {z, w, d}, {w, d, z}, {w, z, d}} {
		for i, m := range order {
			out[m] += (worth(order[:i+1]) - worth(order[:i])) / 6
		}
	}
	return out
}

func TestContributionsMatchPermutations(t *testing.T) {
	config := tiny(3)
	x, in := explainer(t, shaken(t, config)), noise(config, 12)
	want := permutations(t, x.model, in)
	got, err := x.model.Contributions(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got {
		if math.Abs(c.LogOdds-want[c.Modality]) > 1e-6 {
			t.Errorf("%s contributes %g, over all orders %g", c.Modality, c.LogOdds, want[c.Modality])
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	x := builtIn(b)
	in := lesion(x.model.Config())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Explain(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
}
