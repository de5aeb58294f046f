package render

import (
	"image"
	"math"
	"slices"

	"mome/dicomweb/dicom/tag"
)

// grey maps stored values by Modality LUT, VOI LUT and polarity, in this order (PS3.4 N.2), to 8 bits.
func grey(h frameHeader, s *samples, w *Window) (image.Image, error) {
	signed := h.top.IntOr(tag.PixelRepresentation, 0) == 1
	low, high := s.extent()
	toUnits, identity, err := modality(h, signed)
	if err != nil {
		return nil, err
	}
	show, err := voi(h, s, w, toUnits, identity, signed)
	if err != nil {
		return nil, err
	}
	if inverse(h, s) {
		straight := show
		show = func(v float64) float64 { return 1 - straight(v) }
	}
	level := func(stored float64) uint8 { return uint8(255*show(toUnits(stored)) + 0.5) }
	img := image.NewGray(image.Rect(0, 0, s.columns, s.rows))
	if s.floats != nil || high-low >= 1<<16 {
		for i := range img.Pix {
			img.Pix[i] = level(s.value(i))
		}
		return img, nil
	}
	table := make([]uint8, int(high-low)+1) // of the values that occur, so no index is outside
	for i := range table {
		table[i] = level(low + float64(i))
	}
	if s.words != nil {
		s.words.look(table, int32(low), img.Pix)
		return img, nil
	}
	first := s.first(low)
	for i, v := range s.ints {
		img.Pix[i] = table[uint32(v-first)]
	}
	return img, nil
}

// first returns the stored bits of low.
func (s *samples) first(low float64) int32 {
	if s.unsigned32 {
		return int32(uint32(low))
	}
	return int32(low)
}

// inverse reports whether the least value is white. MONOCHROME1 and a Presentation LUT Shape of INVERSE tell the same
// (PS3.3 C.8.11.1.1.1 has both together), they do not cancel out.
func inverse(h frameHeader, s *samples) bool {
	return s.photometric == "MONOCHROME1" || h.top.String(tag.PresentationLUTShape) == "INVERSE"
}

// voi returns what turns units of the Modality LUT into 0 (least) to 1: the window that was asked for; else the object's
// own window, else its table; else all of what 8 bits and less can hold; else what the pixels need.
func voi(h frameHeader, s *samples, w *Window, toUnits func(float64) float64, identity, signed bool) (func(float64) float64, error) {
	if w != nil {
		return w.at, nil
	}
	if own, ok := ownWindow(h); ok {
		return own.at, nil
	}
	table, err := ownTable(h, signed || toUnits(0) < 0)
	switch {
	case err != nil:
		return nil, err
	case table != nil:
		return func(v float64) float64 { return min(table.at(v)/table.most, 1) }, nil
	case identity && s.floats == nil && s.bits <= 8 && !signed:
		most := float64(int(1)<<s.bits - 1)
		return func(v float64) float64 { return ramp(v, 0, most) }, nil
	}
	low, high := s.spread(h, toUnits)
	return func(v float64) float64 { return ramp(v, low, high) }, nil
}

// extent returns the least and the largest stored value; 0, 0 for floats.
func (s *samples) extent() (low, high float64) {
	switch {
	case s.words != nil:
		return s.words.extent()
	case len(s.ints) == 0:
		return 0, 0
	case s.unsigned32:
		a, b := uint32(math.MaxUint32), uint32(0)
		for _, v := range s.ints {
			a, b = min(a, uint32(v)), max(b, uint32(v))
		}
		return float64(a), float64(b)
	}
	a, b := s.ints[0], s.ints[0]
	for _, v := range s.ints {
		a, b = min(a, v), max(b, v)
	}
	return float64(a), float64(b)
}

// What a window made from the pixels leaves out at either end: air and noise below, a vessel or a hot pixel above.
const (
	lowestShare  = 0.01
	highestShare = 0.995
	most         = 1 << 16 // pixels that are looked at, evenly spread
)

// spread returns the units between which nearly all pixels lie. Pixel Padding does not count (PS3.3 C.7.5.1.1.2), nor
// zeros of maps in floats, which stand for no value. Where nearly all are the same, all count.
func (s *samples) spread(h frameHeader, toUnits func(float64) float64) (low, high float64) {
	padding, hasPadding := h.top.Float(tag.PixelPaddingValue)
	n := s.rows * s.columns
	step := (n + most - 1) / most
	if step > 1 && s.columns%step == 0 {
		step++ // not always the same columns
	}
	values := make([]float64, 0, n/step+1)
	for i := 0; i < n; i += step {
		v := s.value(i)
		if hasPadding && v == padding || s.floats != nil && v == 0 {
			continue
		}
		if u := toUnits(v); !math.IsNaN(u) && !math.IsInf(u, 0) {
			values = append(values, u)
		}
	}
	if len(values) == 0 {
		return 0, 1
	}
	slices.Sort(values)
	last := float64(len(values) - 1)
	low, high = values[int(lowestShare*last)], values[int(math.Ceil(highestShare*last))]
	if low == high {
		low, high = values[0], values[len(values)-1]
	}
	if low == high {
		high = low + 1
	}
	return low, high
}
