package dicom

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mome/dicomweb/dicom/tag"
)

// JSONOptions tells how values of bytes are put into the DICOM JSON Model.
type JSONOptions struct {
	// BulkDataURI gives the URI of a value that shall not be in the JSON; "" puts it there all the same. It is asked
	// for values of VR OB, OD, OF, OL, OV, OW and UN only: all other values, also long lists of numbers such as Graphic
	// Data, are always written as Value, for clients expect them there. path names the element within the object:
	// the tag in hexadecimal, before it the sequences and the items, counted from 0, that lead to it:
	// "7FE00010", "00540016/0/00181074". Dataset.Find takes it back.
	BulkDataURI func(path string, e *Element) string
	// InlineLimit is the length in bytes up to which such a value is written as InlineBinary without asking; 0
	// means 1024. Images are always asked for.
	InlineLimit int
}

// AppendJSON appends the data set in the DICOM JSON Model (PS3.18 annex F) to dst, reading values that were left in
// the file where they are to be inline.
func (f *File) AppendJSON(dst []byte, opt JSONOptions) ([]byte, error) {
	j := jsonWriter{opt: opt, file: f}
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
	j := jsonWriter{opt: opt}
	return j.dataset(dst, d)
}

type jsonWriter struct {
	opt  JSONOptions
	file *File
	path []byte
}

func (j *jsonWriter) dataset(dst []byte, d *Dataset) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for e := range d.All() {
		if !written(e) {
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
	if e.BulkDataURI != "" {
		return appendJSONString(append(dst, `,"BulkDataURI":`...), e.BulkDataURI), nil
	}
	if len(e.Value) == 0 && !e.Deferred() && e.Fragments == nil {
		return dst, nil
	}
	if e.VR.opaque() {
		return j.opaque(dst, d, e)
	}
	e, err := j.load(e)
	if err != nil {
		return nil, err
	}
	switch e.VR {
	case AT, US, SS, UL, SL, UV, SV, FL, FD:
		return appendNumbers(dst, d, e), nil
	case DS, IS:
		return appendValues(dst, d.ElementStrings(e), appendDecimal), nil
	case PN:
		return appendValues(dst, d.ElementStrings(e), appendPN), nil
	}
	if e.Tag == tag.SpecificCharacterSet {
		return append(dst, `,"Value":["ISO_IR 192"]`...), nil
	}
	return appendValues(dst, d.ElementStrings(e), appendJSONString), nil
}

// load returns e with its value in memory.
func (j *jsonWriter) load(e *Element) (*Element, error) {
	if !e.Deferred() {
		return e, nil
	}
	if j.file == nil || e.Fragments != nil {
		return nil, fmt.Errorf("dicom: JSON of %v %s: the value was left in the file and has no BulkDataURI",
			e.Tag, e.Tag.Keyword())
	}
	v, err := j.file.Value(e)
	if err != nil {
		return nil, err
	}
	c := *e
	c.Value = v
	return &c, nil
}

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

func (j *jsonWriter) opaque(dst []byte, d *Dataset, e *Element) ([]byte, error) {
	limit := j.opt.InlineLimit
	if limit == 0 {
		limit = 1024
	}
	if j.opt.BulkDataURI != nil && (len(e.Value) > limit || e.Value == nil || isPixels(e.Tag)) {
		if uri := j.opt.BulkDataURI(string(j.path), e); uri != "" {
			return appendJSONString(append(dst, `,"BulkDataURI":`...), uri), nil
		}
	}
	e, err := j.load(e)
	if err != nil {
		return nil, err
	}
	dst = append(dst, `,"InlineBinary":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, littleEndian(e, d.byteOrder()))
	return append(dst, '"'), nil
}

// littleEndian returns the value in little endian, as PS3.18 section F.2.7 wants it.
func littleEndian(e *Element, o binary.ByteOrder) []byte {
	size := e.VR.word()
	if o == binary.LittleEndian || size == 1 {
		return e.Value
	}
	b := slices.Clone(e.Value)
	for v := b; len(v) >= size; v = v[size:] {
		slices.Reverse(v[:size])
	}
	return b
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

// appendNumbers appends the values of a binary VR; bytes behind the last whole one are not told.
func appendNumbers(dst []byte, d *Dataset, e *Element) []byte {
	size, o := e.VR.word(), d.byteOrder()
	if e.VR == AT {
		size = 4
	}
	if len(e.Value) < size {
		return dst
	}
	dst = append(dst, `,"Value":[`...)
	for v := e.Value; len(v) >= size; v = v[size:] {
		switch e.VR {
		case AT:
			dst = append(appendHex(append(dst, '"'), tag.New(o.Uint16(v), o.Uint16(v[2:]))), '"')
		case US:
			dst = strconv.AppendUint(dst, uint64(o.Uint16(v)), 10)
		case SS:
			dst = strconv.AppendInt(dst, int64(int16(o.Uint16(v))), 10)
		case UL:
			dst = strconv.AppendUint(dst, uint64(o.Uint32(v)), 10)
		case SL:
			dst = strconv.AppendInt(dst, int64(int32(o.Uint32(v))), 10)
		case UV:
			n := o.Uint64(v)
			dst = quoted(dst, n > 1<<53, strconv.FormatUint(n, 10))
		case SV:
			n := int64(o.Uint64(v))
			dst = quoted(dst, n > 1<<53 || n < -1<<53, strconv.FormatInt(n, 10))
		case FL:
			dst = appendFloat(dst, float64(math.Float32frombits(o.Uint32(v))), 32)
		default: // FD
			dst = appendFloat(dst, math.Float64frombits(o.Uint64(v)), 64)
		}
		dst = append(dst, ',')
	}
	dst[len(dst)-1] = ']'
	return dst
}

// quoted appends s, as a string where JSON numbers cannot hold it.
func quoted(dst []byte, quote bool, s string) []byte {
	if quote {
		return append(append(append(dst, '"'), s...), '"')
	}
	return append(dst, s...)
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}

// appendDecimal appends the text of an IS or DS as a JSON number, or as a string when it is none or a double would
// change it.
func appendDecimal(dst []byte, s string) []byte {
	base := len(dst)
	if dst = appendJSONNumber(dst, s); len(dst) > base && exact(string(dst[base:])) {
		return dst
	}
	return appendJSONString(dst[:base], s)
}

// appendJSONNumber rewrites a decimal string in the grammar of JSON (no plus sign, no leading zeros, digits on both
// sides of the point) without computing; it appends nothing when s is no number.
func appendJSONNumber(dst []byte, s string) []byte {
	base := len(dst)
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	negative := strings.HasPrefix(mantissa, "-")
	if negative || strings.HasPrefix(mantissa, "+") {
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exponentDigits := strings.TrimLeft(exponent, "+-")
	if len(exponent)-len(exponentDigits) > 1 || !digits(whole) || !digits(fraction) || whole+fraction == "" ||
		!digits(exponentDigits) || hasExponent && exponentDigits == "" {
		return dst[:base]
	}
	if negative {
		dst = append(dst, '-')
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	dst = append(dst, whole...)
	if fraction != "" {
		dst = append(append(dst, '.'), fraction...)
	}
	if hasExponent {
		dst = append(append(dst, 'e'), exponent...)
	}
	return dst
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// exact reports whether a double read from the number s writes back the same decimal digits.
func exact(s string) bool {
	m, _, _ := strings.Cut(s, "e")
	if len(m) <= 15 && len(m) == len(s) {
		return true // at most 15 significant digits and no exponent
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return false
	}
	got, _, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	return significant(got) == significant(m) && (f != 0 || significant(m) == "")
}

// significant returns the digits of a number without sign, point and the zeros around.
func significant(s string) string {
	s = strings.Replace(strings.TrimPrefix(s, "-"), ".", "", 1)
	return strings.Trim(s, "0")
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
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}
