package dwi

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"mome/experts"
	"mome/experts/volume"
)

// When a fitted map and the vendor's count as the same. A scanner computes its map before it rounds the images to whole
// numbers: from leastSteps of the stored numbers on that moves ln S by at most 1.2 % (standard deviation), and an ADC of
// b 50 to 800 by 16e-6 mm2/s, which beside the 450e-6 that tissue varies by costs 0.001 of r. Of real maps, Siemens XA30's
// of b 0 and 2500 reaches 0.9999 and 1.005 (its trace images are cut off, not rounded, which raises the ADC), an Aera's of
// b 50, 400 and 800 of the breast 0.9998 and 1.013.
const (
	leastSteps  = 25
	agreesR     = 0.999
	agreesRatio = 1.03
	lessMissed  = 0.5 // of the mean squared difference, by which another way of fitting must be better to be preferred
)

// check compares the vendor's map with the fit that explains it best: that of the lesions' ADC, one over all b-values, or
// one over the lowest and the highest alone, since the map does not say from which b-values it was made. It is nil where
// there is nothing to compare.
func (e *Expert) check(ctx context.Context, s *experts.Study, f *fitting) (*experts.Check, error) {
	all := ascending(s.DWI, math.Inf(-1))
	if s.ADC == nil || !s.ADC.Same(&f.adc.Grid) || len(all) < 2 {
		return nil, nil
	}
	for _, b := range all {
		if !b.Volume.Same(&f.adc.Grid) {
			return nil, nil
		}
	}
	at := e.tissue(s, all, f.sigma)
	ways := [][]experts.BVolume{f.used}
	for _, way := range [][]experts.BVolume{all, {all[0], all[len(all)-1]}} {
		if !slices.ContainsFunc(ways, func(w []experts.BVolume) bool { return bText(w) == bText(way) }) {
			ways = append(ways, way)
		}
	}
	var best *experts.Check
	least := math.Inf(1)
	for _, way := range ways {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if c, missed := compare(s, way, at); c != nil && missed < lessMissed*least {
			best, least = c, missed
		}
	}
	return best, nil
}

// tissue returns the voxels that both maps are read in: the vendor's is not blanked, and every signal is above the noise
// and leastSteps.
func (e *Expert) tissue(s *experts.Study, all []experts.BVolume, sigma float64) []int {
	least := make([]float32, len(all))
	for n, b := range all {
		least[n] = max(leastSteps*step(b.Volume), float32(e.cfg.NoiseFactor*sigma))
	}
	var at []int
	for n, v := range s.ADC.Data {
		in := v > 0 && float64(v) < e.cfg.MaxADC
		for k := 0; in && k < len(all); k++ {
			in = all[k].Volume.Data[n] >= least[k]
		}
		if in {
			at = append(at, n)
		}
	}
	return at
}

// step returns the smallest difference between two values of v, which in a volume of whole numbers times a slope is the
// slope, and next to nothing in a mean over directions; 0 where too few values differ to tell.
func step(v *volume.Volume) float32 {
	var values []float32
	for at := 0; at < len(v.Data); at += max(len(v.Data)/noiseSamples, 1) {
		values = append(values, v.Data[at])
	}
	slices.Sort(values)
	least, distinct := float32(math.Inf(1)), 0
	for n := 1; n < len(values); n++ {
		if d := values[n] - values[n-1]; d > 0 {
			least = min(least, d)
			distinct++
		}
	}
	if distinct < leastSteps {
		return 0
	}
	return least
}

// compare fits the b-values given at some voxels and holds the result against the vendor's map; missed is the sum of the
// squared differences, which unlike r sees perfusion raise all of a map.
func compare(s *experts.Study, way []experts.BVolume, at []int) (c *experts.Check, missed float64) {
	const enough = 100 // voxels that a correlation needs to mean anything
	if len(at) < enough {
		return nil, 0
	}
	x, y := make([]float64, len(way)), make([]float64, len(way))
	ours, theirs, ratio := make([]float64, len(at)), make([]float64, len(at)), make([]float64, len(at))
	worst := 0.0
	for n, voxel := range at {
		for k, b := range way {
			x[k], y[k] = b.BSPerMM2, math.Log(float64(b.Volume.Data[voxel]))
		}
		ours[n], theirs[n] = -slope(x, y)*1e6, float64(s.ADC.Data[voxel])
		ratio[n] = ours[n] / theirs[n]
		d := ours[n] - theirs[n]
		missed += d * d
		worst = max(worst, math.Abs(d))
	}
	slices.Sort(ratio)
	r, known := pearson(ours, theirs)
	c = &experts.Check{
		Name: "ADC against the vendor's map", SeriesUID: vendorSeries(s), Voxels: len(at),
		R: experts.Quantity{Value: r, Known: known}, MedianRatio: experts.Known(ratio[len(ratio)/2]), MaxDifference: experts.Known(worst),
	}
	m := c.MedianRatio.Value
	c.Agrees = known && r >= agreesR && m <= agreesRatio && m >= 1/agreesRatio
	verb := "agrees"
	if !c.Agrees {
		verb = "does not agree"
	}
	c.Text = fmt.Sprintf("The vendor's ADC map %s with a log-linear fit of b %s s/mm2, which is %.3f times the vendor's map (median), r %.4f over %d voxels of tissue.",
		verb, bText(way), m, r, len(at))
	return c, missed
}

// pearson returns the correlation of two samples; it is not known where one of them is constant.
func pearson(a, b []float64) (r float64, known bool) {
	var ma, mb float64
	for n := range a {
		ma, mb = ma+a[n]/float64(len(a)), mb+b[n]/float64(len(b))
	}
	var ab, aa, bb float64
	for n := range a {
		ab += (a[n] - ma) * (b[n] - mb)
		aa += (a[n] - ma) * (a[n] - ma)
		bb += (b[n] - mb) * (b[n] - mb)
	}
	if !(aa > 0 && bb > 0) {
		return 0, false
	}
	return ab / math.Sqrt(aa*bb), true
}

// vendorSeries returns the series that the vendor's map was read from.
func vendorSeries(s *experts.Study) string {
	for _, u := range s.Series {
		if u.Role == experts.RoleADC && u.Used {
			return u.SeriesUID
		}
	}
	return ""
}

// bText lists b-values.
func bText(list []experts.BVolume) string {
	words := make([]string, len(list))
	for n, b := range list {
		words[n] = fmt.Sprintf("%g", b.BSPerMM2)
	}
	return strings.Join(words, ", ")
}
