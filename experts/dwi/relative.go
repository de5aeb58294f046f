package dwi

import "mome/experts/volume"

// The network's stems see neither the scale nor the level of a volume: an instance norm follows each of their
// convolutions. ADC is read against an absolute mark, so it is given relative to it, with zero where nothing was
// measured, and the sign survives. The mark is where the EUSOBI consensus puts the upper end of low diffusion
// (Baltzer et al., Eur Radiol 2020;30:1436, table 2); fat, whose ADC says nothing, lies far below.
const (
	markADC  = 1300. // 1e-6 mm2/s
	fatADC   = 300.  // 1e-6 mm2/s: below, fat or noise
	widthADC = 1000. // 1e-6 mm2/s is one unit of the channel
	boundADC = 1.
)

// relative returns how far the ADC map, in 1e-6 mm2/s, lies above or below the mark.
func relative(adc *volume.Volume) *volume.Volume {
	out := volume.New(adc.Grid)
	for at, v := range adc.Data {
		if v > fatADC {
			out.Data[at] = min((v-markADC)/widthADC, boundADC)
		}
	}
	return out
}
