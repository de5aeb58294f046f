package measure

import "math"

// Confusion counts cases by true class, then by the class they are called.
type Confusion [][]int

// Confuse counts the cases. With two classes a case is called 1 from the threshold on; with more it is called the most
// probable class, and the threshold means nothing.
func Confuse(cases []Case, threshold float64) Confusion {
	n := classes(cases)
	m := make(Confusion, n)
	for class := range m {
		m[class] = make([]int, n)
	}
	for _, c := range cases {
		m[c.Label][c.called(threshold)]++
	}
	return m
}

// counts are the true and false positives and negatives of one class against the rest.
func (m Confusion) counts(class int) (tp, fp, tn, fn int) {
	for truth, line := range m {
		for called, n := range line {
			switch {
			case truth == class && called == class:
				tp += n
			case truth == class:
				fn += n
			case called == class:
				fp += n
			default:
				tn += n
			}
		}
	}
	return tp, fp, tn, fn
}

// Sensitivity is the part of a class that is called so (recall).
func (m Confusion) Sensitivity(class int) float64 {
	tp, _, _, fn := m.counts(class)
	return ratio(tp, tp+fn)
}

// Specificity is the part of the others that is not called so.
func (m Confusion) Specificity(class int) float64 {
	_, fp, tn, _ := m.counts(class)
	return ratio(tn, tn+fp)
}

// PPV is the part of those called so that belong to the class (positive predictive value, precision).
func (m Confusion) PPV(class int) float64 { tp, fp, _, _ := m.counts(class); return ratio(tp, tp+fp) }

// NPV is the part of those not called so that do not belong to the class (negative predictive value).
func (m Confusion) NPV(class int) float64 { _, _, tn, fn := m.counts(class); return ratio(tn, tn+fn) }

// F1 is the harmonic mean of PPV and sensitivity of a class; NaN if it neither occurs nor is called.
func (m Confusion) F1(class int) float64 {
	tp, fp, _, fn := m.counts(class)
	return ratio(2*tp, 2*tp+fp+fn)
}

// Accuracy is the part of the cases that are called what they are.
func (m Confusion) Accuracy() float64 {
	right, all := 0, 0
	for truth, line := range m {
		for called, n := range line {
			all += n
			if truth == called {
				right += n
			}
		}
	}
	return ratio(right, all)
}

// MCC is Matthews' correlation coefficient, for any number of classes (Gorodkin, Computational Biology and Chemistry
// 2004;28:367, eq. 8, there R_K). 0 if all cases are one class or called one class.
func (m Confusion) MCC() float64 {
	var right, all, products, squaredTruth, squaredCalls float64
	for class := range m {
		truth, calls := 0, 0
		for other := range m {
			truth += m[class][other]
			calls += m[other][class]
		}
		right += float64(m[class][class])
		all += float64(truth)
		products += float64(truth) * float64(calls)
		squaredTruth += float64(truth) * float64(truth)
		squaredCalls += float64(calls) * float64(calls)
	}
	spread := (all*all - squaredTruth) * (all*all - squaredCalls)
	if spread == 0 {
		return 0
	}
	return (right*all - products) / math.Sqrt(spread)
}
