// Package mediatype reads Content-Type and Accept as DICOMweb clients really write them and chooses among the
// representations that a resource has (PS3.18 section 8.7). It is lenient where package mime is not: unquoted
// `type=application/dicom`, unquoted boundaries with any boundary character, repeated parameters, an Accept list in
// which one entry is nonsense. It decides; it does not encode anything.
package mediatype

import (
	"fmt"
	"strings"
)

// Media types of the DICOMweb services.
const (
	DICOM       = "application/dicom"
	DICOMJSON   = "application/dicom+json"
	DICOMXML    = "application/dicom+xml"
	JSON        = "application/json"
	OctetStream = "application/octet-stream"
	Related     = "multipart/related"
	ProblemJSON = "application/problem+json"
)

// Type is a media type with its parameters. Parameter names are in lower case, values as sent without their quotes.
type Type struct {
	Name   string // "type/subtype" in lower case
	params []param
}

type param struct{ name, value string }

// maxLen bounds what is looked at: 8 KiB hold every header a client has reason to send.
const maxLen = 8 << 10

// Parse reads one media type, such as the value of Content-Type. Of a repeated parameter the first one counts; a
// parameter that cannot be read is skipped. It fails only when there is no type/subtype.
func Parse(s string) (Type, error) {
	if len(s) > maxLen {
		return Type{}, fmt.Errorf("media type of %d bytes is too long", len(s))
	}
	fields := split(s, ';')
	name := strings.ToLower(strings.TrimSpace(fields[0]))
	major, minor, ok := strings.Cut(name, "/")
	if !ok || !isToken(major) || !isToken(minor) {
		return Type{}, fmt.Errorf("media type %q: type/subtype expected", fields[0])
	}
	t := Type{Name: name}
	for _, f := range fields[1:] {
		key, value, ok := strings.Cut(f, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if !ok || !isToken(key) {
			continue
		}
		if _, have := t.lookup(key); !have {
			t.params = append(t.params, param{key, unquote(strings.TrimSpace(value))})
		}
	}
	return t, nil
}

// New returns the type name with parameters given as name, value, name, value.
func New(name string, params ...string) Type {
	t := Type{Name: name}
	for i := 0; i+1 < len(params); i += 2 {
		t.params = append(t.params, param{params[i], params[i+1]})
	}
	return t
}

// Param returns the value of a parameter, "" when it is absent.
func (t Type) Param(name string) string {
	v, _ := t.lookup(name)
	return v
}

func (t Type) lookup(name string) (string, bool) {
	for _, p := range t.params {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// String writes the type as a header value; parameter values that are no tokens are quoted.
func (t Type) String() string {
	var b strings.Builder
	b.WriteString(t.Name)
	for _, p := range t.params {
		b.WriteString("; " + p.name + "=")
		if isToken(p.value) {
			b.WriteString(p.value)
			continue
		}
		b.WriteByte('"')
		for i := range len(p.value) {
			if c := p.value[i]; c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(p.value[i])
		}
		b.WriteByte('"')
	}
	return b.String()
}

// split cuts s at sep outside of quotes. There is always at least one field.
func split(s string, sep byte) []string {
	var fields []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			fields = append(fields, s[start:i])
			start = i + 1
		}
	}
	return append(fields, s[start:])
}

// unquote removes the quotes of a quoted-string and the backslash of its quoted pairs, RFC 9110 section 5.6.4.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return strings.Trim(s, `"`)
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7F || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
