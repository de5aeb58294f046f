package dicom

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// Scan reads the structure of a Part 10 file of size bytes: where every element, item and fragment lies, and the
// values that are short. Nothing is allocated before the length that asks for it was checked against what remains
// and against lim, and no value of an image is read at all.
//
// A file is accepted with the preamble and DICM (PS3.10 section 7.1), or without both when it begins with the group
// length of the File Meta Information: that is unambiguous. A bare data set is refused, since nothing in it tells
// its transfer syntax. Elements out of order are sorted, for old objects have them, unless one stands behind the
// pixel data that belongs before it: readers that stop at the pixels would see another object. The same attribute
// twice in a data set is refused for the same reason. Odd lengths are accepted.
//
// The error is a *FormatError unless reading r failed.
func Scan(r io.ReaderAt, size int64, lim Limits) (*File, error) {
	lim = lim.withDefaults()
	if size > lim.FileSize {
		return nil, &FormatError{Reason: ReasonFileSize}
	}
	s := &scanner{src: source{r: r, size: size}, lim: lim}
	meta, pos, err := s.meta()
	if err != nil {
		return nil, err
	}
	f := &File{Meta: meta, TransferSyntax: meta.String(tag.TransferSyntaxUID), Body: r, Size: size, lim: lim}
	syn, err := syntaxOf(f.TransferSyntax)
	if err != nil {
		return nil, err
	}
	if syn.deflated {
		b, err := inflate(io.NewSectionReader(r, pos, size-pos), lim)
		if err != nil {
			return nil, err
		}
		for e := range meta.All() {
			e.Span = Span{} // it counted in the file, not in what was inflated
		}
		f.Body, f.Size, pos = bytes.NewReader(b), int64(len(b)), 0
		s.src = source{r: f.Body, size: f.Size}
	}
	if f.Dataset, _, err = s.dataset(pos, f.Size, syn, 0, false); err != nil {
		return nil, err
	}
	if err := checkPixels(f.Dataset, syn); err != nil {
		return nil, err
	}
	finish(f.Dataset, inherited{}, s.ambiguous)
	return f, nil
}

// syntax is how a data set is encoded.
type syntax struct {
	implicit, deflated, encapsulated bool
	order                            binary.ByteOrder
}

// explicitVRBigEndian is retired, so package uid has no name for it; objects in it still come.
const explicitVRBigEndian = "1.2.840.10008.1.2.2"

// syntaxOf tells how the transfer syntax encodes a data set, PS3.5 annex A.
func syntaxOf(ts string) (syntax, error) {
	switch ts {
	case uid.ImplicitVRLittleEndian:
		return syntax{implicit: true, order: binary.LittleEndian}, nil
	case uid.ExplicitVRLittleEndian:
		return syntax{order: binary.LittleEndian}, nil
	case explicitVRBigEndian:
		return syntax{order: binary.BigEndian}, nil
	case uid.DeflatedExplicitVRLittleEndian:
		return syntax{order: binary.LittleEndian, deflated: true}, nil
	case uid.JPIPReferencedDeflate, uid.JPIPHTJ2KReferencedDeflate:
		return syntax{order: binary.LittleEndian, deflated: true}, nil
	case uid.JPIPReferenced, uid.JPIPHTJ2KReferenced:
		return syntax{order: binary.LittleEndian}, nil
	case uid.EncapsulatedUncompressedExplicitVRLittleEndian, uid.RLELossless, uid.DeflatedImageFrameCompression:
		return syntax{order: binary.LittleEndian, encapsulated: true}, nil
	}
	// JPEG, MPEG and their like, also those that are newer than this dictionary.
	if strings.HasPrefix(ts, "1.2.840.10008.1.2.4.") && uid.Valid(ts) {
		return syntax{order: binary.LittleEndian, encapsulated: true}, nil
	}
	return syntax{}, &FormatError{Tag: tag.TransferSyntaxUID, Reason: ReasonTransferSyntax}
}

// checkPixels compares the form of the top-level pixel data with the transfer syntax, PS3.5 section 8.2 and annex A.4.
func checkPixels(d *Dataset, syn syntax) error {
	e := d.Get(tag.PixelData)
	if e == nil || e.Span.Length == 0 && e.Fragments == nil {
		return nil
	}
	if (e.Fragments != nil) != syn.encapsulated {
		return &FormatError{Offset: e.Span.Offset, Tag: e.Tag, Reason: ReasonPixels}
	}
	return nil
}

// scanner walks over one file. Its depth of recursion is bounded by Limits.Depth.
type scanner struct {
	src                        source
	lim                        Limits
	elements, items, fragments int
	held                       int64 // bytes of memory accounted against Limits.HeaderBytes
	ambiguous                  bool  // some element awaits Pixel Representation
	slab                       []Element
	bytes                      []byte
}

// What the bookkeeping of one of them takes in memory, in bytes.
const (
	elementCost  = 160
	itemCost     = 112
	fragmentCost = 16
)

func (s *scanner) hold(n int64, at int64, t tag.Tag) error {
	if s.held += n; s.held > s.lim.HeaderBytes {
		return &FormatError{Offset: at, Tag: t, Reason: ReasonHeaderBytes}
	}
	return nil
}

// dataset reads elements from pos up to end, or up to the item delimiter where the length was undefined (then end is
// that of what contains it). It returns the position behind.
func (s *scanner) dataset(pos, end int64, syn syntax, depth int, delimited bool) (*Dataset, int64, error) {
	d := &Dataset{}
	if syn.order == binary.BigEndian {
		d.order = binary.BigEndian
	}
	sorted, pixelsAt := true, false
	var last tag.Tag
	for pos < end {
		if depth == 0 && end-pos < 64<<10 && s.zeros(pos, end) {
			break // padding to a block of the medium; (0000,0000) cannot be an element here
		}
		e, next, err := s.element(pos, end, syn, depth)
		if err != nil {
			return nil, 0, err
		}
		if e == nil { // item delimiter
			if !delimited && next != end {
				return nil, 0, &FormatError{Offset: pos, Reason: ReasonDelimiter}
			}
			delimited, end = false, next
			pos = next
			break
		}
		if depth == 0 && e.Tag.Group() <= 2 {
			return nil, 0, &FormatError{Offset: pos, Tag: e.Tag, Reason: ReasonGroup}
		}
		if len(d.elements) > 0 && e.Tag <= last {
			if e.Tag == last {
				return nil, 0, &FormatError{Offset: pos, Tag: e.Tag, Reason: ReasonDuplicate}
			}
			if pixelsAt && e.Tag < tag.FloatPixelData {
				return nil, 0, &FormatError{Offset: pos, Tag: e.Tag, Reason: ReasonOrder}
			}
			sorted = false
		}
		last = e.Tag
		pixelsAt = pixelsAt || isPixels(last)
		d.elements = append(d.elements, e)
		pos = next
	}
	if delimited {
		return nil, 0, &FormatError{Offset: pos, Reason: ReasonNoDelimiter}
	}
	if !sorted {
		slices.SortStableFunc(d.elements, func(a, b *Element) int { return cmp.Compare(a.Tag, b.Tag) })
		for i := 1; i < len(d.elements); i++ {
			if e := d.elements[i]; e.Tag == d.elements[i-1].Tag {
				return nil, 0, &FormatError{Offset: e.Span.Offset, Tag: e.Tag, Reason: ReasonDuplicate}
			}
		}
	}
	return d, pos, nil
}

// zeros reports whether nothing but NUL lies from pos to end.
func (s *scanner) zeros(pos, end int64) bool {
	for pos < end {
		n := min(end-pos, 512)
		b, err := s.src.peek(pos, int(n))
		if err != nil {
			return false
		}
		for _, c := range b {
			if c != 0 {
				return false
			}
		}
		pos += n
	}
	return true
}

// inherited is what an item has from the data set around it.
type inherited struct {
	charset []string // PS3.3 section C.12.1.1.2
	offset  string   // Timezone Offset From UTC, PS3.3 section C.12.1
	signed  bool     // by Pixel Representation
}

// finish gives the items what they inherit and, where the VR was implicit, numbers the sign that Pixel
// Representation tells.
func finish(d *Dataset, in inherited, ambiguous bool) {
	d.charset, d.offset = in.charset, in.offset
	if own := d.charsets(); own != nil {
		in.charset = own
	}
	if own := d.String(tag.TimezoneOffsetFromUTC); own != "" {
		in.offset = own
	}
	if e := d.Get(tag.PixelRepresentation); ambiguous && e != nil {
		n, _ := d.Int(e.Tag)
		in.signed = n == 1
	}
	for _, e := range d.elements {
		if ambiguous && in.signed && e.VR == US {
			if _, choice := implicitVR(e.Tag); choice {
				e.VR = SS
			}
		}
		for _, item := range e.Items {
			finish(item, in, ambiguous)
		}
	}
}
