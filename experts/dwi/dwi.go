// Package dwi is the expert of diffusion: the apparent diffusion coefficient (ADC) from the diffusion-weighted images, or
// from the vendor's map where no such images remain, and its mean in each lesion. Its unit is 1e-6 mm2/s throughout. It
// fits one exponential; it models neither perfusion (IVIM) nor kurtosis.
package dwi

import (
	"context"
	"errors"
	"fmt"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// Config has the settings; the zero value means the defaults.
type Config struct {
	// MinBSPerMM2 is the b-value from which signal counts as free of perfusion, s/mm2; 100 if zero (EUSOBI consensus on
	// breast DWI, Baltzer et al., Eur Radiol 2020;30:1436, advises against b = 0 for that reason).
	MinBSPerMM2 float64
	// NoiseFactor is how many standard deviations of one channel's noise a signal must exceed to enter the fit; 2 if zero:
	// below about that a magnitude tells the noise floor, not the signal (Gudbjartsson and Patz, Magn Reson Med
	// 1995;34:910).
	NoiseFactor float64
	// MaxADC bounds the map, 1e-6 mm2/s; 4000 if zero: free water at body temperature has about 3000.
	MaxADC float64
}

// Expert reads diffusion.
type Expert struct{ cfg Config }

// New returns an expert with these settings.
func New(cfg Config) (*Expert, error) {
	for _, f := range []struct {
		name  string
		value *float64
		use   float64
	}{
		{"MinBSPerMM2", &cfg.MinBSPerMM2, 100},
		{"NoiseFactor", &cfg.NoiseFactor, 2},
		{"MaxADC", &cfg.MaxADC, 4000},
	} {
		if !(*f.value >= 0) {
			return nil, fmt.Errorf("dwi config: %s %g is negative", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.use
		}
	}
	return &Expert{cfg: cfg}, nil
}

// Modality returns experts.DWI.
func (*Expert) Modality() experts.Modality { return experts.DWI }

// ErrNoDiffusion says that the study holds neither two b-values nor an ADC map.
var ErrNoDiffusion = errors.New("study has neither two b-values nor an ADC map")

// Read sets ADC of each lesion and returns the map "ADC" in 1e-6 mm2/s, 0 where it could not be measured. Its channels are
// the volume of the highest b-value, which the published network reads alone, or the vendor's ADC map where no
// diffusion-weighted images remain, and the ADC relative to the mark of low diffusion.
func (e *Expert) Read(ctx context.Context, s *experts.Study, breasts []experts.Breast, lesions []*experts.Lesion) (*experts.Opinion, error) {
	op := &experts.Opinion{Modality: experts.DWI, Maps: map[string]*volume.Volume{}}
	note := func(format string, args ...any) { op.Notes = append(op.Notes, fmt.Sprintf(format, args...)) }
	adc, err := e.fitted(ctx, s, note)
	if err != nil {
		return nil, err
	}
	switch {
	case adc != nil:
		op.Channels = []*volume.Volume{s.DWI[len(s.DWI)-1].Volume, relative(adc)}
		if s.ADC != nil && s.ADC.Same(&adc.Grid) {
			compare(adc, s.ADC, note)
		}
	case s.ADC != nil:
		note("The vendor's ADC map was used: fewer than two b-values of diffusion-weighted images remain.")
		if adc = vendor(s.ADC, breasts, note); adc == nil {
			adc = volume.New(s.ADC.Grid) // its unit is not known: nothing is measured
		}
		op.Channels = []*volume.Volume{s.ADC, relative(adc)}
		if n := len(s.DWI); n > 0 {
			op.Channels[0] = s.DWI[n-1].Volume
		} else {
			note("The diffusion channel is the ADC map: no diffusion-weighted images remain.")
		}
	default:
		return nil, ErrNoDiffusion
	}
	op.Maps["ADC"] = adc
	if len(s.DCE) > 0 {
		dce := s.DCE[0].Volume.FrameOfReference
		if dce != "" && adc.FrameOfReference != "" && dce != adc.FrameOfReference {
			note("Diffusion and dynamic images state different frames of reference; their positions were taken as common.")
		}
	}
	for _, l := range lesions {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.ADC = experts.Quantity{}
		mean, small, ok := lesionMean(adc, l)
		if !ok {
			note("The ADC of %s is unknown: it lies outside the diffusion images or its signal is below the noise.", l.Label)
			continue
		}
		if small {
			note("%s is smaller than a diffusion voxel; its ADC is a mean over the voxels that it touches.", l.Label)
		}
		l.ADC = experts.Known(mean)
	}
	return op, nil
}

// lesionMean returns the mean ADC over the voxels that l mostly covers, each weighted by the part that it covers. A
// lesion that covers none of them by half is smaller than a voxel: then all that it touches count by their share. Voxels
// without an ADC are left out.
func lesionMean(adc *volume.Volume, l *experts.Lesion) (mean float64, small, ok bool) {
	if l.Mask == nil {
		return 0, false, false
	}
	parts := lesion.Cover(l.Mask, &adc.Grid, 4)
	for _, least := range [2]float64{0.5, 0} {
		sum, weight, covered := 0.0, 0.0, false
		for _, p := range parts {
			if p.Fraction < least {
				continue
			}
			covered = true
			if v := float64(adc.Data[p.Index]); v > 0 {
				sum += p.Fraction * v
				weight += p.Fraction
			}
		}
		if weight > 0 {
			return sum / weight, least == 0, true
		}
		if covered {
			return 0, false, false
		}
	}
	return 0, false, false
}
