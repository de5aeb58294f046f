package training

import (
	"fmt"
	"slices"
	"strings"

	"mome/experts"
	"mome/fusion/train"
	"mome/fusion/train/measure"
)

// MinCases is how many cases of each class a set needs before numbers are printed of it: intervals of fewer say nothing.
const MinCases = 5

// ByModalities is the group of lines in which the model is asked with some modalities alone.
const ByModalities = "modalities"

// Line is one set of cases and what was measured of it.
type Line struct {
	Group  string // "overall", "modalities", "vendor", "site", "age", ...
	Name   string // within the group
	Counts []int  // cases of each class
	Cases  []measure.Case
	Report *measure.Report // nil with fewer than MinCases of a class
}

// Biopsies is what a model could spare among BI-RADS 4.
type Biopsies struct {
	Benign, Malignant int // cases of category 4
	// AtPoint is the share of benign category 4 cases below the operating point, and Missed the malignant cases of any
	// category that are below it too.
	AtPoint measure.Value
	Missed  int
	// FullSensitivity is that share below the highest threshold that misses no malignant case of the same data: the best
	// that the scores could do, not a threshold that was fixed beforehand.
	FullSensitivity measure.Value
}

// Evaluation is everything that was measured of one model on one set of studies.
type Evaluation struct {
	Task      train.Task
	Threshold float64
	Lines     []Line
	Biopsies  *Biopsies // nil: see BiopsiesNote
	// BiopsiesNote says why the table has no biopsies.
	BiopsiesNote string
	Tally        Tally
	Pointing     *Pointing // nil: not measured
}

// Evaluate measures scored cases, and the studies that they belong to. Missed lesions are left out of the cases: the
// model is not asked about them. In the line of studies a study counts by its most suspicious candidate, labelled or not,
// and by 0 where the analysis found none.
func Evaluate(p *Prepared, scored []Scored, task train.Task, threshold float64, b measure.Bootstrap) (Evaluation, error) {
	e := Evaluation{Task: task, Threshold: threshold, Tally: p.Tally}
	t := table{task: task, threshold: threshold, bootstrap: b}
	asked := choice(scored, func(s *Scored) bool { return s.Label != NoLabel && !s.Missed })
	known := choice(asked, func(s *Scored) bool { return s.Kind != Other })

	what := "lesions"
	if slices.ContainsFunc(known, func(s Scored) bool { return s.Lesion == 0 }) {
		what = "examinations"
	}
	t.add("overall", what, cases(known, nil))
	if len(asked) > len(known) {
		t.add("overall", "lesions, false candidates as benign", cases(asked, nil))
	}
	if task.Name == train.Malignancy().Name && what == "lesions" {
		t.add("overall", "studies, by their highest candidate", studies(p, scored))
	}
	for _, s := range Subsets() {
		t.add(ByModalities, s.String(), cases(known, func(c *Scored) []float64 { return c.Alone[s] }))
	}
	if mute := cases(known, func(c *Scored) []float64 { return c.Contextless }); mute != nil {
		t.add("context", "without the clinical context", mute)
	}
	for _, by := range strata() {
		names := map[string][]Scored{}
		for _, s := range known {
			if name := by.of(&s); name != "" {
				names[name] = append(names[name], s)
			}
		}
		for _, name := range sortedKeys(names) {
			t.add(by.name, name, cases(names[name], nil))
		}
	}
	e.Lines = t.lines
	e.Biopsies, e.BiopsiesNote = biopsies(known, task, threshold, b)
	return e, t.err
}

// stratum divides cases by something that is known of them.
type stratum struct {
	name string
	of   func(*Scored) string // "" where it is not known
}

func strata() []stratum {
	return []stratum{
		{"vendor", func(s *Scored) string { return s.Vendor }},
		{"site", func(s *Scored) string { return s.Site }},
		{"age", func(s *Scored) string { return ageBand(s.AgeYears) }},
		{"BI-RADS", func(s *Scored) string { return s.BIRADS }},
		{"menopause", func(s *Scored) string { return string(s.Menopause) }},
		{"family history", func(s *Scored) string { return string(s.FamilyHistory) }},
		{"indication", func(s *Scored) string { return string(s.Indication) }},
		{"prior", func(s *Scored) string { return string(s.Prior) }},
	}
}

// ageBand is a decade between 40 and 70 years, or what lies beyond.
func ageBand(years experts.Quantity) string {
	switch {
	case !years.Known:
		return ""
	case years.Value < 40:
		return "0 to 39"
	case years.Value >= 70:
		return "70 and more"
	}
	decade := int(years.Value) / 10 * 10
	return fmt.Sprintf("%d to %d", decade, decade+9)
}

// table collects lines and the first error.
type table struct {
	task      train.Task
	threshold float64
	bootstrap measure.Bootstrap
	lines     []Line
	err       error
}

func (t *table) add(group, name string, cases []measure.Case) {
	l := Line{Group: group, Name: name, Cases: cases, Counts: make([]int, len(t.task.Classes))}
	for _, c := range cases {
		l.Counts[c.Label]++
	}
	if slices.Min(l.Counts) >= MinCases && t.err == nil {
		r, err := measure.Evaluate(cases, t.task.Metrics, t.threshold, t.bootstrap)
		l.Report, t.err = &r, err
	}
	t.lines = append(t.lines, l)
}

// cases are scored cases as package measure takes them; of chooses probabilities, nil leaves a case out.
func cases(scored []Scored, of func(*Scored) []float64) []measure.Case {
	var out []measure.Case
	for n := range scored {
		s := &scored[n]
		p := s.Probabilities
		if of != nil {
			p = of(s)
		}
		if p != nil {
			out = append(out, measure.Case{Label: s.Label, Probabilities: p, Group: s.Group})
		}
	}
	return out
}

// studies are the analysed studies with a label, by the highest probability of class 1 among their candidates.
func studies(p *Prepared, scored []Scored) []measure.Case {
	highest := map[string]float64{}
	for _, s := range scored {
		if !s.Missed {
			highest[s.StudyUID] = max(highest[s.StudyUID], s.Probabilities[1])
		}
	}
	var out []measure.Case
	for _, s := range p.Studies {
		if s.Done && s.Label != NoLabel {
			h := highest[s.UID]
			out = append(out, measure.Case{Label: s.Label, Probabilities: []float64{1 - h, h}, Group: s.Group})
		}
	}
	return out
}

// biopsies measures what could be spared in BI-RADS 4, or says why it cannot.
func biopsies(known []Scored, task train.Task, threshold float64, b measure.Bootstrap) (*Biopsies, string) {
	if task.Name != train.Malignancy().Name {
		return nil, "of malignancy only"
	}
	out := &Biopsies{}
	// Benign cases of category 4 get a label of their own, so that resampling keeps their number.
	const benign4 = 2
	var all []measure.Case
	for _, s := range known {
		c := measure.Case{Label: s.Label, Probabilities: s.Probabilities, Group: s.Group}
		if strings.HasPrefix(s.BIRADS, "4") {
			if s.Label == 1 {
				out.Malignant++
			} else {
				out.Benign++
				c.Label = benign4
			}
		}
		all = append(all, c)
	}
	switch {
	case out.Benign+out.Malignant == 0:
		return nil, "the labels give no BI-RADS category 4"
	case out.Benign < MinCases || len(choice(known, func(s *Scored) bool { return s.Label == 1 })) < MinCases:
		return nil, fmt.Sprintf("too few cases: %d benign ones of BI-RADS 4", out.Benign)
	}
	split := func(sample []measure.Case) (scores []float64, malignant, four []bool) {
		for _, c := range sample {
			scores, malignant, four = append(scores, c.Probabilities[1]), append(malignant, c.Label == 1), append(four, c.Label == benign4)
		}
		return scores, malignant, four
	}
	shares := func(sample []measure.Case, to []float64) {
		scores, malignant, four := split(sample)
		to[0], _ = measure.AvoidedBiopsiesAt(threshold, scores, malignant, four)
		to[1] = measure.AvoidedBiopsies(scores, malignant, four)
	}
	var estimates [2]float64
	shares(all, estimates[:])
	scores, malignant, four := split(all)
	_, out.Missed = measure.AvoidedBiopsiesAt(threshold, scores, malignant, four)
	intervals := b.Intervals(all, len(estimates), shares)
	out.AtPoint = measure.Value{Metric: "avoided", Estimate: estimates[0], Interval: intervals[0]}
	out.FullSensitivity = measure.Value{Metric: "avoided at full sensitivity", Estimate: estimates[1], Interval: intervals[1]}
	return out, ""
}

func choice(scored []Scored, use func(*Scored) bool) []Scored {
	var out []Scored
	for n := range scored {
		if use(&scored[n]) {
			out = append(out, scored[n])
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
