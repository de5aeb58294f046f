package measure

import (
	"cmp"
	"math"
	"slices"
)

// AUROC is the probability that a positive scores higher than a negative, ties counting half (the Mann-Whitney
// statistic; Hanley and McNeil, Radiology 1982;143:29). NaN if one of the two is missing.
func AUROC(scores []float64, positive []bool) float64 {
	ranks := midRanks(scores)
	positives, sum := 0, 0.0
	for i, is := range positive {
		if is {
			positives++
			sum += ranks[i]
		}
	}
	negatives := len(scores) - positives
	if positives == 0 || negatives == 0 {
		return math.NaN()
	}
	p := float64(positives)
	return (sum - p*(p+1)/2) / (p * float64(negatives))
}

// midRanks are the places of the scores in ascending order, from 1, equal scores sharing the mean of theirs.
func midRanks(scores []float64) []float64 {
	order, ranks := byScore(scores), make([]float64, len(scores))
	for from := 0; from < len(order); {
		to := tied(scores, order, from)
		for _, i := range order[from:to] {
			ranks[i] = float64(from+to+1) / 2
		}
		from = to
	}
	return ranks
}

// AUPRC is the average precision: the precision at each score, weighted by the recall that the score adds (Davis and
// Goadrich, ICML 2006, without interpolation). NaN without a positive.
func AUPRC(scores []float64, positive []bool) float64 {
	area, recall := 0.0, 0.0
	points := PrecisionRecall(scores, positive)
	if len(points) == 0 {
		return math.NaN()
	}
	for _, p := range points {
		area += (p.X - recall) * p.Y
		recall = p.X
	}
	return area
}

// Point is one point of a curve: what is found when cases are called from a threshold on.
type Point struct{ X, Y, Threshold float64 }

// ROC is the receiver operating characteristic, from calling nobody (threshold +Inf) to calling everybody: X is 1 minus
// specificity, Y sensitivity. Nil if there is no positive or no negative.
func ROC(scores []float64, positive []bool) []Point {
	steps, positives := sweep(scores, positive)
	negatives := len(scores) - positives
	if positives == 0 || negatives == 0 {
		return nil
	}
	points := []Point{{0, 0, math.Inf(1)}}
	for _, s := range steps {
		points = append(points, Point{float64(s.called-s.found) / float64(negatives), float64(s.found) / float64(positives), s.threshold})
	}
	return points
}

// PrecisionRecall has one point for every score, from the highest on: X is recall (sensitivity), Y precision (positive
// predictive value). Nil without a positive.
func PrecisionRecall(scores []float64, positive []bool) []Point {
	steps, positives := sweep(scores, positive)
	if positives == 0 {
		return nil
	}
	var points []Point
	for _, s := range steps {
		points = append(points, Point{float64(s.found) / float64(positives), float64(s.found) / float64(s.called), s.threshold})
	}
	return points
}

// step counts the cases called from a threshold on, and the positives among them.
type step struct {
	threshold     float64
	called, found int
}

// sweep lowers the threshold from score to score.
func sweep(scores []float64, positive []bool) (steps []step, positives int) {
	order := byScore(scores)
	slices.Reverse(order)
	for from := 0; from < len(order); {
		to := tied(scores, order, from)
		for _, i := range order[from:to] {
			if positive[i] {
				positives++
			}
		}
		steps = append(steps, step{scores[order[from]], to, positives})
		from = to
	}
	return steps, positives
}

// byScore are the indices in ascending order of score.
func byScore(scores []float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[a], scores[b]), a-b)
	})
	return order
}

// tied is the end of the run of equal scores that begins at from.
func tied(scores []float64, order []int, from int) int {
	to := from + 1
	for to < len(order) && scores[order[to]] == scores[order[from]] {
		to++
	}
	return to
}
