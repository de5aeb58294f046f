package query

import (
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// pairs are the dates and times that are one moment: where both are asked for as ranges of the same form, the range
// goes from one moment to the other instead of asking for the same hours of each day (PS3.4 C.2.2.2.5, combined date
// and time matching, which PS3.18 8.3.4.1.1 asks of searches).
var pairs = [][2]tag.Tag{
	{tag.StudyDate, tag.StudyTime},
	{tag.SeriesDate, tag.SeriesTime},
	{tag.AcquisitionDate, tag.AcquisitionTime},
	{tag.ContentDate, tag.ContentTime},
	{tag.InstanceCreationDate, tag.InstanceCreationTime},
	{tag.PerformedProcedureStepStartDate, tag.PerformedProcedureStepStartTime},
	{tag.PerformedProcedureStepEndDate, tag.PerformedProcedureStepEndTime},
	{tag.ScheduledProcedureStepStartDate, tag.ScheduledProcedureStepStartTime},
	{tag.ScheduledProcedureStepEndDate, tag.ScheduledProcedureStepEndTime},
}

// Partner returns the index in conditions of the date or time with which condition i makes one moment, or -1.
func Partner(conditions []Condition, i int) int {
	return partner(conditions, i, len(conditions[i].Path)-1)
}

func partner(conditions []Condition, i, depth int) int {
	if !conditions[i].ranged() {
		return -1
	}
	for _, pair := range pairs {
		for side, t := range pair {
			if t != conditions[i].Path[depth] {
				continue
			}
			for j, o := range conditions {
				if len(o.Path) == depth+1 && o.Path[depth] == pair[1-side] && samePath(o, conditions[i], depth) &&
					o.ranged() && sameForm(o.Terms[0], conditions[i].Terms[0]) {
					return j
				}
			}
		}
	}
	return -1
}

func samePath(a, b Condition, depth int) bool {
	for i := range depth {
		if a.Path[i] != b.Path[i] {
			return false
		}
	}
	return true
}

func (c Condition) ranged() bool { return len(c.Terms) == 1 && c.Terms[0].Op == Between }

// sameForm reports whether two ranges are open on the same sides.
func sameForm(a, b Term) bool { return (a.Lo == "") == (b.Lo == "") && (a.Hi == "") == (b.Hi == "") }

// Combine returns the range from moment to moment that ranges of dates and times of the same form ask for together: Lo
// and Hi are a canonical date followed by a canonical time.
func Combine(date, time Term) Term {
	return Term{Op: Between, Lo: date.Lo + time.Lo, Hi: date.Hi + time.Hi}
}

// together matches a date and a time as one moment.
func together(ds *dicom.Dataset, a, b Condition, depth int) Verdict {
	if a.VR != dicom.DA {
		a, b = b, a
	}
	date, time := ds.Get(a.Path[depth]), ds.Get(b.Path[depth])
	if date != nil && date.Deferred() || time != nil && time.Deferred() {
		return Unknown
	}
	d, t := Canonical(dicom.DA, ds.String(a.Path[depth])), Canonical(dicom.TM, ds.String(b.Path[depth]))
	if d == "" || t == "" {
		return No
	}
	span := Combine(a.Terms[0], b.Terms[0])
	return verdict((span.Lo == "" || span.Lo <= d+t) && (span.Hi == "" || d+t <= span.Hi))
}
