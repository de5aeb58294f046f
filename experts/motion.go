package experts

import "fmt"

// Motion is how far one acquisition lay from the one that results refer to, and what was done about it.
type Motion struct {
	Name      string // "phase 3", "T2", "DWI"
	SeriesUID string
	// Displacement within the breasts that was found and taken out, mm; all 0 where the images were left as acquired.
	MeanMM, P95MM, MaxMM float64
	Corrected            bool
	Deformed             bool    // by more than a rigid motion
	Before, After        float64 // the measure of alignment, 1 at best; see Method
	Method               string  // the transform and the measure
	Reason               string  // one sentence, why it was corrected or left
}

// MotionNotes sums up what was found in sentences for the report's reader: nothing where nothing was moved.
func MotionNotes(all []Motion) (notes []string) {
	var most *Motion
	moved := 0
	for n := range all {
		m := &all[n]
		if !m.Corrected {
			continue
		}
		moved++
		if most == nil || m.MeanMM > most.MeanMM {
			most = m
		}
	}
	if most == nil {
		return nil
	}
	text := fmt.Sprintf("Motion between acquisitions was found and corrected in %d of %d; the largest is that of %s, %.1f mm on average within the breasts (95th percentile %.1f mm).",
		moved, len(all), most.Name, most.MeanMM, most.P95MM)
	if most.P95MM > severeMM {
		text += " So much motion can leave artefacts that no registration takes out."
	}
	return []string{text}
}

// severeMM is a displacement, mm, about as large as the smallest lesion that is looked for: within one phase it blurs.
const severeMM = 5
