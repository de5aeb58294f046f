package train

import (
	"fmt"
	"slices"
	"strconv"

	"mome/fusion/train/measure"
)

// Task is what a network is asked: the meaning of its classes. A label is an index into Classes.
type Task struct {
	Name    string           // one lower-case word
	Classes []string         // names by label; with two, class 1 is what is looked for
	Metrics []measure.Metric // that apply, in the order of reports
}

// Malignancy is the diagnosis of a lesion or study.
func Malignancy() Task {
	return Task{"malignancy", []string{"benign", "malignant"}, measure.Binary()}
}

// TNBC tells triple-negative breast cancer (no estrogen, progesterone or HER2 receptors) from other cancer.
func TNBC() Task { return Task{"tnbc", []string{"other", "triple-negative"}, measure.Binary()} }

// PCR is whether neoadjuvant chemotherapy will leave no invasive cancer: pathological complete response.
func PCR() Task {
	return Task{"pcr", []string{"residual disease", "complete response"}, measure.Binary()}
}

// Subtype is the molecular subtype. The order of the classes is this project's: weights of others may have another.
func Subtype() Task {
	return Task{"subtype", []string{"luminal A", "luminal B", "HER2-enriched", "triple-negative"}, measure.Multiclass()}
}

// Tasks are all tasks known by name.
func Tasks() []Task { return []Task{Malignancy(), TNBC(), PCR(), Subtype()} }

// TaskNamed finds a task by its name.
func TaskNamed(name string) (Task, error) {
	for _, t := range Tasks() {
		if t.Name == name {
			return t, nil
		}
	}
	return Task{}, fmt.Errorf("%w: no task is named %q", ErrOptions, name)
}

// unnamed is the task of which only the number of classes is known.
func unnamed(classes int) Task {
	t := Task{Name: "classes", Metrics: measure.Multiclass()}
	if classes == 2 {
		t.Metrics = measure.Binary()
	}
	for class := range classes {
		t.Classes = append(t.Classes, strconv.Itoa(class))
	}
	return t
}

// fits completes a zero task and refuses one of another number of classes.
func (t Task) fits(classes int) (Task, error) {
	switch {
	case classes < 2:
		return t, fmt.Errorf("%w: weights of %d classes leave nothing to tell apart", ErrOptions, classes)
	case t.Name == "" && t.Classes == nil:
		return unnamed(classes), nil
	case len(t.Classes) != classes:
		return t, fmt.Errorf("%w: task %s has %d classes, the weights %d", ErrOptions, t.Name, len(t.Classes), classes)
	}
	t.Classes = slices.Clone(t.Classes)
	return t, nil
}
