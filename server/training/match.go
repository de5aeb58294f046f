package training

import (
	"context"
	"fmt"
	"slices"

	"mome/experts/volume"
)

// Labels joins examinations with rows of a label table.
type Labels struct {
	Exams    []LabelledExam
	Without  int      // examinations that no row means
	Problems []string // rows that mean no examination
}

// LabelledExam is an examination with the rows that mean it.
type LabelledExam struct {
	Exam
	Rows []Row
}

// Join finds the examination of each row: by its study, else by its patient, who must have one examination only.
func Join(rows []Row, exams []Exam) Labels {
	byStudy, byPatient := map[string]int{}, map[string][]int{}
	for i, e := range exams {
		byStudy[e.StudyUID] = i
		if e.Patient != "" {
			byPatient[e.Patient] = append(byPatient[e.Patient], i)
		}
	}
	var out Labels
	of := make([][]Row, len(exams))
	for _, r := range rows {
		i, ok := byStudy[r.Study]
		problem := ""
		switch n := len(byPatient[r.Patient]); {
		case r.Study != "" && !ok:
			problem = fmt.Sprintf("line %d: study %s is not among the data", r.Line, r.Study)
		case r.Study != "" && r.Patient != "" && exams[i].Patient != r.Patient:
			problem = fmt.Sprintf("line %d: study %s belongs to another patient", r.Line, r.Study)
		case r.Study == "" && n == 0:
			problem = fmt.Sprintf("line %d: the patient is not among the data", r.Line)
		case r.Study == "" && n > 1:
			problem = fmt.Sprintf("line %d: the patient has %d studies; name the study", r.Line, n)
		case r.Study == "":
			i = byPatient[r.Patient][0]
		}
		if problem != "" {
			out.Problems = append(out.Problems, problem)
			continue
		}
		of[i] = append(of[i], r)
	}
	for i, e := range exams {
		if of[i] == nil {
			out.Without++
			continue
		}
		out.Exams = append(out.Exams, LabelledExam{e, of[i]})
	}
	return out
}

// reachMM is how far outside half of its long axis a candidate still answers for a place that a label names.
const reachMM = 5

// choose returns the cut that a row means, -1 where there is none: the candidate of that number; the nearest candidate
// that reaches the place, else the cut around the place; else the most conspicuous candidate of the side.
func choose(cuts []cut, r Row) int {
	best, bestMM := -1, 0.0
	for n, c := range cuts {
		switch {
		case r.Lesion > 0:
			if c.Lesion == r.Lesion {
				return n
			}
		case r.PlaceMM != nil:
			far := c.CentreMM.Sub(*r.PlaceMM).Norm()
			limitMM := c.LongAxisMM/2 + reachMM
			if c.Lesion == 0 {
				limitMM = 0.01
			}
			if far <= limitMM && (best < 0 || far < bestMM) {
				best, bestMM = n, far
			}
		case c.Lesion > 0 && (r.Side == "" || r.Side == c.Side):
			return n
		}
	}
	return best
}

// missing are the places of rows that no cut answers for.
func missing(r *record, rows []Row) (placesMM []volume.Vec) {
	if r.NotDone != "" {
		return nil
	}
	for _, row := range rows {
		if row.PlaceMM != nil && choose(r.Cuts, row) < 0 {
			placesMM = append(placesMM, *row.PlaceMM)
		}
	}
	return placesMM
}

// Exams reads examinations and gives each label to the candidate that it means: by number, by place, else to the most
// conspicuous candidate of the side, or of both sides where the label names none. A place where the analysis found
// nothing is cut all the same and counts as missed. Candidates that no label means stay unlabelled. Of networks that
// read whole examinations the sample is the examination, with the label that its rows share.
func (p *Preparer) Exams(ctx context.Context, what string, exams []LabelledExam) (*Prepared, error) {
	out := &Prepared{Studies: make([]Study, len(exams))}
	problems := make([][]string, len(exams))
	name := func(i int) string { return p.key("exam", exams[i].StudyUID, exams[i].Fingerprint) }
	take := func(i int, r *record) (t Tally) {
		out.Studies[i], t, problems[i] = label(exams[i], r, p.whole())
		return t
	}
	var err error
	out.Tally, err = p.each(ctx, what, len(exams), func(i int) (Tally, bool) {
		r := p.load(name(i))
		if r == nil || !p.whole() && len(missing(r, exams[i].Rows)) > 0 {
			return Tally{}, false
		}
		return take(i, r), true
	}, func(ctx context.Context, i int) (Tally, error) {
		r, err := p.readExam(ctx, exams[i])
		if err != nil {
			return Tally{}, fmt.Errorf("study %s: %w", exams[i].StudyUID, err)
		}
		if r, err = p.cfg.Cache.store(name(i), r, p.cfg.Boxes); err != nil {
			return Tally{}, err
		}
		return take(i, r), nil
	})
	out.Problems = slices.Concat(problems...)
	return out, err
}

func (p *Preparer) readExam(ctx context.Context, e LabelledExam) (*record, error) {
	r, err := p.cfg.Analyzer.Read(ctx, e.Objects, nil)
	if err != nil {
		return nil, err
	}
	out, err := p.cuts(r, e.StudyUID)
	if err != nil {
		return nil, err
	}
	if p.whole() {
		return out, nil
	}
	for _, placeMM := range missing(out, e.Rows) {
		if err := p.cutAt(out, r, placeMM, ""); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// label gives the rows of an examination to its cuts.
func label(e LabelledExam, r *record, whole bool) (s Study, t Tally, problems []string) {
	s = Study{UID: e.StudyUID, Group: e.Patient, Facts: facts(e), Split: e.Rows[0].Split, Done: r.NotDone == "", Label: studyLabel(e.Rows)}
	if s.Group == "" {
		s.Group = e.StudyUID
	}
	t = Tally{Studies: 1, Known: len(e.Rows)}
	if !s.Done {
		t.NotDone = 1
		return s, t, []string{fmt.Sprintf("study %s could not be analysed (%s)", e.StudyUID, r.NotDone)}
	}
	if whole {
		t.Found = len(e.Rows)
		kind := Labelled
		if s.Label == NoLabel {
			kind = Unlabelled
			problems = []string{fmt.Sprintf("the labels of study %s make none of the whole examination: it is left out", e.StudyUID)}
		}
		s.Cases = []Case{{Facts: s.Facts, StudyUID: s.UID, Group: s.Group, Label: s.Label, Kind: kind, Split: s.Split, Line: e.Rows[0].Line, input: r.Cuts[0].input}}
		return s, t, problems
	}
	rowOf := map[int]Row{}
	for _, row := range e.Rows {
		n := choose(r.Cuts, row)
		other, taken := rowOf[n]
		switch {
		case n < 0:
			problems = append(problems, fmt.Sprintf("line %d: no candidate was found in study %s that the label could mean", row.Line, e.StudyUID))
			continue
		case taken && other.Label != row.Label:
			problems = append(problems, fmt.Sprintf("lines %d and %d of study %s label the same candidate differently: it is left out", other.Line, row.Line, e.StudyUID))
			row.Label = NoLabel
		}
		if r.Cuts[n].Lesion > 0 {
			t.Found++
		}
		rowOf[n] = row
	}
	for n := range r.Cuts {
		c := &r.Cuts[n]
		row, ok := rowOf[n]
		if !ok && c.Lesion == 0 {
			continue // cut for a label that the table no longer has
		}
		one := Case{
			Facts: s.Facts, StudyUID: s.UID, Group: s.Group, Lesion: c.Lesion, Side: c.Side, CentreMM: c.CentreMM,
			Label: NoLabel, Kind: Unlabelled, Missed: c.Lesion == 0, Split: s.Split, input: c.input,
		}
		if ok && row.Label != NoLabel {
			one.Label, one.Kind, one.Line = row.Label, Labelled, row.Line
			if row.BIRADS != "" {
				one.BIRADS = row.BIRADS // of the lesion
			}
		} else {
			t.Other++
		}
		s.Cases = append(s.Cases, one)
	}
	return s, t, problems
}

// studyLabel is the label of an examination: the one that all rows share, else 1 where a row says so.
func studyLabel(rows []Row) int {
	label := rows[0].Label
	for _, r := range rows[1:] {
		switch {
		case r.Label == label:
		case r.Label == 1 || label == 1:
			label = 1
		default:
			return NoLabel
		}
	}
	return label
}

// facts are those of the table, and of the headers where the table has none.
func facts(e LabelledExam) Facts {
	f := e.Exam.Facts
	fill := func(to *string, from string) {
		if from != "" {
			*to = from
		}
	}
	for _, r := range e.Rows {
		fill(&f.Vendor, r.Vendor)
		fill(&f.Site, r.Site)
		fill(&f.BIRADS, r.BIRADS)
		fill((*string)(&f.Menopause), string(r.Menopause))
		fill((*string)(&f.FamilyHistory), string(r.FamilyHistory))
		fill((*string)(&f.Indication), string(r.Indication))
		fill((*string)(&f.Prior), string(r.Prior))
		if r.AgeYears.Known {
			f.AgeYears = r.AgeYears
		}
	}
	return f
}
