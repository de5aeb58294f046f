package sqlite

import (
	"context"
	"database/sql"
	"strconv"

	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// whole returns the data set of an instance's file, for a value that was left out of the index.
type whole = func(context.Context, index.Instance) (*dicom.Dataset, error)

// Find answers q: studies newest first by date and time, series and instances by number, each then by UID. Remaining
// counts the results after those returned.
//
// The conditions on q's level and above are SQL as far as columns go; what they leave open is decided on each row's
// data set. Those on the levels below ask whether some instance below meets them all.
func (x *Index) Find(ctx context.Context, q query.Query, whole whole) (results []*dicom.Dataset, remaining int, err error) {
	var text string
	err = x.View(ctx, func(tx *sql.Tx) error {
		f := plan(ctx, x, tx, q, whole)
		if f.exact {
			err = f.page()
		} else {
			err = f.sift()
		}
		results, remaining, text = f.results, f.remaining, f.text
		return err
	})
	if err == nil {
		x.statements.learn(ctx, x.read, text) // for the next time: now that no connection is held
	}
	return results, remaining, err
}

// finder is one Find.
type finder struct {
	ctx    context.Context
	x      *Index
	tx     *sql.Tx
	q      query.Query
	whole  whole
	header bool // headers are read: of q's own level, or of the instances below

	from, where string
	text        string // of the statement that each ran
	args        []any
	exact       bool                 // SQL decides alone
	deepest     query.Level          // the lowest that a condition of where is on
	open        [3][]query.Condition // per level: what the data sets have to decide
	below       clause               // what SQL says of the levels below q's
	wanted      [3][]tag.Tag         // per level: the attributes of an answer
	cached      [2]candidate         // what was decoded last of studies and series
	classes     []any                // SOP classes of the study classesOf
	classesOf   int64

	results   []*dicom.Dataset
	remaining int
}

// plan turns q into SQL and what SQL leaves open.
func plan(ctx context.Context, x *Index, tx *sql.Tx, q query.Query, whole whole) *finder {
	f := &finder{ctx: ctx, x: x, tx: tx, q: q, whole: whole, header: index.NeedsHeader(q), exact: true, below: clause{text: "1", exact: true}}
	join := ` CROSS JOIN ` // from the top down, in the order of the answer
	if byUID(q) {
		join = ` JOIN ` // from wherever the UID is
	}
	f.from = tree(join, q.Level)
	if q.Level == query.Instance && f.header {
		f.from += ` JOIN header h ON h.instance = i.id`
	}
	f.where = `1`
	for _, u := range []struct {
		l     query.Level
		value string
	}{{query.Study, q.Ref.Study}, {query.Series, q.Ref.Series}, {query.Instance, q.Ref.Instance}} {
		if u.value != "" && u.l <= q.Level {
			f.where, f.args = f.where+` AND `+alias(u.l)+`.uid = ?`, append(f.args, u.value)
			f.deepest = u.l
		}
	}
	for l := query.Study; l <= query.Instance; l++ {
		f.wanted[l] = q.Answers(l)
		conditions := q.On(l)
		c := clauses(conditions, l)
		if !c.exact {
			f.open[l] = stored(conditions)
			f.exact = false
		}
		if l <= q.Level {
			f.where, f.args = f.where+` AND `+c.text, append(f.args, c.args...)
			if len(conditions) > 0 {
				f.deepest = max(f.deepest, l)
			}
		} else if len(conditions) > 0 {
			f.below.text += ` AND ` + c.text
			f.below.args = append(f.below.args, c.args...)
		}
	}
	if f.below.text != "1" {
		f.deepest = q.Level
		f.where += ` AND ` + f.someBelowSQL()
		f.args = append(f.args, f.below.args...)
	}
	return f
}

// someBelowSQL returns the condition that something below a row meets f.below: looked for from the row, or from the
// UIDs that are asked for.
func (f *finder) someBelowSQL() string {
	own, parent, from := `s.id`, `e.study`, `series e JOIN instance i ON i.series = e.id`
	if f.q.Level == query.Series {
		own, parent, from = `e.id`, `i.series`, `instance i`
	}
	if byUID(f.q) {
		return own + ` IN (SELECT ` + parent + ` FROM ` + from + ` WHERE ` + f.below.text + `)`
	}
	return `EXISTS (SELECT 1 FROM ` + from + ` WHERE ` + parent + ` = ` + own + ` AND ` + f.below.text + `)`
}

// byUID reports whether q names series or instances by their UIDs without naming their study.
func byUID(q query.Query) bool {
	if q.Ref.Study == "" && (q.Ref.Series != "" || q.Ref.Instance != "") {
		return true
	}
	for _, c := range q.Match {
		if c.Path[0] == tag.SeriesInstanceUID || c.Path[0] == tag.SOPInstanceUID {
			return !c.Universal()
		}
	}
	return false
}

// stored returns the conditions on attributes that data sets hold; the others are always exact in SQL.
func stored(conditions []query.Condition) []query.Condition {
	var out []query.Condition
	for _, c := range conditions {
		if a, ok := query.Lookup(c.Path[0]); !ok || !a.Computed {
			out = append(out, c)
		}
	}
	return out
}

// selected are the columns of a candidate of level l.
func (f *finder) selected() string {
	what := `s.id, s.attributes, s.modalities, s.series, s.instances`
	if f.q.Level >= query.Series {
		what += `, e.id, e.attributes, e.instances`
	}
	switch {
	case f.q.Level < query.Instance:
	case f.header:
		what += `, i.id, h.body`
	default:
		what += `, i.id, i.attributes`
	}
	return what
}

// order is the same for every query, so that pages fit together.
func (f *finder) order() string {
	by := ` ORDER BY s.` + column(tag.StudyDate) + ` DESC, s.` + column(tag.StudyTime) + ` DESC, s.uid`
	return by + [...]string{``, `, e.number, e.uid`, `, e.number, e.uid, i.number, i.uid`}[f.q.Level]
}

// page answers a query that SQL decides alone.
func (f *finder) page() error {
	limit := f.q.Limit
	if limit == 0 {
		limit = -1 // no limit, for SQLite
	} else if limit < 0 {
		limit = 0
	}
	args := append(append([]any{}, f.args...), limit, f.q.Offset)
	err := f.each(f.where+f.order()+` LIMIT ? OFFSET ?`, args, func(c *candidate) error { return f.answer(c) })
	if err != nil || limit < 0 || len(f.results) < limit {
		return err
	}
	total, err := f.count()
	f.remaining = max(0, total-f.q.Offset-len(f.results))
	return err
}

// count counts what meets a query that SQL decides alone: by the numbers that the lowest level with a condition keeps
// of what is below it, so that it does not go through every instance of an archive.
func (f *finder) count() (n int, err error) {
	what, from := `COUNT(*)`, f.from
	if f.deepest < f.q.Level {
		what = `COALESCE(SUM(` + alias(f.deepest) + [...]string{query.Series: `.series`, query.Instance: `.instances`}[f.q.Level] + `), 0)`
		from = tree(` JOIN `, f.deepest)
	}
	err = f.tx.QueryRowContext(f.ctx, `SELECT `+what+` FROM `+from+` WHERE `+f.where, f.args...).Scan(&n)
	return n, err
}

// tree is the join of the tables down to level l.
func tree(join string, l query.Level) string {
	return [...]string{`study s`, `study s` + join + `series e ON e.study = s.id`,
		`study s` + join + `series e ON e.study = s.id` + join + `instance i ON i.series = e.id`}[l]
}

// sift answers a query whose candidates are decided one by one.
func (f *finder) sift() error {
	skip := f.q.Offset
	return f.each(f.where+f.order(), f.args, func(c *candidate) error {
		yes, err := f.meets(c)
		switch {
		case err != nil || !yes:
			return err
		case skip > 0:
			skip--
			return nil
		case f.q.Limit < 0, f.q.Limit > 0 && len(f.results) == f.q.Limit:
			f.remaining++
			return nil
		}
		return f.answer(c)
	})
}

// candidate is a row of q's level with those above.
type candidate struct {
	ids        [3]int64
	levels     [3]*dicom.Dataset
	modalities string
	series     int // of the study
	instances  int // of the study
	members    int // instances of the series
}

// each calls fn for the candidates.
func (f *finder) each(where string, args []any, fn func(*candidate) error) error {
	f.text = `SELECT ` + f.selected() + ` FROM ` + f.from + ` WHERE ` + where
	rows, err := f.x.queryIn(f.ctx, f.tx, f.text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c candidate
		var blobs [3]sql.RawBytes
		into := []any{&c.ids[0], &blobs[0], &c.modalities, &c.series, &c.instances}
		if f.q.Level >= query.Series {
			into = append(into, &c.ids[1], &blobs[1], &c.members)
		}
		if f.q.Level == query.Instance {
			into = append(into, &c.ids[2], &blobs[2])
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for l := query.Study; l <= f.q.Level; l++ {
			if c.levels[l], err = f.decode(l, c.ids[l], blobs[l]); err != nil {
				return err
			}
		}
		if err := fn(&c); err != nil {
			return err
		}
	}
	return rows.Err()
}

// decode reads a stored data set; rows below the same study or series share theirs.
func (f *finder) decode(l query.Level, id int64, blob []byte) (*dicom.Dataset, error) {
	if l < f.q.Level && f.cached[l].levels[l] != nil && f.cached[l].ids[l] == id {
		return f.cached[l].levels[l], nil
	}
	ds, err := index.Decode(append([]byte(nil), blob...))
	if err == nil && l < f.q.Level {
		f.cached[l].ids[l], f.cached[l].levels[l] = id, ds
	}
	return ds, err
}

// answer adds what q asks of the candidate to the results.
func (f *finder) answer(c *candidate) error {
	out := dicom.New()
	for l := query.Study; l <= f.q.Level; l++ {
		index.Answer(out, f.q, f.wanted[l], f.q.IncludeAll && l == query.Instance, c.levels[l])
	}
	put := func(t tag.Tag, vr dicom.VR, value string) {
		if len(value)%2 == 1 {
			value += " "
		}
		out.Put(&dicom.Element{Tag: t, VR: vr, Value: []byte(value)})
	}
	put(tag.InstanceAvailability, dicom.CS, availability)
	for l := query.Study; l <= min(f.q.Level, query.Series); l++ {
		for _, t := range f.wanted[l] {
			switch t {
			case tag.ModalitiesInStudy:
				put(t, dicom.CS, c.modalities)
			case tag.NumberOfStudyRelatedSeries:
				put(t, dicom.IS, strconv.Itoa(c.series))
			case tag.NumberOfStudyRelatedInstances:
				put(t, dicom.IS, strconv.Itoa(c.instances))
			case tag.NumberOfSeriesRelatedInstances:
				put(t, dicom.IS, strconv.Itoa(c.members))
			case tag.SOPClassesInStudy:
				if err := f.sopClasses(c.ids[query.Study]); err != nil {
					return err
				}
				out.Set(t, f.classes...)
			}
		}
	}
	f.results = append(f.results, out)
	return nil
}

// sopClasses finds out the SOP classes of a study.
func (f *finder) sopClasses(study int64) error {
	if f.classesOf == study {
		return nil
	}
	classes, err := collect[string](f.tx, `SELECT DISTINCT i.class FROM series e JOIN instance i ON i.series = e.id
		WHERE e.study = ? ORDER BY i.class`, study)
	f.classes, f.classesOf = anys(classes), study
	return err
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
