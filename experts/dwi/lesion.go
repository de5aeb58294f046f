package dwi

import (
	"cmp"
	"slices"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// CutoffADC is the mean ADC, 1e-6 mm2/s, below which ACRIN A6702 found lesions to be suspicious enough that a biopsy is not
// to be saved (Rahbar et al., Clin Cancer Res 2019;25:1756).
const CutoffADC = 1530

// lowPart is the share of a lesion's voxels whose ADC lies at or below ADCP10.
const lowPart = 0.1

// sample is a voxel's ADC and the part of the voxel that a lesion covers.
type sample struct{ adc, weight float64 }

// samples returns the ADC of the voxels that l mostly covers. A lesion that covers none of them by half is smaller than a
// voxel: then all that it touches count. Voxels without an ADC are left out.
func samples(adc *volume.Volume, l *experts.Lesion) (out []sample, small bool) {
	if l.Mask == nil {
		return nil, false
	}
	parts := lesion.Cover(l.Mask, &adc.Grid, 4)
	for _, least := range [2]float64{0.5, 0} {
		covered := false
		for _, p := range parts {
			if p.Fraction < least {
				continue
			}
			covered = true
			if v := float64(adc.Data[p.Index]); v > 0 {
				out = append(out, sample{v, p.Fraction})
			}
		}
		if covered {
			return out, least == 0
		}
	}
	return nil, false
}

// measure sets l's ADC quantities from the samples, each weighted by the part of the voxel that l covers.
func measure(l *experts.Lesion, in []sample) {
	l.ADC, l.ADCMin, l.ADCP10, l.ADCVoxels, l.Diffusion = experts.Quantity{}, experts.Quantity{}, experts.Quantity{}, len(in), ""
	if len(in) == 0 {
		return
	}
	slices.SortFunc(in, func(a, b sample) int { return cmp.Compare(a.adc, b.adc) })
	sum, weight := 0.0, 0.0
	for _, s := range in {
		sum += s.weight * s.adc
		weight += s.weight
	}
	l.ADC, l.ADCMin = experts.Known(sum/weight), experts.Known(in[0].adc)
	below := 0.0
	for _, s := range in {
		if below += s.weight; below >= lowPart*weight {
			l.ADCP10 = experts.Known(s.adc)
			break
		}
	}
	l.Diffusion = experts.NotLowDiffusion
	if l.ADC.Value < CutoffADC {
		l.Diffusion = experts.LowDiffusion
	}
}
