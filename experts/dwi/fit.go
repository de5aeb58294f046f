package dwi

import (
	"cmp"
	"context"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

// fitting is a map and what it was made from.
type fitting struct {
	adc   *volume.Volume // 1e-6 mm2/s
	used  []experts.BVolume
	sigma float64 // of one channel's noise, 0 if it could not be measured
}

// fitted returns the ADC map of the diffusion-weighted images, or nil where fewer than two b-values remain. The fit is
// S = S0 exp(-b ADC), linear in ln S, over b >= MinBSPerMM2 where at least two such b-values exist, and over the signals
// above the noise floor. Magnitudes are taken as they are: the mean logarithm of a Rician magnitude exceeds that of its
// amplitude by E1(SNR^2/2)/2 (Lapidoth and Moser, IEEE Trans Inf Theory 2003;49:2426), which is 0.024 at SNR 2 and
// nothing from 3 on, while subtracting the noise's power before the logarithm would bias it by 1/SNR^2 the other way.
func (e *Expert) fitted(ctx context.Context, s *experts.Study, note func(string, ...any)) (*fitting, error) {
	used, all := e.choose(s.DWI)
	if len(used) < 2 {
		return nil, nil
	}
	grid := used[len(used)-1].Volume.Grid
	for n, b := range used {
		if !b.Volume.Same(&grid) {
			note("The images of b %g s/mm2 were resampled onto those of b %g.", b.BSPerMM2, used[len(used)-1].BSPerMM2)
			used[n].Volume = volume.Resample(b.Volume, grid)
		}
	}
	if all {
		note("The ADC includes b %g s/mm2, below the %g from which perfusion no longer adds to it: no two higher b-values exist.",
			used[0].BSPerMM2, e.cfg.MinBSPerMM2)
	}
	sigma := noise(used)
	if sigma == 0 {
		note("The noise of the diffusion images could not be measured in air; signals near the noise were not left out of the ADC.")
	}
	adc := volume.New(grid)
	slice := grid.Size[0] * grid.Size[1]
	err := experts.EachSlice(ctx, grid.Size[2], func(k int) {
		x, y := make([]float64, 0, len(used)), make([]float64, 0, len(used))
		for at := k * slice; at < (k+1)*slice; at++ {
			x, y = x[:0], y[:0]
			for _, b := range used {
				v := float64(b.Volume.Data[at])
				if v > e.cfg.NoiseFactor*sigma && v > 0 {
					x, y = append(x, b.BSPerMM2), append(y, math.Log(v))
				}
			}
			if d := -slope(x, y) * 1e6; d > 0 {
				adc.Data[at] = float32(min(d, e.cfg.MaxADC))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return &fitting{adc, used, sigma}, nil
}

// choose returns the b-values that enter the fit and whether low ones had to be among them.
func (e *Expert) choose(dwi []experts.BVolume) (used []experts.BVolume, all bool) {
	if used = ascending(dwi, e.cfg.MinBSPerMM2); len(used) >= 2 {
		return used, false
	}
	return ascending(dwi, math.Inf(-1)), true
}

// ascending returns the b-values from a least one on in order, none where they are all the same.
func ascending(dwi []experts.BVolume, from float64) []experts.BVolume {
	out := slices.DeleteFunc(slices.Clone(dwi), func(b experts.BVolume) bool {
		return b.Volume == nil || len(b.Volume.Data) == 0 || b.BSPerMM2 < from
	})
	slices.SortStableFunc(out, func(a, b experts.BVolume) int {
		return cmp.Compare(a.BSPerMM2, b.BSPerMM2)
	})
	if len(out) > 0 && out[len(out)-1].BSPerMM2 == out[0].BSPerMM2 {
		return nil // repeats of one b-value hold no decay
	}
	return out
}

// slope returns the least-squares slope of y over x, 0 where x holds fewer than two different values.
func slope(x, y []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	n := float64(len(x))
	sx, sy := 0.0, 0.0
	for i := range x {
		sx, sy = sx+x[i], sy+y[i]
	}
	sxx, sxy := 0.0, 0.0
	for i := range x {
		d := x[i] - sx/n
		sxx += d * d
		sxy += d * (y[i] - sy/n)
	}
	if sxx == 0 {
		return 0
	}
	return sxy / sxx
}
