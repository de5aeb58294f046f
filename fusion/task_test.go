package fusion

import (
	"context"
	"math"
	"slices"
	"testing"
)

func TestTaskOf(t *testing.T) {
	for name, c := range map[string]struct {
		metadata map[string]string
		classes  int
		want     Task
		fails    bool
	}{
		"silent":            {nil, 2, Task{"malignancy", []string{"benign", "malignant"}}, false},
		"published name":    {map[string]string{"task": "diagnosis"}, 2, Task{"malignancy", []string{"benign", "malignant"}}, false},
		"capitals":          {map[string]string{"task": "TNBC"}, 2, Task{"tnbc", []string{"other subtype", "triple-negative"}}, false},
		"own classes":       {map[string]string{"task": "grade", "classes": "low, high"}, 2, Task{"grade", []string{"low", "high"}}, false},
		"own, numbered":     {map[string]string{"task": "grade"}, 2, Task{"grade", []string{"class 0", "class 1"}}, false},
		"silent, three":     {nil, 3, Task{"3 classes", []string{"class 0", "class 1", "class 2"}}, false},
		"subtype of two":    {map[string]string{"task": "subtype"}, 2, Task{}, true},
		"names of too many": {map[string]string{"classes": "a,b,c"}, 2, Task{}, true},
	} {
		got, err := TaskOf(c.metadata, c.classes)
		if (err != nil) != c.fails {
			t.Errorf("%s: error %v, want one: %t", name, err, c.fails)
		}
		if err == nil && (got.Name != c.want.Name || !slices.Equal(got.Classes, c.want.Classes)) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestJudge(t *testing.T) {
	ctx := context.Background()
	m, c := oddModel(t)
	in := noise(c, 3)
	j, err := m.Judge(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, p := range j.Probabilities {
		sum += p
	}
	want, err := m.Probability(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(sum-1) > 1e-12 || math.Abs(j.Probabilities[1]-want) > 1e-12 {
		t.Errorf("probabilities %v, want a sum of 1 and %g for class 1", j.Probabilities, want)
	}
	if len(j.Task.Classes) != len(j.Probabilities) || j.WeightsSHA256 != m.SHA256() || len(j.Contributions) != 3 {
		t.Errorf("judgement %+v does not say its classes, weights and contributions", j)
	}
}
