package analysis_test

import (
	"math"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/nn"
	"mome/experts/t2"
	"mome/fixtures/phantom"
	"mome/fusion"
)

// fresh makes a model of random weights. Without a field of view it reads whole volumes.
func fresh(t *testing.T, fieldMM float64, classes int, metadata map[string]string, context bool) *fusion.Model {
	t.Helper()
	box := func(channels, n int) nn.Box {
		return nn.Box{Channels: channels, Size: [3]int{n, n, n}, FieldOfViewMM: [3]float64{fieldMM, fieldMM, fieldMM}}
	}
	set, err := nn.Init(nn.Config{
		Embed: 16, Heads: 2, Layers: 2, FusionFrom: 1, Experts: 2, Slots: 1, StemChannels: [2]int{4, 8}, Classes: classes,
		Context: context, Boxes: nn.Boxes{DCE: box(6, 32), T2: box(1, 32), DWI: box(1, 16)},
	}, 7)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range metadata {
		set.Metadata[key] = value
	}
	head, _ := set.Tensor("head.weight")
	for i := range head.Data { // fresh heads give even odds
		head.Data[i] *= 300
	}
	m, err := fusion.New(set, fusion.Options{Branches: fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModelsOfEveryKind(t *testing.T) {
	study, err := phantom.New(phantom.Config{Seed: 5, Lesions: []phantom.Lesion{
		{Kind: phantom.Malignant, Side: phantom.Right, DiametersMM: [3]float64{22, 20, 18}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	whole := fresh(t, 0, 2, map[string]string{"trained_on": "nothing"}, true)
	subtype := fresh(t, 64, 4, map[string]string{"task": "subtype"}, false)
	r, err := analyzer(t, true, whole, subtype).Read(t.Context(), objectsOf(t, study), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Assessment.Judgements) != 1 || len(r.Assessment.Findings) == 0 {
		t.Fatalf("%d judgements of the examination, %d findings", len(r.Assessment.Judgements), len(r.Assessment.Findings))
	}
	in, err := fusion.Whole(whole.Config().Boxes, r.Channels())
	if err != nil {
		t.Fatal(err)
	}
	in.Context = &clinical.Context{AgeYears: experts.Known(40)} // of that seed
	want, err := whole.Probability(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Assessment.Judgements[0]; math.Abs(got.Probabilities[1]-want) > 1e-9 || got.TrainedOn != "nothing" {
		t.Errorf("the examination was judged %+v, want %g of class 1, with its age", got, want)
	}
	for _, f := range r.Assessment.Findings {
		if !f.Probability.Known || len(f.Further) != 1 || f.Further[0].Task.Name != "subtype" || len(f.Further[0].Probabilities) != 4 {
			t.Errorf("%s: probability %+v and %+v, want malignancy and subtype", f.Label, f.Probability, f.Further)
		}
	}
	if notes := strings.Join(r.Assessment.Notes, " "); !strings.Contains(notes, "took the patient's age into account") {
		t.Errorf("notes %q do not say that the age was used", notes)
	}
}
