package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
)

// facts are the columns of an index.Instance, in the order of scan.
const facts = `s.uid, e.uid, i.uid, i.class, i.syntax, i.size, i.sha256, i.frames, i.rows, i.columns, i.modality, e.number, i.number,
	i.received, i.source, i.result, i.key`

const joined = ` FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study`

// scanner is a row.
type scanner interface{ Scan(...any) error }

// scan reads facts, and into more what follows them.
func scan(row scanner, more ...any) (index.Instance, error) {
	var i index.Instance
	var received int64
	err := row.Scan(append([]any{&i.Study, &i.Series, &i.Ref.Instance, &i.SOPClass, &i.TransferSyntax, &i.Size, &i.SHA256, &i.Frames,
		&i.Rows, &i.Columns, &i.Modality, &i.SeriesNumber, &i.Number, &received, &i.Source, &i.Result, &i.Key}, more...)...)
	i.Received = time.UnixMicro(received).UTC()
	return i, err
}

// Instance returns the instance with this SOP Instance UID; ok is false when there is none.
func (x *Index) Instance(ctx context.Context, instanceUID string) (index.Instance, bool, error) {
	i, err := scan(x.queryRow(ctx, `SELECT `+facts+joined+` WHERE i.uid = ?`, instanceUID))
	if errors.Is(err, sql.ErrNoRows) {
		return index.Instance{}, false, nil
	}
	return i, err == nil, err
}

// Instances returns what lies below ref, ordered by series number, series, instance number, instance.
func (x *Index) Instances(ctx context.Context, ref dicomweb.Ref) ([]index.Instance, error) {
	var out []index.Instance
	err := x.list(ctx, facts, "", ref, func(row scanner) error {
		i, err := scan(row)
		out = append(out, i)
		return err
	})
	return out, err
}

// Headers calls fn with the header of each instance below ref, in the order of Instances.
func (x *Index) Headers(ctx context.Context, ref dicomweb.Ref, fn func(index.Instance, *dicom.Dataset) error) error {
	return x.list(ctx, facts+`, h.body`, ` JOIN header h ON h.instance = i.id`, ref, func(row scanner) error {
		var body []byte
		i, err := scan(row, &body)
		if err != nil {
			return err
		}
		ds, err := index.Decode(body)
		if err != nil {
			return err
		}
		return fn(i, ds)
	})
}

// list calls fn for each row below ref. The condition names only the UIDs that ref has, so that the database can use
// the index on the lowest one.
func (x *Index) list(ctx context.Context, what, join string, ref dicomweb.Ref, fn func(scanner) error) error {
	where, args := ` WHERE 1`, []any{}
	for _, u := range []struct{ column, value string }{{"s.uid", ref.Study}, {"e.uid", ref.Series}, {"i.uid", ref.Instance}} {
		if u.value != "" {
			where, args = where+` AND `+u.column+` = ?`, append(args, u.value)
		}
	}
	rows, err := x.query(ctx, `SELECT `+what+joined+join+where+` ORDER BY s.uid, e.number, e.uid, i.number, i.uid`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Each calls fn for every instance in no particular order.
func (x *Index) Each(ctx context.Context, fn func(index.Instance) error) error {
	rows, err := x.read.QueryContext(ctx, `SELECT `+facts+joined)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		i, err := scan(rows)
		if err != nil {
			return err
		}
		if err := fn(i); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Revision returns the study's revision, zero for an unknown study.
func (x *Index) Revision(ctx context.Context, study string) (index.Revision, error) {
	r, err := scanRevision(x.queryRow(ctx, `SELECT study, revision, changed, answered FROM state WHERE study = ?`, study))
	if errors.Is(err, sql.ErrNoRows) {
		return index.Revision{Study: study}, nil
	}
	return r, err
}

// Revisions calls fn for every study that has or had a source.
func (x *Index) Revisions(ctx context.Context, fn func(index.Revision) error) error {
	rows, err := x.read.QueryContext(ctx, `SELECT study, revision, changed, answered FROM state`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRevision(rows)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanRevision(row scanner) (r index.Revision, err error) {
	var changed int64
	err = row.Scan(&r.Study, &r.Revision, &changed, &r.Answered)
	r.Changed = time.UnixMicro(changed).UTC()
	return r, err
}
