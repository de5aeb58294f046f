// Package dwi is the expert of diffusion: the apparent diffusion coefficient (ADC) from the diffusion-weighted images, or
// from the vendor's map where no such images remain, and its mean in each lesion. Its unit is 1e-6 mm2/s throughout. It
// fits one exponential; it models neither perfusion (IVIM) nor kurtosis.
package dwi

import (
	"context"
	"errors"
	"fmt"

	"mome/experts"
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

// Read sets the ADC quantities of each lesion and returns the map "ADC" in 1e-6 mm2/s, 0 where it could not be measured. Its channels are
// the volume of the highest b-value, which the published network reads alone, or the vendor's ADC map where no
// diffusion-weighted images remain, and the ADC relative to the mark of low diffusion.
func (e *Expert) Read(ctx context.Context, s *experts.Study, breasts []experts.Breast, lesions []*experts.Lesion) (*experts.Opinion, error) {
	op := &experts.Opinion{Modality: experts.DWI, Maps: map[string]*volume.Volume{}}
	note := func(format string, args ...any) { op.Notes = append(op.Notes, fmt.Sprintf(format, args...)) }
	fit, err := e.fitted(ctx, s, note)
	if err != nil {
		return nil, err
	}
	var adc *volume.Volume
	switch {
	case fit != nil:
		adc = fit.adc
		op.Channels = []*volume.Volume{s.DWI[len(s.DWI)-1].Volume, relative(adc)}
		if moved(s) {
			break
		}
		c, err := e.check(ctx, s, fit)
		if err != nil {
			return nil, err
		}
		if c != nil {
			op.Checks = append(op.Checks, *c)
			if !c.Agrees {
				note("%s The fitted one was used.", c.Text)
			}
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
	op.Settings = e.settings(fit)
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
		in, small := samples(adc, l)
		measure(l, in)
		switch {
		case !l.ADC.Known:
			note("The ADC of %s is unknown: it lies outside the diffusion images or its signal is below the noise.", l.Label)
		case small:
			note("%s is smaller than a diffusion voxel; its ADC is a mean over the voxels that it touches.", l.Label)
		}
	}
	return op, nil
}

// settings states which b-values entered the fit; fit is nil for a vendor's map.
func (e *Expert) settings(fit *fitting) []experts.Setting {
	out := []experts.Setting{{Name: "ADC", Text: "the vendor's map"}}
	if fit != nil {
		out[0].Text = "log-linear fit of one exponential"
		for n, b := range fit.used {
			out = append(out, experts.Setting{Name: fmt.Sprintf("b-value %d of the fit", n+1), Value: b.BSPerMM2, Unit: "s/mm2"})
		}
		out = append(out,
			experts.Setting{Name: "least b-value asked for", Value: e.cfg.MinBSPerMM2, Unit: "s/mm2"},
			experts.Setting{Name: "least signal over the noise of one channel", Value: e.cfg.NoiseFactor, Unit: "1"},
			experts.Setting{Name: "noise of one channel", Value: fit.sigma, Unit: "1"})
	}
	return append(out, experts.Setting{Name: "ADC cut-off", Value: CutoffADC, Unit: "um2/s"})
}
