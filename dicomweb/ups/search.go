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

// Find answers a search (PS3.4 CC.2.8, PS3.18 11.9) with the UIDs of the workitems that meet the query's conditions, in the order
// in which the steps are to start; Answer has what is told of each. Remaining tells how many follow those. A query of the level
// instances is expected.
func (w *Worklist) Find(ctx context.Context, q query.Query) (uids []string, remaining int, err error) {
	if err := askable(q); err != nil {
		return nil, 0, err
	}
	where, args := narrow(q.Match)
	var all []hit
	if err := w.cfg.Database.View(ctx, func(tx *sql.Tx) (err error) {
		all, err = matching(ctx, tx, where, args, q.Match)
		return err
	}); err != nil {
		return nil, 0, err
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
	for _, h := range all[:n] {
		uids = append(uids, h.uid)
	}
	return uids, len(all) - n, nil
}

// Answer returns what a search tells of a workitem that Find found: the attributes of Return Key Type 1 and 2, the matching keys
// and what was asked for; nil where the workitem does not meet the conditions any more.
func (w *Worklist) Answer(ctx context.Context, q query.Query, id string) (*dicom.Dataset, error) {
	i, err := w.Get(ctx, id)
	switch kind := dicomweb.KindOf(err); {
	case kind == dicomweb.NotFound, kind == dicomweb.Gone:
		return nil, nil
	case err != nil:
		return nil, err
	case query.Meets(i.Dataset, q.Match) != query.Yes:
		return nil, nil
	}
	return pick(i.Dataset, returned(q), q.IncludeAll), nil
}

// hit is a workitem that meets conditions. Its data set is read again when it is its turn: one with its inputs takes a
// megabyte, and there may be many.
type hit struct{ uid, start string }

// byStart is the order of answers: by Scheduled Procedure Step Start DateTime as it is written, then by UID.
func byStart(a, b hit) int {
	return cmp.Or(strings.Compare(a.start, b.start), strings.Compare(a.uid, b.uid))
}

// matching returns the workitems that meet the conditions.
func matching(ctx context.Context, tx *sql.Tx, where string, args []any, conditions []query.Condition) (all []hit, err error) {
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
			all = append(all, hit{i.UID, i.Dataset.String(tag.ScheduledProcedureStepStartDateTime)})
		}
		return ctx.Err()
	}); err != nil || len(inside) == 0 {
		return all, err
	}
	met := all[:0]
	for _, h := range all {
		inputs := &Workitem{UID: h.uid, Dataset: dicom.New()}
		if err := complete(ctx, tx, inputs); err != nil {
			return nil, err
		}
		if query.Meets(inputs.Dataset, inside) == query.Yes {
			met = append(met, h)
		}
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
