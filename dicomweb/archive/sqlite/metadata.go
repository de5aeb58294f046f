package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"mome/dicomweb"
	"mome/dicomweb/archive/index"
)

// Members returns what lies below ref, in the order of Instances.
func (x *Index) Members(ctx context.Context, ref dicomweb.Ref) ([]index.Member, error) {
	var out []index.Member
	err := x.list(ctx, `i.id, i.uid, i.sha256`, ``, ref, func(row scanner) error {
		var m index.Member
		err := row.Scan(&m.ID, &m.UID, &m.SHA256)
		out = append(out, m)
		return err
	})
	return out, err
}

// Prepared calls fn for each of some members with its prepared metadata, nil where there are none, in their order. The
// bytes are fn's until it returns.
func (x *Index) Prepared(ctx context.Context, members []index.Member, fn func(m index.Member, metadata []byte) error) error {
	ids := make([]int64, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	rows, err := x.query(ctx, `SELECT j.key, m.body FROM json_each(?) j LEFT JOIN metadata m ON m.instance = j.value ORDER BY j.key`, string(list))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k int
		var body sql.RawBytes
		if err := rows.Scan(&k, &body); err != nil {
			return err
		}
		if err := fn(members[k], body); err != nil {
			return err
		}
	}
	return rows.Err()
}
