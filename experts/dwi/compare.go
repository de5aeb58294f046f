package dwi

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mome/experts"
	"mome/experts/volume"
)

// When a fitted map and the vendor's count as the same. Of real maps, Siemens XA30's of b 0 and 2500 reaches 0.9999 and
// 1.003 (its trace images are cut off to whole numbers, which raises the fit), an Aera's of b 50, 400 and 800 of the breast
// 0.9998 and 1.013.
const (
	agreesR     = 0.9995 // correlation without what rounding takes away
	agreesRatio = 1.03
)

// comparison is a way of fitting and how its map lies to the vendor's.
type comparison struct {
	way          string  // b-values
	missed       float64 // sum of the squared differences, which unlike r sees perfusion raise all of a map
	r, free      float64 // Pearson's correlation, and without what rounding takes away; 0 where a map is constant
	ratio, worst float64
	voxels       int
	hasR, agrees bool
}

// compare fits the b-values given at some voxels and holds the result against the vendor's map; nil for too few voxels.
//
// A scanner computes its map before it rounds the images to whole numbers. A step q leaves an error of variance q^2/12 in
// S, (q/S)^2/12 in ln S, and through the weights of the fitted line a variance of the ADC that is known at every voxel. It
// is no difference between two ways of computing, so free is r with that variance taken out of our map's (correction for
// attenuation; Spearman, Am J Psychol 1904;15:72).
func compare(vendor *volume.Volume, way []stored, at []int) *comparison {
	const enough = 100 // voxels that a correlation needs to mean anything
	if len(at) < enough || len(way) < 2 {
		return nil
	}
	mean, sxx := 0.0, 0.0
	for _, b := range way {
		mean += b.BSPerMM2 / float64(len(way))
	}
	for _, b := range way {
		sxx += (b.BSPerMM2 - mean) * (b.BSPerMM2 - mean)
	}
	c := &comparison{voxels: len(at)}
	ours, theirs, ratio := make([]float64, len(at)), make([]float64, len(at)), make([]float64, len(at))
	rounding := 0.0 // mean variance
	for n, voxel := range at {
		for _, b := range way {
			signal, weight := float64(b.Volume.Data[voxel]), -1e6*(b.BSPerMM2-mean)/sxx
			ours[n] += weight * math.Log(signal)
			rounding += weight * weight * b.step * b.step / (signal * signal) / 12 / float64(len(at))
		}
		theirs[n] = float64(vendor.Data[voxel])
		ratio[n] = ours[n] / theirs[n]
		d := ours[n] - theirs[n]
		c.missed += d * d
		c.worst = max(c.worst, math.Abs(d))
	}
	slices.Sort(ratio)
	c.ratio = ratio[len(ratio)/2]
	oursVar, theirsVar, covariance := moments(ours, theirs)
	if c.hasR = oursVar > rounding && theirsVar > 0; c.hasR {
		c.r = covariance / math.Sqrt(oursVar*theirsVar)
		c.free = min(covariance/math.Sqrt((oursVar-rounding)*theirsVar), 1)
	}
	c.agrees = c.hasR && c.free >= agreesR && c.ratio <= agreesRatio && c.ratio >= 1/agreesRatio
	names := make([]string, len(way))
	for n, b := range way {
		names[n] = fmt.Sprintf("%g", b.BSPerMM2)
	}
	c.way = strings.Join(names, ", ")
	return c
}

// moments returns the variances of two samples and their covariance.
func moments(a, b []float64) (aa, bb, ab float64) {
	n := float64(len(a))
	var ma, mb float64
	for k := range a {
		ma, mb = ma+a[k]/n, mb+b[k]/n
	}
	for k := range a {
		aa += (a[k] - ma) * (a[k] - ma) / n
		bb += (b[k] - mb) * (b[k] - mb) / n
		ab += (a[k] - ma) * (b[k] - mb) / n
	}
	return aa, bb, ab
}

// check states the comparison with the vendor's series.
func (c *comparison) check(series string) *experts.Check {
	verb := "agrees"
	if !c.agrees {
		verb = "does not agree"
	}
	return &experts.Check{
		Name: "ADC against the vendor's map", SeriesUID: series, Voxels: c.voxels, Agrees: c.agrees,
		R: experts.Quantity{Value: c.r, Known: c.hasR}, MedianRatio: experts.Known(c.ratio), MaxDifference: experts.Known(c.worst),
		Text: fmt.Sprintf("The vendor's ADC map %s with a log-linear fit of b %s s/mm2, which is %.3f times the vendor's map (median); r %.4f, %.4f without the rounding of stored images, over %d voxels of tissue.",
			verb, c.way, c.ratio, c.r, c.free, c.voxels),
	}
}
