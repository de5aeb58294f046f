package sqlite

import (
	"mome/dicomweb/archive/index"
	"mome/dicomweb/query"
)

// meets decides what SQL left open about a candidate.
func (f *finder) meets(c *candidate) (bool, error) {
	for l := query.Study; l <= f.q.Level; l++ {
		switch query.Meets(c.levels[l], f.open[l]) {
		case query.No:
			return false, nil
		case query.Unknown:
			yes, err := f.decide(`WHERE `+alias(l)+`.id = ? ORDER BY i.received, i.uid LIMIT 1`, []any{c.ids[l]}, f.open[l])
			if err != nil || !yes {
				return false, err
			}
		}
	}
	var open []query.Condition
	for l := f.q.Level + 1; l <= query.Instance; l++ {
		open = append(open, f.open[l]...)
	}
	if len(open) == 0 {
		return true, nil
	}
	return f.someBelow(c)
}

// decide opens the first instance that a query finds and asks its file.
func (f *finder) decide(where string, args []any, conditions []query.Condition) (bool, error) {
	i, err := scan(f.tx.QueryRowContext(f.ctx, `SELECT `+facts+joined+` `+where, args...))
	if err != nil {
		return false, err
	}
	ds, err := f.whole(f.ctx, i)
	if err != nil {
		return false, err
	}
	return query.Meets(ds, conditions) == query.Yes, nil
}

// someBelow reports whether an instance below the candidate meets all conditions on the levels below.
func (f *finder) someBelow(c *candidate) (bool, error) {
	body, join := `i.attributes`, ``
	if f.header {
		body, join = `h.body`, ` JOIN header h ON h.instance = i.id`
	}
	rows, err := f.tx.QueryContext(f.ctx, `SELECT i.id, e.attributes, `+body+joined+join+` WHERE `+
		alias(f.q.Level)+`.id = ? AND `+f.below.text, append([]any{c.ids[f.q.Level]}, f.below.args...)...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var series, instance []byte
		if err := rows.Scan(&id, &series, &instance); err != nil {
			return false, err
		}
		yes, err := f.meetsBelow(id, series, instance)
		if err != nil || yes {
			return yes, err
		}
	}
	return false, rows.Err()
}

// meetsBelow decides about one instance below a candidate.
func (f *finder) meetsBelow(id int64, series, instance []byte) (bool, error) {
	all := query.Yes
	var open []query.Condition
	for l := f.q.Level + 1; l <= query.Instance; l++ {
		ds, err := index.Decode(map[query.Level][]byte{query.Series: series, query.Instance: instance}[l])
		if err != nil {
			return false, err
		}
		v := query.Meets(ds, f.open[l])
		if v == query.No {
			return false, nil
		}
		if v == query.Unknown {
			all, open = v, append(open, f.open[l]...)
		}
	}
	if all == query.Yes {
		return true, nil
	}
	return f.decide(`WHERE i.id = ?`, []any{id}, open)
}
