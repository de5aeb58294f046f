package train_test

import (
	"fmt"
	"slices"
	"testing"

	"mome/fusion/train"
)

func TestSplitKeepsGroupsAndClasses(t *testing.T) {
	var groups []string
	var labels []int
	for i := range 200 {
		group := fmt.Sprint(i / 4)
		if i >= 160 {
			group = ""
		}
		groups, labels = append(groups, group), append(labels, i/4%4/3) // a quarter positive
	}
	training, validation := train.Split(groups, labels, 0.2, 1)
	if got := len(training) + len(validation); got != len(groups) {
		t.Fatalf("%d samples in the parts, want %d", got, len(groups))
	}
	part := map[string]int{}
	positives := 0
	for p, indices := range [][]int{training, validation} {
		for _, i := range indices {
			if groups[i] != "" {
				if before, ok := part[groups[i]]; ok && before != p {
					t.Errorf("group %s is in both parts", groups[i])
				}
				part[groups[i]] = p
			}
			if p == 1 {
				positives += labels[i]
			}
		}
	}
	if n := len(validation); n < 30 || n > 50 || positives < n/8 || positives > n/2 {
		t.Errorf("validation has %d samples, %d positive; want about 40, a quarter of them positive", n, positives)
	}
	again, _ := train.Split(groups, labels, 0.2, 1)
	other, _ := train.Split(groups, labels, 0.2, 2)
	if !slices.Equal(training, again) || slices.Equal(training, other) {
		t.Error("the split must follow from the seed")
	}
}
