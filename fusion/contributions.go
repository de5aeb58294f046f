package fusion

import (
	"context"
	"math"

	"mome/experts"
)

// Contributions is the Shapley value of every present modality over the calibrated log-odds: the mean, over all orders
// in which the modalities could have been added, of how far each moved them (Shapley, "A Value for n-Person Games",
// 1953). The values sum to the log-odds with all present modalities minus those with none. Every combination is
// computed once, 8 forward passes for three modalities. The clinical context is no player: it is held as it is in every
// combination, so that the values say what the images add for this patient, and it moves only what they add to. Where no modality moves anything the shares are equal.
func (m *Model) Contributions(ctx context.Context, in Input) ([]Contribution, error) {
	var players []experts.Modality
	for _, modality := range experts.Modalities {
		if in.Of(modality) != nil {
			players = append(players, modality)
		}
	}
	worth := make([]float64, 1<<len(players)) // by set of players, one bit each
	for set := range worth {
		var err error
		if worth[set], err = m.logOdds(ctx, only(in, players, set)); err != nil {
			return nil, err
		}
	}
	values := shapley(len(players), worth)
	total := 0.0
	for _, v := range values {
		total += math.Abs(v)
	}
	out := make([]Contribution, len(players))
	for i, p := range players {
		share := 1 / float64(len(players))
		if total > 0 {
			share = math.Abs(values[i]) / total
		}
		out[i] = Contribution{Modality: p, LogOdds: values[i], Share: share}
	}
	return out, nil
}

// only leaves out the modalities whose bit is not in the set; the context stays.
func only(in Input, players []experts.Modality, set int) Input {
	out := Input{Context: in.Context}
	for i, p := range players {
		if set>>i&1 == 0 {
			continue
		}
		switch p {
		case experts.DCE:
			out.DCE = in.DCE
		case experts.T2:
			out.T2 = in.T2
		case experts.DWI:
			out.DWI = in.DWI
		}
	}
	return out
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
