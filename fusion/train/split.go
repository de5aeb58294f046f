package train

import (
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
