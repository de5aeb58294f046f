package dwi

import (
	"context"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

const (
	leastSteps = 20  // signal in steps of the stored numbers, from which rounding moves it by at most 2.5 % either way
	lessMissed = 0.5 // of the squared differences, by which another way of fitting must be better to be preferred
)

// Check compares the vendor's map of a study as acquired with fits of its diffusion-weighted images; nil where there is
// nothing to compare. Read does so itself unless the images were moved: a map and images that were interpolated apart no
// longer follow one another.
func (e *Expert) Check(ctx context.Context, s *experts.Study) (*experts.Check, error) {
	fit, err := e.fitted(ctx, s, func(string, ...any) {})
	if err != nil || fit == nil {
		return nil, err
	}
	return e.check(ctx, s, fit)
}

// moved reports whether the diffusion-weighted images were resampled to follow the dynamic series.
func moved(s *experts.Study) bool {
	for _, m := range s.Motion {
		if m.Name == string(experts.DWI) && m.Corrected {
			return true
		}
	}
	return false
}

// stored is the images of a b-value and the step between the numbers that they were stored as.
type stored struct {
	experts.BVolume
	step float64
}

// check compares the vendor's map with the fit that explains it best: that of the lesions' ADC, one over all b-values, or
// one over the lowest and the highest alone, since the map does not say from which b-values it was made. It is nil where
// there is nothing to compare.
func (e *Expert) check(ctx context.Context, s *experts.Study, f *fitting) (*experts.Check, error) {
	var all, used []stored
	for _, b := range ascending(s.DWI, math.Inf(-1)) {
		if !b.Volume.Same(&f.adc.Grid) {
			return nil, nil
		}
		all = append(all, stored{b, step(b.Volume)})
		if slices.Contains(f.used, b) {
			used = append(used, all[len(all)-1])
		}
	}
	if s.ADC == nil || !s.ADC.Same(&f.adc.Grid) || len(all) < 2 {
		return nil, nil
	}
	at := e.tissue(s, all, f.sigma)
	var best *comparison
	for _, way := range [][]stored{used, all, {all[0], all[len(all)-1]}} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if c := compare(s.ADC, way, at); c != nil && (best == nil || c.missed < lessMissed*best.missed) {
			best = c
		}
	}
	if best == nil {
		return nil, nil
	}
	return best.check(s.UsedSeries(experts.RoleADC)), nil
}

// tissue returns the voxels that both maps are read in: the vendor's is not blanked, and every signal is above the noise
// and leastSteps.
func (e *Expert) tissue(s *experts.Study, all []stored, sigma float64) []int {
	var at []int
	for n, v := range s.ADC.Data {
		in := v > 0 && float64(v) < e.cfg.MaxADC
		for k := 0; in && k < len(all); k++ {
			in = float64(all[k].Volume.Data[n]) >= max(leastSteps*all[k].step, e.cfg.NoiseFactor*sigma)
		}
		if in {
			at = append(at, n)
		}
	}
	return at
}

// step returns the smallest difference between two values of v, which in a volume of whole numbers times a slope is the
// slope, and next to nothing in a mean over directions; 0 where too few values differ to tell.
func step(v *volume.Volume) float64 {
	var values []float32
	for at := 0; at < len(v.Data); at += max(len(v.Data)/noiseSamples, 1) {
		values = append(values, v.Data[at])
	}
	slices.Sort(values)
	least, distinct := math.Inf(1), 0
	for n := 1; n < len(values); n++ {
		if d := float64(values[n] - values[n-1]); d > 0 {
			least = min(least, d)
			distinct++
		}
	}
	if distinct < leastSteps {
		return 0
	}
	return least
}
