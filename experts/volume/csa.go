package volume

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// csaHeader is Siemens' private image header (0029,xx10): names with lists of texts.
type csaHeader map[string][]string

// Bounds of a CSA header; real ones have about a hundred entries.
const (
	maxCSAEntries = 1000
	maxCSAValues  = 1000
)

// parseCSA reads both forms of the header, with and without the mark SV10 at its start. It returns what it could read
// before bytes that make no sense; there is no checksum, and archives cut it off.
//
// All numbers are 32-bit little-endian. Head: SV10 and four bytes (second form only), count of entries, 77. Entry: name
// of 64 bytes ending in 0, multiplicity, VR of 4 bytes, a code, count of values, a mark. Value: four numbers, of which
// the second (first form: the first, less the count of values of the first entry) is the length, then the text, padded
// to 4 bytes.
func parseCSA(b []byte) csaHeader {
	second := bytes.HasPrefix(b, []byte("SV10"))
	if second {
		b = b[min(8, len(b)):]
	}
	number := func() (n int, ok bool) {
		if len(b) < 4 {
			return 0, false
		}
		n = int(int32(binary.LittleEndian.Uint32(b)))
		b = b[4:]
		return n, true
	}
	out := csaHeader{}
	entries, ok := number()
	if _, more := number(); !ok || !more || entries < 1 || entries > maxCSAEntries {
		return nil
	}
	offset := -1
	for range entries {
		const head = 64 + 5*4
		if len(b) < head {
			return out
		}
		name, _, _ := bytes.Cut(b[:64], []byte{0})
		count := int(int32(binary.LittleEndian.Uint32(b[64+12:])))
		b = b[head:]
		if offset < 0 {
			offset = count
		}
		if count < 0 || count > maxCSAValues {
			return out
		}
		var values []string
		for range count {
			var x [4]int
			for i := range x {
				if x[i], ok = number(); !ok {
					return out
				}
			}
			length := x[1]
			if !second {
				length = x[0] - offset
			}
			if length < 0 || length > len(b) {
				return out
			}
			text, _, _ := bytes.Cut(b[:length], []byte{0})
			if v := strings.TrimSpace(string(text)); v != "" {
				values = append(values, v)
			}
			b = b[min((length+3)&^3, len(b)):]
		}
		out[string(name)] = values
	}
	return out
}

// numbers returns the values of an entry, nil where it is absent or one is no number.
func (h csaHeader) numbers(name string) (out []float64) {
	for _, text := range h[name] {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil
		}
		out = append(out, f)
	}
	return out
}
