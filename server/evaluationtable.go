package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"mome/fusion"
	"mome/fusion/train"
	"mome/fusion/train/measure"
	"mome/server/report"
	"mome/server/training"
)

// tableMetrics are the metrics of the table, of those that apply to the task.
func tableMetrics(task train.Task) []measure.Metric {
	if len(task.Classes) == 2 {
		return []measure.Metric{measure.AreaROC, measure.AreaPR, measure.F1, measure.Matthews, measure.Sensitivity, measure.Specificity, measure.BrierScore, measure.CalibrationError}
	}
	return []measure.Metric{measure.MacroAreaROC, measure.MacroAreaPR, measure.MacroF1, measure.Matthews, measure.MacroSensitivity, measure.Accuracy, measure.BrierScore, measure.CalibrationError}
}

// printEvaluation prints the table.
func printEvaluation(out io.Writer, e training.Evaluation) {
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	fmt.Fprint(w, "SET\t\tCASES")
	for _, m := range tableMetrics(e.Task) {
		fmt.Fprint(w, "\t"+strings.ToUpper(m.Title()))
	}
	fmt.Fprintln(w)
	group := ""
	for _, l := range e.Lines {
		name := l.Group
		if name == group {
			name = ""
		}
		group = l.Group
		fmt.Fprintf(w, "%s\t%s\t%s", name, l.Name, countsText(l.Counts))
		if l.Report == nil {
			fmt.Fprintf(w, "\ttoo few cases: fewer than %d of a class", training.MinCases)
		} else {
			for _, m := range tableMetrics(e.Task) {
				v, _ := l.Report.Value(m)
				fmt.Fprint(w, "\t"+valueText(v))
			}
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	if len(e.Task.Classes) == 2 {
		fmt.Fprintf(out, "cases: %s / %s; operating point %.3g; in brackets 95 %% intervals over patients\n", e.Task.Classes[1], e.Task.Classes[0], e.Threshold)
	}
	fmt.Fprintln(out, "detection:", e.Tally)
	fmt.Fprintln(out, "BI-RADS 4:", biopsiesText(e))
	if p := e.Pointing; p != nil {
		share, low, high := p.Share()
		fmt.Fprintf(out, "explanation: in %d of %d phantoms with a planted lesion the peak of the heat map of the highest finding lies within %g mm of one, %.3f (%.2f-%.2f); a random point of its box %.3f, a random voxel of it that enhances by %d %% %.3f; %d phantoms had no finding and count as missed\n",
			p.Hits, p.Studies, training.ToleranceMM, share, low, high, p.RandomPoint, training.EnhancingPct, p.RandomEnhancing, p.Without)
	}
}

// countsText puts class 1 first where there are two.
func countsText(counts []int) string {
	if len(counts) == 2 {
		return fmt.Sprintf("%d / %d", counts[1], counts[0])
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(counts), " ", " / "), "[]")
}

func valueText(v measure.Value) string {
	if math.IsNaN(v.Estimate) {
		return "-"
	}
	return fmt.Sprintf("%.3f (%.2f-%.2f)", v.Estimate, v.Low, v.High)
}

func biopsiesText(e training.Evaluation) string {
	b := e.Biopsies
	if b == nil {
		return "biopsies avoided: not available (" + e.BiopsiesNote + ")"
	}
	return fmt.Sprintf("%d benign, %d malignant; of the benign %s below the operating point, where %d malignant lesions of any category are missed; %s at full sensitivity, with the threshold chosen on these data",
		b.Benign, b.Malignant, valueText(b.AtPoint), b.Missed, valueText(b.FullSensitivity))
}

// summaryOf is the first line of an evaluation in one sentence.
func summaryOf(e training.Evaluation) string {
	l := e.Lines[0]
	if l.Report == nil {
		return fmt.Sprintf("too few cases (%s)", countsText(l.Counts))
	}
	var parts []string
	for _, m := range tableMetrics(e.Task) {
		v, _ := l.Report.Value(m)
		parts = append(parts, v.String())
	}
	return fmt.Sprintf("%s %s: %s; %v", countsText(l.Counts), l.Name, strings.Join(parts, ", "), e.Tally)
}

// writeScores writes one line for every candidate. Studies are named by their UID and by nothing else.
func writeScores(w io.Writer, task train.Task, scored []training.Scored) error {
	out := csv.NewWriter(w)
	header := []string{"study", "lesion", "side", "x", "y", "z", "kind", "label", "line", "vendor", "site", "birads"}
	for _, c := range task.Classes {
		header = append(header, "p_"+strings.ReplaceAll(c, " ", "_"))
	}
	for _, s := range training.Subsets() {
		header = append(header, "p1_"+s.String())
	}
	if err := out.Write(header); err != nil {
		return err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, s := range scored {
		label, lesion, line := "", "", ""
		if s.Label != training.NoLabel {
			label = strconv.Itoa(s.Label)
		}
		if s.Lesion > 0 {
			lesion = strconv.Itoa(s.Lesion)
		}
		if s.Line > 0 {
			line = strconv.Itoa(s.Line)
		}
		row := []string{s.StudyUID, lesion, string(s.Side), number(s.CentreMM[0]), number(s.CentreMM[1]), number(s.CentreMM[2]),
			string(s.Kind), label, line, s.Vendor, s.Site, s.BIRADS}
		for _, p := range s.Probabilities {
			row = append(row, number(p))
		}
		for _, subset := range training.Subsets() {
			cell := ""
			if p := s.Alone[subset]; p != nil {
				cell = number(p[1])
			}
			row = append(row, cell)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// evaluationJSON is the form of "server evaluate --json". A number that is not known is absent.
type evaluationJSON struct {
	Notice         string        `json:"notice"`
	Task           string        `json:"task"`
	Classes        []string      `json:"classes"`
	WeightsSHA256  string        `json:"weights_sha256"`
	TrainedOn      string        `json:"trained_on"`
	MeasuredOn     string        `json:"measured_on"`
	OperatingPoint float64       `json:"operating_point"`
	Sets           []setJSON     `json:"sets"`
	Studies        int           `json:"studies"`
	NotAnalysed    int           `json:"studies_not_analysed"`
	Known          int           `json:"known_lesions"`
	Found          int           `json:"known_lesions_found"`
	OtherPerStudy  float64       `json:"other_candidates_per_study"`
	Biopsies       *biopsiesJSON `json:"birads_4,omitempty"`
	BiopsiesNote   string        `json:"birads_4_note,omitempty"`
	Pointing       *pointingJSON `json:"explanation,omitempty"`
}

type setJSON struct {
	Group   string               `json:"group"`
	Name    string               `json:"name"`
	Counts  []int                `json:"cases"`
	TooFew  bool                 `json:"too_few_cases,omitempty"`
	Metrics map[string]valueJSON `json:"metrics,omitempty"`
}

type valueJSON struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

type biopsiesJSON struct {
	Benign          int       `json:"benign"`
	Malignant       int       `json:"malignant"`
	AtPoint         valueJSON `json:"avoided_at_operating_point"`
	Missed          int       `json:"malignant_below_operating_point"`
	FullSensitivity valueJSON `json:"avoided_at_full_sensitivity"`
}

type pointingJSON struct {
	Studies         int       `json:"phantoms_with_lesion"`
	Without         int       `json:"without_finding"`
	Hits            int       `json:"peak_on_lesion"`
	ToleranceMM     float64   `json:"tolerance_mm"`
	Share           valueJSON `json:"share"`
	RandomPoint     float64   `json:"random_point_of_box"`
	RandomEnhancing float64   `json:"random_enhancing_voxel_of_box"`
}

func evaluationOf(e training.Evaluation, model *fusion.Model, measuredOn string) evaluationJSON {
	out := evaluationJSON{
		Notice: report.Disclaimer, Task: e.Task.Name, Classes: e.Task.Classes, WeightsSHA256: model.SHA256(), TrainedOn: model.TrainedOn(),
		MeasuredOn: measuredOn, OperatingPoint: e.Threshold, Studies: e.Tally.Studies, NotAnalysed: e.Tally.NotDone, Known: e.Tally.Known,
		Found: e.Tally.Found, OtherPerStudy: float64(e.Tally.Other) / float64(max(1, e.Tally.Studies)), BiopsiesNote: e.BiopsiesNote,
	}
	value := func(v measure.Value) valueJSON { return valueJSON{v.Estimate, v.Low, v.High} }
	for _, l := range e.Lines {
		s := setJSON{Group: l.Group, Name: l.Name, Counts: l.Counts, TooFew: l.Report == nil}
		if l.Report != nil {
			s.Metrics = map[string]valueJSON{}
			for _, v := range l.Report.Values {
				if !math.IsNaN(v.Estimate + v.Low + v.High) {
					s.Metrics[string(v.Metric)] = value(v)
				}
			}
		}
		out.Sets = append(out.Sets, s)
	}
	if b := e.Biopsies; b != nil {
		out.Biopsies = &biopsiesJSON{b.Benign, b.Malignant, value(b.AtPoint), b.Missed, value(b.FullSensitivity)}
	}
	if p := e.Pointing; p != nil && p.Studies > 0 {
		share, low, high := p.Share()
		out.Pointing = &pointingJSON{p.Studies, p.Without, p.Hits, training.ToleranceMM, valueJSON{share, low, high}, p.RandomPoint, p.RandomEnhancing}
	}
	return out
}
