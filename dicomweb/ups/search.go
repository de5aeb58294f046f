package ups

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// Find answers a search (PS3.4 CC.2.8, PS3.18 11.9): one data set for each workitem that meets the query's conditions, with
// the attributes of Return Key Type 1 and 2, the matching keys and what was asked for, in the order in which the steps are
// to start. Remaining tells how many follow those. A query of the level instances is expected.
func (w *Worklist) Find(ctx context.Context, q query.Query) (found []*dicom.Dataset, remaining int, err error) {
	if err := askable(q); err != nil {
		return nil, 0, err
	}
	where, args := narrow(q.Match)
	keep := returned(q)
	if err := w.cfg.Database.View(ctx, func(tx *sql.Tx) error {
		all, err := matching(ctx, tx, where, args, q.Match)
		if err != nil {
			return err
		}
		slices.SortFunc(all, byStart)
		all = all[min(q.Offset, len(all)):]
		n := len(all)
		switch {
		case q.Limit < 0:
			n = 0
		case q.Limit > 0:
			n = min(n, q.Limit)
		}
		remaining = len(all) - n
		for _, i := range all[:n] {
			if err := complete(ctx, tx, i); err != nil {
				return err
			}
			found = append(found, pick(i.Dataset, keep, q.IncludeAll))
		}
		return nil
	}); err != nil {
		return nil, 0, err
	}
	return found, remaining, nil
}

// byStart is the order of answers: by Scheduled Procedure Step Start DateTime as it is written, then by UID.
func byStart(a, b *Workitem) int {
	const start = tag.ScheduledProcedureStepStartDateTime
	return cmp.Or(strings.Compare(a.Dataset.String(start), b.Dataset.String(start)), strings.Compare(a.UID, b.UID))
}

// matching returns the workitems that meet the conditions, without their inputs.
func matching(ctx context.Context, tx *sql.Tx, where string, args []any, conditions []query.Condition) (all []*Workitem, err error) {
	var outside, inside []query.Condition
	for _, c := range conditions {
		if c.Path[0] == tag.InputInformationSequence && !c.Universal() {
			inside = append(inside, c)
		} else {
			outside = append(outside, c)
		}
	}
	if err := load(ctx, tx, where, args, func(i *Workitem) error {
		if query.Meets(i.Dataset, outside) == query.Yes {
			all = append(all, i)
		}
		return ctx.Err()
	}); err != nil || len(inside) == 0 {
		return all, err
	}
	met := all[:0]
	for _, i := range all {
		if err := complete(ctx, tx, i); err != nil {
			return nil, err
		}
		if query.Meets(i.Dataset, inside) == query.Yes {
			met = append(met, i)
		}
		i.Dataset.Delete(tag.InputInformationSequence)
	}
	return met, nil
}

// askable refuses the keys that would tell a secret or have no answer.
func askable(q query.Query) error {
	for _, c := range q.Match {
		for _, t := range c.Path {
			if t == tag.TransactionUID {
				return dicomweb.Errorf(dicomweb.BadRequest, "TransactionUID cannot be queried (PS3.4 table CC.2.5-3)")
			}
		}
	}
	return nil
}

// mostTests bounds the values of one condition that the database is asked for; longer lists are matched after it.
const mostTests = 500

// narrow returns the part of the conditions that the database can decide; what it lets through is still to be matched.
func narrow(conditions []query.Condition) (where string, args []any) {
	where, args = `WHERE state <> ?`, []any{string(gone)}
	for _, c := range conditions {
		if len(c.Terms) > mostTests || slices.ContainsFunc(c.Terms, func(t query.Term) bool { return t.Op != query.Equal }) {
			continue
		}
		var tests []string
		test := func(condition, value string) { tests, args = append(tests, condition), append(args, value) }
		switch path := c.Path; {
		case c.Universal():
		case slices.Equal(path, []tag.Tag{tag.ProcedureStepState}):
			for _, t := range c.Terms {
				test(`state = ?`, t.Lo)
			}
		case slices.Equal(path, []tag.Tag{tag.SOPInstanceUID}):
			for _, t := range c.Terms {
				test(`uid = ?`, t.Lo)
			}
		case slices.Equal(path, []tag.Tag{tag.InputInformationSequence, tag.StudyInstanceUID}):
			test(`studies LIKE ?`, "% "+every+" %")
			for _, t := range c.Terms {
				test(`studies LIKE ?`, "% "+t.Lo+" %")
			}
		}
		if len(tests) > 0 {
			where += ` AND (` + strings.Join(tests, ` OR `) + `)`
		}
	}
	return where, args
}

// returned are the attributes of an answer.
func returned(q query.Query) []tag.Tag {
	keep := slices.Clone(q.Include)
	for _, r := range requirements {
		if r.answer {
			keep = append(keep, r.tag)
		}
	}
	for _, c := range q.Match {
		keep = append(keep, c.Path[0])
	}
	slices.Sort(keep)
	return slices.Compact(keep)
}

func pick(ds *dicom.Dataset, keep []tag.Tag, all bool) *dicom.Dataset {
	if all {
		return ds
	}
	out := dicom.New()
	out.Copy(ds, tag.SpecificCharacterSet)
	out.Copy(ds, keep...)
	return out
}
