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

// Limits of the temperature.
const (
	coldest = 0.1
	hottest = 10
)

// Temperature is the number by which to divide logits so that their likelihood is greatest (Guo et al., "On
// Calibration of Modern Neural Networks", arXiv 1706.04599, section 4.2), from 0.1 to 10. A case of a class with n
// cases counts as (n+1)/(n+2) of it and the rest spread over the others (Platt, "Probabilistic Outputs for Support
// Vector Machines", 1999, section 2.2), so that a few cases without an error do not ask for certainty.
func Temperature(logits [][]float32, labels []int) float64 {
	if len(logits) == 0 || len(logits[0]) < 2 {
		return 1
	}
	classes := len(logits[0])
	counts := make([]int, classes)
	for _, label := range labels {
		counts[label]++
	}
	at := func(x float64) float64 {
		sum := 0.0
		for i, line := range logits {
			own := float64(counts[labels[i]]+1) / float64(counts[labels[i]]+2)
			for class := range line {
				weight := own
				if class != labels[i] {
					weight = (1 - own) / float64(classes-1)
				}
				sum += weight * NLL(logits[i:i+1], []int{class}, math.Exp(x))
			}
		}
		return sum
	}
	// The likelihood has one maximum in 1/temperature, so golden-section search over its logarithm finds it.
	ratio := (math.Sqrt(5) - 1) / 2
	low, high := math.Log(coldest), math.Log(hottest)
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

// Threshold is a probability from which calling a case positive finds at least the given part of the positives: the
// middle, in log-odds, between the positive that must just be found and the next lower case, where the same calls are
// made but neither of the two lies on the edge. Below the lowest case it is that case's probability, without positives
// 0.5.
func Threshold(probabilities []float64, positive []bool, sensitivity float64) float64 {
	var found []float64
	for i, p := range probabilities {
		if positive[i] {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return 0.5
	}
	slices.Sort(found)
	missed := int(math.Floor((1-sensitivity)*float64(len(found)) + 1e-9))
	edge := found[min(missed, len(found)-1)]
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
