package measure

import (
	"math"
	"slices"
)

// Threshold is a probability from which calling a case positive finds at least the given part of the positives: the
// middle, in log-odds, between the positive that must just be found and the next lower case, where the same calls are
// made but neither of the two lies on the edge. Below the lowest case it is that case's probability, without positives
// 0.5.
func Threshold(probabilities []float64, positive []bool, sensitivity float64) float64 {
	found := of(probabilities, positive, true)
	if len(found) == 0 {
		return 0.5
	}
	slices.Sort(found)
	missed := int(math.Floor((1-sensitivity)*float64(len(found)) + 1e-9))
	return between(probabilities, found[min(missed, len(found)-1)])
}

// Youden is the probability from which sensitivity plus specificity is greatest (Youden, Cancer 1950;3:32), placed as
// Threshold places it; of several the one with the highest sensitivity. 0.5 if there is no positive or no negative.
func Youden(probabilities []float64, positive []bool) float64 {
	points := ROC(probabilities, positive)
	if points == nil {
		return 0.5
	}
	best := points[1] // calling nobody is no operating point
	for _, p := range points[2:] {
		if p.Y-p.X >= best.Y-best.X-1e-12 {
			best = p
		}
	}
	return between(probabilities, best.Threshold)
}

// between is the middle, in log-odds, of a case's probability and the next lower one.
func between(probabilities []float64, edge float64) float64 {
	below := math.Inf(-1)
	for _, p := range probabilities {
		if p < edge {
			below = max(below, p)
		}
	}
	if math.IsInf(below, -1) {
		return edge
	}
	middle := 1 / (1 + math.Exp(-(logit(edge)+logit(below))/2))
	return min(max(middle, below), edge)
}

// logit is ln(p / (1-p)), kept finite where p was rounded to 0 or 1.
func logit(p float64) float64 {
	const least = 1e-15
	p = min(max(p, least), 1-least)
	return math.Log(p / (1 - p))
}

func of(scores []float64, positive []bool, which bool) []float64 {
	var out []float64
	for i, s := range scores {
		if positive[i] == which {
			out = append(out, s)
		}
	}
	return out
}

// AvoidedBiopsies is the share of benign BI-RADS 4 cases that score below the highest threshold at which every
// malignant case, of whatever category, is still called. Such cases could have been spared a biopsy at no cost in
// sensitivity. The threshold is chosen on the very cases, so the share is the best that the scores could do; what a
// threshold fixed beforehand does is AvoidedBiopsiesAt. NaN without a malignant or without a benign BI-RADS 4 case.
func AvoidedBiopsies(scores []float64, malignant, birads4 []bool) float64 {
	sick := of(scores, malignant, true)
	if len(sick) == 0 {
		return math.NaN()
	}
	share, _ := AvoidedBiopsiesAt(slices.Min(sick), scores, malignant, birads4)
	return share
}

// AvoidedBiopsiesAt is the share of benign BI-RADS 4 cases that score below a threshold, and the number of malignant
// cases, of whatever category, that do so too. The share is NaN without a benign BI-RADS 4 case.
func AvoidedBiopsiesAt(threshold float64, scores []float64, malignant, birads4 []bool) (share float64, missed int) {
	spared, benign := 0, 0
	for i, s := range scores {
		switch {
		case malignant[i]:
			if s < threshold {
				missed++
			}
		case birads4[i]:
			benign++
			if s < threshold {
				spared++
			}
		}
	}
	return ratio(spared, benign), missed
}

// ratio is part / whole, NaN of nothing.
func ratio(part, whole int) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return float64(part) / float64(whole)
}
