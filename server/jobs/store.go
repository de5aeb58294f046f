package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// A job row is a study's status as JSON, and beside it what is asked for in SQL. Analysed is the revision that needs no
// further run: it was analysed, or given up.
const schema = `CREATE TABLE IF NOT EXISTS job (
	study    TEXT PRIMARY KEY,
	state    TEXT NOT NULL,
	analysed INTEGER NOT NULL,
	changed  INTEGER NOT NULL, -- microseconds since 1970
	status   TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS job_changed ON job (changed DESC);`

// entry is a study in the queue.
type entry struct {
	Status
	analysed int64
	unsaved  bool                    // the row lags behind
	cancel   context.CancelCauseFunc // of the run, while there is one
}

// save writes rows in one transaction.
func (q *Queue) save(ctx context.Context, entries ...*entry) error {
	if len(entries) == 0 {
		return nil
	}
	return q.cfg.Archive.Update(ctx, func(tx *sql.Tx) error {
		for _, e := range entries {
			status, err := json.Marshal(e.Status)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(`INSERT INTO job (study, state, analysed, changed, status) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET state = excluded.state, analysed = excluded.analysed, changed = excluded.changed, status = excluded.status`,
				e.Study, string(e.State), e.analysed, e.Changed.UnixMicro(), string(status)); err != nil {
				return err
			}
		}
		return nil
	})
}

// load calls fn for rows.
func (q *Queue) load(ctx context.Context, where string, args []any, fn func(*entry) error) error {
	return q.cfg.Archive.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT study, analysed, status FROM job `+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e entry
			var study string
			var status []byte
			if err := rows.Scan(&study, &e.analysed, &status); err != nil {
				return err
			}
			if err := json.Unmarshal(status, &e.Status); err != nil {
				return fmt.Errorf("job of study %s: %w", study, err)
			}
			if err := fn(&e); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// errFound ends a load early.
var errFound = errors.New("found")

// find returns the row of a study, nil when there is none.
func (q *Queue) find(ctx context.Context, study string) (found *entry, err error) {
	err = q.load(ctx, `WHERE study = ?`, []any{study}, func(e *entry) error {
		found = e
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}
