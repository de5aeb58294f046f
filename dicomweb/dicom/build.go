package dicom

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
)

// Set gives an attribute its values, with the VR of the dictionary: strings (UTF-8) for text, any Go integer or float
// for IS, DS and the binary numbers, tag.Tag for AT, one []byte (little endian) for the OB family. No values make
// it empty (type 2). It panics when a value does not suit the VR: that is a mistake of the caller's code.
func (d *Dataset) Set(t tag.Tag, values ...any) {
	e := tag.Lookup(t)
	if len(e.VRs) == 0 {
		panic(fmt.Sprintf("dicom: no dictionary entry for %v, use SetVR", t))
	}
	d.SetVR(t, VR(e.VRs[0]), values...)
}

// SetVR is Set with the VR given: for private attributes and those with a choice of VRs.
func (d *Dataset) SetVR(t tag.Tag, vr VR, values ...any) {
	raw, err := encode(vr, values)
	if err != nil {
		panic(fmt.Sprintf("dicom: set %v %s: %v", t, t.Keyword(), err))
	}
	d.Put(&Element{Tag: t, VR: vr, Value: raw})
}

// SetItems gives a sequence its items.
func (d *Dataset) SetItems(t tag.Tag, items ...*Dataset) {
	d.Put(&Element{Tag: t, VR: SQ, Items: items})
}

// Copy takes the attributes over from another data set as they are there; those that it lacks are skipped. All
// comes over in little endian and UTF-8, whatever it was in; values that were left in a file stay there.
func (d *Dataset) Copy(from *Dataset, tags ...tag.Tag) {
	for _, t := range tags {
		if e := from.Get(t); e != nil {
			d.Put(from.portable(e))
		}
	}
}

// portable returns e in little endian and UTF-8. A value that was left in a file stays so.
func (d *Dataset) portable(e *Element) *Element {
	switch {
	case e.Deferred() || e.Fragments != nil:
		return e
	case e.VR == SQ:
		c := &Element{Tag: e.Tag, VR: SQ}
		for _, item := range e.Items {
			n := New()
			for child := range item.All() {
				if child.Tag != tag.SpecificCharacterSet {
					n.Put(item.portable(child))
				}
			}
			c.Items = append(c.Items, n)
		}
		return c
	case e.VR.encoded():
		return &Element{Tag: e.Tag, VR: e.VR, Value: padText(e.VR, strings.Join(d.ElementStrings(e), `\`))}
	}
	return &Element{Tag: e.Tag, VR: e.VR, Value: littleEndian(e, d.byteOrder())}
}

func encode(vr VR, values []any) ([]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	switch vr {
	case OB, OW, OD, OF, OL, OV, UN:
		b, ok := values[0].([]byte)
		if !ok || len(values) != 1 {
			return nil, fmt.Errorf("%s takes one []byte, got %T", vr, values[0])
		}
		if len(b)%2 == 1 {
			b = append(b[:len(b):len(b)], 0)
		}
		return b, nil
	case SQ:
		return nil, fmt.Errorf("a sequence is set by SetItems")
	case AT, US, SS, UL, SL, UV, SV, FL, FD:
		var out []byte
		for _, v := range values {
			var err error
			if out, err = appendBinary(out, vr, v); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	parts := make([]string, len(values))
	for i, v := range values {
		s, err := text(vr, v)
		if err != nil {
			return nil, err
		}
		parts[i] = s
	}
	return padText(vr, strings.Join(parts, `\`)), nil
}

// padText pads to even length as PS3.5 section 6.2 tells: UI with a NUL, other text with a space.
func padText(vr VR, s string) []byte {
	if len(s)%2 == 0 {
		return []byte(s)
	}
	if vr == UI {
		return append([]byte(s), 0)
	}
	return append([]byte(s), ' ')
}

func text(vr VR, v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	f, ok := number(v)
	if !ok || vr != IS && vr != DS {
		return "", fmt.Errorf("%s does not take a %T", vr, v)
	}
	if vr == IS {
		if f != math.Trunc(f) {
			return "", fmt.Errorf("%v is no integer", f)
		}
		return strconv.FormatFloat(f, 'f', 0, 64), nil
	}
	return FormatDS(f), nil
}

// FormatDS writes f as a Decimal String: at most 16 characters, with as many digits as fit, PS3.5 section 6.2.
func FormatDS(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	for digits := 15; len(s) > 16; digits-- {
		s = strconv.FormatFloat(f, 'g', digits, 64)
	}
	return s
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case int8:
		return float64(n), true
	case int16:
		return float64(n), true
	case int32:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint:
		return float64(n), true
	case uint8:
		return float64(n), true
	case uint16:
		return float64(n), true
	case uint32:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float32:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func appendBinary(out []byte, vr VR, v any) ([]byte, error) {
	le := binary.LittleEndian
	if vr == AT {
		t, ok := v.(tag.Tag)
		if !ok {
			return nil, fmt.Errorf("AT does not take a %T", v)
		}
		return le.AppendUint16(le.AppendUint16(out, t.Group()), t.Element()), nil
	}
	f, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("%s does not take a %T", vr, v)
	}
	if low, high, integer := integerRange(vr); integer && (f != math.Trunc(f) || f < float64(low) || f > float64(high)) {
		return nil, fmt.Errorf("%v does not fit a %s", v, vr)
	}
	switch vr {
	case US, SS:
		return le.AppendUint16(out, uint16(int32(f))), nil
	case UL, SL:
		return le.AppendUint32(out, uint32(int64(f))), nil
	case UV, SV:
		switch n := v.(type) { // a float64 does not hold these exactly
		case uint64:
			return le.AppendUint64(out, n), nil
		case int64:
			return le.AppendUint64(out, uint64(n)), nil
		case int:
			return le.AppendUint64(out, uint64(n)), nil
		}
		return le.AppendUint64(out, uint64(int64(f))), nil
	case FL:
		return le.AppendUint32(out, math.Float32bits(float32(f))), nil
	default: // FD
		return le.AppendUint64(out, math.Float64bits(f)), nil
	}
}

// integerRange returns the least and the greatest value of a binary VR of integers; ok is false for another VR.
func integerRange(vr VR) (low int64, high uint64, ok bool) {
	switch vr {
	case US:
		return 0, math.MaxUint16, true
	case SS:
		return math.MinInt16, math.MaxInt16, true
	case UL:
		return 0, math.MaxUint32, true
	case SL:
		return math.MinInt32, math.MaxInt32, true
	case UV:
		return 0, math.MaxUint64, true
	case SV:
		return math.MinInt64, math.MaxInt64, true
	}
	return 0, 0, false
}
