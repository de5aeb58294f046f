package page

import (
	"fmt"

	"mome/experts"
	"mome/server/analysis"
)

// groups are a lesion's measures with their definitions; what is not known is left out, and so are empty groups.
func (p reader) groups(l *analysis.LesionFinding) (out []group) {
	for _, g := range [...]group{
		{p.Text("Place"), p.placeRows(l)}, {p.Text("Size"), p.sizeRows(l)}, {p.Text("Form and margin"), p.formRows(l)},
		{p.Text("Kinetics"), p.kineticRows(l)}, {p.Text("Pharmacokinetic model"), p.uptakeRows(l.Uptake)},
		{p.Text("Diffusion"), p.diffusionRows(l)}, {"T2", p.t2Rows(l)}, {p.Text("Model"), p.modelRows(l)},
	} {
		if g.Rows = known(g.Rows...); len(g.Rows) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func (p reader) placeRows(l *analysis.LesionFinding) []measure {
	clock := ""
	if l.Clock > 0 {
		clock = fmt.Sprint(l.Clock)
	}
	centre := ""
	if l.CentreMM != [3]float64{} {
		centre = fmt.Sprintf("(%.1f, %.1f, %.1f) mm", l.CentreMM[0], l.CentreMM[1], l.CentreMM[2])
	}
	return []measure{
		{p.Text("Side"), p.side(l.Side), ""},
		{p.Text("Quadrant"), p.quadrant(l.Quadrant), ""},
		{p.Text("Clock position"), clock, p.Text("About the nipple, as seen by who faces the patient")},
		{p.Text("Depth"), p.depth(l.Depth), p.Text("Third of the way from nipple to chest wall")},
		{p.Text("To the nipple"), number(l.NippleMM, "%.0f mm"), p.Text("From the lesion's nearest surface")},
		{p.Text("To the skin"), number(l.SkinMM, "%.0f mm"), p.Text("From the lesion's nearest surface")},
		{p.Text("To the chest wall"), number(l.WallMM, "%.0f mm"), p.Text("From the lesion's nearest surface")},
		{p.Text("Centre"), centre, p.Text("Patient space: left, posterior, head")},
	}
}

func (p reader) sizeRows(l *analysis.LesionFinding) []measure {
	axial := ""
	if l.AxialLongMM != nil && l.AxialShortMM != nil {
		axial = fmt.Sprintf("%.1f \u00d7 %.1f mm", *l.AxialLongMM, *l.AxialShortMM)
	}
	return []measure{
		{p.Text("Axial diameters"), axial, p.Text("Longest, and longest across it, in the transverse section of largest area")},
		{p.Text("Longest diameter in space"), positive(l.LongAxisMM, "%.1f mm"), p.Text("Maximum 3D diameter")},
		{p.Text("Short axis in space"), positive(l.ShortAxisMM, "%.1f mm"), p.Text("Maximum diameter orthogonal to long axis")},
		{p.Text("Volume"), positive(l.VolumeCM3, "%.2f cm\u00b3"), p.Text("Voxel summation")},
		{p.Text("Functional tumor volume"), number(l.FTVCM3, "%.2f cm\u00b3"), p.Text("PE >= 70 % and SER >= 0")},
	}
}

func (p reader) formRows(l *analysis.LesionFinding) []measure {
	own := p.Text("Told from the features below by thresholds of this project; no BI-RADS assessment")
	return []measure{
		{p.Text("Shape"), p.descriptor(string(l.Shape)), own},
		{p.Text("Margin"), p.descriptor(string(l.Margin)), own},
		{p.Text("Internal enhancement"), p.descriptor(string(l.Internal)), own},
		{p.Text("Sphericity"), positive(l.Sphericity, "%.2f"), p.Text("Surface of sphere of equal volume over surface")},
		{p.Text("Solidity"), number(l.Solidity, "%.2f"), p.Text("Area of the sections over that of their convex hulls")},
		{p.Text("Elongation"), number(l.Elongation, "%.2f"), p.Text("Second axis over first")},
		{p.Text("Flatness"), number(l.Flatness, "%.2f"), p.Text("Third axis over first")},
		{p.Text("Roughness"), number(l.Roughness, "%.3f"), p.Text("Deviation of the surface from an ellipsoid over its radius")},
		{p.Text("Spiculation"), number(l.Spiculation, "%.2f"), p.Text("Share of the volume too thin to hold a small ball")},
		{p.Text("Margin sharpness"), number(l.Sharpness, "%.2f /mm"), p.Text("Slope of the early subtraction at the surface over its height inside")},
		{p.Text("Radial gradient"), number(l.RadialGradient, "%.2f"), p.Text("Share of that slope that points to the centre")},
		{p.Text("Unevenness of enhancement"), number(l.EnhancementCV, "%.2f"), p.Text("Coefficient of variation of the early subtraction, free of noise")},
		{p.Text("Rim over core"), number(l.RimRatio, "%.2f"), p.Text("Early subtraction in the rim over that in the core")},
	}
}

// descriptor is a word of BI-RADS' lexicon.
func (p reader) descriptor(word string) string {
	switch word {
	case "round":
		return p.Text("round")
	case "oval":
		return p.Text("oval")
	case "irregular":
		return p.Text("irregular")
	case "circumscribed":
		return p.Text("circumscribed")
	case "spiculated":
		return p.Text("spiculated")
	case "homogeneous":
		return p.Text("homogeneous")
	case "heterogeneous":
		return p.Text("heterogeneous")
	case "rim":
		return p.Text("rim enhancement")
	}
	return word
}

func (p reader) kineticRows(l *analysis.LesionFinding) []measure {
	shares := ""
	for _, c := range [...]experts.Curve{experts.Persistent, experts.Plateau, experts.Washout} {
		if s, ok := l.CurveShare[c]; ok {
			shares = join(shares, p.curve(c)+" "+percentage(s))
		}
	}
	rows := []measure{
		{p.Text("Initial phase"), join(p.initial(l.InitialPhase), number(l.PEInitial, "%.0f %%")), p.Text("Highest enhancement within 2 min: slow below 50 %, fast above 100 %")},
		{p.Text("Worst curve"), p.curve(l.Curve), p.Text("Most suspicious type that a tenth of the voxels show")},
		{p.Text("Types of curve"), shares, p.Text("Share of voxels")},
		{p.Text("Curve of the mean"), join(p.curve(l.MeanCurve), number(l.DelayedChange, "%+.0f %%")), p.Text("Change from the early to the late phase; within 10 % is a plateau")},
		{p.Text("Early enhancement"), number(l.PEEarly, "%.0f %%"), p.Text("100 (S early - S before) / S before, of the mean")},
		{p.Text("Peak enhancement"), number(l.PEPeak, "%.0f %%"), ""},
		{p.Text("Time to peak"), number(l.TimeToPeakS, "%.0f s"), p.Text("Since the first phase began")},
		{p.Text("Signal enhancement ratio"), number(l.SER, "%.2f"), p.Text("(S early - S before) / (S late - S before), of the mean")},
		{p.Text("Wash-in"), number(l.WashIn, "%.0f %%/min"), ""},
		{p.Text("Wash-out"), number(l.WashOut, "%+.1f %%/min"), p.Text("Below 0 the signal falls")},
	}
	if h := l.HotSpot; h != nil {
		rows = append(rows, measure{p.Text("Most enhancing part"),
			join(p.initial(h.InitialPhase), number(h.PEEarly, "%.0f %%"), p.curve(h.Curve), number(h.DelayedChange, "%+.0f %%")),
			p.Text("Cube of 3 x 3 x 3 voxels: initial phase, early enhancement, type of curve, delayed change")})
	}
	return rows
}

func (p reader) initial(i experts.InitialPhase) string {
	switch i {
	case experts.Slow:
		return p.Text("slow")
	case experts.Medium:
		return p.Text("medium")
	case experts.Fast:
		return p.Text("fast")
	}
	return ""
}

func (p reader) uptakeRows(u *analysis.UptakeFinding) []measure {
	if u == nil {
		return nil
	}
	t1 := p.Text("assumed: the numbers are relative ones")
	if u.T1Measured {
		t1 = p.Text("measured")
	}
	return []measure{
		{p.Text("Model"), u.Model, ""},
		{"Ktrans", number(u.Ktrans, "%.3f /min"), ""},
		{"kep", number(u.Kep, "%.3f /min"), ""},
		{"ve", number(u.Ve, "%.3f"), ""},
		{"vp", number(u.Vp, "%.3f"), ""},
		{"IAUC60", number(u.IAUC60, "%.1f mM s"), ""},
		{"T1", positive(u.T1S, "%.2f s"), t1},
	}
}

func (p reader) diffusionRows(l *analysis.LesionFinding) []measure {
	cut := ""
	switch l.Diffusion {
	case experts.LowDiffusion:
		cut = p.Text("below")
	case experts.NotLowDiffusion:
		cut = p.Text("at or above")
	}
	voxels := ""
	if l.ADCVoxels > 0 {
		voxels = fmt.Sprint(l.ADCVoxels)
	}
	return []measure{
		{p.Text("Mean ADC"), adc(l.ADC), ""},
		{p.Text("Cut-off"), cut, p.Text("1.53e-3 mm2/s, of ACRIN A6702")},
		{p.Text("10th percentile of ADC"), adc(l.ADCP10), ""},
		{p.Text("Lowest ADC"), adc(l.ADCMin), p.Text("Of one voxel: noise makes it lower")},
		{p.Text("Voxels"), voxels, p.Text("Of the diffusion images, that these were read from")},
	}
}

// adc writes an ADC, given in 1e-6 mm2/s, in the unit of its cut-off and of the table of lesions.
func adc(micro *float64) string {
	if micro == nil {
		return ""
	}
	return fmt.Sprintf("%.2f \u00d7 10\u207b\u00b3 mm\u00b2/s", *micro/1000)
}

func (p reader) t2Rows(l *analysis.LesionFinding) []measure {
	return []measure{
		{p.Text("T2 signal"), number(l.T2Ratio, "%.2f"), p.Text("Mean, relative to: %s", l.T2Reference)},
		{p.Text("T2 signal over muscle"), number(l.T2MuscleRatio, "%.2f"), p.Text("Mean, relative to the pectoral muscle")},
	}
}

func (p reader) modelRows(l *analysis.LesionFinding) []measure {
	e := l.Explanation
	if e == nil {
		return nil
	}
	return []measure{
		{p.Text("Log-odds of malignancy"), fmt.Sprintf("%+.2f", e.LogOdds), p.Text("ln(p / (1 - p)), calibrated")},
		{p.Text("Log-odds without images"), fmt.Sprintf("%+.2f", e.Baseline), p.Text("Where the heat map begins")},
		{p.Text("Heat map's error"), fmt.Sprintf("%.3f", e.CompletenessError), p.Text("By which its sum misses the difference of the two")},
	}
}
