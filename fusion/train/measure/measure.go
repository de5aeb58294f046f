// Package measure says how good probabilities of classes are: areas under curves, rates at an operating point,
// calibration, each with a bootstrap interval over patients; and it finds the temperature and the operating point. It
// knows labels and numbers only, no network.
package measure

import "math"

// Case is one labelled answer: a probability for each class, summing to 1.
type Case struct {
	Label         int
	Probabilities []float64
	Group         string // study or patient, resampled as a whole; "" is a group of its own
}

// called is the class that a case is called: with two classes 1 from the threshold on, with more the most probable.
func (c Case) called(threshold float64) int {
	if len(c.Probabilities) == 2 {
		if c.Probabilities[1] >= threshold {
			return 1
		}
		return 0
	}
	best := 0
	for class, p := range c.Probabilities {
		if p > c.Probabilities[best] {
			best = class
		}
	}
	return best
}

// OneVersusRest are the probabilities of a class, and which cases belong to it.
func OneVersusRest(cases []Case, class int) (scores []float64, positive []bool) {
	scores, positive = make([]float64, len(cases)), make([]bool, len(cases))
	for i, c := range cases {
		scores[i], positive[i] = c.Probabilities[class], c.Label == class
	}
	return scores, positive
}

// classes is the number of classes of the cases, 0 without any.
func classes(cases []Case) int {
	if len(cases) == 0 {
		return 0
	}
	return len(cases[0].Probabilities)
}

// overClasses is the mean over all classes of what a measure makes of each against the rest; NaN if one of them cannot
// be measured.
func overClasses(cases []Case, of func(scores []float64, positive []bool) float64) float64 {
	n := classes(cases)
	sum := 0.0
	for class := range n {
		sum += of(OneVersusRest(cases, class))
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}
