package experts

import "math"

// Times after the first post-contrast phase began at which kinetics are read, and the least distance between two phases
// that tells wash-out from noise.
const (
	EarlyS  = 150 // s, UCSF/I-SPY's early phase (Hylton et al., Radiology 2012;263:663)
	LateS   = 450 // s, its late phase
	DelayS  = 60  // s; BI-RADS reads the delayed phase minutes after the initial one, less than one says nothing
	minPost = 2   // post-contrast phases needed for a delayed phase
)

// EarlyLate returns the indices into s.DCE of the early and the late phase: those that began nearest to earlyS and lateS
// after the first post-contrast phase began, which stands for the arrival of the contrast agent (UCSF's rule). Where
// there are several post-contrast phases the early one is never the last, and where the two would be less than DelayS
// apart the study has no delayed phase: then late is -1 and early the phase nearest to earlyS. Of equally near phases
// the first is taken. Without a post-contrast phase both are -1.
func (s *Study) EarlyLate(earlyS, lateS float64) (early, late int) {
	n := len(s.DCE)
	if n < 2 {
		return -1, -1
	}
	startS := s.DCE[1].TimeS
	nearest := func(from, to int, targetS float64) int {
		best, least := -1, math.Inf(1)
		for k := from; k < to; k++ {
			if d := math.Abs(s.DCE[k].TimeS - startS - targetS); d < least {
				best, least = k, d
			}
		}
		return best
	}
	if n-1 < minPost {
		return 1, -1
	}
	early = nearest(1, n-1, earlyS)
	late = nearest(early+1, n, lateS)
	if early < 0 || late < 0 || s.DCE[late].TimeS-s.DCE[early].TimeS < DelayS {
		return max(nearest(1, n, earlyS), 1), -1
	}
	return early, late
}
