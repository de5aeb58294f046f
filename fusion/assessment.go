package fusion

import (
	"mome/experts"
	"mome/experts/volume"
)

// Outcome says how an analysis ended.
type Outcome string

// Outcomes.
const (
	WithFindings    Outcome = "with findings"
	WithoutFindings Outcome = "without findings"
	NotDone         Outcome = "not done" // never a negative result
)

// Assessment is the node's answer about one study, ready to be written as SR and SEG.
type Assessment struct {
	StudyUID string
	Outcome  Outcome
	Reason   NotDoneReason // of NotDone
	Series   []experts.SeriesUse
	Findings []Finding // most suspicious first
	// Judgements are about the whole examination, by models that read whole volumes and not lesions.
	Judgements []Judgement
	Breasts    []experts.Breast
	Grid       volume.Grid // of all masks: the DCE reference phase
	Reference  Reference   // what the masks were drawn on
	Present    map[experts.Modality]bool
	Motion     []experts.Motion                       // between the acquisitions
	Checks     []experts.Check                        // against what the scanner's own software computed
	Settings   map[experts.Modality][]experts.Setting // what the experts' numbers rest on
	Asymmetry  experts.Asymmetry                      // of the breasts
	Notes      []string                               // sentences for the report's reader: assumptions, defects, what was missing
	Algorithm  Algorithm
}

// NotDoneReason is why nothing could be said: a short code (NODCE, NOPIXEL, GEOM, TIMEOUT, ERROR) and a sentence.
type NotDoneReason struct{ Code, Text string }

// Reference names the images that the masks lie on: Slices[k] is the source of slice k of Grid.
type Reference struct {
	SeriesUID   string
	SOPClassUID string
	Slices      []experts.Slice
}

// Finding is a lesion with the model's judgement of it.
type Finding struct {
	*experts.Lesion
	TrackingUID string // stable for the same study, inputs and model
	// Probability of malignancy after calibration, 0..1; unknown when the model could not be run.
	Probability experts.Quantity
	// Contributions are Shapley values over the modalities present: log-odds that each added.
	Contributions []Contribution
	Suspicion     int         // AI suspicion level, 1 (very low) to 5 (very high); 0 unknown
	Further       []Judgement // by models of other tasks than malignancy
}

// Contribution is one modality's part in a finding's probability.
type Contribution struct {
	Modality experts.Modality
	LogOdds  float64 // Shapley value: how far the modality moved the calibrated log-odds
	Share    float64 // |LogOdds| over the sum of all, 0..1; the shares sum to 1
}

// Algorithm identifies what made the assessment (IHE AI Results 6.5.3.1).
type Algorithm struct {
	Name           string // "MOME"
	Version        string
	Manufacturer   string
	DeviceUID      string            // of this model with these weights
	WeightsSHA256  string            // 64 hexadecimal digits
	OperatingPoint float64           // probability from which a finding is called
	TrainedOn      string            // one sentence; "digital phantoms" is said wherever the result is shown
	Parameters     map[string]string // further name=value settings
}
