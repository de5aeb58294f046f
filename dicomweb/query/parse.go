package query

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	pairs, err := split(rawQuery)
	if err != nil {
		return q, nil, err
	}
	p := parser{q: &q, asked: map[string]string{}}
	for _, kv := range pairs { // they say how the others are read
		switch kv[0] {
		case "fuzzymatching":
			q.Fuzzy, err = option(kv)
		case "emptyvaluematching":
			p.empty, err = option(kv)
		case "multiplevaluematching": // lists of values match with and without it, PS3.4 C.2.2.2.8
			_, err = option(kv)
		}
		if err != nil {
			return q, nil, err
		}
	}
	for _, kv := range pairs {
		if err := p.parameter(kv[0], kv[1]); err != nil {
			return q, nil, err
		}
	}
	for i := range q.Match {
		q.Match[i].Fuzzy = q.Fuzzy && q.Match[i].VR == dicom.PN
		q.Match[i].creators = creatorsOf(q.Match, q.Match[i].Path)
	}
	slices.Sort(q.Include)
	q.Include = slices.Compact(q.Include)
	return q, p.warnings, nil
}

// split returns the names and values of a query string. url.ParseQuery would drop those with a semicolon.
func split(rawQuery string) ([][2]string, error) {
	var out [][2]string
	for part := range strings.SplitSeq(rawQuery, "&") {
		part = strings.TrimPrefix(part, "?") // "?&" of some viewers may leave one
		if part == "" {
			continue
		}
		if len(out) == maxParameters {
			return nil, dicomweb.Errorf(dicomweb.BadRequest, "more than %d parameters", maxParameters)
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, errName := url.QueryUnescape(rawName)
		value, errValue := url.QueryUnescape(rawValue)
		if errName != nil || errValue != nil || !utf8.ValidString(value) {
			return nil, dicomweb.Errorf(dicomweb.BadRequest, "parameter %s: malformed percent encoding", show(rawName))
		}
		out = append(out, [2]string{strings.TrimSpace(name), value})
	}
	return out, nil
}

// option reads a parameter that is true or false.
func option(kv [2]string) (bool, error) {
	switch strings.ToLower(kv[1]) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, dicomweb.Errorf(dicomweb.BadRequest, "%s is true or false", kv[0])
}

type parser struct {
	q        *Query
	asked    map[string]string // value by parameter, to find contradictions
	warnings []string
	empty    bool // emptyvaluematching
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
		if err != nil && !errors.Is(err, strconv.ErrRange) { // more than any archive holds is fine: n is the largest
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
	case "includefield":
		p.include(value)
		return nil
	case "accept": // of content negotiation, PS3.18 8.3.3.1
		return nil
	case "charset": // PS3.18 8.3.3.2
		p.charset(value)
		return nil
	case "fuzzymatching", "emptyvaluematching", "multiplevaluematching": // PS3.18 8.3.4.2, 8.3.4.5, 8.3.4.6: read before
		return nil
	}
	path, ok := parsePath(name)
	if !ok {
		p.warn("parameter %s is unknown and was ignored", show(name))
		return nil
	}
	return p.key(name, path, value)
}

// charset warns who asks for other character sets only: answers are in UTF-8.
func (p *parser) charset(value string) {
	for entry := range strings.SplitSeq(value, ",") {
		name, _, _ := strings.Cut(entry, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "utf-8", "utf8", "us-ascii", "*", "":
			return
		}
	}
	p.warn("charset %s is not available: the answer is in UTF-8", show(value))
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
	c := Condition{Path: path, VR: vrOf(path[len(path)-1]), raw: value, empty: p.empty}
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
	if c.Terms, err = terms(vr, value, p.empty); err != nil {
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
