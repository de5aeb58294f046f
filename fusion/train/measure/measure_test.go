package measure_test

import (
	"math"
	"testing"

	"mome/fusion/train/measure"
)

func TestAreas(t *testing.T) {
	for _, c := range []struct {
		name         string
		scores       []float64
		positive     []bool
		auroc, auprc float64
	}{
		{"perfect", []float64{1, 2, 3, 4}, []bool{false, false, true, true}, 1, 1},
		{"reversed", []float64{4, 3, 2, 1}, []bool{false, false, true, true}, 0, (1.0/3 + 2.0/4) / 2},
		{"one of four pairs wrong", []float64{1, 3, 2, 4}, []bool{false, false, true, true}, 0.75, (1 + 2.0/3) / 2},
		{"all tied", []float64{5, 5, 5, 5}, []bool{true, false, false, false}, 0.5, 0.25},
		{"half tied", []float64{1, 2, 2, 3}, []bool{false, false, true, true}, 0.875, 0.5 + 0.5*2/3},
		{"no positive", []float64{1, 2}, []bool{false, false}, math.NaN(), math.NaN()},
		{"no negative", []float64{1, 2}, []bool{true, true}, math.NaN(), 1},
	} {
		if got := measure.AUROC(c.scores, c.positive); !near(got, c.auroc) {
			t.Errorf("%s: AUROC %g, want %g", c.name, got, c.auroc)
		}
		if got := measure.AUPRC(c.scores, c.positive); !near(got, c.auprc) {
			t.Errorf("%s: AUPRC %g, want %g", c.name, got, c.auprc)
		}
	}
}

func near(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-12
}

// Logits that are k times the true log-odds ask for the temperature k.
func TestTemperatureUndoesOverconfidence(t *testing.T) {
	for _, k := range []float64{0.5, 1, 3} {
		var logits [][]float32
		var labels []int
		for _, odds := range []float64{-2, -1, 0, 1, 2} { // 1000 cases each, positives at exactly the stated odds
			positives := int(math.Round(1000 / (1 + math.Exp(-odds))))
			for i := range 1000 {
				logits = append(logits, []float32{0, float32(k * odds)})
				label := 0
				if i < positives {
					label = 1
				}
				labels = append(labels, label)
			}
		}
		if got := measure.Temperature(logits, labels); math.Abs(got-k) > 0.01*k {
			t.Errorf("logits of %g times the log-odds: temperature %g, want %g within 1 %%", k, got, k)
		}
	}
	// One case of each class without an error: its target is 2/3, so 4 / T = ln 2.
	separated := [][]float32{{0, 4}, {4, 0}}
	if got, want := measure.Temperature(separated, []int{1, 0}), 4/math.Ln2; math.Abs(got-want) > 1e-6 {
		t.Errorf("separated cases: temperature %g, want %g", got, want)
	}
	if got := measure.Temperature(nil, nil); got != 1 {
		t.Errorf("no cases: temperature %g, want 1", got)
	}
}

func TestThresholdKeepsSensitivity(t *testing.T) {
	probabilities := []float64{0.9, 0.1, 0.5, 0.7, 0.3, 0.5, 0.2, 0.05}
	positive := []bool{true, true, true, true, true, false, false, false}
	for _, c := range []struct{ sensitivity, edge, below float64 }{
		{1, 0.1, 0.05}, {0.95, 0.1, 0.05}, {0.8, 0.3, 0.2}, {0.6, 0.5, 0.3}, {0, 0.9, 0.7},
	} {
		got := measure.Threshold(probabilities, positive, c.sensitivity)
		if !(got > c.below && got <= c.edge) {
			t.Errorf("sensitivity %g: threshold %g, want above %g and at most %g", c.sensitivity, got, c.below, c.edge)
		}
	}
	for _, c := range []struct {
		name          string
		probabilities []float64
		positive      []bool
		want          float64
	}{
		{"no positives", []float64{0.3}, []bool{false}, 0.5},
		{"one positive alone", []float64{0.3}, []bool{true}, 0.3},
		{"the middle of the odds", []float64{0.2, 0.8}, []bool{false, true}, 0.5},
		{"rounded to certainty", []float64{0, 1}, []bool{false, true}, 0.5},
	} {
		if got := measure.Threshold(c.probabilities, c.positive, 1); math.Abs(got-c.want) > 1e-3 {
			t.Errorf("%s: threshold %g, want %g", c.name, got, c.want)
		}
	}
}
