package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// Remove takes instances out by their SOP Instance UIDs; one that is not there is no error.
func (x *Index) Remove(ctx context.Context, instanceUIDs ...string) error {
	return x.edit(ctx, func(tx change) error {
		for _, t := range x.filled() {
			if err := remove(tx, t, instanceUIDs); err != nil {
				return err
			}
		}
		return nil
	})
}

// querier is a transaction.
type querier interface {
	Query(text string, args ...any) (*sql.Rows, error)
}

// collect returns a query's only column.
func collect[T any](tx querier, text string, args ...any) ([]T, error) {
	rows, err := tx.Query(text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// remove takes instances out of t. What their series and studies say is then what the instances left say.
func remove(tx change, t tables, uids []string) error {
	series, studies := map[int64]bool{}, map[int64]bool{}
	for _, uid := range uids {
		var id, inSeries, inStudy int64
		err := tx.QueryRow(`SELECT i.id, e.id, e.study FROM `+t.instance+` i JOIN `+t.series+` e ON e.id = i.series WHERE i.uid = ?`, uid).
			Scan(&id, &inSeries, &inStudy)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		for _, text := range []string{
			`DELETE FROM ` + t.instance + ` WHERE id = ?`,
			`DELETE FROM ` + t.header + ` WHERE instance = ?`,
			`DELETE FROM ` + t.metadata + ` WHERE instance = ?`,
		} {
			if _, err := tx.Exec(text, id); err != nil {
				return err
			}
		}
		series[inSeries], studies[inStudy] = true, true
	}
	for id := range series {
		if err := recountSeries(tx, t, id); err != nil {
			return err
		}
	}
	for id := range studies {
		if err := recountStudy(tx, t, id); err != nil {
			return err
		}
	}
	return nil
}

func recountSeries(tx change, t tables, id int64) error {
	said, n, err := merged(tx, query.Series, `SELECT h.body FROM `+t.instance+` i JOIN `+t.header+` h ON h.instance = i.id
		WHERE i.series = ? ORDER BY i.received, i.uid`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		_, err := tx.Exec(`DELETE FROM `+t.series+` WHERE id = ?`, id)
		return err
	}
	args := append([]any{index.Encode(said)}, values(query.Series, said)...)
	_, err = tx.Exec(update(t.series, query.Series)+`, instances = ? WHERE id = ?`, append(args, n, id)...)
	return err
}

func recountStudy(tx change, t tables, id int64) error {
	said, n, err := merged(tx, query.Study, `SELECT h.body FROM `+t.series+` e JOIN `+t.instance+` i ON i.series = e.id
		JOIN `+t.header+` h ON h.instance = i.id WHERE e.study = ? ORDER BY i.received, i.uid`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		_, err := tx.Exec(`DELETE FROM `+t.study+` WHERE id = ?`, id)
		return err
	}
	modalities, series := "", 0
	blobs, err := collect[[]byte](tx, `SELECT attributes FROM `+t.series+` WHERE study = ?`, id)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		ds, err := index.Decode(b)
		if err != nil {
			return err
		}
		modalities, series = with(modalities, ds.String(tag.Modality)), series+1
	}
	args := append([]any{index.Encode(said)}, values(query.Study, said)...)
	_, err = tx.Exec(update(t.study, query.Study)+`, instances = ?, series = ?, modalities = ? WHERE id = ?`,
		append(args, n, series, modalities, id)...)
	return err
}

// merged returns what the headers that a query lists say at level l, and how many there are.
func merged(tx change, l query.Level, text string, args ...any) (*dicom.Dataset, int, error) {
	rows, err := tx.Query(text, args...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	out, n := dicom.New(), 0
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, 0, err
		}
		h, err := index.Decode(body)
		if err != nil {
			return nil, 0, err
		}
		study, series, _ := index.Levels(h)
		index.Merge(out, map[query.Level]*dicom.Dataset{query.Study: study, query.Series: series}[l])
		n++
	}
	return out, n, rows.Err()
}
