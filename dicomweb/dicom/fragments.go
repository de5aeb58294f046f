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

// offsetTable checks that the Basic Offset Table (PS3.5 annex A.4) is a list of offsets, no more than there are
// fragments. Where they point is not checked: writers have always got it wrong, and an archive does not lose an image
// for it. Whoever follows an offset must look whether a fragment begins there.
func (s *scanner) offsetTable(e *Element) error {
	table := e.Fragments[0]
	if table.Length%4 != 0 || table.Length/4 > int64(len(e.Fragments)-1) {
		return &FormatError{Offset: table.Offset, Tag: e.Tag, Reason: ReasonOffsetTable}
	}
	return nil
}
