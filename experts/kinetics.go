package experts

import "mome/experts/volume"

// InitialPhase is BI-RADS' word for how a curve rises within the first two minutes or until it changes (ACR BI-RADS MRI,
// 2013): slow below 50 %, medium from 50 to 100 %, fast above 100 %. "" is not told.
type InitialPhase string

// Initial phases.
const (
	Slow   InitialPhase = "slow"
	Medium InitialPhase = "medium"
	Fast   InitialPhase = "fast"
)

// InitialPhaseOf returns the initial phase of a percent enhancement.
func InitialPhaseOf(pe Quantity) InitialPhase {
	switch {
	case !pe.Known:
		return ""
	case pe.Value < 50:
		return Slow
	case pe.Value <= 100:
		return Medium
	}
	return Fast
}

// Kinetics is what is read off one time-signal curve. Time counts from the arrival of the contrast agent, for which the
// beginning of the first post-contrast phase stands, to the middle of a phase, for which half of the least interval
// between two phases after its beginning stands; TimeToPeak alone is on the clock of Lesion.TimesS.
type Kinetics struct {
	Signal        []float64    // mean signal per phase
	PEEarly       Quantity     // %, 100 (S_early - S_pre) / S_pre
	PEPeak        Quantity     // %, of the highest phase
	PEInitial     Quantity     // %, of the highest phase whose middle lies within 2 min, or of the first
	Initial       InitialPhase // of PEInitial
	SER           Quantity     // ratio, (S_early - S_pre) / (S_late - S_pre)
	TimeToPeak    Quantity     // s, beginning of the highest phase
	WashIn        Quantity     // %/min, PEInitial over its time
	WashOut       Quantity     // %/min, change from the early to the last phase, % of S_early, over the time between; below 0 it falls
	DelayedChange Quantity     // %, 100 (S_late - S_early) / S_early
	Curve         Curve        // type of DelayedChange, "" without a delayed phase
}

// HotSpot is the part of a lesion that enhances most in the early phase: a cube of 3 x 3 x 3 voxels cut with the lesion,
// as a reader places a small region of interest on the most suspicious part. The zero value is none.
type HotSpot struct {
	CentreMM volume.Vec // of the cube, patient space
	Voxels   int        // of the cube that lie in the lesion, 1..27
	Kinetics
}
