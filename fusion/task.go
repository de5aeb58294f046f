package fusion

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"mome/experts/weights"
)

// Task is the question that a model answers, with its classes in the order of the head's outputs.
type Task struct {
	Name    string // "malignancy", "tnbc", "pcr", "subtype", or what the weights call it
	Classes []string
}

// Tasks are those that MOME was published for (arXiv 2408.12606): two classes each, and four molecular subtypes.
func Tasks() []Task {
	return []Task{
		{Name: Malignancy, Classes: []string{"benign", "malignant"}},
		{Name: "tnbc", Classes: []string{"other subtype", "triple-negative"}},
		{Name: "pcr", Classes: []string{"residual disease", "pathological complete response"}},
		{Name: "subtype", Classes: []string{"luminal A", "luminal B", "HER2-enriched", "triple-negative"}},
	}
}

// Malignancy is the task of weights that do not say theirs.
const Malignancy = "malignancy"

// TaskOf reads the task from the metadata of weights whose head has the given number of classes: their keys task and
// classes (comma-separated names). Classes that nobody names are numbered.
func TaskOf(metadata map[string]string, classes int) (Task, error) {
	t := Task{Name: strings.ToLower(metadata[weights.Task])}
	if t.Name == "" || t.Name == "diagnosis" { // the published name
		t.Name = Malignancy
	}
	if names := metadata[weights.Classes]; names != "" {
		for _, n := range strings.Split(names, ",") {
			t.Classes = append(t.Classes, strings.TrimSpace(n))
		}
		if len(t.Classes) != classes {
			return Task{}, fmt.Errorf("metadata %s names %d classes, the head has %d", weights.Classes, len(t.Classes), classes)
		}
		return t, nil
	}
	known := Tasks()
	if i := slices.IndexFunc(known, func(k Task) bool { return k.Name == t.Name }); i >= 0 {
		if len(known[i].Classes) == classes {
			return known[i], nil
		}
		if metadata[weights.Task] != "" {
			return Task{}, fmt.Errorf("metadata %s = %q has %d classes, the head has %d", weights.Task, t.Name, len(known[i].Classes), classes)
		}
		t.Name = fmt.Sprintf("%d classes", classes)
	}
	for i := range classes {
		t.Classes = append(t.Classes, fmt.Sprintf("class %d", i))
	}
	return t, nil
}

// Judgement is a model's answer to its task, about one finding or the whole examination.
type Judgement struct {
	Task          Task
	Probabilities []float64      // one for each class, after calibration; their sum is 1
	Contributions []Contribution // to the log-odds of class 1
	WeightsSHA256 string
	TrainedOn     string
}

// Judge answers the model's task for one input.
func (m *Model) Judge(ctx context.Context, in Input) (Judgement, error) {
	logits, parts, err := m.contributions(ctx, in)
	if err != nil {
		return Judgement{}, err
	}
	return Judgement{
		Task: m.task, Probabilities: softmax(logits, m.temperature), Contributions: parts,
		WeightsSHA256: m.SHA256(), TrainedOn: m.TrainedOn(),
	}, nil
}

// Task is the question that the model answers.
func (m *Model) Task() Task { return m.task }

// TrainedOn is the sentence about the data behind the weights that every result carries.
func (m *Model) TrainedOn() string {
	if s := m.set.Metadata[weights.TrainedOn]; s != "" {
		return s
	}
	return "unknown data: the weights do not say what they were trained on"
}

// softmax of logits / temperature.
func softmax(logits []float32, temperature float64) []float64 {
	top := math.Inf(-1)
	for _, v := range logits {
		top = max(top, float64(v)/temperature)
	}
	p, sum := make([]float64, len(logits)), 0.0
	for i, v := range logits {
		p[i] = math.Exp(float64(v)/temperature - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}
