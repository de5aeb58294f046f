package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// Add enters e, in place of an entry under the same SOP Instance UID. Unless the same bytes were entered before, a
// source advances its study's revision.
func (x *Index) Add(ctx context.Context, e *index.Entry) error {
	return x.edit(ctx, func(tx change) error {
		var sha256 string
		var id int64
		err := tx.QueryRow(`SELECT id, sha256 FROM instance WHERE uid = ?`, e.Ref.Instance).Scan(&id, &sha256)
		known := err == nil
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		for _, t := range x.filled() {
			if known || x.rebuilding { // a rebuild may have come across the object before its row was entered
				if err := remove(tx, t, []string{e.Ref.Instance}); err != nil {
					return err
				}
			}
			if err := insert(tx, t, e); err != nil {
				return err
			}
		}
		if e.Source && (!known || sha256 != e.SHA256) {
			return advance(tx, e.Ref.Study, 1, e.Received)
		}
		return nil
	})
}

// filled returns the sets of tables that a change goes into: while a rebuild runs, both.
func (x *Index) filled() []tables {
	if x.rebuilding {
		return []tables{live(), shadow()}
	}
	return []tables{live()}
}

// advance adds n to the study's revision.
func advance(tx change, study string, n int64, at time.Time) error {
	_, err := tx.Exec(`INSERT INTO state (study, revision, changed) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET revision = revision + excluded.revision, changed = excluded.changed`,
		study, n, at.UnixMicro())
	return err
}

// insert enters e into t, which has no row under its UID.
func insert(tx change, t tables, e *index.Entry) error {
	study, err := putStudy(tx, t, e)
	if err != nil {
		return fmt.Errorf("study: %w", err)
	}
	series, added, err := putSeries(tx, t, study, e)
	if err != nil {
		return fmt.Errorf("series: %w", err)
	}
	args := []any{series, e.Ref.Instance, e.Number, e.SOPClass, e.TransferSyntax, e.Size, e.SHA256, e.Frames, e.Rows, e.Columns,
		e.Modality, e.Received.UnixMicro(), e.Source, e.Result, e.Key, index.Encode(e.Self)}
	names := `series, uid, number, class, syntax, size, sha256, frames, rows, columns, modality, received, source, result, key, attributes`
	res, err := tx.Exec(insertInto(t.instance, names, query.Instance), append(args, values(query.Instance, e.Self)...)...)
	if err != nil {
		return fmt.Errorf("instance: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO `+t.header+` (instance, body) VALUES (?, ?)`, id, index.Encode(e.Header)); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if len(e.Metadata) > 0 {
		if _, err := tx.Exec(`INSERT INTO `+t.metadata+` (instance, body) VALUES (?, ?)`, id, e.Metadata); err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
	}
	if _, err := tx.Exec(`UPDATE `+t.series+` SET instances = instances + 1 WHERE id = ?`, series); err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE `+t.study+` SET instances = instances + 1, series = series + ? WHERE id = ?`, added, study)
	return err
}

// insertInto returns the statement that inserts the named columns and those of level l's attributes.
func insertInto(table, names string, l query.Level) string {
	n := strings.Count(names, ",") + 1
	for _, t := range columns(l) {
		names += ", " + column(t)
		n++
	}
	return `INSERT INTO ` + table + ` (` + names + `) VALUES (?` + strings.Repeat(", ?", n-1) + `)`
}

// update returns the statement that sets the attributes of level l, to be followed by the row's id.
func update(table string, l query.Level) string {
	set := `attributes = ?`
	for _, t := range columns(l) {
		set += ", " + column(t) + " = ?"
	}
	return `UPDATE ` + table + ` SET ` + set
}

// values returns what stands in the columns of level l's attributes.
func values(l query.Level, ds *dicom.Dataset) []any {
	var out []any
	for _, t := range columns(l) {
		out = append(out, index.Column(ds, t))
	}
	return out
}

// putStudy returns the row of e's study, made or completed by what e says.
func putStudy(tx change, t tables, e *index.Entry) (id int64, err error) {
	var modalities string
	var blob []byte
	err = tx.QueryRow(`SELECT id, modalities, attributes FROM `+t.study+` WHERE uid = ?`, e.Ref.Study).Scan(&id, &modalities, &blob)
	if errors.Is(err, sql.ErrNoRows) {
		res, err := tx.Exec(insertInto(t.study, `uid, modalities, attributes`, query.Study),
			append([]any{e.Ref.Study, with("", seriesModality(e)), index.Encode(e.Study)}, values(query.Study, e.Study)...)...)
		if err != nil {
			return 0, err
		}
		return res.LastInsertId()
	}
	if err != nil {
		return 0, err
	}
	have, err := index.Decode(blob)
	if err != nil {
		return 0, err
	}
	if index.Merge(have, e.Study) {
		args := append([]any{index.Encode(have)}, values(query.Study, have)...)
		if _, err := tx.Exec(update(t.study, query.Study)+` WHERE id = ?`, append(args, id)...); err != nil {
			return 0, err
		}
	}
	if m := with(modalities, seriesModality(e)); m != modalities {
		_, err = tx.Exec(`UPDATE `+t.study+` SET modalities = ? WHERE id = ?`, m, id)
	}
	return id, err
}

func seriesModality(e *index.Entry) string { return e.Series.String(tag.Modality) }

// with adds a modality to a list.
func with(list, modality string) string {
	have := strings.FieldsFunc(list, func(r rune) bool { return r == '\\' })
	if modality == "" || slices.Contains(have, modality) {
		return list
	}
	have = append(have, modality)
	slices.Sort(have)
	return strings.Join(have, `\`)
}

// putSeries returns the row of e's series, made or completed by what e says; added is 1 when it is new.
func putSeries(tx change, t tables, study int64, e *index.Entry) (id int64, added int, err error) {
	var blob []byte
	err = tx.QueryRow(`SELECT id, attributes FROM `+t.series+` WHERE study = ? AND uid = ?`, study, e.Ref.Series).Scan(&id, &blob)
	if errors.Is(err, sql.ErrNoRows) {
		res, err := tx.Exec(insertInto(t.series, `study, uid, number, attributes`, query.Series),
			append([]any{study, e.Ref.Series, e.SeriesNumber, index.Encode(e.Series)}, values(query.Series, e.Series)...)...)
		if err != nil {
			return 0, 0, err
		}
		id, err = res.LastInsertId()
		return id, 1, err
	}
	if err != nil {
		return 0, 0, err
	}
	have, err := index.Decode(blob)
	if err != nil {
		return 0, 0, err
	}
	if index.Merge(have, e.Series) {
		args := append([]any{index.Encode(have)}, values(query.Series, have)...)
		_, err = tx.Exec(update(t.series, query.Series)+` WHERE id = ?`, append(args, id)...)
	}
	return id, 0, err
}
