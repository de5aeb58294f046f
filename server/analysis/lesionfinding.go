package analysis

import (
	"math"

	"mome/experts"
	"mome/fusion"
)

// LesionFinding is one finding. Definitions of the numbers are with experts.Lesion.
type LesionFinding struct {
	Label       string       `json:"label"`
	TrackingUID string       `json:"tracking_uid"`
	Side        experts.Side `json:"side"`

	Quadrant   string            `json:"quadrant,omitempty"`
	Clock      int               `json:"clock_hour,omitempty"`
	Depth      experts.Depth     `json:"depth,omitempty"`
	CentreMM   [3]float64        `json:"centre_mm"` // patient space: +x left, +y posterior, +z head
	NippleMM   *float64          `json:"nipple_mm,omitempty"`
	SkinMM     *float64          `json:"skin_mm,omitempty"`
	WallMM     *float64          `json:"chest_wall_mm,omitempty"`
	Neighbours []RelationFinding `json:"neighbours,omitempty"`

	VolumeCM3    float64       `json:"volume_cm3"`
	LongAxisMM   float64       `json:"long_axis_mm"`
	ShortAxisMM  float64       `json:"short_axis_mm"`
	AxialLongMM  *float64      `json:"axial_long_mm,omitempty"`
	AxialShortMM *float64      `json:"axial_short_mm,omitempty"`
	AxialLong    [][3]float64  `json:"axial_long_line_mm,omitempty"`
	AxialShort   [][3]float64  `json:"axial_short_line_mm,omitempty"`
	Sphericity   float64       `json:"sphericity"`
	Shape        experts.Shape `json:"shape,omitempty"`
	Solidity     *float64      `json:"solidity,omitempty"`
	Elongation   *float64      `json:"elongation,omitempty"`
	Flatness     *float64      `json:"flatness,omitempty"`

	Margin         experts.Margin   `json:"margin,omitempty"`
	Roughness      *float64         `json:"roughness,omitempty"`
	Spiculation    *float64         `json:"spiculation,omitempty"`
	Sharpness      *float64         `json:"sharpness_per_mm,omitempty"`
	RadialGradient *float64         `json:"radial_gradient,omitempty"`
	Internal       experts.Internal `json:"internal_enhancement,omitempty"`
	EnhancementCV  *float64         `json:"enhancement_cv,omitempty"`
	RimRatio       *float64         `json:"rim_ratio,omitempty"`

	Detection     float64            `json:"detection_score,omitempty"` // how far it stands out, no probability
	Probability   *float64           `json:"probability_of_malignancy,omitempty"`
	Called        bool               `json:"at_or_above_operating_point"`
	Suspicion     int                `json:"suspicion_level,omitempty"`
	Contributions map[string]float64 `json:"contributions_log_odds,omitempty"`
	Further       []JudgementFinding `json:"further,omitempty"` // by models of other tasks

	TimesS        []float64                 `json:"times_s,omitempty"`
	Signal        []float64                 `json:"signal,omitempty"`
	PEEarly       *float64                  `json:"pe_early_percent,omitempty"`
	PEPeak        *float64                  `json:"pe_peak_percent,omitempty"`
	PEInitial     *float64                  `json:"pe_initial_percent,omitempty"`
	InitialPhase  experts.InitialPhase      `json:"initial_phase,omitempty"`
	SER           *float64                  `json:"ser,omitempty"`
	TimeToPeakS   *float64                  `json:"time_to_peak_s,omitempty"`
	WashIn        *float64                  `json:"wash_in_percent_per_min,omitempty"`
	WashOut       *float64                  `json:"wash_out_percent_per_min,omitempty"`
	DelayedChange *float64                  `json:"delayed_change_percent,omitempty"`
	FTVCM3        *float64                  `json:"ftv_cm3,omitempty"`
	Curve         experts.Curve             `json:"worst_curve,omitempty"`
	MeanCurve     experts.Curve             `json:"mean_curve,omitempty"`
	CurveShare    map[experts.Curve]float64 `json:"curve_shares,omitempty"`
	HotSpot       *HotSpotFinding           `json:"hot_spot,omitempty"`

	Uptake *UptakeFinding `json:"uptake,omitempty"`

	ADC           *float64          `json:"adc_um2_per_s,omitempty"`
	ADCMin        *float64          `json:"adc_min_um2_per_s,omitempty"`
	ADCP10        *float64          `json:"adc_p10_um2_per_s,omitempty"`
	ADCVoxels     int               `json:"adc_voxels,omitempty"`
	Diffusion     experts.Diffusion `json:"diffusion,omitempty"`
	T2Ratio       *float64          `json:"t2_ratio,omitempty"`
	T2Reference   string            `json:"t2_reference,omitempty"`
	T2MuscleRatio *float64          `json:"t2_muscle_ratio,omitempty"`

	Explanation *ExplanationFinding `json:"explanation,omitempty"`
}

// RelationFinding is another lesion of the same breast.
type RelationFinding struct {
	Label      string         `json:"label"`
	GapMM      float64        `json:"gap_mm"`
	DistanceMM float64        `json:"distance_mm"`
	Spread     experts.Spread `json:"spread,omitempty"`
}

// HotSpotFinding is the part of a lesion that enhances most.
type HotSpotFinding struct {
	CentreMM      [3]float64           `json:"centre_mm"`
	Voxels        int                  `json:"voxels"`
	Signal        []float64            `json:"signal"`
	PEEarly       *float64             `json:"pe_early_percent,omitempty"`
	PEPeak        *float64             `json:"pe_peak_percent,omitempty"`
	InitialPhase  experts.InitialPhase `json:"initial_phase,omitempty"`
	SER           *float64             `json:"ser,omitempty"`
	DelayedChange *float64             `json:"delayed_change_percent,omitempty"`
	Curve         experts.Curve        `json:"curve,omitempty"`
}

// UptakeFinding is a pharmacokinetic model of the mean curve. With an assumed T1 its numbers are relative ones.
type UptakeFinding struct {
	Model      string   `json:"model"`
	Ktrans     *float64 `json:"ktrans_per_min,omitempty"`
	Kep        *float64 `json:"kep_per_min,omitempty"`
	Ve         *float64 `json:"ve,omitempty"`
	Vp         *float64 `json:"vp,omitempty"`
	IAUC60     *float64 `json:"iauc60_mm_s,omitempty"`
	IAUC90     *float64 `json:"iauc90_mm_s,omitempty"`
	T1S        float64  `json:"t1_s"`
	T1Measured bool     `json:"t1_measured"`
}

// labelled tells the labels that findings have in the assessment: lesions were measured under others.
type labelled map[*experts.Lesion]string

func lesionFinding(l fusion.Finding, operatingPoint float64, labels labelled) LesionFinding {
	v := LesionFinding{
		Label: l.Label, TrackingUID: l.TrackingUID, Side: l.Side,
		Quadrant: l.Quadrant, Clock: l.Clock, Depth: l.Depth, CentreMM: l.CentreMM,
		NippleMM: number(l.NippleMM), SkinMM: number(l.SkinMM), WallMM: number(l.WallMM),
		VolumeCM3: l.VolumeCM3, LongAxisMM: l.LongAxisMM, ShortAxisMM: l.ShortAxisMM, Sphericity: l.Sphericity,
		Shape: l.Shape, Solidity: number(l.Solidity), Elongation: number(l.Elongation), Flatness: number(l.Flatness),
		Margin: l.Margin, Roughness: number(l.Roughness), Spiculation: number(l.Spiculation), Sharpness: number(l.Sharpness),
		RadialGradient: number(l.RadialGradient), Internal: l.Internal, EnhancementCV: number(l.EnhancementCV), RimRatio: number(l.RimRatio),
		Detection: l.Lesion.Suspicion, Probability: number(l.Probability), Called: l.Probability.Known && l.Probability.Value >= operatingPoint,
		Suspicion: l.Suspicion, Contributions: contributions(l.Contributions), Further: judgementFindings(l.Further),
		TimesS: l.TimesS, Signal: l.Signal, PEEarly: number(l.PEEarly), PEPeak: number(l.PEPeak), PEInitial: number(l.PEInitial),
		InitialPhase: l.InitialPhase, SER: number(l.SER), TimeToPeakS: number(l.TimeToPeak), WashIn: number(l.WashIn),
		WashOut: number(l.WashOut), DelayedChange: number(l.DelayedChange), FTVCM3: number(l.FTVCM3), Curve: l.WorstCurve,
		MeanCurve: l.MeanCurve, CurveShare: l.CurveShare, HotSpot: hotSpotFinding(l.HotSpot),
		Uptake: uptakeFinding(l.Uptake),
		ADC:    number(l.ADC), ADCMin: number(l.ADCMin), ADCP10: number(l.ADCP10), ADCVoxels: l.ADCVoxels, Diffusion: l.Diffusion,
		T2Ratio: number(l.T2Ratio), T2Reference: l.T2Reference, T2MuscleRatio: number(l.T2MuscleRatio),
	}
	v.AxialLongMM, v.AxialLong = line(l.AxialLong)
	v.AxialShortMM, v.AxialShort = line(l.AxialShort)
	for _, r := range l.Neighbours {
		if label, ok := labels[r.To]; ok {
			v.Neighbours = append(v.Neighbours, RelationFinding{label, r.GapMM, r.DistanceMM, r.Spread})
		}
	}
	return v
}

// line returns a line's length and ends; nothing for the zero line.
func line(l experts.Line) (*float64, [][3]float64) {
	mm := l.LengthMM()
	if mm == 0 {
		return nil, nil
	}
	return &mm, [][3]float64{l.From, l.To}
}

func hotSpotFinding(h experts.HotSpot) *HotSpotFinding {
	if h.Voxels == 0 {
		return nil
	}
	return &HotSpotFinding{
		CentreMM: h.CentreMM, Voxels: h.Voxels, Signal: h.Signal, PEEarly: number(h.PEEarly), PEPeak: number(h.PEPeak),
		InitialPhase: h.Initial, SER: number(h.SER), DelayedChange: number(h.DelayedChange), Curve: h.Curve,
	}
}

func uptakeFinding(u experts.Uptake) *UptakeFinding {
	if u.Model == "" {
		return nil
	}
	return &UptakeFinding{u.Model, number(u.Ktrans), number(u.Kep), number(u.Ve), number(u.Vp), number(u.IAUC60), number(u.IAUC90), u.T1S, u.T1Measured}
}

// number is a quantity for JSON: absent where it is unknown, or nothing that JSON can say.
func number(q experts.Quantity) *float64 {
	if !q.Known || math.IsNaN(q.Value) || math.IsInf(q.Value, 0) {
		return nil
	}
	return &q.Value
}
