package dicom

import (
	"encoding/binary"
	"slices"

	"mome/dicomweb/dicom/tag"
)

// encapsulated reads the fragments of e, PS3.5 annex A.4.
func (s *scanner) encapsulated(e *Element, h header, end int64) (int64, error) {
	syn := syntax{order: binary.LittleEndian}
	fragments := []Span{}
	for pos := h.value; pos < end; {
		item, err := s.itemHeader(pos, end, syn, h.tag)
		if err != nil {
			return 0, err
		}
		if item.tag == tag.SequenceDelimitationItem && item.length == 0 {
			if len(fragments) == 0 {
				return 0, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonOffsetTable}
			}
			e.Span, e.Fragments = Span{Offset: h.value, Length: pos - h.value}, slices.Clip(fragments)
			return item.value, s.offsetTable(e)
		}
		if item.tag != tag.Item || item.length < 0 {
			return 0, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonNoItem}
		}
		if s.fragments++; s.fragments > s.lim.Fragments {
			return 0, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonFragments}
		}
		if err := s.hold(fragmentCost, pos, h.tag); err != nil {
			return 0, err
		}
		fragments = append(fragments, Span{Offset: item.value, Length: item.length})
		pos = item.value + item.length
	}
	return 0, &FormatError{Offset: h.value, Tag: h.tag, Reason: ReasonNoDelimiter}
}

// offsetTable checks the Basic Offset Table: empty, or one offset for each frame, the first 0, ascending, each that
// of a fragment's item (PS3.5 annex A.4).
func (s *scanner) offsetTable(e *Element) error {
	table := e.Fragments[0]
	bad := &FormatError{Offset: table.Offset, Tag: e.Tag, Reason: ReasonOffsetTable}
	if table.Length == 0 {
		return nil
	}
	if table.Length%4 != 0 || table.Length/4 > int64(len(e.Fragments)-1) {
		return bad
	}
	next := 1
	for i := int64(0); i < table.Length; i += 4 {
		b, err := s.src.peek(table.Offset+i, 4)
		if err != nil {
			return err
		}
		want := table.Offset + table.Length + int64(binary.LittleEndian.Uint32(b)) + 8 // where that fragment's bytes begin
		for next < len(e.Fragments) && e.Fragments[next].Offset < want {
			next++
		}
		if next == len(e.Fragments) || e.Fragments[next].Offset != want || i == 0 && next != 1 {
			return bad
		}
		next++
	}
	return nil
}
