package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
)

// Split divides samples into a training and a validation part without cutting a group. Groups are shuffled by the seed
// and dealt within each class that their highest label names, so both parts have like shares of the classes; of a
// class's groups the fraction goes to validation, rounded, at least one where there are two. Samples without a group
// are groups of their own. Both answers are in ascending order.
func Split(groups []string, labels []int, fraction float64, seed uint64) (training, validation []int) {
	members := map[string][]int{}
	var names []string // in order of first appearance: a map's order must not matter
	single := 0
	for i, g := range groups {
		name := "group " + g
		if g == "" {
			name = "single " + strconv.Itoa(single)
			single++
		}
		if members[name] == nil {
			names = append(names, name)
		}
		members[name] = append(members[name], i)
	}
	byClass := map[int][]string{}
	for _, name := range names {
		highest := 0
		for _, i := range members[name] {
			highest = max(highest, labels[i])
		}
		byClass[highest] = append(byClass[highest], name)
	}
	random := rand.New(rand.NewPCG(seed, math.MaxUint64))
	highest := 0
	for class := range byClass {
		highest = max(highest, class)
	}
	for class := range highest + 1 {
		dealt := byClass[class]
		random.Shuffle(len(dealt), func(i, j int) { dealt[i], dealt[j] = dealt[j], dealt[i] })
		n := int(math.Round(fraction * float64(len(dealt))))
		if len(dealt) > 1 {
			n = max(1, min(n, len(dealt)-1))
		}
		for k, name := range dealt {
			if k < n {
				validation = append(validation, members[name]...)
			} else {
				training = append(training, members[name]...)
			}
		}
	}
	slices.Sort(training)
	slices.Sort(validation)
	return training, validation
}

// divide takes the validation part as given and refuses one that cuts a group, repeats a sample or names none.
func divide(groups []string, given []int) (training, validation []int, err error) {
	chosen, cut := make([]bool, len(groups)), map[string]bool{}
	for _, i := range given {
		if i < 0 || i >= len(groups) || chosen[i] {
			return nil, nil, fmt.Errorf("%w: Options.Validation has %d twice, or there is no such sample", ErrOptions, i)
		}
		chosen[i] = true
		cut[groups[i]] = true
	}
	for i, in := range chosen {
		switch {
		case in:
			validation = append(validation, i)
		case groups[i] != "" && cut[groups[i]]:
			return nil, nil, fmt.Errorf("%w: Options.Validation takes only part of the group that sample %d belongs to", ErrOptions, i)
		default:
			training = append(training, i)
		}
	}
	return training, validation, nil
}
