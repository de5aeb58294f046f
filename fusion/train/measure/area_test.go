package measure_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"mome/fusion/train/measure"
)

// drawn are random scores with many ties, and labels of both classes.
func drawn(random *rand.Rand, n int) (scores []float64, positive []bool) {
	for i := range n {
		positive = append(positive, i == 0 || i > 1 && random.IntN(3) == 0)
		score := float64(random.IntN(12))
		if positive[i] {
			score += float64(random.IntN(6))
		}
		scores = append(scores, score/20)
	}
	return scores, positive
}

// pairs is the AUROC by its definition: over all pairs of a positive and a negative.
func pairs(scores []float64, positive []bool) float64 {
	won, all := 0.0, 0.0
	for i := range scores {
		for j := range scores {
			if !positive[i] || positive[j] {
				continue
			}
			all++
			switch {
			case scores[i] > scores[j]:
				won++
			case scores[i] == scores[j]:
				won += 0.5
			}
		}
	}
	return won / all
}

// average is the AUPRC by its definition: precision at every positive's score, averaged over positives.
func average(scores []float64, positive []bool) float64 {
	sum, n := 0.0, 0.0
	for i := range scores {
		if !positive[i] {
			continue
		}
		found, called := 0.0, 0.0
		for j := range scores {
			if scores[j] >= scores[i] {
				called++
				if positive[j] {
					found++
				}
			}
		}
		n++
		sum += found / called
	}
	return sum / n
}

// trapezoids is the area under the points.
func trapezoids(points []measure.Point) float64 {
	sum := 0.0
	for i := 1; i < len(points); i++ {
		sum += (points[i].X - points[i-1].X) * (points[i].Y + points[i-1].Y) / 2
	}
	return sum
}

func TestAreasByTheirDefinitions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		scores, positive := drawn(random, 2+random.IntN(40))
		if got, want := measure.AUROC(scores, positive), pairs(scores, positive); !near(got, want) {
			t.Fatalf("%v %v: AUROC %g, by pairs %g", scores, positive, got, want)
		}
		if got, want := trapezoids(measure.ROC(scores, positive)), pairs(scores, positive); !near(got, want) {
			t.Fatalf("%v %v: area under the ROC points %g, by pairs %g", scores, positive, got, want)
		}
		if got, want := measure.AUPRC(scores, positive), average(scores, positive); !near(got, want) {
			t.Fatalf("%v %v: AUPRC %g, by positives %g", scores, positive, got, want)
		}
	}
}

// The variance by its definition: of the structural components, which are means over all pairs of one case.
func TestDeLongByItsDefinition(t *testing.T) {
	component := func(scores []float64, positive []bool) (v10, v01 []float64) {
		for i := range scores {
			sum, n := 0.0, 0.0
			for j := range scores {
				if positive[i] == positive[j] {
					continue
				}
				n++
				high, low := scores[i], scores[j]
				if !positive[i] {
					high, low = low, high
				}
				switch {
				case high > low:
					sum++
				case high == low:
					sum += 0.5
				}
			}
			if positive[i] {
				v10 = append(v10, sum/n)
			} else {
				v01 = append(v01, sum/n)
			}
		}
		return v10, v01
	}
	covariance := func(x, y []float64) float64 {
		n, mx, my, sum := float64(len(x)), 0.0, 0.0, 0.0
		for i := range x {
			mx, my = mx+x[i]/n, my+y[i]/n
		}
		for i := range x {
			sum += (x[i] - mx) * (y[i] - my)
		}
		return sum / (n - 1) / n
	}
	random := rand.New(rand.NewPCG(2, 2))
	for range 100 {
		a, positive := drawn(random, 30)
		b, _ := drawn(random, 30)
		a10, a01 := component(a, positive)
		b10, b01 := component(b, positive)
		area, deviation := measure.DeLong(a, positive)
		if want := math.Sqrt(covariance(a10, a10) + covariance(a01, a01)); !near(area, pairs(a, positive)) || math.Abs(deviation-want) > 1e-12 {
			t.Fatalf("%v %v: %g with error %g, want %g with %g", a, positive, area, deviation, pairs(a, positive), want)
		}
		difference, deviation, p := measure.Compare(a, b, positive)
		want := math.Sqrt(covariance(a10, a10) + covariance(a01, a01) + covariance(b10, b10) + covariance(b01, b01) -
			2*covariance(a10, b10) - 2*covariance(a01, b01))
		if !near(difference, pairs(a, positive)-pairs(b, positive)) || math.Abs(deviation-want) > 1e-9 {
			t.Fatalf("%v %v %v: difference %g with error %g, want error %g", a, b, positive, difference, deviation, want)
		}
		if want := 2 * (1 - 0.5*(1+math.Erf(math.Abs(difference)/deviation/math.Sqrt2))); math.Abs(p-want) > 1e-9 {
			t.Fatalf("difference %g with error %g: p %g, want %g", difference, deviation, p, want)
		}
	}
	if _, deviation := measure.DeLong([]float64{1, 2}, []bool{false, true}); !math.IsNaN(deviation) {
		t.Errorf("one pair has the error %g, want NaN", deviation)
	}
}
