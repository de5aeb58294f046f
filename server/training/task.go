package training

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mome/fusion/train"
)

// aliases are further ways to write a task's classes, in lower case.
func aliases(task string) map[string]int {
	switch task {
	case "malignancy":
		return map[string]int{"b": 0, "m": 1, "negative": 0, "positive": 1}
	case "tnbc":
		return map[string]int{"other": 0, "other subtype": 0, "non-tnbc": 0, "no": 0, "tnbc": 1, "triple negative": 1, "yes": 1}
	case "pcr":
		return map[string]int{"residual": 0, "non-pcr": 0, "no": 0, "complete": 1, "pathological complete response": 1, "pcr": 1, "yes": 1}
	case "subtype":
		return map[string]int{"luma": 0, "luminal-a": 0, "lumb": 1, "luminal-b": 1, "her2": 2, "her2+": 2, "tnbc": 3, "triple negative": 3, "basal": 3}
	}
	return nil
}

// classOf reads a class by its number or name.
func classOf(task train.Task, text string) (int, bool) {
	text = strings.ToLower(text)
	if n, err := strconv.Atoi(text); err == nil {
		return n, n >= 0 && n < len(task.Classes)
	}
	if i := slices.IndexFunc(task.Classes, func(c string) bool { return strings.ToLower(c) == text }); i >= 0 {
		return i, true
	}
	i, ok := aliases(task.Name)[text]
	return i, ok
}

// describe lists a task's classes with their numbers.
func describe(task train.Task) string {
	var parts []string
	for i, c := range task.Classes {
		parts = append(parts, fmt.Sprintf("%s (%d)", c, i))
	}
	return strings.Join(parts, ", ")
}
