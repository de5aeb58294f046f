package measure_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"mome/fusion/train/measure"
)

// binary are cases of two classes with the given probabilities of class 1.
func binary(labels []int, p []float64) []measure.Case {
	cases := make([]measure.Case, len(labels))
	for i := range cases {
		cases[i] = measure.Case{Label: labels[i], Probabilities: []float64{1 - p[i], p[i]}}
	}
	return cases
}

// Worked by hand: threshold 0.5 calls cases 0, 1, 2 and 5; TP 3, FP 1, FN 2, TN 4.
func TestRatesByHand(t *testing.T) {
	cases := binary([]int{1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, []float64{0.9, 0.8, 0.5, 0.4, 0.2, 0.7, 0.3, 0.2, 0.1, 0.1})
	for metric, want := range map[measure.Metric]float64{
		measure.Sensitivity: 3.0 / 5, measure.Specificity: 4.0 / 5, measure.PPV: 3.0 / 4, measure.NPV: 4.0 / 6,
		measure.F1: 6.0 / 9, measure.Accuracy: 7.0 / 10, measure.Matthews: (3*4 - 1*2) / math.Sqrt(4*5*5*6),
		measure.AreaROC:    20.5 / 25,
		measure.BrierScore: (0.01 + 0.04 + 0.25 + 0.36 + 0.64 + 0.49 + 0.09 + 0.04 + 0.01 + 0.01) / 10,
		// bins 0.1: {.1 .1} 0, 0.2: {.2 .2} 1/2, 0.3: 0, 0.4: 1, 0.5: 1, 0.7: 0, 0.8: 1, 0.9: 1
		measure.CalibrationError: (2*0.1 + 2*0.3 + 0.3 + 0.6 + 0.5 + 0.7 + 0.2 + 0.1) / 10,
		measure.MacroF1:          (6.0/9 + 8.0/11) / 2, measure.MacroSensitivity: 0.7, measure.MacroAreaROC: 20.5 / 25,
	} {
		if got := metric.Of(cases, 0.5); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %g, want %g", metric, got, want)
		}
	}
	for _, c := range []struct {
		name   string
		metric measure.Metric
		cases  []measure.Case
		want   float64
	}{
		{"no positive has no sensitivity", measure.Sensitivity, binary([]int{0}, []float64{0.2}), math.NaN()},
		{"nobody called has no PPV", measure.PPV, binary([]int{0, 1}, []float64{0.2, 0.1}), math.NaN()},
		{"nobody called has no correlation", measure.Matthews, binary([]int{0, 1}, []float64{0.2, 0.1}), 0},
		{"no cases", measure.BrierScore, nil, math.NaN()},
		{"unknown", "area51", binary([]int{0}, []float64{0.2}), math.NaN()},
	} {
		if got := c.metric.Of(c.cases, 0.5); !near(got, c.want) {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

// Worked by hand: calls 0 1 2 2 | truth 0 1 1 2.
func TestFourClassesByHand(t *testing.T) {
	of := func(label int, p ...float64) measure.Case { return measure.Case{Label: label, Probabilities: p} }
	cases := []measure.Case{
		of(0, 0.7, 0.1, 0.2), of(1, 0.2, 0.6, 0.2), of(1, 0.2, 0.3, 0.5), of(2, 0.1, 0.3, 0.6),
	}
	for metric, want := range map[measure.Metric]float64{
		measure.Accuracy: 0.75, measure.MacroSensitivity: (1 + 0.5 + 1) / 3,
		measure.MacroF1: (1 + 2.0/3 + 2.0/3) / 3,
		// class 0: {.7} against {.2 .2 .1}: 1; class 1: {.6 .3} against {.1 .3}: 3.5/4; class 2: {.6} against {.2 .2 .5}: 1
		measure.MacroAreaROC: (1 + 3.5/4 + 1) / 3,
		measure.BrierScore:   (0.14 + 0.24 + 0.78 + 0.26) / 4,
		// right 3 of 4; truth 1 2 1, calls 1 1 2: (3·4 - 5) / √((16-6)(16-6))
		measure.Matthews:         7.0 / 10,
		measure.CalibrationError: (0.3 + 0.5 + math.Abs(1.2-2)) / 4, // bins 0.5: {wrong .5}, 0.6: {right right}, 0.7: {right}
		measure.AreaROC:          math.NaN(),
	} {
		if got := metric.Of(cases, 0); math.Abs(got-want) > 1e-12 || math.IsNaN(got) != math.IsNaN(want) {
			t.Errorf("%s is %g, want %g", metric, got, want)
		}
	}
}

func TestReliabilityByHand(t *testing.T) {
	table := measure.Reliability([]float64{0, 0.25, 0.3, 0.5, 0.99, 1}, []bool{false, false, true, true, true, true}, 4)
	for i, want := range []measure.Bin{
		{0, 0.25, 1, 0, 0}, {0.25, 0.5, 2, 0.275, 0.5}, {0.5, 0.75, 1, 0.5, 1}, {0.75, 1, 2, 0.995, 1},
	} {
		if got := table[i]; got != want {
			t.Errorf("bin %d is %+v, want %+v", i, got, want)
		}
	}
	if got, want := measure.ECE(table), (0+2*0.225+0.5+2*0.005)/6; math.Abs(got-want) > 1e-12 {
		t.Errorf("ECE %g, want %g", got, want)
	}
}

// Brown, Cai and DasGupta (Statistical Science 2001;16:101) give no table; these follow from (p - π)² = z² π(1-π)/n.
func TestWilsonSolvesItsEquation(t *testing.T) {
	const z = 1.959963984540054
	for _, n := range []int{1, 4, 50} {
		for k := range n + 1 {
			p := float64(k) / float64(n)
			got := measure.Wilson(p, n)
			for _, edge := range []float64{got.Low, got.High} {
				if edge == 0 || edge == 1 { // cut off, or the exact root
					continue
				}
				if left, right := (p-edge)*(p-edge), z*z*edge*(1-edge)/float64(n); math.Abs(left-right) > 1e-9 {
					t.Errorf("%d of %d: edge %g misses the equation, %g and %g", k, n, edge, left, right)
				}
			}
			if !(got.Low <= p && p <= got.High) {
				t.Errorf("%d of %d: [%g, %g] lacks %g", k, n, got.Low, got.High, p)
			}
		}
	}
}

func TestYouden(t *testing.T) {
	for _, c := range []struct {
		name     string
		p        []float64
		positive []bool
		want     float64
	}{
		{"separated", []float64{0.1, 0.2, 0.8, 0.9}, []bool{false, false, true, true}, 0.5},
		{"one below", []float64{0.1, 0.2, 0.5, 0.8, 0.8, 0.9}, []bool{true, false, false, true, true, true}, 2.0 / 3}, // the middle of odds 1 and 4
		{"equal indices take the more sensitive", []float64{0.2, 0.4, 0.6, 0.8}, []bool{false, true, false, true}, 1 / (1 + math.Sqrt(6))},
		{"no negative", []float64{0.4}, []bool{true}, 0.5},
	} {
		if got := measure.Youden(c.p, c.positive); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

func TestAvoidedBiopsies(t *testing.T) {
	scores := []float64{0.1, 0.2, 0.3, 0.35, 0.4, 0.6, 0.9, 0.05}
	malignant := []bool{false, false, false, true, false, true, true, false}
	four := []bool{true, true, false, true, true, true, false, true}
	if got := measure.AvoidedBiopsies(scores, malignant, four); got != 3.0/4 { // 0.1, 0.2 and 0.05 of those and 0.4
		t.Errorf("share %g, want 3 of 4 below 0.35", got)
	}
	if share, missed := measure.AvoidedBiopsiesAt(0.5, scores, malignant, four); share != 1 || missed != 1 {
		t.Errorf("at 0.5: share %g, missed %d, want all and one", share, missed)
	}
	if got := measure.AvoidedBiopsies([]float64{0.3, 0.3}, []bool{true, false}, []bool{true, true}); got != 0 {
		t.Errorf("a benign case that ties with the lowest malignant one: share %g, want 0", got)
	}
	for _, c := range []struct {
		name            string
		malignant, four []bool
	}{
		{"no malignant case", []bool{false, false}, []bool{true, true}},
		{"no benign case of category 4", []bool{true, false}, []bool{true, false}},
	} {
		if got := measure.AvoidedBiopsies([]float64{0.1, 0.2}, c.malignant, c.four); !math.IsNaN(got) {
			t.Errorf("%s: share %g, want NaN", c.name, got)
		}
	}
	random := rand.New(rand.NewPCG(4, 4)) // by trying every threshold
	for range 100 {
		scores, malignant := drawn(random, 20)
		four := make([]bool, 20)
		for i := range four {
			four[i] = i == 1 || random.IntN(2) == 0
		}
		best := 0.0
		for threshold := 0.0; threshold <= 1; threshold += 0.025 {
			if share, missed := measure.AvoidedBiopsiesAt(threshold, scores, malignant, four); missed == 0 {
				best = max(best, share)
			}
		}
		if got := measure.AvoidedBiopsies(scores, malignant, four); got != best {
			t.Fatalf("%v %v %v: share %g, by trying %g", scores, malignant, four, got, best)
		}
	}
}

// Of a mean of n independent numbers the bootstrap's interval is about ±1.96 deviations / √n.
func TestBootstrapOfAMean(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	const n = 400
	cases := make([]measure.Case, n)
	mean, square := 0.0, 0.0
	for i := range cases {
		v := random.Float64()
		cases[i] = measure.Case{Probabilities: []float64{1 - v, v}}
		mean, square = mean+v/n, square+v*v/n
	}
	of := func(cases []measure.Case, out []float64) {
		sum := 0.0
		for _, c := range cases {
			sum += c.Probabilities[1]
		}
		out[0] = sum / float64(len(cases))
		out[1] = math.NaN()
	}
	b := measure.Bootstrap{Seed: 1}
	got := b.Intervals(cases, 2, of)
	half := 1.96 * math.Sqrt((square-mean*mean)/n)
	if math.Abs(got[0].Low-(mean-half)) > half/8 || math.Abs(got[0].High-(mean+half)) > half/8 {
		t.Errorf("interval [%g, %g], want about %g ± %g", got[0].Low, got[0].High, mean, half)
	}
	if !math.IsNaN(got[1].Low) {
		t.Errorf("of NaN the interval is %v", got[1])
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if again := b.Intervals(cases, 2, of); again[0] != got[0] {
		t.Errorf("on one core the interval is %v, on more %v", again[0], got[0])
	}
	if other := (measure.Bootstrap{Seed: 2}).Intervals(cases, 2, of); other[0] == got[0] {
		t.Error("the seed does not matter")
	}
}

// Twelve copies of each of four patients are four patients: the interval is that of four.
func TestBootstrapDrawsGroupsWithinStrata(t *testing.T) {
	var single, copied []measure.Case
	for i, p := range []float64{0.1, 0.6, 0.4, 0.9} {
		c := measure.Case{Label: i / 2, Probabilities: []float64{1 - p, p}, Group: fmt.Sprint(i)}
		single = append(single, c)
		for range 12 {
			copied = append(copied, c)
		}
	}
	b := measure.Bootstrap{Seed: 3, Resamples: 400}
	positives := func(cases []measure.Case, out []float64) {
		n, sum := 0.0, 0.0
		for _, c := range cases {
			sum += c.Probabilities[1] / float64(len(cases))
			if c.Label == 1 {
				n++
			}
		}
		out[0], out[1] = n/float64(len(cases)), sum
	}
	one, many := b.Intervals(single, 2, positives), b.Intervals(copied, 2, positives)
	if one[0] != (measure.Interval{Low: 0.5, High: 0.5}) {
		t.Errorf("part of the positives in resamples: %v, want always half", one[0])
	}
	if math.Abs(one[1].Low-many[1].Low) > 1e-9 || math.Abs(one[1].High-many[1].High) > 1e-9 {
		t.Errorf("interval %v of patients, %v of their copies", one[1], many[1])
	}
	if math.Abs(one[1].Low-0.25) > 1e-9 || math.Abs(one[1].High-0.75) > 1e-9 { // 1 in 16 resamples each: both lowest, both highest
		t.Errorf("interval %v, want 0.25 to 0.75", one[1])
	}
}

func TestEvaluate(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	var cases []measure.Case
	for i := range 200 {
		label := i / 2 % 2
		p := 1 / (1 + math.Exp(-2*random.NormFloat64()-1.5*float64(2*label-1)))
		cases = append(cases, measure.Case{Label: label, Probabilities: []float64{1 - p, p}, Group: fmt.Sprint(i / 2)})
	}
	r, err := measure.Evaluate(cases, measure.Binary(), 0.4, measure.Bootstrap{Seed: 1, Resamples: 300})
	if err != nil {
		t.Fatal(err)
	}
	if r.Groups != 100 || r.Counts[0] != 100 || r.Counts[1] != 100 || r.Bootstrap.Level != 0.95 {
		t.Errorf("%d groups, counts %v, level %g", r.Groups, r.Counts, r.Bootstrap.Level)
	}
	for i, m := range measure.Binary() {
		v := r.Values[i]
		if v.Metric != m || v.Estimate != m.Of(cases, 0.4) || !(v.Low < v.High) || m != measure.CalibrationError && !(v.Low <= v.Estimate && v.Estimate <= v.High) {
			t.Errorf("%s: %v", m, v)
		}
	}
	// Patients of two cases each: the area's interval by DeLong on all cases is of like width.
	v, _ := r.Value(measure.AreaROC)
	_, deviation := measure.DeLong(measure.OneVersusRest(cases, 1))
	if width := v.High - v.Low; width < 3*deviation || width > 5*deviation {
		t.Errorf("area's interval is %g wide, DeLong's deviation %g", width, deviation)
	}
	for _, c := range []struct {
		name  string
		cases []measure.Case
	}{
		{"no cases", nil},
		{"one class", []measure.Case{{Probabilities: []float64{1}}}},
		{"label out of range", []measure.Case{{Label: 2, Probabilities: []float64{0.5, 0.5}}}},
		{"probability out of range", []measure.Case{{Probabilities: []float64{-0.5, 1.5}}}},
		{"not a number", []measure.Case{{Probabilities: []float64{math.NaN(), 0.5}}}},
		{"two kinds", []measure.Case{{Probabilities: []float64{0.5, 0.5}}, {Probabilities: []float64{0.5, 0.2, 0.3}}}},
	} {
		if _, err := measure.Evaluate(c.cases, measure.Binary(), 0.5, measure.Bootstrap{}); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	random := rand.New(rand.NewPCG(7, 7))
	var cases []measure.Case
	for i := range 500 {
		p := random.Float64()
		cases = append(cases, measure.Case{Label: i % 2, Probabilities: []float64{1 - p, p}})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := measure.Evaluate(cases, measure.Binary(), 0.5, measure.Bootstrap{}); err != nil {
			b.Fatal(err)
		}
	}
}
