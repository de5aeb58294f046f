package training

import (
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/volume"
)

func TestChoose(t *testing.T) {
	cuts := []cut{
		{Lesion: 1, Side: experts.Left, CentreMM: volume.Vec{50, 0, 0}, LongAxisMM: 20},
		{Lesion: 2, Side: experts.Right, CentreMM: volume.Vec{-50, 0, 0}, LongAxisMM: 10},
		{Lesion: 3, Side: experts.Right, CentreMM: volume.Vec{-50, 0, 12}, LongAxisMM: 10},
		{Lesion: 0, CentreMM: volume.Vec{0, 0, 80}},
	}
	for _, c := range []struct {
		name string
		row  Row
		want int
	}{
		{"nothing said: the most conspicuous", Row{}, 0},
		{"side: the most conspicuous there", Row{Side: experts.Right}, 1},
		{"number", Row{Lesion: 3}, 2},
		{"number that is not there", Row{Lesion: 4}, -1},
		{"place within reach", Row{PlaceMM: &volume.Vec{50, 14.9, 0}}, 0},
		{"place out of reach", Row{PlaceMM: &volume.Vec{50, 15.1, 0}}, -1},
		{"place between two: the nearer", Row{PlaceMM: &volume.Vec{-50, 0, 7}}, 2},
		{"place that was cut without a candidate", Row{PlaceMM: &volume.Vec{0, 0, 80}}, 3},
		{"beside such a place", Row{PlaceMM: &volume.Vec{0, 0, 81}}, -1},
	} {
		if got := choose(cuts, c.row); got != c.want {
			t.Errorf("%s: got cut %d, want %d", c.name, got, c.want)
		}
	}
	if got := choose(cuts[3:], Row{}); got != -1 {
		t.Errorf("a place without a candidate answered for a label of the study: %d", got)
	}
}

func TestJoin(t *testing.T) {
	exams := []Exam{
		{StudyUID: "1.1", Patient: PatientDigest("A")}, {StudyUID: "1.2", Patient: PatientDigest("B")},
		{StudyUID: "1.3", Patient: PatientDigest("B")}, {StudyUID: "1.4"},
	}
	rows := []Row{
		{Line: 2, Study: "1.2"}, {Line: 3, Patient: PatientDigest("A ")}, {Line: 4, Study: "1.9"}, {Line: 5, Patient: PatientDigest("C")},
		{Line: 6, Patient: PatientDigest("B")}, {Line: 7, Study: "1.3", Patient: PatientDigest("A")}, {Line: 8, Study: "1.2", Side: experts.Left},
	}
	got := Join(rows, exams)
	if len(got.Exams) != 2 || got.Without != 2 {
		t.Fatalf("%d examinations with and %d without a label, want 2 and 2", len(got.Exams), got.Without)
	}
	if a, b := got.Exams[0], got.Exams[1]; a.StudyUID != "1.1" || len(a.Rows) != 1 || a.Rows[0].Line != 3 || b.StudyUID != "1.2" || len(b.Rows) != 2 {
		t.Errorf("joined %+v", got.Exams)
	}
	want := []string{"line 4: study 1.9 is not among", "line 5: the patient is not among", "line 6: the patient has 2 studies", "line 7: study 1.3 belongs to another"}
	if len(got.Problems) != len(want) {
		t.Fatalf("problems %q, want %q", got.Problems, want)
	}
	for i, w := range want {
		if !strings.HasPrefix(got.Problems[i], w) {
			t.Errorf("problem %q, want %q", got.Problems[i], w)
		}
	}
}

func TestLabel(t *testing.T) {
	cuts := []cut{
		{Lesion: 1, Side: experts.Left}, {Lesion: 2, Side: experts.Right}, {Lesion: 3, Side: experts.Right, CentreMM: volume.Vec{0, 0, 90}},
		{CentreMM: volume.Vec{70, 0, 0}}, {CentreMM: volume.Vec{-70, 0, 0}},
	}
	e := LabelledExam{
		Exam: Exam{StudyUID: "1.1", Patient: "p", Facts: Facts{Vendor: "GE", Context: clinical.Context{AgeYears: experts.Known(60)}}},
		Rows: []Row{
			{Line: 2, Label: 1, Side: experts.Left, Facts: Facts{BIRADS: "5", Site: "north"}},
			{Line: 3, Label: 0, Side: experts.Right, Facts: Facts{BIRADS: "4", Context: clinical.Context{AgeYears: experts.Known(61)}}},
			{Line: 4, Label: 1, Lesion: 2},
			{Line: 5, Label: 1, PlaceMM: &volume.Vec{70, 0, 0}},
			{Line: 6, Label: 1, Lesion: 9},
		},
	}
	s, tally, problems := label(e, &record{Cuts: cuts}, false)
	type seen struct {
		lesion, label, line int
		kind                Kind
		missed              bool
		birads              string
	}
	var got []seen
	for _, c := range s.Cases {
		got = append(got, seen{c.Lesion, c.Label, c.Line, c.Kind, c.Missed, c.BIRADS})
	}
	want := []seen{
		{1, 1, 2, Labelled, false, "5"},
		{2, NoLabel, 0, Unlabelled, false, "4"}, // lines 3 and 4 contradict
		{3, NoLabel, 0, Unlabelled, false, "4"},
		{0, 1, 5, Labelled, true, "4"},
	}
	if len(got) != len(want) {
		t.Fatalf("cases %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("case %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if s.Label != 1 || s.Site != "north" || s.Vendor != "GE" || s.AgeYears != experts.Known(61) || s.Group != "p" {
		t.Errorf("study %+v", s)
	}
	if want := (Tally{Studies: 1, Known: 5, Found: 3, Other: 2}); tally != want {
		t.Errorf("tally %+v, want %+v", tally, want)
	}
	if len(problems) != 2 || !strings.Contains(problems[0], "lines 3 and 4") || !strings.Contains(problems[1], "line 6") {
		t.Errorf("problems %q", problems)
	}
}
