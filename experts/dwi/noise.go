package dwi

import (
	"math"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

// noiseSamples bounds the voxels that the noise is read from; more do not make a median better.
const noiseSamples = 200_000

// noise returns the standard deviation of one receive channel's noise in the images of the highest b-value, read from
// air, where a magnitude of pure noise is Rayleigh distributed with the median sigma sqrt(2 ln 2). Air is the tenth of the
// voxels that is darkest on another b-value, which does not bias what is read here, and it is told by not decaying: the
// noise of the lowest b-value, read in the same way, must be the same within a quarter. The result is 0 where the air was
// blanked (zeros) or there is none.
func noise(dwi []experts.BVolume) float64 {
	low, high := dwi[0].Volume, dwi[len(dwi)-1].Volume
	sigma, other := darkLevel(low, high), darkLevel(high, low)
	if !(sigma > 0 && other > 0 && sigma < 1.25*other && other < 1.25*sigma) {
		return 0
	}
	return sigma
}

// darkLevel returns the median of v in the tenth of its voxels that is darkest on chosen, as the sigma of its noise.
func darkLevel(chosen, v *volume.Volume) float64 {
	step := max(len(chosen.Data)/noiseSamples, 1)
	var signal []float32
	for at := 0; at < len(chosen.Data); at += step {
		signal = append(signal, chosen.Data[at])
	}
	slices.Sort(signal)
	dark := signal[len(signal)/10]
	var air []float32
	for at := 0; at < len(chosen.Data); at += step {
		if chosen.Data[at] <= dark {
			air = append(air, v.Data[at])
		}
	}
	if len(air) == 0 { // not a number anywhere
		return 0
	}
	slices.Sort(air)
	return float64(air[len(air)/2]) / math.Sqrt(2*math.Ln2)
}

// agreement is the ratio of two ADC maps from which the difference is worth telling: 10 %, three times the 3 % that a
// fit with other b-values than the vendor's explains.
const agreement = 1.1

// compare tells where the fitted map and the vendor's disagree, by the median of their ratio over tissue.
func compare(adc, vendorMap *volume.Volume, note func(string, ...any)) {
	step := max(len(adc.Data)/noiseSamples, 1)
	var ratio []float64
	for at := 0; at < len(adc.Data); at += step {
		a, b := float64(adc.Data[at]), float64(vendorMap.Data[at])
		if a > tissueLow && a < tissueHigh && b > 0 {
			ratio = append(ratio, a/b)
		}
	}
	if len(ratio) == 0 {
		return
	}
	slices.Sort(ratio)
	if m := ratio[len(ratio)/2]; m > agreement || m < 1/agreement {
		note("The ADC fitted here is %.2f times the vendor's map (median); the fitted one was used.", m)
	}
}
