package render

import (
	"slices"

	"mome/dicomweb"
	"mome/dicomweb/dicom/tag"
)

// readPalette reads the table of one colour; data may be that of a segmented one (PS3.3 C.7.9.2).
func readPalette(h frameHeader, descriptor, data tag.Tag, signed bool) (*lut, error) {
	switch data {
	case tag.SegmentedRedPaletteColorLookupTableData, tag.SegmentedGreenPaletteColorLookupTableData, tag.SegmentedBluePaletteColorLookupTableData:
		return readSegmented(h, descriptor, data, signed)
	}
	l, err := readLUT(h.file, h.top, descriptor, data, signed)
	if err == nil && slices.Max(l.entries) < 256 {
		l.most = 255 // 8 bits whatever the descriptor tells
	}
	return l, err
}

// readSegmented unfolds a table that is told in segments of 16 bits. Those of 8 bits are as good as never written.
func readSegmented(h frameHeader, descriptor, data tag.Tag, signed bool) (*lut, error) {
	order, d, e := byteOrder(h.file), h.top.Bytes(descriptor), h.top.Get(data)
	if len(d) < 6 || e == nil || order.Uint16(d[4:]) != 16 {
		return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "the palette is missing, or segmented in other than 16 bits")
	}
	l := &lut{first: int(order.Uint16(d[2:])), most: 65535}
	if signed {
		l.first = int(int16(l.first))
	}
	count := int(order.Uint16(d))
	if count == 0 {
		count = 1 << 16
	}
	raw, err := h.file.Value(e)
	if err != nil {
		return nil, err
	}
	words := make([]uint16, min(len(raw)/2, 1<<20))
	for i := range words {
		words[i] = order.Uint16(raw[2*i:])
	}
	l.entries = make([]uint16, 0, count)
	if l.unfold(words, count, len(words), true); len(l.entries) != count {
		return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "the segmented palette has %d of %d entries", len(l.entries), count)
	}
	return l, nil
}

// unfold appends entries from at most so many segments, until there are count: discrete ones (opcode 0), linear ones (1)
// and, where outer is set, copies of segments before (2), whose place is told in bytes.
func (l *lut) unfold(words []uint16, count, segments int, outer bool) {
	for in := words; len(in) >= 3 && len(l.entries) < count && segments > 0; segments-- {
		length := int(in[1])
		switch in[0] {
		case 0:
			values := in[2:min(2+length, len(in))]
			l.entries = append(l.entries, values[:min(len(values), count-len(l.entries))]...)
			in = in[2+len(values):]
		case 1:
			from, to := 0, int(in[2])
			if n := len(l.entries); n > 0 {
				from = int(l.entries[n-1])
			}
			for i := 1; i <= length && len(l.entries) < count; i++ {
				l.entries = append(l.entries, uint16(from+(to-from)*i/length))
			}
			in = in[3:]
		case 2:
			if !outer || len(in) < 4 {
				return
			}
			if offset := (int(in[2]) | int(in[3])<<16) / 2; offset < len(words) {
				l.unfold(words[offset:], count, length, false)
			}
			in = in[4:]
		default:
			return
		}
	}
}
