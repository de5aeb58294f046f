package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// layout is the version of everything below that query's table does not decide. A database of another layout or
// another attribute table is rebuilt from the objects; state stays in any case, so its columns may only grow.
const layout = 2

// version names what the tables of the index look like.
func version() string { return strconv.Itoa(layout) + "/" + query.TableHash() }

// tables are the names of the tables that make up the index. There are two sets: the one in use and the one that
// Rebuild fills.
type tables struct{ study, series, instance, header, metadata string }

func live() tables { return tables{"study", "series", "instance", "header", "metadata"} }
func shadow() tables {
	return tables{"new_study", "new_series", "new_instance", "new_header", "new_metadata"}
}

func (t tables) all() []string { return []string{t.study, t.series, t.instance, t.header, t.metadata} }

// column is the name of an attribute's column.
func column(t tag.Tag) string { return "a" + t.Hex() }

// columns returns the attributes of level l that have a column of that name. The UIDs that identify have not: they are
// the column uid.
func columns(l query.Level) []tag.Tag {
	var out []tag.Tag
	for _, a := range query.Attributes() {
		if a.Level == l && a.Column && !identifies(a.Tag) {
			out = append(out, a.Tag)
		}
	}
	return out
}

func identifies(t tag.Tag) bool {
	return t == tag.StudyInstanceUID || t == tag.SeriesInstanceUID || t == tag.SOPInstanceUID
}

// base is what stays when the index is rebuilt. Times are microseconds since 1970, UTC.
const base = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
	study    TEXT PRIMARY KEY,           -- Study Instance UID
	revision INTEGER NOT NULL,           -- how often its sources changed
	changed  INTEGER NOT NULL,           -- when they last did
	answered INTEGER NOT NULL DEFAULT 0  -- the revision that the study's own results answer, as far as objects tell
) WITHOUT ROWID;`

// create returns the statements that make the tables of t. Column aXXXXXXXX is the attribute with that tag in the form
// of index.Column, ” when it has no value; attributes and header.body are index.Encode's.
func create(t tables) string {
	return fmt.Sprintf(`
CREATE TABLE %s (
	id         INTEGER PRIMARY KEY,
	uid        TEXT NOT NULL UNIQUE,
	modalities TEXT NOT NULL,             -- of its series, ascending, separated by backslashes
	series     INTEGER NOT NULL DEFAULT 0,
	instances  INTEGER NOT NULL DEFAULT 0,
	attributes BLOB NOT NULL%s
);
CREATE TABLE %s (
	id         INTEGER PRIMARY KEY,
	study      INTEGER NOT NULL,
	uid        TEXT NOT NULL,
	number     INTEGER NOT NULL,
	instances  INTEGER NOT NULL DEFAULT 0,
	attributes BLOB NOT NULL%s,
	UNIQUE (study, uid)
);
CREATE TABLE %s (
	id       INTEGER PRIMARY KEY,
	series   INTEGER NOT NULL,
	uid      TEXT NOT NULL UNIQUE,
	number   INTEGER NOT NULL,
	class    TEXT NOT NULL,
	syntax   TEXT NOT NULL,
	size     INTEGER NOT NULL,
	sha256   TEXT NOT NULL,
	frames   INTEGER NOT NULL,
	rows     INTEGER NOT NULL,
	columns  INTEGER NOT NULL,
	modality TEXT NOT NULL,
	received INTEGER NOT NULL,
	source   INTEGER NOT NULL,
	result   INTEGER NOT NULL,
	key      TEXT NOT NULL,
	attributes BLOB NOT NULL%s
);
CREATE TABLE %s (instance INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE %s (instance INTEGER PRIMARY KEY, body BLOB NOT NULL); -- package prepared's`,
		t.study, define(query.Study), t.series, define(query.Series), t.instance, define(query.Instance), t.header, t.metadata)
}

func define(l query.Level) string {
	var b strings.Builder
	for _, t := range columns(l) {
		fmt.Fprintf(&b, ",\n\t%s TEXT NOT NULL /* %s */", column(t), t.Keyword())
	}
	return b.String()
}

// secondary are the indexes beside those that the tables' own constraints make: the orders in which Find answers, and
// the keys by which a study is looked for. Those for an order are unique, which they are anyway, to tell the database
// that rows of the next level can be put one after the other.
func secondary(t tables) []struct{ name, make string } {
	date, time := column(tag.StudyDate), column(tag.StudyTime)
	return []struct{ name, make string }{
		{"study_order", fmt.Sprintf(`CREATE UNIQUE INDEX study_order ON %s (%s DESC, %s DESC, uid)`, t.study, date, time)},
		{"study_patient", fmt.Sprintf(`CREATE INDEX study_patient ON %s (%s)`, t.study, column(tag.PatientID))},
		{"study_accession", fmt.Sprintf(`CREATE INDEX study_accession ON %s (%s)`, t.study, column(tag.AccessionNumber))},
		{"series_order", fmt.Sprintf(`CREATE UNIQUE INDEX series_order ON %s (study, number, uid)`, t.series)},
		{"series_uid", fmt.Sprintf(`CREATE INDEX series_uid ON %s (uid)`, t.series)},
		{"instance_order", fmt.Sprintf(`CREATE UNIQUE INDEX instance_order ON %s (series, number, uid)`, t.instance)},
	}
}

// reindex returns the statements that take the secondary indexes away, wherever they are, and make those of t.
func reindex(t tables) []string {
	var drop, make []string
	for _, i := range secondary(t) {
		drop, make = append(drop, `DROP INDEX IF EXISTS `+i.name), append(make, i.make)
	}
	return append(drop, make...)
}
