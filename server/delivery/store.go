package delivery

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

// A row is a delivery: its status and item as JSON, and beside them what is asked for in SQL. A newer revision of the study
// takes the place of an older one that is still on its way.
const schema = `CREATE TABLE IF NOT EXISTS delivery (
	study   TEXT NOT NULL,
	target  TEXT NOT NULL,
	kind    TEXT NOT NULL,
	state   TEXT NOT NULL,
	next    INTEGER NOT NULL, -- microseconds since 1970
	changed INTEGER NOT NULL,
	item    TEXT NOT NULL,
	status  TEXT NOT NULL,
	PRIMARY KEY (study, target, kind)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (target, kind, state, next);`

// row is a delivery as stored.
type row struct {
	Status
	item Item
}

func put(tx *sql.Tx, r *row) error {
	status, err := json.Marshal(r.Status)
	if err != nil {
		return err
	}
	item, err := json.Marshal(r.item)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO delivery (study, target, kind, state, next, changed, item, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET state = excluded.state, next = excluded.next, changed = excluded.changed, item = excluded.item, status = excluded.status`,
		r.Study, r.Target, string(r.Kind), string(r.State), r.Next.UnixMicro(), r.Changed.UnixMicro(), string(item), string(status))
	return err
}

// save writes one row unless another item took its place.
func (o *Outbox) save(ctx context.Context, r *row) error {
	return o.cfg.Archive.Update(ctx, func(tx *sql.Tx) error {
		now, err := get(ctx, tx, `WHERE study = ? AND target = ? AND kind = ?`, r.Study, r.Target, string(r.Kind))
		if err != nil || len(now) > 0 && !now[0].item.same(r.item) {
			return err
		}
		return put(tx, r)
	})
}

// get reads rows.
func get(ctx context.Context, tx *sql.Tx, where string, args ...any) (out []row, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT item, status FROM delivery `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var item, status []byte
		if err := rows.Scan(&item, &status); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(status, &r.Status); err != nil {
			return nil, fmt.Errorf("delivery: %w", err)
		}
		if err := json.Unmarshal(item, &r.item); err != nil {
			return nil, fmt.Errorf("delivery of study %s: %w", r.Study, err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// rows reads rows in a transaction of their own.
func (o *Outbox) rows(ctx context.Context, where string, args ...any) (out []row, err error) {
	err = o.cfg.Archive.View(ctx, func(tx *sql.Tx) error {
		out, err = get(ctx, tx, where, args...)
		return err
	})
	return out, err
}
