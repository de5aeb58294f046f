package dicom

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"mome/dicomweb/dicom/tag"
)

// attribute is what was read of one attribute of DICOM JSON or the Native DICOM Model; its members may come in any
// order.
type attribute struct {
	tag         tag.Tag
	vr          VR
	values      []attributeValue
	inline, uri string
	members     int // of Value, InlineBinary and BulkDataURI
}

// attributeValue is one entry of a Value array.
type attributeValue struct {
	kind byte // 'n' null, 's' string, '#' number, 'o' object
	text string
	name PersonName
	item *Dataset
}

// valueCost is what an attributeValue takes in memory while its attribute is read, in bytes.
const valueCost = 96

// element returns the attribute as an Element, or why it is none.
func (a *attribute) element() (e *Element, reason string) {
	if a.members > 1 {
		return nil, "more than one of Value, InlineBinary and BulkDataURI"
	}
	if a.vr == "" {
		a.vr, _ = implicitVR(a.tag) // PS3.18 before 2013 left it out
	}
	e = &Element{Tag: a.tag, VR: a.vr, BulkDataURI: a.uri}
	switch {
	case a.vr == SQ:
		for _, v := range a.values {
			if v.kind == 'n' {
				v.item = New()
			}
			if v.item == nil {
				return nil, "a sequence holds something that is no item"
			}
			e.Items = append(e.Items, v.item)
		}
		if a.inline != "" {
			return nil, "a sequence with InlineBinary"
		}
		return e, ""
	case a.inline != "":
		b, err := base64.StdEncoding.DecodeString(a.inline)
		if err != nil {
			return nil, "InlineBinary is not base64"
		}
		if a.vr.encoded() && !utf8.Valid(b) {
			return nil, "InlineBinary of text that is not UTF-8"
		}
		if len(b)%2 == 1 {
			b = append(b, padding(a.vr))
		}
		e.Value = b
		return e, ""
	case len(a.values) == 0:
		return e, ""
	case a.vr.Opaque():
		return nil, "Value where InlineBinary belongs"
	}
	return e, a.encode(e)
}

// encode gives e the values.
func (a *attribute) encode(e *Element) (reason string) {
	if a.vr.word() > 1 { // AT and the binary numbers
		for _, v := range a.values {
			if reason = a.number(e, v); reason != "" {
				return reason
			}
		}
		return ""
	}
	parts := make([]string, len(a.values))
	for i, v := range a.values {
		switch {
		case v.kind == 'n', v.kind == 'o' && v.item != nil && v.item.Len() == 0:
		case v.kind == 'o' && a.vr == PN && v.item == nil:
			parts[i] = v.name.String()
		case v.kind == 's', v.kind == '#' && (a.vr == DS || a.vr == IS):
			parts[i] = v.text
		default:
			return "a value that does not suit its VR"
		}
		if len(a.values) > 1 && strings.Contains(parts[i], `\`) {
			return "a value with the delimiter"
		}
	}
	if s := strings.Join(parts, `\`); s != "" {
		e.Value = padText(a.vr, s)
	}
	return ""
}

// number appends one value of a binary VR.
func (a *attribute) number(e *Element, v attributeValue) (reason string) {
	const unsuited = "a value that does not suit its VR"
	var value any
	switch {
	case a.vr == AT:
		n, err := strconv.ParseUint(v.text, 16, 32)
		if err != nil || v.kind != 's' || len(v.text) != 8 {
			return unsuited
		}
		value = tag.Tag(n)
	case v.kind != '#' && v.kind != 's':
		return unsuited
	case a.vr == FL || a.vr == FD:
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil || a.vr == FL && math.Abs(f) > math.MaxFloat32 && !math.IsInf(f, 0) {
			return unsuited
		}
		value = f
	default:
		low, high, _ := integerRange(a.vr)
		if n, err := strconv.ParseInt(v.text, 10, 64); err == nil && n >= low && (n < 0 || uint64(n) <= high) {
			value = n
		} else if n, err := strconv.ParseUint(v.text, 10, 64); err == nil && n <= high {
			value = n
		} else if f, err := strconv.ParseFloat(v.text, 64); err == nil && f == math.Trunc(f) &&
			math.Abs(f) <= 1<<53 && f >= float64(low) && f <= float64(high) { // 1e3, 5.0
			value = int64(f)
		} else {
			return unsuited
		}
	}
	var err error
	if e.Value, err = appendBinary(e.Value, a.vr, value); err != nil {
		return unsuited
	}
	return ""
}
