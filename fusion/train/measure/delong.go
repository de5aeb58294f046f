package measure

import "math"

// DeLong is the AUROC with its standard error (DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837, by mid-ranks
// as in Sun and Xu, IEEE Signal Processing Letters 2014;21:1389). The error is NaN with fewer than two positives or two
// negatives. It takes cases for independent; Evaluate resamples patients instead.
func DeLong(scores []float64, positive []bool) (area, standardError float64) {
	found, spared := placements(scores, positive)
	variance := covariance(found, found)/float64(len(found)) + covariance(spared, spared)/float64(len(spared))
	return AUROC(scores, positive), math.Sqrt(variance)
}

// Compare is the difference of the AUROCs of two scores of the same cases, a minus b, with its standard error and the
// two-sided p-value of no difference (DeLong et al., as above). Without any variance p is NaN.
func Compare(a, b []float64, positive []bool) (difference, standardError, p float64) {
	foundA, sparedA := placements(a, positive)
	foundB, sparedB := placements(b, positive)
	variance := func(x, y []float64) float64 {
		return (covariance(x, x) + covariance(y, y) - 2*covariance(x, y)) / float64(len(x))
	}
	difference = AUROC(a, positive) - AUROC(b, positive)
	standardError = math.Sqrt(max(0, variance(foundA, foundB)+variance(sparedA, sparedB)))
	return difference, standardError, math.Erfc(math.Abs(difference) / standardError / math.Sqrt2)
}

// placements are, for every positive, the part of the negatives that score lower, and for every negative the part of
// the positives that score higher.
func placements(scores []float64, positive []bool) (found, spared []float64) {
	var own [2][]float64 // negatives, positives
	for i, is := range positive {
		class := 0
		if is {
			class = 1
		}
		own[class] = append(own[class], scores[i])
	}
	all, low, high := midRanks(scores), midRanks(own[0]), midRanks(own[1])
	for i, is := range positive {
		if is {
			found = append(found, (all[i]-high[len(found)])/float64(len(own[0])))
		} else {
			spared = append(spared, 1-(all[i]-low[len(spared)])/float64(len(own[1])))
		}
	}
	return found, spared
}

// covariance is the unbiased one, NaN of fewer than two pairs.
func covariance(x, y []float64) float64 {
	n := float64(len(x))
	if n < 2 {
		return math.NaN()
	}
	meanX, meanY, sum := 0.0, 0.0, 0.0
	for i := range x {
		meanX += x[i] / n
		meanY += y[i] / n
	}
	for i := range x {
		sum += (x[i] - meanX) * (y[i] - meanY)
	}
	return sum / (n - 1)
}
