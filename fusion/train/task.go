package train

import (
	"fmt"
	"slices"
	"strings"

	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/fusion/train/measure"
)

// Task is what a network is asked, and what its answers are measured by. A label is an index into Classes; with two
// classes, class 1 is what is looked for.
type Task struct {
	fusion.Task
	Metrics []measure.Metric // that apply, in the order of reports
}

// Malignancy is the diagnosis of a lesion or examination.
func Malignancy() Task { return known(fusion.Malignancy) }

// TNBC tells triple-negative breast cancer (no estrogen, progesterone or HER2 receptors) from other cancer.
func TNBC() Task { return known("tnbc") }

// PCR is whether neoadjuvant chemotherapy will leave no invasive cancer: pathological complete response.
func PCR() Task { return known("pcr") }

// Subtype is the molecular subtype. The order of the classes is this project's: weights of others may have another.
func Subtype() Task { return known("subtype") }

// Tasks are all tasks known by name.
func Tasks() []Task {
	var all []Task
	for _, t := range fusion.Tasks() {
		all = append(all, measured(t))
	}
	return all
}

// TaskNamed finds a task by its name.
func TaskNamed(name string) (Task, error) {
	if t := known(name); t.Classes != nil {
		return t, nil
	}
	return Task{}, fmt.Errorf("%w: no task is named %q", ErrOptions, name)
}

func known(name string) Task {
	for _, t := range Tasks() {
		if t.Name == name {
			return t
		}
	}
	return Task{}
}

// measured adds the metrics that go with the number of classes.
func measured(t fusion.Task) Task {
	if len(t.Classes) == 2 {
		return Task{t, measure.Binary()}
	}
	return Task{t, measure.Multiclass()}
}

// fits completes a zero task from the weights, and refuses one of another number of classes.
func (t Task) fits(initial weights.Set, config nn.Config) (Task, error) {
	if config.Classes < 2 {
		return t, fmt.Errorf("%w: weights of %d classes leave nothing to tell apart", ErrOptions, config.Classes)
	}
	if t.Name == "" && t.Classes == nil {
		own, err := fusion.TaskOf(initial.Metadata, config.Classes)
		if err != nil {
			return t, fmt.Errorf("%w: %w", ErrOptions, err)
		}
		return measured(own), nil
	}
	if len(t.Classes) != config.Classes {
		return t, fmt.Errorf("%w: task %s has %d classes, the weights %d", ErrOptions, t.Name, len(t.Classes), config.Classes)
	}
	for _, class := range t.Classes { // the metadata of weights list them so
		if strings.Contains(class, ",") {
			return t, fmt.Errorf("%w: the name of class %q has a comma", ErrOptions, class)
		}
	}
	if t.Metrics == nil {
		t = measured(t.Task)
	}
	t.Classes, t.Metrics = slices.Clone(t.Classes), slices.Clone(t.Metrics)
	return t, nil
}
