package dicom

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"mome/dicomweb/dicom/tag"
)

// AppendJSON appends the data set in the DICOM JSON Model (PS3.18 annex F) to dst, reading values that were left in
// the file where they are to be inline.
func (f *File) AppendJSON(dst []byte, opt JSONOptions) ([]byte, error) {
	j := jsonWriter{modelWriter{opt: opt, file: f}}
	return j.dataset(dst, f.Dataset)
}

// AppendJSON appends d in the DICOM JSON Model (PS3.18 annex F) to dst: one object, attributes in ascending order.
// Group 0002 and group lengths are left out. Text becomes UTF-8 and Specific Character Set, where there is one,
// ISO_IR 192. Empty attributes have no Value; an empty value among others is null. Numbers of IS and DS are written as
// JSON numbers where a double holds them exactly as they stand, else as the strings they are; so are NaN and the
// infinities of FL and FD, and integers beyond 2^53 of SV and UV.
//
// It is an error when a value was left in a file and has no BulkDataURI: File.AppendJSON reads those.
func AppendJSON(dst []byte, d *Dataset, opt JSONOptions) ([]byte, error) {
	j := jsonWriter{modelWriter{opt: opt}}
	return j.dataset(dst, d)
}

type jsonWriter struct{ modelWriter }

func (j *jsonWriter) dataset(dst []byte, d *Dataset) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for e := range d.All() {
		if !listed(e) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendHex(append(dst, '"'), e.Tag)
		dst = append(dst, `":{"vr":"`...)
		dst = append(append(dst, e.VR...), '"')
		base := len(j.path)
		j.path = appendHex(j.path, e.Tag)
		var err error
		if dst, err = j.value(dst, d, e); err != nil {
			return nil, err
		}
		j.path = j.path[:base]
		dst = append(dst, '}')
	}
	return append(dst, '}'), nil
}

// value appends what follows the VR of e, beginning with a comma; nothing for an empty attribute.
func (j *jsonWriter) value(dst []byte, d *Dataset, e *Element) ([]byte, error) {
	if e.VR == SQ {
		return j.items(dst, e)
	}
	if e.empty() {
		return dst, nil
	}
	if uri := j.bulkDataURI(e); uri != "" {
		return appendJSONString(append(dst, `,"BulkDataURI":`...), uri), nil
	}
	e, err := j.load(e)
	if err != nil {
		return nil, err
	}
	if e.VR.Opaque() {
		dst = append(dst, `,"InlineBinary":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, littleEndian(e, d.byteOrder()))
		return append(dst, '"'), nil
	}
	switch e.VR {
	case AT, US, SS, UL, SL, UV, SV, FL, FD:
		return appendNumbers(dst, d, e), nil
	case DS, IS:
		return appendText(dst, d, e, appendDecimal), nil
	case PN:
		return appendText(dst, d, e, appendPN), nil
	}
	if e.Tag == tag.SpecificCharacterSet {
		return append(dst, `,"Value":["ISO_IR 192"]`...), nil
	}
	return appendText(dst, d, e, appendJSONString), nil
}

// appendText appends the values of a text VR.
func appendText(dst []byte, d *Dataset, e *Element, one func([]byte, string) []byte) []byte {
	if plain(e.Value) && bytes.IndexByte(e.Value, '\\') < 0 && !unsplit(e.VR) { // one value, as nearly always
		v := bytes.Trim(e.Value, " \x00")
		if len(v) == 0 {
			return dst
		}
		return append(one(append(dst, `,"Value":[`...), string(v)), ']')
	}
	return appendValues(dst, d.ElementStrings(e), one)
}

// unsplit reports whether a VR has one value whose leading spaces and backslashes are part of it (PS3.5 section 6.2).
func unsplit(vr VR) bool { return vr == LT || vr == ST || vr == UT || vr == UR }

func (j *jsonWriter) items(dst []byte, e *Element) ([]byte, error) {
	if len(e.Items) == 0 {
		return dst, nil
	}
	dst = append(dst, `,"Value":[`...)
	base := len(j.path)
	for i, item := range e.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		j.path = append(strconv.AppendInt(append(j.path[:base], '/'), int64(i), 10), '/')
		var err error
		if dst, err = j.dataset(dst, item); err != nil {
			return nil, err
		}
	}
	j.path = j.path[:base]
	return append(dst, ']'), nil
}

func appendValues(dst []byte, values []string, one func([]byte, string) []byte) []byte {
	if len(values) == 1 && values[0] == "" {
		return dst
	}
	dst = append(dst, `,"Value":[`...)
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v == "" {
			dst = append(dst, "null"...)
		} else {
			dst = one(dst, v)
		}
	}
	return append(dst, ']')
}

// appendPN appends a person's name, PS3.18 section F.2.2: its component groups by name.
func appendPN(dst []byte, s string) []byte {
	n := ParsePN(s)
	if n == (PersonName{}) {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for _, g := range [...]struct{ key, text string }{
		{`"Alphabetic":`, n.Alphabetic}, {`"Ideographic":`, n.Ideographic}, {`"Phonetic":`, n.Phonetic},
	} {
		if g.text == "" {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = appendJSONString(append(dst, g.key...), g.text)
	}
	return append(dst, '}')
}

func appendHex(dst []byte, t tag.Tag) []byte {
	const digits = "0123456789ABCDEF"
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, digits[t>>shift&0xF])
	}
	return dst
}

// appendJSONString appends s as a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		begin := i
		for i < len(s) && s[i] >= 0x20 && s[i] < 0x7F && s[i] != '"' && s[i] != '\\' {
			i++
		}
		if dst = append(dst, s[begin:i]...); i == len(s) {
			break
		}
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x20 || c == 0x7F:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
	}
	return append(dst, '"')
}
