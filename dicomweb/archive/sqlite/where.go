package sqlite

import (
	"encoding/json"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// availability is the Instance Availability of everything that is stored, PS3.3 section C.4.23.1.1.
const availability = "ONLINE"

// clause is a condition in SQL. Where it is not exact it lets through more than the condition does, and the data set
// of the row decides.
type clause struct {
	text  string
	args  []any
	exact bool
}

// anything is the clause of a condition that only the data set can decide.
func anything() clause { return clause{text: "1"} }

// alias is the name of level l's table in a query.
func alias(l query.Level) string { return [...]string{"s", "e", "i"}[l] }

// clauses returns the conditions of one level in SQL, joined by AND.
func clauses(conditions []query.Condition, l query.Level) clause {
	all := clause{text: "1", exact: true}
	done := make([]bool, len(conditions))
	for i, c := range conditions {
		if done[i] {
			continue
		}
		var one clause
		if p := query.Partner(conditions, i); p >= 0 && hasColumn(c) && hasColumn(conditions[p]) {
			done[p] = true
			one = moment(c, conditions[p], alias(l))
		} else {
			one = condition(c, alias(l))
		}
		all.text += " AND " + one.text
		all.args = append(all.args, one.args...)
		all.exact = all.exact && one.exact
	}
	return all
}

func hasColumn(c query.Condition) bool {
	a, ok := query.Lookup(c.Path[0])
	return ok && a.Column && len(c.Path) == 1
}

// condition returns one condition in SQL, on the table called from.
func condition(c query.Condition, from string) clause {
	if len(c.Path) == 1 {
		switch c.Path[0] {
		case tag.ModalitiesInStudy:
			one := anyTerm(c, `m.`+column(tag.Modality))
			one.text = `EXISTS (SELECT 1 FROM series m WHERE m.study = s.id AND ` + one.text + `)`
			return one
		case tag.SOPClassesInStudy:
			one := anyTerm(c, `k.class`)
			one.text = `EXISTS (SELECT 1 FROM series m JOIN instance k ON k.series = m.id WHERE m.study = s.id AND ` + one.text + `)`
			return one
		case tag.NumberOfStudyRelatedSeries:
			return anyTerm(c, `CAST(s.series AS TEXT)`)
		case tag.NumberOfStudyRelatedInstances:
			return anyTerm(c, `CAST(s.instances AS TEXT)`)
		case tag.NumberOfSeriesRelatedInstances:
			return anyTerm(c, `CAST(e.instances AS TEXT)`)
		case tag.InstanceAvailability:
			if c.Accepts([]string{availability}, "") {
				return clause{text: "1", exact: true}
			}
			return clause{text: "0", exact: true}
		}
	}
	if len(c.Path) == 1 && identifies(c.Path[0]) {
		return anyTerm(c, from+".uid")
	}
	if !hasColumn(c) {
		return anything()
	}
	return anyTerm(c, from+"."+column(c.Path[0]))
}

// moment returns a range of dates and one of times as one range.
func moment(a, b query.Condition, from string) clause {
	if a.VR != dicom.DA {
		a, b = b, a
	}
	date, time := from+"."+column(a.Path[0]), from+"."+column(b.Path[0])
	span := query.Combine(a.Terms[0], b.Terms[0])
	out := clause{text: date + ` <> '' AND ` + time + ` <> ''`, exact: true}
	if span.Lo != "" { // the date alone again, for the index
		out.text += ` AND ` + date + ` >= ? AND ` + date + ` || ` + time + ` >= ?`
		out.args = append(out.args, a.Terms[0].Lo, span.Lo)
	}
	if span.Hi != "" {
		out.text += ` AND ` + date + ` <= ? AND ` + date + ` || ` + time + ` <= ?`
		out.args = append(out.args, a.Terms[0].Hi, span.Hi)
	}
	return out
}

// anyTerm returns the condition that some term accepts the value of a column.
func anyTerm(c query.Condition, column string) clause {
	out := clause{exact: true}
	var texts, equal []string
	for _, t := range c.Terms {
		if t.Op == query.Equal && c.VR != dicom.PN {
			equal = append(equal, t.Lo)
			continue
		}
		one := value(c, t, column)
		texts, out.args = append(texts, one.text), append(out.args, one.args...)
		out.exact = out.exact && one.exact
	}
	switch len(equal) {
	case 0:
	case 1:
		texts, out.args = append(texts, column+` = ?`), append(out.args, equal[0])
	default: // one argument however long the list is
		list, err := json.Marshal(equal)
		if err != nil {
			return anything()
		}
		texts, out.args = append(texts, column+` IN (SELECT value FROM json_each(?))`), append(out.args, string(list))
	}
	out.text = `(` + strings.Join(texts, ` OR `) + `)`
	return out
}

// value returns the condition that term t accepts the value of a column.
func value(c query.Condition, t query.Term, column string) clause {
	switch {
	case t.Op == query.Empty:
		return clause{text: column + ` = ''`, exact: true}
	case c.VR == dicom.PN:
		return name(c, t, column)
	case t.Op == query.Wild:
		return clause{text: column + ` GLOB ?`, args: []any{glob(t.Lo)}, exact: true}
	}
	out := clause{text: column + ` <> ''`, exact: true}
	if t.Lo != "" {
		out.text, out.args = out.text+` AND `+column+` >= ?`, append(out.args, t.Lo)
	}
	if t.Hi != "" {
		out.text, out.args = out.text+` AND `+column+` <= ?`, append(out.args, t.Hi)
	}
	out.text = `(` + out.text + `)`
	return out
}

// name returns the condition for a person name, whose column holds its component groups between "=".
func name(c query.Condition, t query.Term, column string) clause {
	switch {
	case strings.Contains(t.Lo, "="): // groups are compared each with its own
		return anything()
	case c.Fuzzy:
		out := clause{text: "1"}
		for _, w := range query.Words(t.Lo) {
			out.text, out.args = out.text+` AND `+column+` GLOB ?`, append(out.args, `*`+glob(w)+`*`)
		}
		return out
	case t.Op == query.Equal:
		return clause{text: `instr(` + column + `, ?) > 0`, args: []any{"=" + t.Lo + "="}, exact: true}
	}
	// A * may run over several groups here, and "doe^*" finds "doe".
	return clause{text: column + ` GLOB ?`, args: []any{`*=` + strings.TrimSuffix(glob(t.Lo), "^*") + `*`}}
}

// glob returns a DICOM pattern as one of SQLite, where brackets have a meaning too.
func glob(pattern string) string { return strings.ReplaceAll(pattern, "[", "[[]") }
