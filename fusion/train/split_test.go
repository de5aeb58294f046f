package train_test

import (
	"context"
	"errors"
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

func TestGivenValidation(t *testing.T) {
	samples := blobs(tiny(), 12) // groups of two
	options := train.Options{Branches: branches(), Epochs: 1, Validation: []int{9, 8, 2, 3}}
	_, history, err := train.Fit(context.Background(), initial(t, 1), samples, options)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := history.Validation, []int{2, 3, 8, 9}; !slices.Equal(got, want) || len(history.Training) != 8 {
		t.Errorf("validated with %v and trained on %v, want %v and the rest", got, history.Training, want)
	}
	for name, part := range map[string][]int{"half a group": {2}, "twice": {2, 3, 2}, "no such sample": {12}, "none": {}, "all": {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}} {
		options.Validation = part
		if _, _, err := train.Fit(context.Background(), initial(t, 1), samples, options); !errors.Is(err, train.ErrOptions) {
			t.Errorf("%s: error %v, want ErrOptions", name, err)
		}
	}
}
