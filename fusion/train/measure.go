package train

import (
	"math"
	"slices"
)

// AUROC is the probability that a positive scores higher than a negative, ties counting half (the Mann-Whitney
// statistic; Hanley and McNeil, Radiology 1982;143:29). NaN if one of the two is missing.
func AUROC(scores []float64, positive []bool) float64 {
	order := byScore(scores)
	positives, sum := 0, 0.0 // of the positives' mid-ranks, from 1 for the least score
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && scores[order[to]] == scores[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			if positive[i] {
				positives++
				sum += float64(from+to+1) / 2
			}
		}
		from = to
	}
	negatives := len(scores) - positives
	if positives == 0 || negatives == 0 {
		return math.NaN()
	}
	p := float64(positives)
	return (sum - p*(p+1)/2) / (p * float64(negatives))
}

// AUPRC is the average precision: the precision at each score, weighted by the recall that the score adds (Davis and
// Goadrich, ICML 2006, without interpolation). NaN without a positive.
func AUPRC(scores []float64, positive []bool) float64 {
	order := byScore(scores)
	slices.Reverse(order)
	total := 0
	for _, p := range positive {
		if p {
			total++
		}
	}
	if total == 0 {
		return math.NaN()
	}
	area, hits := 0.0, 0
	for from := 0; from < len(order); {
		to, added := from, 0
		for to < len(order) && scores[order[to]] == scores[order[from]] {
			if positive[order[to]] {
				added++
			}
			to++
		}
		hits += added
		area += float64(added) / float64(total) * float64(hits) / float64(to)
		from = to
	}
	return area
}

// byScore are the indices in ascending order of score.
func byScore(scores []float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] < scores[b]:
			return -1
		case scores[a] > scores[b]:
			return 1
		}
		return 0
	})
	return order
}

// NLL is the mean negative log-likelihood of the labels under softmax(logits / temperature).
func NLL(logits [][]float32, labels []int, temperature float64) float64 {
	sum := 0.0
	for i, line := range logits {
		top := math.Inf(-1)
		for _, v := range line {
			top = max(top, float64(v)/temperature)
		}
		mass := 0.0
		for _, v := range line {
			mass += math.Exp(float64(v)/temperature - top)
		}
		sum += top + math.Log(mass) - float64(line[labels[i]])/temperature
	}
	return sum / float64(len(logits))
}

// Limits of the temperature: a validation part that is separated without error would ask for zero.
const (
	coldest = 0.1
	hottest = 10
)

// Temperature is the number by which to divide logits so that their likelihood is greatest (Guo et al., "On
// Calibration of Modern Neural Networks", arXiv 1706.04599, section 4.2), from 0.1 to 10.
func Temperature(logits [][]float32, labels []int) float64 {
	// The likelihood has one maximum in 1/temperature, so golden-section search over its logarithm finds it.
	ratio := (math.Sqrt(5) - 1) / 2
	low, high := math.Log(coldest), math.Log(hottest)
	at := func(x float64) float64 { return NLL(logits, labels, math.Exp(x)) }
	for range 60 {
		a, b := high-ratio*(high-low), low+ratio*(high-low)
		if at(a) <= at(b) {
			high = b
		} else {
			low = a
		}
	}
	return math.Exp((low + high) / 2)
}

// Threshold is the greatest probability from which calling a case positive still finds at least the given part of the
// positives, whose probabilities are given; 0.5 if there are none.
func Threshold(positives []float64, sensitivity float64) float64 {
	if len(positives) == 0 {
		return 0.5
	}
	sorted := slices.Sorted(slices.Values(positives))
	missed := int(math.Floor((1-sensitivity)*float64(len(sorted)) + 1e-9))
	return sorted[min(missed, len(sorted)-1)]
}
