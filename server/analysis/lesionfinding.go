package analysis

import (
	"math"

	"mome/experts"
	"mome/fusion"
)

// LesionFinding is one finding.
type LesionFinding struct {
	Label         string             `json:"label"`
	TrackingUID   string             `json:"tracking_uid"`
	Side          experts.Side       `json:"side"`
	Quadrant      string             `json:"quadrant,omitempty"`
	Clock         int                `json:"clock,omitempty"` // hour, 1..12
	Depth         experts.Depth      `json:"depth,omitempty"`
	NippleMM      *float64           `json:"to_nipple_mm,omitempty"`
	SkinMM        *float64           `json:"to_skin_mm,omitempty"`
	WallMM        *float64           `json:"to_chest_wall_mm,omitempty"`
	CentreMM      [3]float64         `json:"centre_mm"` // patient space: +x left, +y posterior, +z head
	VolumeCM3     float64            `json:"volume_cm3"`
	LongAxisMM    float64            `json:"long_axis_mm"`
	ShortAxisMM   float64            `json:"short_axis_mm"`
	AxialLongMM   float64            `json:"axial_long_mm,omitempty"` // in the axial section of largest area
	AxialShortMM  float64            `json:"axial_short_mm,omitempty"`
	Sphericity    float64            `json:"sphericity"`
	Form          FormFinding        `json:"form"`
	Probability   *float64           `json:"probability_of_malignancy,omitempty"`
	Called        bool               `json:"at_or_above_operating_point"`
	Suspicion     int                `json:"suspicion_level,omitempty"`
	Contributions map[string]float64 `json:"contributions_log_odds,omitempty"`
	Further       []JudgementFinding `json:"further,omitempty"` // by models of other tasks
	TimesS        []float64          `json:"times_s,omitempty"`
	Signal        []float64          `json:"signal,omitempty"`
	PEEarly       *float64           `json:"pe_early_percent,omitempty"`
	PEPeak        *float64           `json:"pe_peak_percent,omitempty"`
	SER           *float64           `json:"ser,omitempty"`
	TimeToPeakS   *float64           `json:"time_to_peak_s,omitempty"`
	FTVCM3        *float64           `json:"ftv_cm3,omitempty"`
	Curve         experts.Curve      `json:"worst_curve,omitempty"`
	CurveShare    map[string]float64 `json:"curve_share,omitempty"` // 0..1, of the voxels, by type of curve
	ADC           *float64           `json:"adc_um2_per_s,omitempty"`
	T2Ratio       *float64           `json:"t2_ratio,omitempty"`

	Neighbours []NeighbourFinding `json:"neighbours,omitempty"`

	Explanation *ExplanationFinding `json:"explanation,omitempty"`
}

// FormFinding is what is told of a lesion's form; the formulas are with experts/lesion.
type FormFinding struct {
	Shape          experts.Shape    `json:"shape,omitempty"`
	Margin         experts.Margin   `json:"margin,omitempty"`
	Internal       experts.Internal `json:"internal_enhancement,omitempty"`
	Solidity       *float64         `json:"solidity,omitempty"`
	Elongation     *float64         `json:"elongation,omitempty"`
	Flatness       *float64         `json:"flatness,omitempty"`
	Roughness      *float64         `json:"roughness,omitempty"`
	Spiculation    *float64         `json:"spiculation,omitempty"`
	Sharpness      *float64         `json:"sharpness_per_mm,omitempty"`
	RadialGradient *float64         `json:"radial_gradient,omitempty"`
	EnhancementCV  *float64         `json:"enhancement_cv,omitempty"`
	RimRatio       *float64         `json:"rim_ratio,omitempty"`
}

// NeighbourFinding is another lesion of the same breast.
type NeighbourFinding struct {
	Label      string         `json:"label"`
	GapMM      float64        `json:"gap_mm"`      // between the nearest surfaces
	DistanceMM float64        `json:"distance_mm"` // between the centres
	Spread     experts.Spread `json:"spread,omitempty"`
}

func lesionFinding(l fusion.Finding, operatingPoint float64) LesionFinding {
	v := LesionFinding{
		Label: l.Label, TrackingUID: l.TrackingUID, Side: l.Side, Quadrant: l.Quadrant, CentreMM: l.CentreMM,
		VolumeCM3: l.VolumeCM3, LongAxisMM: l.LongAxisMM, ShortAxisMM: l.ShortAxisMM, Sphericity: l.Sphericity,
		Probability: number(l.Probability), Called: l.Probability.Known && l.Probability.Value >= operatingPoint,
		Suspicion: l.Suspicion, TimesS: l.TimesS, Signal: l.Signal, PEEarly: number(l.PEEarly), PEPeak: number(l.PEPeak),
		SER: number(l.SER), TimeToPeakS: number(l.TimeToPeak), FTVCM3: number(l.FTVCM3), Curve: l.WorstCurve,
		ADC: number(l.ADC), T2Ratio: number(l.T2Ratio), Contributions: contributions(l.Contributions),
		Further: judgementFindings(l.Further), Form: formFinding(l.Lesion),
		Clock: l.Clock, Depth: l.Depth, NippleMM: number(l.NippleMM), SkinMM: number(l.SkinMM), WallMM: number(l.WallMM),
		AxialLongMM: l.AxialLong.LengthMM(), AxialShortMM: l.AxialShort.LengthMM(),
	}
	for c, share := range l.CurveShare {
		if v.CurveShare == nil {
			v.CurveShare = map[string]float64{}
		}
		v.CurveShare[string(c)] = share
	}
	for _, n := range l.Neighbours {
		v.Neighbours = append(v.Neighbours, NeighbourFinding{n.To.Label, n.GapMM, n.DistanceMM, n.Spread})
	}
	return v
}

func formFinding(l *experts.Lesion) FormFinding {
	return FormFinding{
		Shape: l.Shape, Margin: l.Margin, Internal: l.Internal, Solidity: number(l.Solidity), Elongation: number(l.Elongation),
		Flatness: number(l.Flatness), Roughness: number(l.Roughness), Spiculation: number(l.Spiculation),
		Sharpness: number(l.Sharpness), RadialGradient: number(l.RadialGradient), EnhancementCV: number(l.EnhancementCV),
		RimRatio: number(l.RimRatio),
	}
}

func number(q experts.Quantity) *float64 {
	if !q.Known || math.IsNaN(q.Value) || math.IsInf(q.Value, 0) {
		return nil
	}
	return &q.Value
}
