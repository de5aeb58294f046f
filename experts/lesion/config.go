package lesion

import (
	"fmt"
	"math"

	"mome/experts"
)

// Config has the settings of Detect; the zero value means the defaults.
type Config struct {
	EarlyS float64 // s after the first post-contrast phase began; 150 if zero (UCSF/I-SPY)
	LateS  float64 // s, likewise; 450 if zero

	// MinPE is the least early enhancement of a candidate's core, %; 50 if zero: BI-RADS calls less slow, and gland
	// commonly enhances as much.
	MinPE float64
	// Deviations is how far above the fibroglandular tissue's median enhancement the core must lie, in its robust standard
	// deviations (1.4826 MAD); 3 if zero: one voxel of normal gland in a thousand reaches it, a cluster of them hardly ever.
	Deviations float64
	// SmoothMM is the standard deviation of the Gaussian that the enhancement is smoothed with, mm; 1 if zero: half the
	// radius of the smallest lesion looked for, about the size of a voxel.
	SmoothMM float64
	// MinDiameterMM is the diameter of the ball that has the least volume of a candidate, mm; 4 if zero: smaller ones are
	// foci, which BI-RADS does not call masses (a focus is below 5 mm).
	MinDiameterMM float64
	// SkinMM is the depth below the body's surface up to which enhancement is skin, mm; 3 if zero.
	SkinMM float64
	// MaxElongation is the ratio of a candidate's length to the diameter of the largest ball in it above which it is a
	// vessel, or what a vessel connects; 4 if zero: the lesions of the phantoms reach 2.8, their vessels begin at 7.
	MaxElongation float64
	// MaxLesions bounds the candidates; 12 if zero. More are a diffuse enhancement, not findings.
	MaxLesions int
}

// checked returns the settings with defaults filled in.
func (c Config) checked() (Config, error) {
	for _, f := range []struct {
		name  string
		value *float64
		use   float64
	}{
		{"EarlyS", &c.EarlyS, experts.EarlyS},
		{"LateS", &c.LateS, experts.LateS},
		{"MinPE", &c.MinPE, 50},
		{"Deviations", &c.Deviations, 3},
		{"SmoothMM", &c.SmoothMM, 1},
		{"MinDiameterMM", &c.MinDiameterMM, 4},
		{"SkinMM", &c.SkinMM, 3},
		{"MaxElongation", &c.MaxElongation, 4},
	} {
		if !(*f.value >= 0) || math.IsInf(*f.value, 1) {
			return c, fmt.Errorf("lesion config: %s %g is out of range", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.use
		}
	}
	if c.MaxLesions < 0 {
		return c, fmt.Errorf("lesion config: MaxLesions %d is negative", c.MaxLesions)
	}
	if c.MaxLesions == 0 {
		c.MaxLesions = 12
	}
	return c, nil
}
