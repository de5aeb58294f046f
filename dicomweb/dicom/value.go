package dicom

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
)

// String returns the attribute's first value as UTF-8 without padding, "" when it is absent, empty or not text.
func (d *Dataset) String(t tag.Tag) string {
	if v := d.Strings(t); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Strings returns the values of a text attribute as UTF-8 without padding; numbers of binary VRs in decimal.
// LT, ST, UT and UR have one value whatever they contain (PS3.5 section 6.2).
func (d *Dataset) Strings(t tag.Tag) []string {
	e := d.Get(t)
	if e == nil || len(e.Value) == 0 {
		return nil
	}
	return d.ElementStrings(e)
}

// ElementStrings is Strings for an element that the caller holds.
func (d *Dataset) ElementStrings(e *Element) []string {
	switch e.VR {
	case SQ, OB, OW, OD, OF, OL, OV, UN:
		return nil
	case AT, US, SS, UL, SL, UV, SV, FL, FD:
		return d.binaryStrings(e)
	case LT, ST, UT:
		return []string{strings.TrimRight(d.decodeText(e), " \x00")}
	case UR:
		return []string{strings.TrimRight(string(e.Value), " \x00")}
	}
	values := d.splitText(e)
	for i, v := range values {
		values[i] = strings.Trim(v, " \x00")
	}
	return values
}

func (d *Dataset) binaryStrings(e *Element) []string {
	if e.VR == AT {
		var s []string
		o := d.byteOrder()
		for v := e.Value; len(v) >= 4; v = v[4:] {
			s = append(s, tag.New(o.Uint16(v), o.Uint16(v[2:])).Hex())
		}
		return s
	}
	bits := 64
	if e.VR == FL {
		bits = 32
	}
	numbers := d.ElementFloats(e)
	s := make([]string, len(numbers))
	for i, f := range numbers {
		s[i] = strconv.FormatFloat(f, 'g', -1, bits)
	}
	return s
}

// Int returns the attribute's first value as an integer; ok is false when there is none or it is no integer.
func (d *Dataset) Int(t tag.Tag) (n int, ok bool) {
	f, ok := d.Float(t)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int(f), true
}

// IntOr returns the attribute's first integer value, or otherwise.
func (d *Dataset) IntOr(t tag.Tag, otherwise int) int {
	if n, ok := d.Int(t); ok {
		return n
	}
	return otherwise
}

// Float returns the attribute's first value as a number; ok is false when there is none or it is not finite.
func (d *Dataset) Float(t tag.Tag) (f float64, ok bool) {
	if v := d.Floats(t); len(v) > 0 && !math.IsNaN(v[0]) && !math.IsInf(v[0], 0) {
		return v[0], true
	}
	return 0, false
}

// Floats returns the values of a numeric attribute (DS, IS and the binary numbers). A value that cannot be read
// is NaN, so that positions keep their meaning.
func (d *Dataset) Floats(t tag.Tag) []float64 {
	e := d.Get(t)
	if e == nil || len(e.Value) == 0 {
		return nil
	}
	return d.ElementFloats(e)
}

// ElementFloats is Floats for an element that the caller holds.
func (d *Dataset) ElementFloats(e *Element) []float64 {
	o, v := d.byteOrder(), e.Value
	size, read := binaryNumber(e.VR, o)
	if read == nil {
		return textNumbers(v)
	}
	out := make([]float64, 0, len(v)/size)
	for ; len(v) >= size; v = v[size:] {
		out = append(out, read(v))
	}
	return out
}

// binaryNumber returns the size in bytes of one value of vr and how to read it; nil for other VRs.
func binaryNumber(vr VR, o binary.ByteOrder) (size int, read func([]byte) float64) {
	switch vr {
	case US:
		return 2, func(b []byte) float64 { return float64(o.Uint16(b)) }
	case SS:
		return 2, func(b []byte) float64 { return float64(int16(o.Uint16(b))) }
	case UL, OL:
		return 4, func(b []byte) float64 { return float64(o.Uint32(b)) }
	case SL:
		return 4, func(b []byte) float64 { return float64(int32(o.Uint32(b))) }
	case UV, OV:
		return 8, func(b []byte) float64 { return float64(o.Uint64(b)) }
	case SV:
		return 8, func(b []byte) float64 { return float64(int64(o.Uint64(b))) }
	case FL, OF:
		return 4, func(b []byte) float64 { return float64(math.Float32frombits(o.Uint32(b))) }
	case FD, OD:
		return 8, func(b []byte) float64 { return math.Float64frombits(o.Uint64(b)) }
	}
	return 0, nil
}

func textNumbers(v []byte) []float64 {
	parts := bytes.Split(v, []byte{'\\'})
	out := make([]float64, len(parts))
	for i, p := range parts {
		f, err := strconv.ParseFloat(strings.Trim(string(p), " \x00"), 64)
		if err != nil {
			f = math.NaN()
		}
		out[i] = f
	}
	return out
}

// Items returns the items of a sequence, nil when it is absent or empty.
func (d *Dataset) Items(t tag.Tag) []*Dataset {
	if e := d.Get(t); e != nil {
		return e.Items
	}
	return nil
}

// Item returns the first item of a sequence, or nil: a nil data set answers every question with "absent".
func (d *Dataset) Item(t tag.Tag) *Dataset {
	if items := d.Items(t); len(items) > 0 {
		return items[0]
	}
	return nil
}

// Bytes returns the attribute's value as sent, nil when it is absent or was left in the file.
func (d *Dataset) Bytes(t tag.Tag) []byte {
	if e := d.Get(t); e != nil {
		return e.Value
	}
	return nil
}
