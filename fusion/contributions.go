package fusion

import (
	"context"
	"math"

	"mome/experts"
)

// Contributions is the Shapley value of every present modality over the calibrated log-odds: the mean, over all orders
// in which the modalities could have been added, of how far each moved them (Shapley, "A Value for n-Person Games",
// 1953). The values sum to the log-odds with all present modalities minus those with none. Every expert is run once, and
// the fusion for every combination, 8 times for three modalities. The clinical context is no player: it is held as it
// is in every combination, so that the values say what the images add for this patient, and it moves only what they add
// to. Where no modality moves anything the shares are equal.
func (m *Model) Contributions(ctx context.Context, in Input) ([]Contribution, error) {
	_, parts, err := m.contributions(ctx, in)
	return parts, err
}

// contributions also returns the logits with all present modalities.
func (m *Model) contributions(ctx context.Context, in Input) (logits []float32, parts []Contribution, err error) {
	o, err := m.read(ctx, in, true)
	if err != nil {
		return nil, nil, err
	}
	var players []experts.Modality
	for _, modality := range experts.Modalities {
		if in.Of(modality) != nil {
			players = append(players, modality)
		}
	}
	worth := make([]float64, 1<<len(players)) // by set of players, one bit each; the last has all
	for set := range worth {
		var members []experts.Modality
		for i, p := range players {
			if set>>i&1 == 1 {
				members = append(members, p)
			}
		}
		if logits, err = m.logits(ctx, o, members...); err != nil {
			return nil, nil, err
		}
		if worth[set], err = LogOdds(logits, m.temperature); err != nil {
			return nil, nil, err
		}
	}
	values := shapley(len(players), worth)
	total := 0.0
	for _, v := range values {
		total += math.Abs(v)
	}
	for i, p := range players {
		share := 1 / float64(len(players))
		if total > 0 {
			share = math.Abs(values[i]) / total
		}
		parts = append(parts, Contribution{Modality: p, LogOdds: values[i], Share: share})
	}
	return logits, parts, nil
}

// shapley weighs what player i adds to a set of size k of the other n-1 by k! (n-1-k)! / n!.
func shapley(n int, worth []float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		for set := range worth {
			if set>>i&1 == 1 {
				continue
			}
			size := 0
			for j := range n {
				size += set >> j & 1
			}
			values[i] += factorial(size) * factorial(n-1-size) / factorial(n) * (worth[set|1<<i] - worth[set])
		}
	}
	return values
}

func factorial(n int) float64 { return math.Gamma(float64(n) + 1) }
