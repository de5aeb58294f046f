package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"mome/dicomweb/archive/index"
)

// Rebuild replaces all entries by those that fill adds, in one step at its end. They go into tables of their own
// meanwhile, as does what Add enters, so that nothing waits for the rebuild.
func (x *Index) Rebuild(ctx context.Context, fill func(add func(*index.Entry) error) error) error {
	x.rebuild.Lock()
	defer x.rebuild.Unlock()
	if err := x.Update(ctx, func(tx *sql.Tx) error {
		if err := drop(ctx, tx, shadow()); err != nil {
			return err
		}
		_, err := tx.Exec(create(shadow()))
		x.rebuilding = err == nil
		return err
	}); err != nil {
		return err
	}
	b := &builder{x: x, ctx: ctx}
	err := fill(b.add)
	if err == nil {
		err = b.flush()
	}
	done := context.WithoutCancel(ctx)
	if err == nil {
		if err = x.Update(ctx, x.swap); err == nil {
			return nil
		}
	}
	return errors.Join(err, x.Update(done, func(tx *sql.Tx) error {
		x.rebuilding = false
		return drop(done, tx, shadow())
	}))
}

// builder collects entries, so that one transaction takes many.
type builder struct {
	x    *Index
	ctx  context.Context
	held []*index.Entry
	size int
}

// What a builder holds at most: entries, and bytes of their headers.
const (
	heldEntries = 256
	heldBytes   = 8 << 20
)

func (b *builder) add(e *index.Entry) error {
	b.held = append(b.held, e)
	b.size += len(index.Encode(e.Header))
	if len(b.held) < heldEntries && b.size < heldBytes {
		return nil
	}
	return b.flush()
}

func (b *builder) flush() error {
	held := b.held
	b.held, b.size = nil, 0
	return b.x.edit(b.ctx, func(tx change) error {
		for _, e := range held {
			var id int64
			err := tx.QueryRow(`SELECT id FROM new_instance WHERE uid = ?`, e.Ref.Instance).Scan(&id)
			if err == nil { // Add was here before
				continue
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			if err := insert(tx, shadow(), e); err != nil {
				return err
			}
		}
		return nil
	})
}

// swap puts the shadow tables in the place of the live ones. Revisions follow: what the old tables did not know is a
// change, unless they were made anew and knew nothing; then the state that is there already counts all, and a study
// without any gets its state from what the objects tell.
func (x *Index) swap(tx *sql.Tx) error {
	// What was known to be a result stays one, whoever else recognises it.
	steps := []string{`UPDATE new_instance SET result = 1, source = 0 WHERE uid IN (SELECT uid FROM instance WHERE result = 1)`}
	if !x.blank {
		steps = append(steps, `
			UPDATE state SET revision = revision + n, changed = newest FROM (
				SELECT s.uid AS uid, COUNT(*) AS n, MAX(i.received) AS newest
				FROM new_instance i JOIN new_series e ON e.id = i.series JOIN new_study s ON s.id = e.study
				WHERE i.source = 1 AND i.uid NOT IN (SELECT uid FROM instance) GROUP BY s.uid
			) AS found WHERE state.study = found.uid`)
	}
	steps = append(steps, `
		INSERT INTO state (study, revision, changed, answered)
		WITH answer AS MATERIALIZED (
			SELECT e.study AS study, MAX(i.received) AS newest FROM new_instance i JOIN new_series e ON e.id = i.series
			WHERE i.result = 1 GROUP BY e.study
		)
		SELECT s.uid, COUNT(*), MAX(i.received), COALESCE(SUM(i.received <= answer.newest), 0)
		FROM new_instance i JOIN new_series e ON e.id = i.series JOIN new_study s ON s.id = e.study
		LEFT JOIN answer ON answer.study = s.id
		WHERE i.source = 1 AND s.uid NOT IN (SELECT study FROM state) GROUP BY s.uid`)
	for i, name := range live().all() {
		steps = append(steps, `DROP TABLE `+name, `ALTER TABLE `+shadow().all()[i]+` RENAME TO `+name)
	}
	steps = append(steps, indexes(), `INSERT OR REPLACE INTO meta (key, value) VALUES ('version', '`+version()+`')`)
	for _, text := range steps {
		if _, err := tx.Exec(text); err != nil {
			return err
		}
	}
	x.rebuilding, x.blank = false, false
	return nil
}
