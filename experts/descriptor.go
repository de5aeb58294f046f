package experts

import "mome/experts/volume"

// Line is a straight line between two places in patient space, mm, as a caliper draws it. The zero value is none.
type Line struct{ From, To volume.Vec }

// LengthMM returns the distance of its ends, mm.
func (l Line) LengthMM() float64 { return l.To.Sub(l.From).Norm() }

// Shape, Margin and Internal are the three descriptors of a mass in BI-RADS MRI (ACR, 2013), told from measured features
// by thresholds that are this project's own; the lexicon gives words and pictures, no numbers. "" is not told. Whether an
// enhancement is a mass at all, or non-mass enhancement, is not told.
type Shape string

// Shapes.
const (
	Round          Shape = "round"
	Oval           Shape = "oval"
	IrregularShape Shape = "irregular"
)

// Margin is how a lesion ends, as far as its voxels show it.
type Margin string

// Margins; the last two are not circumscribed.
const (
	Circumscribed   Margin = "circumscribed"
	IrregularMargin Margin = "irregular"
	Spiculated      Margin = "spiculated"
)

// Internal is the pattern of enhancement inside a lesion. Dark internal septations are not told.
type Internal string

// Internal patterns.
const (
	Homogeneous   Internal = "homogeneous"
	Heterogeneous Internal = "heterogeneous"
	Rim           Internal = "rim"
)

// Depth is the third of the way from the nipple to the chest wall that a lesion's centre lies in.
type Depth string

// Depths.
const (
	Anterior  Depth = "anterior"
	Middle    Depth = "middle"
	Posterior Depth = "posterior"
)

// Spread is how two lesions of one breast lie to each other (as in Lynch et al., Ann Oncol 2012;23:3063). It speaks of
// places alone: whether both are cancer is not said.
type Spread string

// Spreads.
const (
	Multifocal   Spread = "multifocal"   // in one quadrant
	Multicentric Spread = "multicentric" // in different quadrants
)

// Relation is one lesion as seen from another of the same breast.
type Relation struct {
	To         *Lesion
	GapMM      float64 // mm between their nearest surfaces, 0 where they touch
	DistanceMM float64 // mm between their centres
	Spread     Spread  // "" where a quadrant is not told
}
