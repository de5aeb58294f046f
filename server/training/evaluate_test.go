package training

import (
	"fmt"
	"math"
	"testing"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/nn"
	"mome/experts/t2"
	"mome/fusion"
	"mome/fusion/train"
	"mome/fusion/train/measure"
)

// scoredCase is a case of one study whose probability of class 1 is p.
func scoredCase(study int, label int, p float64, change func(*Scored)) Scored {
	id := fmt.Sprint(study)
	s := Scored{
		Case:          Case{StudyUID: id, Group: id, Lesion: 1, Label: label, Kind: Labelled},
		Probabilities: []float64{1 - p, p}, Alone: map[Subset][]float64{},
	}
	if change != nil {
		change(&s)
	}
	return s
}

func lineOf(t *testing.T, e Evaluation, group, name string) Line {
	t.Helper()
	for _, l := range e.Lines {
		if l.Group == group && l.Name == name {
			return l
		}
	}
	t.Fatalf("no line %s, %s", group, name)
	return Line{}
}

func TestEvaluateSets(t *testing.T) {
	p := &Prepared{}
	var scored []Scored
	for i := range 40 {
		label := i % 2
		probability := 0.1 + 0.8*float64(label) // tells the classes apart
		scored = append(scored, scoredCase(i, label, probability, func(s *Scored) {
			s.Vendor = []string{"GE", "Siemens"}[i/20]
			s.AgeYears = experts.Known(30 + float64(i))
			s.Alone[AllModalities] = s.Probabilities
			s.Alone[1] = []float64{probability, 1 - probability} // DCE alone says the opposite
			s.BIRADS = "4a"
		}))
		p.Studies = append(p.Studies, Study{UID: fmt.Sprint(i), Group: fmt.Sprint(i), Label: label, Done: true})
	}
	// What must not enter the lines of lesions: a missed lesion, a false candidate, an unlabelled candidate.
	scored = append(scored,
		scoredCase(0, 1, 0.01, func(s *Scored) { s.Missed, s.Lesion = true, 0 }),
		scoredCase(2, 0, 0.99, func(s *Scored) { s.Kind, s.Lesion = Other, 2 }),
		scoredCase(4, NoLabel, 0.95, func(s *Scored) { s.Kind, s.Lesion = Unlabelled, 2 }))
	// A malignant study without a candidate, and one that could not be analysed.
	p.Studies = append(p.Studies, Study{UID: "none", Group: "none", Label: 1, Done: true}, Study{UID: "failed", Group: "failed", Label: 1})

	e, err := Evaluate(p, scored, train.Malignancy(), 0.5, measure.Bootstrap{Resamples: 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		group, name string
		counts      [2]int
		auroc       float64 // NaN: too few cases
	}{
		{"overall", "lesions", [2]int{20, 20}, 1},
		{"overall", "lesions, false candidates as benign", [2]int{21, 20}, 20.0 / 21},
		// Benign studies 2 and 4 count by their worst candidate, the malignant one without a candidate by 0.
		{"overall", "studies, by their highest candidate", [2]int{20, 21}, 20.0 * 18 / (20 * 21)},
		{ByModalities, "DCE+T2+DWI", [2]int{20, 20}, 1},
		{ByModalities, "DCE", [2]int{20, 20}, 0},
		{ByModalities, "T2", [2]int{0, 0}, math.NaN()},
		{"vendor", "GE", [2]int{10, 10}, 1},
		{"age", "0 to 39", [2]int{5, 5}, 1},
		{"age", "60 to 69", [2]int{5, 5}, 1},
		{"BI-RADS", "4a", [2]int{20, 20}, 1},
	} {
		l := lineOf(t, e, c.group, c.name)
		if l.Counts[0] != c.counts[0] || l.Counts[1] != c.counts[1] {
			t.Errorf("%s, %s: counts %v, want %v", c.group, c.name, l.Counts, c.counts)
		}
		if math.IsNaN(c.auroc) != (l.Report == nil) {
			t.Errorf("%s, %s: a report %v, want too few cases %v", c.group, c.name, l.Report != nil, math.IsNaN(c.auroc))
		}
		if l.Report == nil {
			continue
		}
		if v, _ := l.Report.Value(measure.AreaROC); math.Abs(v.Estimate-c.auroc) > 1e-9 {
			t.Errorf("%s, %s: AUROC %g, want %g", c.group, c.name, v.Estimate, c.auroc)
		}
	}
	for _, l := range e.Lines {
		if l.Group == "site" || l.Group == "context" {
			t.Errorf("there is a line %s, %s although nothing is known of it", l.Group, l.Name)
		}
	}
}

func TestBiopsies(t *testing.T) {
	var scored []Scored
	add := func(n, label int, p float64, birads string) {
		for range n {
			scored = append(scored, scoredCase(len(scored), label, p, func(s *Scored) { s.BIRADS = birads }))
		}
	}
	add(6, 0, 0.1, "4")  // spared even at full sensitivity
	add(2, 0, 0.3, "4c") // spared at the operating point only
	add(2, 0, 0.8, "4")
	add(5, 0, 0.1, "3") // no category 4
	add(1, 1, 0.2, "5") // the malignant case that decides full sensitivity
	add(9, 1, 0.9, "4")
	e, err := Evaluate(&Prepared{}, scored, train.Malignancy(), 0.5, measure.Bootstrap{Resamples: 50})
	if err != nil {
		t.Fatal(err)
	}
	b := e.Biopsies
	if b == nil {
		t.Fatal(e.BiopsiesNote)
	}
	if b.Benign != 10 || b.Malignant != 9 || b.Missed != 1 {
		t.Errorf("%d benign, %d malignant, %d missed, want 10, 9, 1", b.Benign, b.Malignant, b.Missed)
	}
	if b.AtPoint.Estimate != 0.8 || b.FullSensitivity.Estimate != 0.6 {
		t.Errorf("avoided %g at the operating point and %g at full sensitivity, want 0.8 and 0.6", b.AtPoint.Estimate, b.FullSensitivity.Estimate)
	}
	for _, v := range []measure.Value{b.AtPoint, b.FullSensitivity} {
		if !(v.Low <= v.Estimate && v.Estimate <= v.High) {
			t.Errorf("%s %g lies outside %g to %g", v.Metric, v.Estimate, v.Low, v.High)
		}
	}
	if e, _ = Evaluate(&Prepared{}, scored[10:15], train.Malignancy(), 0.5, measure.Bootstrap{Resamples: 5}); e.Biopsies != nil || e.BiopsiesNote == "" {
		t.Errorf("without category 4: %+v, note %q", e.Biopsies, e.BiopsiesNote)
	}
}

func TestScoreAsksWithoutModalities(t *testing.T) {
	field := [3]float64{32, 32, 32}
	set, err := nn.Init(nn.Config{
		Embed: 16, Heads: 2, Layers: 2, FusionFrom: 1, Experts: 2, Slots: 1, StemChannels: [2]int{2, 2}, Classes: 2, Context: true,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 2, Size: [3]int{16, 16, 16}, FieldOfViewMM: field},
			T2:  nn.Box{Channels: 1, Size: [3]int{16, 16, 16}, FieldOfViewMM: field},
			DWI: nn.Box{Channels: 1, Size: [3]int{16, 16, 16}, FieldOfViewMM: field},
		},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	model, err := fusion.New(set, fusion.Options{Branches: fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}})
	if err != nil {
		t.Fatal(err)
	}
	in := fusion.Input{DCE: counting(2*16*16*16, 1), DWI: counting(16*16*16, -2)}
	c := Case{Facts: Facts{Context: clinical.Context{AgeYears: experts.Known(70)}}, input: func() (fusion.Input, error) { return in, nil }}
	scored, err := Score(t.Context(), model, []Case{c}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := scored[0]
	for _, subset := range Subsets() {
		want := subset == 1 || subset == 4 || subset == 5 // of what the case has: DCE and DWI
		if got := s.Alone[subset] != nil; got != want {
			t.Errorf("%v: asked %v, want %v", subset, got, want)
		}
	}
	if s.Alone[5][1] != s.Probabilities[1] || s.Alone[1][1] == s.Probabilities[1] {
		t.Errorf("with DCE+DWI %v, with DCE %v, as it is %v", s.Alone[5], s.Alone[1], s.Probabilities)
	}
	if s.Contextless == nil {
		t.Error("the model was not asked without the context")
	}
}

func TestPointingShare(t *testing.T) {
	if testing.Short() {
		t.Skip("reads whole studies: slow with the race detector")
	}
	p := Pointing{Studies: 10, Hits: 8}
	share, low, high := p.Share() // Wilson's interval of 8 in 10
	if share != 0.8 || math.Abs(low-0.4902) > 1e-4 || math.Abs(high-0.9433) > 1e-4 {
		t.Errorf("got %g (%g to %g), want 0.8 (0.4902 to 0.9433)", share, low, high)
	}
	if share, _, _ = (&Pointing{}).Share(); !math.IsNaN(share) {
		t.Errorf("of no study: %g, want NaN", share)
	}
}
