package dicom

import (
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

const (
	preamble = 128
	metaMax  = 1 << 20 // bytes of File Meta Information; PS3.10 knows nothing near it
)

// meta reads the File Meta Information (PS3.10 section 7.1) and returns where the data set begins.
func (s *scanner) meta() (*Dataset, int64, error) {
	start, err := s.magic()
	if err != nil {
		return nil, 0, err
	}
	end := min(s.src.size, start+metaMax)
	lim := s.lim
	s.lim.InlineValue, s.lim.TextValue = metaMax, metaMax // all is held: it is written anew with every answer
	defer func() { s.lim = lim }()
	d, syn, pos := &Dataset{}, syntax{order: binary.LittleEndian}, start
	for end-pos >= 8 {
		b, err := s.src.peek(pos, 2)
		if err != nil {
			return nil, 0, err
		}
		if binary.LittleEndian.Uint16(b) != 2 {
			break
		}
		e, next, err := s.element(pos, end, syn, 0)
		if err != nil {
			return nil, 0, err
		}
		if e.VR == SQ || e.Fragments != nil || d.Len() > 0 && d.elements[d.Len()-1].Tag >= e.Tag {
			return nil, 0, &FormatError{Offset: pos, Tag: e.Tag, Reason: ReasonMeta}
		}
		d.elements = append(d.elements, e)
		pos = next
	}
	// A group length that points elsewhere would give other readers another data set.
	if e := d.Get(tag.FileMetaInformationGroupLength); e != nil {
		n, ok := d.Int(e.Tag)
		if !ok || e.VR != UL || e.Span.Offset+e.Span.Length+int64(n) != pos {
			return nil, 0, &FormatError{Offset: start, Tag: e.Tag, Reason: ReasonMeta}
		}
	}
	if ts := d.String(tag.TransferSyntaxUID); !uid.Valid(ts) {
		return nil, 0, &FormatError{Offset: start, Tag: tag.TransferSyntaxUID, Reason: ReasonTransferSyntax}
	}
	return d, pos, nil
}

// magic returns where the File Meta Information begins.
func (s *scanner) magic() (int64, error) {
	if s.src.size >= preamble+4 {
		b, err := s.src.peek(preamble, 4)
		if err != nil {
			return 0, err
		}
		if string(b) == "DICM" {
			return preamble + 4, nil
		}
	}
	if s.src.size >= 12 {
		b, err := s.src.peek(0, 8)
		if err != nil {
			return 0, err
		}
		if string(b) == "\x02\x00\x00\x00UL\x04\x00" {
			return 0, nil
		}
	}
	return 0, &FormatError{Reason: ReasonNotDICOM}
}

// inflate returns the data set that r holds deflated (PS3.5 section A.5, RFC 1951). It reads r twice: the first time
// only to count, so that a bomb costs no memory.
func inflate(r *io.SectionReader, lim Limits) ([]byte, error) {
	n, err := io.Copy(io.Discard, io.LimitReader(flate.NewReader(r), lim.Inflated+1))
	if err != nil {
		return nil, deflateError(r, err)
	}
	if n > lim.Inflated {
		return nil, &FormatError{Reason: ReasonInflated}
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(flate.NewReader(r), b); err != nil {
		return nil, deflateError(r, err)
	}
	return b, nil
}

func deflateError(r *io.SectionReader, err error) error {
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		_, base, _ := r.Outer()
		return &FormatError{Offset: base + int64(corrupt), Reason: ReasonDeflate}
	}
	return fmt.Errorf("inflate the data set: %w", err)
}
