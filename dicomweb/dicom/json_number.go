package dicom

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
)

// appendNumbers appends the values of a binary VR; bytes behind the last whole one are not told.
func appendNumbers(dst []byte, d *Dataset, e *Element) []byte {
	size, o := numberSize(e.VR), d.byteOrder()
	if len(e.Value) < size {
		return dst
	}
	dst = append(dst, `,"Value":[`...)
	for v := e.Value; len(v) >= size; v = v[size:] {
		if quoted(e.VR, v, o) {
			dst = append(appendNumber(append(dst, '"'), e.VR, v, o), '"')
		} else {
			dst = appendNumber(dst, e.VR, v, o)
		}
		dst = append(dst, ',')
	}
	dst[len(dst)-1] = ']'
	return dst
}

// numberSize returns the length in bytes of one value of a binary VR.
func numberSize(vr VR) int {
	if vr == AT {
		return 4
	}
	return vr.word()
}

// quoted reports whether the first value of v is a string in JSON, whose numbers cannot hold it.
func quoted(vr VR, v []byte, o binary.ByteOrder) bool {
	switch vr {
	case AT:
		return true
	case UV:
		return o.Uint64(v) > 1<<53
	case SV:
		n := int64(o.Uint64(v))
		return n > 1<<53 || n < -1<<53
	case FL:
		return o.Uint32(v)&0x7F800000 == 0x7F800000 // NaN and the infinities
	case FD:
		return o.Uint64(v)>>52&0x7FF == 0x7FF
	}
	return false
}

// appendNumber appends the first value of v as text.
func appendNumber(dst []byte, vr VR, v []byte, o binary.ByteOrder) []byte {
	switch vr {
	case AT:
		return appendHex(dst, tag.New(o.Uint16(v), o.Uint16(v[2:])))
	case US:
		return strconv.AppendUint(dst, uint64(o.Uint16(v)), 10)
	case SS:
		return strconv.AppendInt(dst, int64(int16(o.Uint16(v))), 10)
	case UL:
		return strconv.AppendUint(dst, uint64(o.Uint32(v)), 10)
	case SL:
		return strconv.AppendInt(dst, int64(int32(o.Uint32(v))), 10)
	case UV:
		return strconv.AppendUint(dst, o.Uint64(v), 10)
	case SV:
		return strconv.AppendInt(dst, int64(o.Uint64(v)), 10)
	case FL:
		return appendFloat(dst, float64(math.Float32frombits(o.Uint32(v))), 32)
	}
	return appendFloat(dst, math.Float64frombits(o.Uint64(v)), 64) // FD
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
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
	if len(s) <= 15 && isJSONDecimal(s) { // nearly always
		return append(dst, s...)
	}
	base := len(dst)
	if dst = appendJSONNumber(dst, s); len(dst) > base && exact(string(dst[base:])) {
		return dst
	}
	return appendJSONString(dst[:base], s)
}

// isJSONDecimal reports whether s is a number of JSON's grammar as it stands, without an exponent.
func isJSONDecimal(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return whole != "" && digits(whole) && (whole[0] != '0' || whole == "0") && point == (fraction != "") && digits(fraction)
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
