// Package experts is the vocabulary of reading a breast MRI: the study as volumes, the lesions found in it, and what
// the expert of one modality measured. An expert reads its own modality only; fusion weighs what they say.
package experts

import (
	"context"

	"mome/experts/volume"
)

// Modality is one of the three acquisitions that have an expert.
type Modality string

// The modalities, in the order in which every table lists them.
const (
	DCE Modality = "DCE"
	T2  Modality = "T2"
	DWI Modality = "DWI"
)

// Modalities lists all of them in order.
var Modalities = [...]Modality{DCE, T2, DWI}

// Role says what a series is to the analysis.
type Role string

// Roles. Uncertain is the honest answer where evidence is missing or contradicts itself; such a series is not used.
const (
	RoleDCE       Role = "DCE"       // a phase of the dynamic series, the pre-contrast one included
	RoleT2        Role = "T2"        // T2-weighted, with or without fat suppression
	RoleDWI       Role = "DWI"       // diffusion-weighted, one or more b-values
	RoleADC       Role = "ADC"       // the vendor's ADC map
	RoleExcluded  Role = "excluded"  // known, and not for analysis: localizer, subtraction, MIP, ...
	RoleUncertain Role = "uncertain" // not known
)

// SeriesUse tells what was made of one series, and why.
type SeriesUse struct {
	SeriesUID        string
	Number           int    // Series Number, 0 if absent
	Description      string // Series Description as sent; free text of the sender, never logged
	Modality         string // DICOM Modality
	Role             Role
	Used             bool     // whether the analysis read it
	Detail           string   // such as "phases 1-6", "b 50, 400, 800 s/mm2", "localizer"
	Reason           string   // one sentence with the attributes that decided
	Confidence       float64  // 0..1
	FrameOfReference string   // Frame of Reference UID
	SOPClassUID      string   // of its instances
	Instances        []string // SOP Instance UIDs in order of position, of the instances that were used
}

// Phase is one time point of the dynamic series.
type Phase struct {
	TimeS     float64 // s since the pre-contrast phase began; see Study.TimesKnown
	SeriesUID string
	Volume    *volume.Volume
}

// SpoiledGradientEcho is the T1-weighted sequence of a dynamic series.
type SpoiledGradientEcho struct {
	TRS     float64 // repetition time between two excitations, s
	FlipRad float64 // flip angle, rad
}

// BVolume is the diffusion-weighted signal (trace or mean over directions) at one b-value.
type BVolume struct {
	BSPerMM2  float64
	SeriesUID string
	Volume    *volume.Volume
}

// Slice says which frame of which instance a slice of a volume came from.
type Slice struct {
	SOPInstanceUID string
	Frame          int // from 1; 0 for a single-frame instance
}

// Study is one examination as volumes. Absent modalities are nil. All volumes are as acquired until registration.Align
// lays them onto the reference phase; DCE phases share a grid.
type Study struct {
	StudyUID   string
	DCE        []Phase // pre-contrast first
	TimesKnown bool    // false: TimeS follows the stated assumption, the order is known
	DCESlices  []Slice // the source of each slice k of the reference phase, for results that point back
	Reference  int     // index into DCE of the phase whose series results refer to
	T2         *volume.Volume
	DWI        []BVolume      // ascending b
	ADC        *volume.Volume // the vendor's map in 1e-6 mm2/s, nil where there is none
	Motion     []Motion       // of the other acquisitions against the reference phase; nil where none was looked for
	Series     []SeriesUse
	Notes      []string // assumptions made and defects found, for the report's reader

	Echo *SpoiledGradientEcho // of the dynamic series; nil where the images do not state it
	T1   *volume.Volume       // s, on the DCE grid, measured before contrast; nil where it was not
}

// Has reports whether the study offers what m's expert reads.
func (s *Study) Has(m Modality) bool {
	switch m {
	case DCE:
		return len(s.DCE) >= 2
	case T2:
		return s.T2 != nil
	case DWI:
		return len(s.DWI) >= 2 || s.ADC != nil
	}
	return false
}

// UsedSeries returns the first series that was read in this role, "" if none was.
func (s *Study) UsedSeries(role Role) string {
	for _, u := range s.Series {
		if u.Role == role && u.Used {
			return u.SeriesUID
		}
	}
	return ""
}

// Side is the breast that something lies in.
type Side string

// Sides, as DICOM's Laterality writes them.
const (
	Left  Side = "L"
	Right Side = "R"
)

// Breast is one breast's region on the DCE grid.
type Breast struct {
	Side           Side
	Mask           *volume.Mask
	Fibroglandular *volume.Mask // nil if it could not be told from fat

	// Quantities, filled in by the DCE expert; definitions and cut-offs are with dce.Config.
	FGT         Quantity    // %, fibroglandular volume over breast volume
	Composition Composition // of FGT
	BPE         Quantity    // %, early enhancement of the fibroglandular tissue's mean signal
	BPEShare    Quantity    // %, of the fibroglandular tissue that enhances by the threshold or more
	Background  Background  // of BPEShare
}

// Curve is the type of a time-signal curve's delayed phase (BI-RADS).
type Curve string

// Curve types.
const (
	Persistent Curve = "persistent" // type 1
	Plateau    Curve = "plateau"    // type 2
	Washout    Curve = "washout"    // type 3
)

// Quantity is a measured number that can be missing.
type Quantity struct {
	Value float64
	Known bool
}

// Known returns a quantity that was measured.
func Known(v float64) Quantity { return Quantity{Value: v, Known: true} }

// Lesion is one candidate and what was measured of it. A quantity is unknown where its modality is absent.
type Lesion struct {
	Label    string // "Lesion 1", the most suspicious first
	Side     Side
	Mask     *volume.Mask // on the DCE grid
	CentreMM volume.Vec   // centroid, patient space
	Quadrant string       // "upper outer", ...; "" if not told
	// Suspicion orders candidates, within a study and between studies: how surely the detection takes it for a lesion, no
	// probability and no unit.
	Suspicion float64

	// Shape.
	VolumeCM3   float64 // voxel summation
	LongAxisMM  float64 // largest 3-D diameter
	ShortAxisMM float64 // largest diameter orthogonal to the long axis
	Sphericity  float64 // surface of the sphere of equal volume over the surface, 0..1

	// Place, beside side and quadrant.
	Clock      int      // hour 1..12 about the nipple, as seen by who faces the patient; 0 if not told
	Depth      Depth    // third of the way from nipple to chest wall; "" if not told
	NippleMM   Quantity // mm, from its nearest surface to the nipple
	SkinMM     Quantity // mm, to the skin
	WallMM     Quantity // mm, to the chest wall, 0 where it reaches it
	Neighbours []Relation

	// Diameters as lines, to draw. The axial ones lie in the axial section of largest area; they are zero if not measured.
	LongLine   Line // of LongAxisMM
	ShortLine  Line // of ShortAxisMM, moved to the middle of LongLine
	AxialLong  Line // longest diameter of the section
	AxialShort Line // longest chord of the section's convex hull orthogonal to AxialLong

	// Form. Features are unknown where the mask has too few voxels to have one; formulas with lesion.Measure.
	Shape      Shape
	Solidity   Quantity // 0..1, area of the sections over that of their convex hulls
	Elongation Quantity // 0..1, second axis over first (square roots of the moments)
	Flatness   Quantity // 0..1, third axis over first

	// Margin; formulas with lesion.Measure and lesion.Describe.
	Margin         Margin
	Roughness      Quantity // ratio, deviation of the surface from the ellipsoid of equal moments over its radius
	Spiculation    Quantity // 0..1, share of the volume that is too thin to hold a small ball
	Sharpness      Quantity // 1/mm, slope of the early subtraction at the surface over its height inside
	RadialGradient Quantity // -1..1, share of that slope that points to the centre

	// Internal enhancement; formulas with lesion.Describe.
	Internal      Internal
	EnhancementCV Quantity // ratio, coefficient of variation of the early subtraction in the inner part, free of noise
	RimRatio      Quantity // ratio, of the early subtraction in the rim to that in the core

	// Kinetics, from DCE.
	TimesS     []float64 // s, of Signal
	Signal     []float64 // mean signal per phase
	PEEarly    Quantity  // %, mean, 100 (S_early - S_pre) / S_pre
	PEPeak     Quantity  // %, maximum of the mean curve
	SER        Quantity  // ratio, mean, (S_early - S_pre) / (S_late - S_pre)
	TimeToPeak Quantity  // s
	FTVCM3     Quantity  // functional tumour volume inside the mask, cm3
	WorstCurve Curve     // the most suspicious type that a relevant share of voxels shows
	CurveShare map[Curve]float64

	// Kinetics of the mean curve by further definitions, see Kinetics, and of the most enhancing part.
	PEInitial     Quantity // %
	InitialPhase  InitialPhase
	WashIn        Quantity // %/min
	WashOut       Quantity // %/min
	DelayedChange Quantity // %
	MeanCurve     Curve
	HotSpot       HotSpot
	Uptake        Uptake // of the mean curve

	// Diffusion and T2.
	ADC     Quantity // 1e-6 mm2/s (= um2/s), mean
	T2Ratio Quantity // lesion's T2 signal over the reference tissue's

	ADCMin    Quantity  // 1e-6 mm2/s, of the lowest voxel, which noise makes lower the more voxels there are
	ADCP10    Quantity  // 1e-6 mm2/s, 10th percentile
	ADCVoxels int       // diffusion voxels that these were read from
	Diffusion Diffusion // of ADC, against the cut-off

	T2Reference   string   // what T2Ratio refers to, in words; "" if it is unknown
	T2MuscleRatio Quantity // lesion's T2 signal over the pectoral muscle's
}

// Opinion is what one expert has to say of a study beside what it wrote into the lesions.
type Opinion struct {
	Modality Modality
	Maps     map[string]*volume.Volume // by name: "PE_early", "SER", "ADC", ...; each on its own grid
	Notes    []string                  // assumptions and defects, for the report's reader
	Settings []Setting                 // what the numbers rest on, in a fixed order
	Checks   []Check                   // comparisons with the scanner's own results
	// Asymmetry of the breasts, of the DCE expert alone.
	Asymmetry Asymmetry
	// Channels are the volumes that the expert's network reads, on their own grids: six subtractions, initial enhancement
	// and delayed phase for DCE, the volume for T2, that of the highest b-value and the relative ADC for DWI. A network
	// with fewer reads the first of them: the published one takes six, one and one.
	Channels []*volume.Volume
}

// Expert reads one modality of a study. Read fills in its quantities of each lesion and each breast and returns its
// opinion. It must not keep or change the study's volumes, and returns ctx.Err() soon after ctx is cancelled. Experts are
// safe for concurrent use on different studies.
type Expert interface {
	Modality() Modality
	Read(ctx context.Context, s *Study, breasts []Breast, lesions []*Lesion) (*Opinion, error)
}
