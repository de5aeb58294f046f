package experts

// Diffusion says on which side of the cut-off of ACRIN A6702, 1.53e-3 mm2/s, a lesion's mean ADC lies (Rahbar et al., Clin
// Cancer Res 2019;25:1756). "" is not told.
type Diffusion string

// Diffusions.
const (
	LowDiffusion    Diffusion = "below 1.53e-3 mm2/s"
	NotLowDiffusion Diffusion = "at or above 1.53e-3 mm2/s"
)
