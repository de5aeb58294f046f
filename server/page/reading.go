package page

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mome/experts"
	"mome/fusion"
	"mome/server/analysis"
	"mome/server/picture"
)

// readingView is one reading of a study: there is a second one where each breast has a dynamic series of its own.
type readingView struct {
	*analysis.Findings
	ID          string // prefix of the ids on the page
	Heading     string // "" where there is one reading
	Projections []figure
	Lesions     []lesionView
	Breasts     []group
	Asymmetry   []measure
	Modalities  []measure
	Series      []seriesView
	Exam        []measure
	Algorithm   []measure
	Settings    []measure

	Differing, Agreeing []analysis.CheckFinding
}

// figure is a picture with its caption.
type figure struct {
	URL, Caption  string
	Width, Height int
}

// measure is a number with its name and how it is defined; Definition may be "".
type measure struct{ Name, Value, Definition string }

type seriesView struct {
	analysis.SeriesFinding
	Description string
	RoleText    string
	Sure        string // confidence
}

// readings prepares a record for the page.
func readings(p reader, record *Record, descriptions map[string]string) (out []readingView) {
	list := all(record)
	for n, f := range list {
		v := readingView{Findings: f, ID: fmt.Sprintf("r%d", n+1)}
		if len(list) > 1 {
			v.Heading = p.Text("Reading %d of %d: each breast has a dynamic series of its own", n+1, len(list))
		}
		pictures := slices.DeleteFunc(slices.Clone(record.Pictures), func(r PictureRef) bool { return r.Reading != n })
		for _, r := range pictures {
			if r.Kind == picture.Projection {
				v.Projections = append(v.Projections, p.figure(record.Study, r))
			}
		}
		for i := range f.Lesions {
			v.Lesions = append(v.Lesions, p.lesion(v.ID, record.Study, f, i, pictures))
		}
		for _, b := range f.Breasts {
			v.Breasts = append(v.Breasts, p.breast(b))
		}
		if y := f.Asymmetry; y != nil {
			v.Asymmetry = known(
				measure{p.Text("Fibroglandular tissue, asymmetry"), number(y.FGT, "%+.0f %%"), p.Text("100 (left - right) / mean of both")},
				measure{p.Text("Background enhancement, asymmetry"), number(y.BPE, "%+.0f %%"), ""})
		}
		v.Modalities = p.modalities(f)
		for _, s := range f.Series {
			v.Series = append(v.Series, seriesView{s, descriptions[s.Series], p.role(s.Role), percentage(s.Confidence)})
		}
		for _, c := range f.Checks {
			if c.Agrees {
				v.Agreeing = append(v.Agreeing, c)
			} else {
				v.Differing = append(v.Differing, c)
			}
		}
		v.Exam = p.judgements(f.Exam)
		v.Algorithm = p.algorithm(f)
		for _, s := range f.Settings {
			value := s.Text
			if value == "" {
				value = strings.TrimSpace(fmt.Sprintf("%.4g %s", s.Value, unit(s.Unit)))
			}
			v.Settings = append(v.Settings, measure{string(s.Modality) + ": " + s.Name, value, ""})
		}
		out = append(out, v)
	}
	return out
}

// unit writes a unit of UCUM as people do.
func unit(u string) string {
	if u == "1" {
		return ""
	}
	return u
}

// figure makes a picture's caption in the reader's language.
func (p reader) figure(study string, r PictureRef) figure {
	f := figure{URL: study + "/pictures/" + r.File, Width: r.Width, Height: r.Height}
	switch r.Kind {
	case picture.Projection:
		f.Caption = p.Text("Maximum intensity projection of the early subtraction, %s", p.view(r.View))
	case picture.Anatomy:
		f.Caption = p.Text("Outline and diameters, on the phase that results refer to")
	case picture.Kinetics:
		f.Caption = p.Text("Signal enhancement ratio (SER) in colours")
	case picture.HeatMap:
		f.Caption = p.Text("Heat map: what spoke for malignancy (orange) and against it (blue) in the model")
	case picture.T2:
		f.Caption = p.Text("T2-weighted, same place")
	case picture.ADC:
		f.Caption = p.Text("ADC map, same place")
	default:
		f.Caption = r.Title
	}
	return f
}

func (p reader) view(view string) string {
	switch view {
	case "transverse":
		return p.Text("transverse")
	case "sagittal right":
		return p.Text("sagittal, right breast")
	case "sagittal left":
		return p.Text("sagittal, left breast")
	}
	return view
}

func (p reader) role(r experts.Role) string {
	switch r {
	case experts.RoleExcluded:
		return p.Text("not for analysis")
	case experts.RoleUncertain:
		return p.Text("uncertain")
	}
	return string(r)
}

// modalities says of each whether it was read.
func (p reader) modalities(f *analysis.Findings) (out []measure) {
	for _, m := range experts.Modalities {
		text := p.Text("missing")
		switch {
		case f.Present[string(m)] && f.Outcome == fusion.NotDone:
			text = p.Text("there, not read")
		case f.Present[string(m)]:
			text = p.Text("read")
		}
		out = append(out, measure{Name: string(m), Value: text})
	}
	return out
}

// missing lists the modalities that no reading of the study had.
func missing(list []*analysis.Findings) (out []string) {
	for _, m := range experts.Modalities {
		if !slices.ContainsFunc(list, func(f *analysis.Findings) bool { return f.Present[string(m)] }) {
			out = append(out, string(m))
		}
	}
	return out
}

func (p reader) breast(b analysis.BreastFinding) group {
	return group{p.side(b.Side), known(
		measure{p.Text("Volume"), positive(b.VolumeCM3, "%.0f cm\u00b3"), p.Text("Voxel summation")},
		measure{p.Text("Fibroglandular tissue"), join(number(b.FGT, "%.0f %%"), number(b.Fibroglandular, "%.0f cm\u00b3")), p.Text("Share of the breast's volume")},
		measure{p.Text("Amount of fibroglandular tissue (BI-RADS)"), p.composition(b.Composition), p.Text("Class of that share; a reader's eye may differ")},
		measure{p.Text("Background parenchymal enhancement (BPE)"), join(p.background(b.Background), number(b.BPEShare, "%.0f %%")), p.Text("Class, and share of the fibroglandular tissue that enhances early")},
		measure{p.Text("Mean early enhancement of the tissue"), number(b.BPE, "%.0f %%"), ""},
	)}
}

func (p reader) composition(c experts.Composition) string {
	switch c {
	case experts.CompositionA:
		return "a - " + p.Text("almost entirely fat")
	case experts.CompositionB:
		return "b - " + p.Text("scattered fibroglandular tissue")
	case experts.CompositionC:
		return "c - " + p.Text("heterogeneous fibroglandular tissue")
	case experts.CompositionD:
		return "d - " + p.Text("extreme fibroglandular tissue")
	}
	return ""
}

func (p reader) background(b experts.Background) string {
	switch b {
	case experts.Minimal:
		return p.Text("minimal")
	case experts.Mild:
		return p.Text("mild")
	case experts.Moderate:
		return p.Text("moderate")
	case experts.Marked:
		return p.Text("marked")
	}
	return ""
}

// judgements are answers of models to other tasks.
func (p reader) judgements(list []analysis.JudgementFinding) (out []measure) {
	for _, j := range list {
		classes := slices.SortedFunc(maps.Keys(j.Probabilities), func(a, b string) int {
			return cmp.Or(cmp.Compare(j.Probabilities[b], j.Probabilities[a]), cmp.Compare(a, b))
		})
		var parts []string
		for _, c := range classes {
			parts = append(parts, c+" "+percentage(j.Probabilities[c]))
		}
		out = append(out, measure{j.Task, strings.Join(parts, ", "), p.Text("Weights %s, trained on: %s", j.WeightsSHA256[:min(12, len(j.WeightsSHA256))], j.TrainedOn)})
	}
	return out
}

func (p reader) algorithm(f *analysis.Findings) []measure {
	a := f.Algorithm
	var took []string
	for _, stage := range slices.Sorted(maps.Keys(f.StagesS)) {
		took = append(took, fmt.Sprintf("%s %.1f s", stage, f.StagesS[stage]))
	}
	return known(
		measure{p.Text("Algorithm"), strings.TrimSpace(a.Name + " " + a.Version), ""},
		measure{p.Text("Weights (SHA-256)"), a.WeightsSHA256, ""},
		measure{p.Text("Trained on"), a.TrainedOn, ""},
		measure{p.Text("Operating point"), positive(100*a.OperatingPoint, "%.3g %%"), p.Text("Probability of malignancy from which a lesion is called")},
		measure{p.Text("Time taken"), strings.Join(took, ", "), ""},
	)
}

// known drops measures without a value.
func known(list ...measure) []measure {
	return slices.DeleteFunc(list, func(m measure) bool { return m.Value == "" })
}

// number writes a quantity, "" where it is not known.
func number(v *float64, format string) string {
	if v == nil {
		return ""
	}
	text := fmt.Sprintf(format, *v)
	if zero := fmt.Sprintf(format, math.Copysign(0, -1)); text == zero { // rounded to it from below
		return fmt.Sprintf(format, 0.0)
	}
	return text
}

// positive writes a value that is 0 where it is not known.
func positive(v float64, format string) string {
	if !(v > 0) {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func percentage(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) }

// join puts what is known side by side.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
