package detection

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"mome/fusion/train/measure"
)

// Rates are the false positives a study at which sensitivities are told (the operating points of Setio et al., Med Image
// Anal 2017;42:1, with one below).
func Rates() []float64 { return []float64{0.125, 0.25, 0.5, 1, 2, 4} }

// Point is a corner of the free-response operating characteristic.
type Point struct {
	Threshold   float64 // least score that is called
	FalsePer    float64 // false positives a study
	Sensitivity float64
}

// froc is the free-response receiver operating characteristic (Bunch et al., 1977): what share of the chosen lesions is
// found by candidates of at least a score, over the false positives a study of at least that score. False positives are
// those of all studies, whatever lesions are chosen.
func froc(readings []Reading, chosen func(*Reading, *Planted) bool) []Point {
	var scores []float64
	var hits []float64 // one where the candidate found a chosen lesion
	var falses []float64
	total := 0.0
	add := func(score, hit, wrong float64) {
		scores, hits, falses = append(scores, score), append(hits, hit), append(falses, wrong)
	}
	for n := range readings {
		r := &readings[n]
		for p := range r.Planted {
			if chosen(r, &r.Planted[p]) {
				total++
				if r.Planted[p].Candidate >= 0 {
					add(r.Planted[p].Score, 1, 0)
				}
			}
		}
		for _, c := range r.Candidates {
			if c.Found < 0 {
				add(c.Score, 0, 1)
			}
		}
	}
	order := make([]int, len(scores))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var points []Point
	hit, wrong := 0.0, 0.0
	for n, at := range order {
		hit, wrong = hit+hits[at], wrong+falses[at]
		if n+1 < len(order) && scores[order[n+1]] == scores[at] {
			continue
		}
		points = append(points, Point{Threshold: scores[at], FalsePer: wrong / float64(len(readings)), Sensitivity: hit / total})
	}
	return points
}

// sensitivityAt returns the sensitivity at a rate of false positives: that of the last corner that has no more of them.
func sensitivityAt(points []Point, falsePer float64) float64 {
	best := 0.0
	for _, p := range points {
		if p.FalsePer <= falsePer {
			best = max(best, p.Sensitivity)
		}
	}
	return best
}

// Value is a number with its 95 % interval.
type Value struct {
	Estimate float64
	measure.Interval
}

// bootstrap returns numbers of the readings with intervals from resampled studies.
func bootstrap(readings []Reading, seed uint64, n int, statistics func([]Reading, []float64)) []Value {
	cases := make([]measure.Case, len(readings))
	for i := range cases {
		cases[i] = measure.Case{Probabilities: []float64{float64(i)}, Group: strconv.Itoa(i)}
	}
	estimates := make([]float64, n)
	statistics(readings, estimates)
	intervals := measure.Bootstrap{Seed: seed}.Intervals(cases, n, func(resample []measure.Case, out []float64) {
		drawn := make([]Reading, len(resample))
		for i, c := range resample {
			drawn[i] = readings[int(c.Probabilities[0])]
		}
		statistics(drawn, out)
	})
	values := make([]Value, n)
	for i := range values {
		values[i] = Value{estimates[i], intervals[i]}
	}
	return values
}

// found returns the chosen lesions' outlines, in order, and how many lesions there are.
func found(readings []Reading, chosen func(*Reading, *Planted) bool) (outlines []Outline, total int) {
	for n := range readings {
		r := &readings[n]
		for p := range r.Planted {
			if !chosen(r, &r.Planted[p]) {
				continue
			}
			total++
			if r.Planted[p].Candidate >= 0 {
				outlines = append(outlines, r.Planted[p].Outline)
			}
		}
	}
	return outlines, total
}

// spread is a quantile of what of says of outlines; NaN of none.
func spread(outlines []Outline, q float64, of func(Outline) float64) float64 {
	values := make([]float64, 0, len(outlines))
	for _, o := range outlines {
		if v := of(o); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	return quantile(values, q)
}
