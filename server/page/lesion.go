package page

import (
	"fmt"
	"html/template"
	"math"

	"mome/experts"
	"mome/server/analysis"
	"mome/server/picture"
)

// lesionView is one lesion.
type lesionView struct {
	analysis.LesionFinding
	ID            string
	Number        int
	Name          string // "Lesion 1"
	Place         string // side, quadrant, clock
	Size          string // mm x mm
	CurveText     string
	Chance        string // probability, "" where no model judged
	Percent       int
	Level         string // suspicion level in words
	Shares        []share
	Figures       []figure
	Groups        []group
	Curve         template.HTML // charts as SVG, "" for none
	Contributions template.HTML
	Further       []measure
	Neighbours    []string
}

// share is a modality's part in a probability.
type share struct {
	Modality experts.Modality
	Percent  int
	For      bool // malignancy, else against it
}

// group is a table of measures under a title.
type group struct {
	Title string
	Rows  []measure
}

// lesion prepares finding n.
func (p reader) lesion(prefix, study string, f *analysis.Findings, n int, pictures []PictureRef) lesionView {
	l := f.Lesions[n]
	v := lesionView{LesionFinding: l, ID: fmt.Sprintf("%s-lesion-%d", prefix, n+1), Number: n + 1, Name: p.Text("Lesion %d", n+1),
		Place: p.place(&l), Size: p.size(&l), CurveText: p.curve(l.Curve), Further: p.judgements(l.Further), Shares: sharesOf(&l)}
	if l.Probability != nil {
		v.Chance, v.Percent, v.Level = percentage(*l.Probability), percent(*l.Probability), p.level(l.Suspicion)
	}
	for _, r := range pictures {
		if r.Lesion == n+1 {
			v.Figures = append(v.Figures, p.figure(study, r))
		}
	}
	v.Groups = p.groups(&l)
	v.Curve = p.curveChart(&v)
	v.Contributions = p.contributionChart(&v)
	for _, r := range l.Neighbours {
		text := p.Text("%s: %.0f mm from surface to surface, %.0f mm from centre to centre", r.Label, r.GapMM, r.DistanceMM)
		switch r.Spread {
		case experts.Multifocal:
			text += " (" + p.Text("same quadrant") + ")"
		case experts.Multicentric:
			text += " (" + p.Text("different quadrants") + ")"
		}
		v.Neighbours = append(v.Neighbours, text)
	}
	return v
}

func (p reader) side(s experts.Side) string {
	if s == experts.Right {
		return p.Text("Right breast")
	}
	return p.Text("Left breast")
}

func (p reader) place(l *analysis.LesionFinding) string {
	clock := ""
	if l.Clock > 0 {
		clock = p.Text("%d o'clock", l.Clock)
	}
	return join(p.side(l.Side), p.quadrant(l.Quadrant), clock, p.depth(l.Depth))
}

func (p reader) quadrant(q string) string {
	switch q {
	case "upper outer":
		return p.Text("upper outer")
	case "upper inner":
		return p.Text("upper inner")
	case "lower outer":
		return p.Text("lower outer")
	case "lower inner":
		return p.Text("lower inner")
	}
	return q
}

func (p reader) depth(d experts.Depth) string {
	switch d {
	case experts.Anterior:
		return p.Text("anterior third")
	case experts.Middle:
		return p.Text("middle third")
	case experts.Posterior:
		return p.Text("posterior third")
	}
	return ""
}

// size is the axial diameters or, where they were not measured, those in space.
func (p reader) size(l *analysis.LesionFinding) string {
	if l.AxialLongMM != nil && l.AxialShortMM != nil {
		return fmt.Sprintf("%.0f \u00d7 %.0f mm", *l.AxialLongMM, *l.AxialShortMM)
	}
	return fmt.Sprintf("%.0f \u00d7 %.0f mm", l.LongAxisMM, l.ShortAxisMM)
}

func (p reader) curve(c experts.Curve) string {
	switch c {
	case experts.Persistent:
		return p.Text("persistent")
	case experts.Plateau:
		return p.Text("plateau")
	case experts.Washout:
		return p.Text("washout")
	}
	return ""
}

func (p reader) level(n int) string {
	switch n {
	case 1:
		return p.Text("1 - Very low")
	case 2:
		return p.Text("2 - Low")
	case 3:
		return p.Text("3 - Intermediate")
	case 4:
		return p.Text("4 - High")
	case 5:
		return p.Text("5 - Very high")
	}
	return ""
}

// sharesOf are the parts of the modalities, in their order: absolute log-odds over their sum.
func sharesOf(l *analysis.LesionFinding) (out []share) {
	total := 0.0
	for _, m := range experts.Modalities {
		total += math.Abs(l.Contributions[string(m)])
	}
	for _, m := range experts.Modalities {
		if v, ok := l.Contributions[string(m)]; ok && total > 0 {
			out = append(out, share{m, int(100*math.Abs(v)/total + 0.5), v >= 0})
		}
	}
	return out
}

// curveChart draws the mean curve, and that of the hot spot, which reads as a reader's region of interest would.
func (p reader) curveChart(v *lesionView) template.HTML {
	var curves []picture.Series
	desc := ""
	if h := v.HotSpot; h != nil {
		curves = append(curves, picture.Series{Name: p.Text("most enhancing part"), Signal: h.Signal})
		desc = p.Text("Type of the curve of the most enhancing part: %s.", p.curve(h.Curve)) + " "
	}
	curves = append(curves, picture.Series{Name: p.Text("mean of the lesion"), Signal: v.Signal})
	desc += p.Text("Enhancement of the mean: %s early, %s at most.", orUnknown(number(v.PEEarly, "%.0f %%")), orUnknown(number(v.PEPeak, "%.0f %%")))
	c, ok := picture.Curves(v.TimesS, curves, picture.CurveText{
		Title: p.Text("Time-signal curve of lesion %d", v.Number), Desc: desc,
		X: p.Text("seconds since the first phase began"), Y: p.Text("enhancement, %"),
		Initial: p.Text("initial phase (2 min)"), Delayed: p.Text("delayed phase"),
		Slow: p.Text("slow"), Medium: p.Text("medium"), Fast: p.Text("fast"),
		Persistent: p.curve(experts.Persistent), Plateau: p.curve(experts.Plateau), Washout: p.curve(experts.Washout),
	})
	if !ok {
		return ""
	}
	return template.HTML(c.SVG(v.ID + "-curve")) // all its words are escaped
}

func orUnknown(s string) string {
	if s == "" {
		return "?"
	}
	return s
}

func (p reader) contributionChart(v *lesionView) template.HTML {
	var bars []picture.Bar
	desc := ""
	for _, m := range experts.Modalities {
		if odds, ok := v.LesionFinding.Contributions[string(m)]; ok {
			bars = append(bars, picture.Bar{Name: string(m), LogOdds: odds})
			desc += fmt.Sprintf("%s %+.2f. ", m, odds)
		}
	}
	c, ok := picture.Contributions(bars, picture.BarText{
		Title: p.Text("What each modality added to the log-odds of malignancy of lesion %d", v.Number), Desc: desc,
		Against: p.Text("against malignancy"), For: p.Text("for malignancy"),
	})
	if !ok {
		return ""
	}
	return template.HTML(c.SVG(v.ID + "-parts"))
}
