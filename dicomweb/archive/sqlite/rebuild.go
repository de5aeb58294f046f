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

// What a builder holds at most: entries, and bytes of their headers and metadata.
const (
	heldEntries = 256
	heldBytes   = 8 << 20
)

func (b *builder) add(e *index.Entry) error {
	b.held = append(b.held, e)
	b.size += len(index.Encode(e.Header)) + len(e.Metadata)
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

// The order of a CROSS JOIN is kept; left to itself the database would go through all instances for each study.
const (
	// advanceKnown adds to the revisions the sources that the live tables do not know.
	advanceKnown = `
UPDATE state SET revision = revision + n, changed = newest FROM (
	SELECT s.uid AS uid, COUNT(*) AS n, MAX(i.received) AS newest
	FROM new_study s CROSS JOIN new_series e ON e.study = s.id CROSS JOIN new_instance i ON i.series = e.id
	WHERE i.source = 1 AND i.uid NOT IN (SELECT uid FROM instance) GROUP BY s.uid
) AS found WHERE state.study = found.uid`

	// countUnknown gives a state to studies that have none.
	countUnknown = `
INSERT INTO state (study, revision, changed, answered)
WITH answer AS MATERIALIZED (
	SELECT e.study AS study, MAX(i.received) AS newest FROM new_instance i JOIN new_series e ON e.id = i.series
	WHERE i.result = 1 GROUP BY e.study
)
SELECT s.uid, COUNT(*), MAX(i.received), COALESCE(SUM(i.received <= answer.newest), 0)
FROM new_study s CROSS JOIN new_series e ON e.study = s.id CROSS JOIN new_instance i ON i.series = e.id
LEFT JOIN answer ON answer.study = s.id
WHERE i.source = 1 AND s.uid NOT IN (SELECT study FROM state) GROUP BY s.uid`
)

// swap puts the shadow tables in the place of the live ones. Revisions follow: what the old tables did not know is a
// change, unless they were made anew and knew nothing; then the state that is there already counts all, and a study
// without any gets its state from what the objects tell.
func (x *Index) swap(tx *sql.Tx) error {
	// The indexes come first, for the steps need them. What was known to be a result stays one, whoever else
	// recognises it.
	steps := append(reindex(shadow()), `UPDATE new_instance SET result = 1, source = 0 WHERE uid IN (SELECT uid FROM instance WHERE result = 1)`)
	if !x.blank {
		steps = append(steps, advanceKnown)
	}
	steps = append(steps, countUnknown)
	for i, name := range live().all() {
		steps = append(steps, `DROP TABLE `+name, `ALTER TABLE `+shadow().all()[i]+` RENAME TO `+name)
	}
	steps = append(steps, `INSERT OR REPLACE INTO meta (key, value) VALUES ('version', '`+version()+`')`)
	for _, text := range steps {
		if _, err := tx.Exec(text); err != nil {
			return err
		}
	}
	x.rebuilding, x.blank = false, false
	return nil
}
