package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"mome/dicomweb/query"
)

// Explain returns how the database would answer q.
func (x *Index) Explain(ctx context.Context, q query.Query) (string, error) {
	var out []string
	err := x.View(ctx, func(tx *sql.Tx) error {
		f := plan(ctx, tx, q, nil)
		rows, err := tx.Query(`EXPLAIN QUERY PLAN SELECT `+f.selected()+` FROM `+f.from+` WHERE `+f.where+f.order(), f.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			out = append(out, detail)
		}
		return rows.Err()
	})
	return strings.Join(out, "\n"), err
}
