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
	type match struct {
		ds    *dicom.Dataset
		start string
		uid   string
	}
	var all []match
	if err := w.cfg.Database.View(ctx, func(tx *sql.Tx) error {
		return load(ctx, tx, where, args, func(i *Workitem) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if query.Meets(i.Dataset, q.Match) == query.Yes {
				all = append(all, match{pick(i.Dataset, keep, q.IncludeAll), i.Dataset.String(tag.ScheduledProcedureStepStartDateTime), i.UID})
			}
			return nil
		})
	}); err != nil {
		return nil, 0, err
	}
	slices.SortFunc(all, func(a, b match) int { return cmp.Or(strings.Compare(a.start, b.start), strings.Compare(a.uid, b.uid)) })
	all = all[min(q.Offset, len(all)):]
	n := len(all)
	switch {
	case q.Limit < 0:
		n = 0
	case q.Limit > 0:
		n = min(n, q.Limit)
	}
	for _, m := range all[:n] {
		found = append(found, m.ds)
	}
	return found, len(all) - n, nil
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

// narrow returns the part of the conditions that the database can decide; what it lets through is still to be matched.
func narrow(conditions []query.Condition) (where string, args []any) {
	where, args = `WHERE state <> ?`, []any{string(gone)}
	for _, c := range conditions {
		column := ""
		switch {
		case len(c.Path) != 1 || c.Universal():
		case c.Path[0] == tag.ProcedureStepState:
			column = "state"
		case c.Path[0] == tag.SOPInstanceUID:
			column = "uid"
		}
		if column == "" || slices.ContainsFunc(c.Terms, func(t query.Term) bool { return t.Op != query.Equal }) {
			continue
		}
		where += ` AND ` + column + ` IN (?` + strings.Repeat(`, ?`, len(c.Terms)-1) + `)`
		for _, t := range c.Terms {
			args = append(args, t.Lo)
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
