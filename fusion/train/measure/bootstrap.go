package measure

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// Interval is a confidence interval.
type Interval struct{ Low, High float64 }

// Bootstrap is how intervals are made (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13):
// groups (patients) are drawn with replacement within their stratum, so that every resample has as many groups of each
// class as there are, and the interval lies between percentiles of what the resamples give. A zero field stands for
// the default given with it.
type Bootstrap struct {
	Resamples int     // 2000
	Level     float64 // of confidence, in (0, 1); 0.95
	Seed      uint64
}

func (b Bootstrap) withDefaults() Bootstrap {
	if b.Resamples <= 0 {
		b.Resamples = 2000
	}
	if !(b.Level > 0 && b.Level < 1) {
		b.Level = 0.95
	}
	return b
}

// Intervals resamples the cases and returns an interval for each of the n numbers that statistics writes of a
// resample. A group's stratum is its highest label. Resamples whose number is NaN are left out; without any other the
// interval is NaN. The answer depends on the seed alone, not on the cores; statistics is called by many at once, each
// with a slice of its own, of which nothing may be kept.
func (b Bootstrap) Intervals(cases []Case, n int, statistics func(resample []Case, out []float64)) []Interval {
	b = b.withDefaults()
	strata := stratify(cases)
	values := make([]float64, n*b.Resamples) // statistic by statistic
	var wait sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), b.Resamples)
	for w := range workers {
		wait.Go(func() {
			resample, out := make([]Case, 0, len(cases)), make([]float64, n)
			for r := w; r < b.Resamples; r += workers {
				random := rand.New(rand.NewPCG(b.Seed, uint64(r)))
				resample = resample[:0]
				for _, groups := range strata {
					for range groups {
						for _, i := range groups[random.IntN(len(groups))] {
							resample = append(resample, cases[i])
						}
					}
				}
				statistics(resample, out)
				for k, v := range out {
					values[k*b.Resamples+r] = v
				}
			}
		})
	}
	wait.Wait()
	intervals := make([]Interval, n)
	for k := range intervals {
		drawn := slices.DeleteFunc(values[k*b.Resamples:(k+1)*b.Resamples:(k+1)*b.Resamples], math.IsNaN)
		slices.Sort(drawn)
		intervals[k] = Interval{quantile(drawn, (1-b.Level)/2), quantile(drawn, (1+b.Level)/2)}
	}
	return intervals
}

// stratify lists the cases of every group, by the highest label of the group.
func stratify(cases []Case) [][][]int {
	members := map[string]int{} // place in groups
	var groups [][]int          // in order of first appearance: a map's order must not matter
	var stratum []int
	highest := 0
	for i, c := range cases {
		name := "group " + c.Group
		if c.Group == "" {
			name = "single " + strconv.Itoa(i)
		}
		at, ok := members[name]
		if !ok {
			at = len(groups)
			members[name] = at
			groups, stratum = append(groups, nil), append(stratum, 0)
		}
		groups[at] = append(groups[at], i)
		stratum[at] = max(stratum[at], c.Label)
		highest = max(highest, c.Label)
	}
	strata := make([][][]int, highest+1)
	for at, g := range groups {
		strata[stratum[at]] = append(strata[stratum[at]], g)
	}
	return strata
}

// quantile interpolates linearly between order statistics (Hyndman and Fan, The American Statistician 1996;50:361,
// definition 7). NaN of nothing.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
