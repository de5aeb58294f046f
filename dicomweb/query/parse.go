package query

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// maxParameters bounds what one query string may ask.
const maxParameters = 256

// Parse reads the query string of a search for resources of level below ref (PS3.18 8.3.4). What is ignored is told
// by warnings, which are safe to put into a header. An error is of kind BadRequest.
func Parse(rawQuery string, level Level, ref dicomweb.Ref) (Query, []string, error) {
	q := Query{Level: level, Ref: ref}
	if err := ref.Validate(); err != nil {
		return q, nil, err
	}
	p := parser{q: &q, asked: map[string]string{}}
	for part := range strings.SplitSeq(rawQuery, "&") { // url.ParseQuery drops what has a semicolon in it
		part = strings.TrimPrefix(part, "?") // "?&" of some viewers may leave one
		if part == "" {
			continue
		}
		if p.count++; p.count > maxParameters {
			return q, nil, dicomweb.Errorf(dicomweb.BadRequest, "more than %d parameters", maxParameters)
		}
		name, value, _ := strings.Cut(part, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return q, nil, dicomweb.Errorf(dicomweb.BadRequest, "parameter %s: malformed percent encoding", show(name))
		}
		if err := p.parameter(strings.TrimSpace(name), value); err != nil {
			return q, nil, err
		}
	}
	for i := range q.Match {
		q.Match[i].Fuzzy = q.Fuzzy && q.Match[i].VR == dicom.PN
	}
	slices.Sort(q.Include)
	q.Include = slices.Compact(q.Include)
	return q, p.warnings, nil
}

type parser struct {
	q        *Query
	asked    map[string]string // value by parameter, to find contradictions
	warnings []string
	count    int
}

// show returns a client's text in a form that is safe in a message or a header.
func show(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strconv.QuoteToASCII(s)
}

func (p *parser) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

func (p *parser) parameter(name, value string) error {
	switch name {
	case "limit", "offset":
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
		if err != nil {
			return dicomweb.Errorf(dicomweb.BadRequest, "%s is a whole number from 0 on", name)
		}
		if earlier, twice := p.asked[name]; twice && earlier != value {
			return dicomweb.Errorf(dicomweb.BadRequest, "%s is given twice", name)
		}
		p.asked[name] = value
		switch {
		case name == "offset":
			p.q.Offset = int(n)
		case n == 0:
			p.q.Limit = -1
		default:
			p.q.Limit = int(n)
		}
		return nil
	case "fuzzymatching":
		fuzzy, err := strconv.ParseBool(strings.ToLower(value))
		if err != nil {
			return dicomweb.Errorf(dicomweb.BadRequest, "fuzzymatching is true or false")
		}
		p.q.Fuzzy = fuzzy
		return nil
	case "includefield":
		p.include(value)
		return nil
	case "accept", "charset": // of content negotiation, PS3.18 8.3.3
		return nil
	case "emptyvaluematching", "multiplevaluematching": // both are always on, PS3.18 8.3.4.5 and 8.3.4.6
		return nil
	}
	path, ok := parsePath(name)
	if !ok {
		p.warn("parameter %s is unknown and was ignored", show(name))
		return nil
	}
	return p.key(name, path, value)
}

// parsePath reads a keyword, a tag, or several joined by dots: sequences, then the attribute.
func parsePath(name string) ([]tag.Tag, bool) {
	var path []tag.Tag
	for part := range strings.SplitSeq(name, ".") {
		t, ok := tag.Parse(part)
		if !ok {
			t, ok = names()[strings.ToLower(part)]
		}
		if !ok || len(path) > 8 {
			return nil, false
		}
		path = append(path, t)
	}
	return path, true
}

// key adds a matching key.
func (p *parser) key(name string, path []tag.Tag, value string) error {
	c := Condition{Path: path, VR: vrOf(path[len(path)-1]), raw: value}
	switch last := path[len(path)-1]; {
	case last.Group() <= 2:
		return dicomweb.Errorf(dicomweb.BadRequest, "key %s: File Meta Information cannot be matched", show(name))
	case unsupported(last):
		return dicomweb.Errorf(dicomweb.BadRequest, "key %s is not supported", show(name))
	}
	for _, t := range path[:len(path)-1] {
		if vr := vrOf(t); vr != dicom.SQ && vr != "" {
			return dicomweb.Errorf(dicomweb.BadRequest, "key %s: %s is no sequence", show(name), t.Keyword())
		}
	}
	vr := c.VR
	if vr == "" {
		vr = dicom.LO // to learn whether it is universal; read again with the VR that is stored
	}
	var err error
	if c.Terms, err = terms(vr, value); err != nil {
		return dicomweb.Errorf(dicomweb.BadRequest, "key %s: %s", show(name), err.Error())
	}
	for i, o := range p.q.Match {
		if !slices.Equal(o.Path, path) || o.raw == value || c.Universal() {
			continue
		}
		if o.Universal() {
			p.q.Match[i] = c
			return nil
		}
		if c.VR != dicom.UI { // a repeated UID key is how some clients write a list
			return dicomweb.Errorf(dicomweb.BadRequest, "key %s is given twice with different values", show(name))
		}
		p.q.Match[i].Terms = append(p.q.Match[i].Terms, c.Terms...)
		return nil
	}
	p.q.Match = append(p.q.Match, c)
	return nil
}

// vrOf returns the dictionary's VR, "" where it knows none.
func vrOf(t tag.Tag) dicom.VR {
	if vrs := tag.Lookup(t).VRs; len(vrs) > 0 {
		return dicom.VR(vrs[0])
	}
	return ""
}

// unsupported reports the attributes that are made by the archive and not searchable: matched against the data sets
// they would find nothing, which would look like an answer.
func unsupported(t tag.Tag) bool {
	switch t {
	case tag.NumberOfPatientRelatedStudies, tag.NumberOfPatientRelatedSeries, tag.NumberOfPatientRelatedInstances,
		tag.RetrieveURL, tag.RetrieveAETitle, tag.QueryRetrieveLevel:
		return true
	}
	return false
}

// include reads a value of includefield.
func (p *parser) include(value string) {
	for name := range strings.SplitSeq(value, ",") {
		switch name = strings.TrimSpace(name); {
		case name == "":
		case strings.EqualFold(name, "all"):
			p.q.IncludeAll = true
		default:
			path, ok := parsePath(name)
			if !ok {
				p.warn("includefield %s is unknown and was ignored", show(name))
				continue
			}
			p.q.Include = append(p.q.Include, path[0]) // a part of a sequence is answered with the sequence
		}
	}
}
