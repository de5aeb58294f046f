package render

import "encoding/binary"

// words is a frame of one sample of 16 bits per pixel as it is stored, little endian: most images of MR, CT and radiography
// are, and reading them in place is what makes them fast.
type words struct {
	raw      []byte
	up, down int // bits above High Bit; bits of the word beside Bits Stored
	signed   bool
}

// at returns sample i without the bits beside Bits Stored.
func (w *words) at(i int) int32 { return w.value(binary.LittleEndian.Uint16(w.raw[2*i:])) }

func (w *words) value(word uint16) int32 {
	if word <<= w.up & 15; w.signed {
		return int32(int16(word) >> (w.down & 15))
	}
	return int32(word >> (w.down & 15))
}

// extent returns the least and the largest sample.
func (w *words) extent() (low, high float64) {
	a := w.at(0)
	b := a
	for raw := w.raw; len(raw) >= 2; raw = raw[2:] {
		v := w.value(binary.LittleEndian.Uint16(raw))
		a, b = min(a, v), max(b, v)
	}
	return float64(a), float64(b)
}

// look writes for each sample its entry of a table whose first one belongs to low.
func (w *words) look(table []uint8, low int32, dst []uint8) {
	raw := w.raw[:2*len(dst)]
	for i := range dst {
		dst[i] = table[w.value(binary.LittleEndian.Uint16(raw[2*i:2*i+2]))-low]
	}
}

// unfold brings words into ints.
func (s *samples) unfold() {
	if s.words == nil {
		return
	}
	s.ints = make([]int32, s.rows*s.columns)
	for i := range s.ints {
		s.ints[i] = s.words.at(i)
	}
	s.words = nil
}
