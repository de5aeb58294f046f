package query

import (
	"strings"
	"unicode/utf8"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// Verdict is the answer to whether a data set meets conditions.
type Verdict int

// Verdicts.
const (
	No Verdict = iota
	Yes
	Unknown // a value that decides was left in the file (dicom.Element.Deferred)
)

// Meets reports whether ds meets all conditions. Those on attributes of one sequence must be met by one item.
func Meets(ds *dicom.Dataset, conditions []Condition) Verdict {
	return meets(ds, conditions, 0, ds.String(tag.TimezoneOffsetFromUTC))
}

// meets looks at the conditions' paths from depth on. It combines two rules: dates and times that belong together are
// one moment, and conditions below one sequence go together.
func meets(ds *dicom.Dataset, conditions []Condition, depth int, zone string) Verdict {
	all := Yes
	done := make([]bool, len(conditions))
	for i, c := range conditions {
		if done[i] || c.Universal() {
			continue
		}
		v := No
		if len(c.Path) == depth+1 {
			if p := partner(conditions, i, depth); p >= 0 {
				done[p] = true
				v = together(ds, c, conditions[p], depth)
			} else {
				v = c.matchElement(ds, c.stored(ds, depth), zone)
			}
		} else {
			var group []Condition
			for j := i; j < len(conditions); j++ {
				if o := conditions[j]; len(o.Path) > depth+1 && o.Path[depth] == c.Path[depth] {
					group, done[j] = append(group, o), true
				}
			}
			v = inItems(c.stored(ds, depth), group, depth+1, zone)
		}
		switch v {
		case No:
			return No
		case Unknown:
			all = Unknown
		}
	}
	return all
}

func inItems(e *dicom.Element, group []Condition, depth int, zone string) Verdict {
	if e == nil {
		return onAbsence(group)
	}
	if e.Deferred() {
		return Unknown
	}
	if len(e.Items) == 0 {
		return onAbsence(group)
	}
	v := No
	for _, item := range e.Items {
		switch meets(item, group, depth, zone) {
		case Yes:
			return Yes
		case Unknown:
			v = Unknown
		}
	}
	return v
}

// onAbsence answers for a sequence without items: only "no value" can hold.
func onAbsence(group []Condition) Verdict {
	for _, c := range group {
		if !c.Universal() && !c.acceptsEmpty() {
			return No
		}
	}
	return Yes
}

func (c Condition) acceptsEmpty() bool {
	for _, t := range c.Terms {
		if t.Op == Empty {
			return true
		}
	}
	return c.Universal()
}

func verdict(b bool) Verdict {
	if b {
		return Yes
	}
	return No
}

// matchElement compares one attribute, absent when e is nil.
func (c Condition) matchElement(ds *dicom.Dataset, e *dicom.Element, zone string) Verdict {
	if e != nil && e.Deferred() {
		return Unknown
	}
	if e == nil || len(e.Value) == 0 {
		return verdict(c.acceptsEmpty())
	}
	if c.VR == "" { // private or newer than the dictionary: what was stored tells how to read the key
		terms, err := terms(e.VR, c.raw, c.empty)
		if err != nil {
			return No
		}
		c.VR, c.Terms = e.VR, terms
	}
	return verdict(c.Accepts(ds.ElementStrings(e), zone))
}

// Accepts reports whether some of an attribute's values meets the condition; a value is text as
// dicom.Dataset.Strings returns it. Zone is the data set's Timezone Offset From UTC, for DT.
func (c Condition) Accepts(values []string, zone string) bool {
	if c.Universal() {
		return true
	}
	empty := true
	for _, v := range values {
		if v = strings.Trim(v, " \x00"); v == "" {
			continue
		}
		empty = false
		v = Canonical(c.VR, v)
		for _, t := range c.Terms {
			if c.matchValue(t, v, zone) {
				return true
			}
		}
	}
	return empty && c.acceptsEmpty()
}

// matchValue compares a canonical value with a term.
func (c Condition) matchValue(t Term, v, zone string) bool {
	switch {
	case t.Op == Empty:
		return false
	case c.VR == dicom.PN && c.Fuzzy:
		return matchWords(t, v)
	case c.VR == dicom.PN:
		return matchName(t, v)
	case c.VR == dicom.DT:
		return matchMoment(t, v, zone)
	case t.Op == Equal:
		return t.Lo == v
	case t.Op == Wild:
		return wild(t.Lo, v)
	}
	return (t.Lo == "" || t.Lo <= v) && (t.Hi == "" || v <= t.Hi)
}

// wild reports whether s fits pattern, where * is any run of characters and ? any single one (PS3.4 C.2.2.2.4). The
// work is bounded by len(pattern) * len(s).
func wild(pattern, s string) bool {
	star, retry := -1, 0
	p, i := 0, 0
	for i < len(s) {
		_, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			i += n
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			_, n := utf8.DecodeRuneInString(s[retry:])
			retry += n
			p, i = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
