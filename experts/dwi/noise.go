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
