package dicom

import (
	"encoding/binary"
	"errors"

	"mome/dicomweb/dicom/tag"
)

const undefined = 0xFFFFFFFF // a value length that is not told, PS3.5 section 7.1.1

// header is what stands before a value.
type header struct {
	tag    tag.Tag
	vr     VR
	length int64 // -1 when undefined
	value  int64 // where the value begins
	choice bool  // implicit VR and Pixel Representation decides on its sign
}

// header reads the header of the element at pos, PS3.5 sections 7.1.2 and 7.1.3.
func (s *scanner) header(pos, end int64, syn syntax) (h header, err error) {
	if end-pos < 8 {
		return h, s.short(pos, end)
	}
	b, err := s.src.peek(pos, 8)
	if err != nil {
		return h, err
	}
	h.tag = tag.New(syn.order.Uint16(b), syn.order.Uint16(b[2:]))
	h.value = pos + 8
	var length uint32
	switch {
	case h.tag.Group() == 0xFFFE: // items and delimiters have no VR, PS3.5 section 7.5
		length = syn.order.Uint32(b[4:])
	case syn.implicit:
		length = syn.order.Uint32(b[4:])
		h.vr, h.choice = implicitVR(h.tag)
	default:
		var known bool
		h.vr, known = parseVR(b[4], b[5])
		if !known {
			if !upper(b[4]) || !upper(b[5]) || b[6]|b[7] != 0 {
				return h, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonVR}
			}
			h.vr = UN // a VR yet to be invented has the long form, PS3.5 section 6.2 note 2
		}
		if !h.vr.long() {
			length = uint32(syn.order.Uint16(b[6:]))
			break
		}
		if end-pos < 12 {
			return h, s.short(pos, end)
		}
		if b, err = s.src.peek(pos+8, 4); err != nil {
			return h, err
		}
		length, h.value = syn.order.Uint32(b), pos+12
	}
	if length == undefined {
		h.length = -1
		return h, nil
	}
	if h.length = int64(length); h.length > end-h.value {
		if end == s.src.size {
			return h, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonTruncated}
		}
		return h, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonLength}
	}
	return h, nil
}

// itemHeader reads the header of an item or a delimiter at pos, PS3.5 section 7.5.
func (s *scanner) itemHeader(pos, end int64, syn syntax, in tag.Tag) (h header, err error) {
	if end-pos >= 8 {
		b, err := s.src.peek(pos, 2)
		if err != nil {
			return h, err
		}
		if syn.order.Uint16(b) != 0xFFFE {
			return h, &FormatError{Offset: pos, Tag: in, Reason: ReasonNoItem}
		}
	}
	return s.header(pos, end, syn)
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }

// short is the error of a header that does not fit between pos and end.
func (s *scanner) short(pos, end int64) error {
	if end == s.src.size {
		return &FormatError{Offset: pos, Reason: ReasonTruncated}
	}
	return &FormatError{Offset: pos, Reason: ReasonLength}
}

// element reads the element at pos and returns the position behind it; nil for an item delimiter.
func (s *scanner) element(pos, end int64, syn syntax, depth int) (*Element, int64, error) {
	h, err := s.header(pos, end, syn)
	if err != nil {
		return nil, 0, err
	}
	if h.tag == tag.ItemDelimitationItem && h.length == 0 {
		return nil, h.value, nil
	}
	if g := h.tag.Group(); g == 0xFFFE {
		return nil, 0, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonDelimiter}
	} else if g == 0xFFFF || g == 0 {
		return nil, 0, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonGroup}
	}
	if s.elements++; s.elements > s.lim.Elements {
		return nil, 0, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonElements}
	}
	if err := s.hold(elementCost, pos, h.tag); err != nil {
		return nil, 0, err
	}
	if len(s.slab) == 0 {
		s.slab = make([]Element, 32)
	}
	e := &s.slab[0]
	s.slab = s.slab[1:]
	e.Tag, e.VR = h.tag, h.vr
	s.ambiguous = s.ambiguous || h.choice
	if h.vr == SQ || h.length < 0 {
		next, err := s.nested(e, h, end, syn, depth)
		return e, next, err
	}
	e.Span = Span{Offset: h.value, Length: h.length}
	if h.vr == UN && !syn.implicit && syn.order == binary.LittleEndian {
		if err := s.known(e, depth); err != nil {
			return nil, 0, err
		}
	}
	next := h.value + h.length
	if e.Items != nil || h.length == 0 || isPixels(e.Tag) || h.length > s.inline(e.VR) {
		return e, next, nil
	}
	e.Value, err = s.value(e)
	return e, next, err
}

// inline returns the length up to which a value of vr is held in memory.
func (s *scanner) inline(vr VR) int64 {
	if vr.Opaque() {
		return s.lim.InlineValue
	}
	return s.lim.TextValue
}

// value reads the value of e into memory.
func (s *scanner) value(e *Element) ([]byte, error) {
	n := int(e.Span.Length)
	if err := s.hold(int64(n), e.Span.Offset, e.Tag); err != nil {
		return nil, err
	}
	var b []byte
	if n > 512 {
		b = make([]byte, n)
	} else { // many small values share one allocation
		if len(s.bytes) < n {
			s.bytes = make([]byte, 2048)
		}
		b, s.bytes = s.bytes[:n:n], s.bytes[n:]
	}
	return b, s.src.read(b, e.Span.Offset)
}

// nested reads what has an undefined length or is a sequence, and returns the position behind it.
func (s *scanner) nested(e *Element, h header, end int64, syn syntax, depth int) (int64, error) {
	if h.length < 0 {
		switch {
		case (h.vr == OB || h.vr == OW) && !syn.implicit && syn.order == binary.LittleEndian:
			return s.encapsulated(e, h, end)
		case h.vr == UN && h.tag != tag.PixelData:
			// PS3.5 section 6.2.2 note 4 (CP-246): a sequence in implicit VR little endian whatever is around.
			syn = syntax{implicit: true, order: binary.LittleEndian}
		case h.vr != SQ:
			return 0, &FormatError{Offset: h.value, Tag: h.tag, Reason: ReasonUndefined}
		}
	}
	e.VR = SQ
	return s.sequence(e, h, end, syn, depth)
}

// sequence reads the items of e, PS3.5 section 7.5.
func (s *scanner) sequence(e *Element, h header, end int64, syn syntax, depth int) (int64, error) {
	if depth >= s.lim.Depth {
		return 0, &FormatError{Offset: h.value, Tag: h.tag, Reason: ReasonDepth}
	}
	pos, delimited := h.value, h.length < 0
	if !delimited {
		end = h.value + h.length
	}
	for pos < end {
		item, err := s.itemHeader(pos, end, syn, h.tag)
		if err != nil {
			return 0, err
		}
		if item.tag == tag.SequenceDelimitationItem && item.length == 0 && (delimited || item.value == end) {
			e.Span = Span{Offset: h.value, Length: pos - h.value}
			return item.value, nil
		}
		if item.tag != tag.Item {
			return 0, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonNoItem}
		}
		if s.items++; s.items > s.lim.Items {
			return 0, &FormatError{Offset: pos, Tag: h.tag, Reason: ReasonItems}
		}
		if err := s.hold(itemCost, pos, h.tag); err != nil {
			return 0, err
		}
		itemEnd := end
		if item.length >= 0 {
			itemEnd = item.value + item.length
		}
		d, next, err := s.dataset(item.value, itemEnd, syn, depth+1, item.length < 0)
		if err != nil {
			return 0, err
		}
		e.Items = append(e.Items, d)
		pos = next
	}
	if delimited {
		return 0, &FormatError{Offset: h.value, Tag: h.tag, Reason: ReasonNoDelimiter}
	}
	e.Span = Span{Offset: h.value, Length: pos - h.value}
	return pos, nil
}

// known gives an element that was sent as UN the VR of the dictionary, where the attribute is a standard one or a
// private creator and the value suits: archives that do not know an attribute keep it as UN (PS3.5 section 6.2.2).
// The value is little endian.
func (s *scanner) known(e *Element, depth int) error {
	if isPixels(e.Tag) || e.Span.Length == 0 {
		return nil
	}
	vr, choice := implicitVR(e.Tag)
	if vr == SQ {
		return s.knownSequence(e, depth)
	}
	if vr != UN && e.Span.Length%int64(vr.word()) == 0 {
		e.VR = vr
		s.ambiguous = s.ambiguous || choice
	}
	return nil
}

// knownSequence reads a sequence that was sent as UN of defined length; it stays UN when it is none. What was
// counted against the limits stays counted, so that trying costs no more than any other data.
func (s *scanner) knownSequence(e *Element, depth int) error {
	seq := Element{Tag: e.Tag, VR: SQ}
	h := header{tag: e.Tag, vr: SQ, length: e.Span.Length, value: e.Span.Offset}
	_, err := s.sequence(&seq, h, e.Span.Offset+e.Span.Length, syntax{implicit: true, order: binary.LittleEndian}, depth)
	var format *FormatError
	if errors.As(err, &format) && !format.Limit() {
		return nil
	}
	*e = seq
	return err
}
