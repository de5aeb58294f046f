package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"mome/dicomweb/query"
)

// Explain returns how the database would answer q.
func (x *Index) Explain(ctx context.Context, q query.Query) (string, error) {
	var out string
	err := x.View(ctx, func(tx *sql.Tx) (err error) {
		f := plan(ctx, x, tx, q, nil)
		out, err = explainPlan(tx, `SELECT `+f.selected()+` FROM `+f.from+` WHERE `+f.where+f.order(), f.args...)
		return err
	})
	return out, err
}

// ExplainRebuild returns how the database counts studies at the end of a rebuild.
func (x *Index) ExplainRebuild(ctx context.Context) (plans []string, err error) {
	undo := errors.New("undo")
	err = x.Update(ctx, func(tx *sql.Tx) error {
		for _, text := range append([]string{create(shadow())}, reindex(shadow())...) {
			if _, err := tx.Exec(text); err != nil {
				return err
			}
		}
		for _, text := range []string{advanceKnown, countUnknown} {
			p, err := explainPlan(tx, text)
			if err != nil {
				return err
			}
			plans = append(plans, p)
		}
		return undo
	})
	if errors.Is(err, undo) {
		err = nil
	}
	return plans, err
}

func explainPlan(tx *sql.Tx, text string, args ...any) (string, error) {
	rows, err := tx.Query(`EXPLAIN QUERY PLAN `+text, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return "", err
		}
		out = append(out, detail)
	}
	return strings.Join(out, "\n"), rows.Err()
}
