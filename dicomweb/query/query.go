// Package query is QIDO-RS's question: THE attribute table that drives the index's columns, matching, answers and
// documentation (PS3.18 tables 10.6.1-5 and 10.6.3-3 to -5), the reading of a query string (PS3.18 8.3.4), and the
// matching rules (PS3.4 C.2.2.2) as pure functions. It knows nothing of storage or HTTP headers. A key that it
// cannot match is an error, never ignored: an ignored key would answer with the whole archive.
package query

import (
	"slices"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// Level is a level of the Study Root information model, PS3.4 C.6.2.
type Level int

// The levels, from the top.
const (
	Study Level = iota
	Series
	Instance
)

// String returns the resource name: "studies", "series", "instances".
func (l Level) String() string { return [...]string{"studies", "series", "instances"}[l] }

// Query is one search. The zero value asks for all studies.
type Query struct {
	Level      Level
	Ref        dicomweb.Ref // restricts the search to what lies below it: the resource's path
	Match      []Condition  // all must hold
	Include    []tag.Tag    // further attributes wanted in the answer, without duplicates
	IncludeAll bool         // every attribute that is known at the level
	Fuzzy      bool         // names match by their words, see Condition.Fuzzy
	Limit      int          // at most so many results; 0 means no limit, negative means none (only the remaining number)
	Offset     int          // results to skip
}

// Condition is one matching key: the attribute that Path leads to has a value that one of Terms accepts.
// Conditions on attributes of the same sequence must hold in one and the same item (PS3.4 C.2.2.2.6).
type Condition struct {
	Path  []tag.Tag // sequences, then the attribute; one tag for an attribute at the top
	VR    dicom.VR  // of the attribute by the dictionary; "" when it does not know it
	Terms []Term    // alternatives; none is universal matching (PS3.4 C.2.2.2.3)
	Fuzzy bool      // for PN: every word of the term begins a word of the name
	// creators are those of the private attributes in Path, "" where the query does not name one; nil for none at all.
	creators []string
	raw      string // as asked, for an attribute whose VR only the stored element tells
	empty    bool   // two quotation marks in raw mean no value
}

// Universal reports whether the condition holds for everything, present or not.
func (c Condition) Universal() bool { return len(c.Terms) == 0 }

// Level returns the level whose attributes decide the condition. What the table does not list is looked for in the
// instances.
func (c Condition) Level() Level { return LevelOf(c.Path[0]) }

// On returns the conditions on attributes of level l that are not universal.
func (q Query) On(l Level) []Condition {
	var out []Condition
	for _, c := range q.Match {
		if !c.Universal() && c.Level() == l {
			out = append(out, c)
		}
	}
	return out
}

// Answers returns the attributes of level l that belong into an answer, ascending: those of the tables for the
// levels that the resource does not already fix, the matching keys and what was asked for. A study's answers hold
// nothing of the levels below. Attributes outside the table count as the instance's.
func (q Query) Answers(l Level) []tag.Tag {
	if l > q.Level {
		return nil
	}
	var out []tag.Tag
	whole := l == q.Level || l == Study && q.Ref.Study == "" || l == Series && q.Ref.Series == ""
	for _, a := range table {
		if a.Level == l && (whole && a.Answer != OnRequest || q.IncludeAll || a.everywhere()) {
			out = append(out, a.Tag)
		}
	}
	for _, t := range q.Include {
		if LevelOf(t) == l {
			out = append(out, t)
		}
	}
	for _, c := range q.Match {
		if c.Level() == l {
			out = append(out, c.Path[0])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
