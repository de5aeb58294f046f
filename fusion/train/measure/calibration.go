package measure

import "math"

// Softmax are the probabilities softmax(logits / temperature).
func Softmax(logits []float32, temperature float64) []float64 {
	norm := logSumExp(logits, temperature)
	p := make([]float64, len(logits))
	for i, v := range logits {
		p[i] = math.Exp(float64(v)/temperature - norm)
	}
	return p
}

func logSumExp(logits []float32, temperature float64) float64 {
	top, mass := math.Inf(-1), 0.0
	for _, v := range logits {
		top = max(top, float64(v)/temperature)
	}
	for _, v := range logits {
		mass += math.Exp(float64(v)/temperature - top)
	}
	return top + math.Log(mass)
}

// NLL is the mean negative log-likelihood of the labels under softmax(logits / temperature).
func NLL(logits [][]float32, labels []int, temperature float64) float64 {
	sum := 0.0
	for i, line := range logits {
		sum += logSumExp(line, temperature) - float64(line[labels[i]])/temperature
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
	counts := make([]int, len(logits[0]))
	for _, label := range labels {
		counts[label]++
	}
	at := func(x float64) float64 {
		temperature, sum := math.Exp(x), 0.0
		for i, line := range logits {
			own := float64(counts[labels[i]]+1) / float64(counts[labels[i]]+2)
			sum += logSumExp(line, temperature)
			for class, v := range line {
				weight := own
				if class != labels[i] {
					weight = (1 - own) / float64(len(line)-1)
				}
				sum -= weight * float64(v) / temperature
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

// Brier is the mean squared distance of the probabilities from what happened (Brier, Monthly Weather Review
// 1950;78:1): (p - y)² of class 1 with two classes, the sum over classes with more. NaN without cases.
func Brier(cases []Case) float64 {
	sum := 0.0
	for _, c := range cases {
		square := 0.0
		for class, p := range c.Probabilities {
			if class == c.Label {
				p--
			}
			square += p * p
		}
		if len(c.Probabilities) == 2 {
			square /= 2 // both classes say the same
		}
		sum += square
	}
	return sum / float64(len(cases))
}

// Bins is the number of bins of equal width into which reliability tables of this project divide probabilities.
const Bins = 10

// Bin is one line of a reliability table: the cases whose probability lies in [Low, High), 1 in the last. Mean and
// Observed are 0 where Count is.
type Bin struct {
	Low, High float64
	Count     int
	Mean      float64 // of the probabilities
	Observed  float64 // part of the cases for which it happened
}

// Reliability compares probabilities with how often what they are of happened, in bins of equal width.
func Reliability(probabilities []float64, happened []bool, bins int) []Bin {
	table := make([]Bin, bins)
	for i := range table {
		table[i].Low, table[i].High = float64(i)/float64(bins), float64(i+1)/float64(bins)
	}
	for i, p := range probabilities {
		b := &table[max(0, min(int(p*float64(bins)), bins-1))]
		b.Count++
		b.Mean += p
		if happened[i] {
			b.Observed++
		}
	}
	for i := range table {
		if b := &table[i]; b.Count > 0 {
			b.Mean /= float64(b.Count)
			b.Observed /= float64(b.Count)
		}
	}
	return table
}

// ECE is the expected calibration error: the mean over cases of the distance between a bin's mean probability and what
// was observed in it (Naeini et al., AAAI 2015; Guo et al., arXiv 1706.04599, eq. 3). NaN of an empty table.
func ECE(table []Bin) float64 {
	sum, n := 0.0, 0
	for _, b := range table {
		sum += float64(b.Count) * math.Abs(b.Mean-b.Observed)
		n += b.Count
	}
	return sum / float64(n)
}

// Confidence is what a reliability table of the cases is made of: with two classes the probability of class 1 and
// whether it is, with more the highest probability and whether that class is the true one.
func Confidence(cases []Case) (probabilities []float64, happened []bool) {
	if classes(cases) == 2 {
		return OneVersusRest(cases, 1)
	}
	for _, c := range cases {
		class := c.called(0)
		probabilities, happened = append(probabilities, c.Probabilities[class]), append(happened, class == c.Label)
	}
	return probabilities, happened
}

// Wilson is the 95 % interval of a part of n cases (Wilson, Journal of the American Statistical Association
// 1927;22:209). All of [0, 1] without cases.
func Wilson(part float64, n int) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	const z = 1.959963984540054 // 97.5 % quantile of the normal distribution
	count := float64(n)
	middle := (part + z*z/(2*count)) / (1 + z*z/count)
	half := z / (1 + z*z/count) * math.Sqrt(part*(1-part)/count+z*z/(4*count*count))
	return Interval{max(0, middle-half), min(1, middle+half)}
}
