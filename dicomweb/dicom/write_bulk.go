package dicom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"mome/dicomweb/dicom/tag"
)

// Bulk is a value that stands elsewhere: its parts one after another or, where it is encapsulated, the frames of Pixel
// Data, each of which becomes one fragment (PS3.5 annex A.4).
type Bulk struct {
	Parts        []*io.SectionReader
	Encapsulated bool
}

// Size returns the length of the value in bytes, without padding.
func (b Bulk) Size() (n int64) {
	for _, p := range b.Parts {
		n += p.Size()
	}
	return n
}

const flushAt = 64 << 10

// WriteBulk writes ds as Write does, as a stream: the values that ds refers to by a BulkDataURI come from bulk and are
// never held in memory. All little endian transfer syntaxes but the deflated ones can be written; whether the pixels
// are what the transfer syntax tells is the caller's business. What is written is not read back: Scan does that. After
// an error w has a part of the object.
func WriteBulk(w io.Writer, ds *Dataset, transferSyntax string, bulk func(*Element) (Bulk, error)) (err error) {
	syn, err := syntaxOf(transferSyntax)
	if err == nil && (syn.deflated || syn.order != binary.LittleEndian) {
		err = &FormatError{Tag: tag.TransferSyntaxUID, Reason: ReasonTransferSyntax}
	}
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil { // as in Write
			err = fmt.Errorf("dicom: write: go-dicom panicked")
		}
	}()
	if ds, err = utf8Dataset(ds); err != nil {
		return fmt.Errorf("dicom: write: %w", err)
	}
	wr := newWriter(&bytes.Buffer{}, ds, transferSyntax, syn)
	wr.out, wr.bulk = w, bulk
	if err := wr.dataset(ds); err != nil {
		return fmt.Errorf("dicom: write: %w", err)
	}
	if wr.enc.Error() != nil {
		return errGoDicom
	}
	return wr.flush()
}

func (w writer) flush() error {
	_, err := w.buf.WriteTo(w.out)
	return err
}

// external writes an element whose value is elsewhere.
func (w writer) external(e *Element) error {
	b, err := w.bulk(e)
	if err != nil {
		return err
	}
	if b.Encapsulated {
		return w.encapsulated(e.Tag, b)
	}
	n := b.Size()
	if err := w.fits(e, n); err != nil {
		return err
	}
	w.header(e.Tag, e.VR, int(n+n%2))
	for _, p := range b.Parts {
		if err := w.copy(p); err != nil {
			return err
		}
	}
	if n%2 == 1 {
		w.buf.WriteByte(padding(e.VR))
	}
	return nil
}

func (w writer) copy(p *io.SectionReader) error {
	if err := w.flush(); err != nil {
		return err
	}
	n, err := io.Copy(w.out, io.NewSectionReader(p, 0, p.Size()))
	if err == nil && n != p.Size() {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// encapsulated writes frames as fragments with their offsets before them, PS3.5 annex A.4. The offset table stays empty
// for one frame, and where 32 bits cannot hold an offset.
func (w writer) encapsulated(t tag.Tag, b Bulk) error {
	w.header(t, OB, -1)
	var table []byte
	var offset, last int64
	for _, p := range b.Parts {
		n := p.Size()
		if n >= undefined-1 {
			return &FormatError{Tag: t, Reason: ReasonFit}
		}
		table = binary.LittleEndian.AppendUint32(table, uint32(offset))
		last = offset
		offset += 8 + n + n%2
	}
	if len(b.Parts) == 1 || last > math.MaxUint32 {
		table = nil
	}
	w.header(tag.Item, "", len(table))
	w.buf.Write(table)
	for _, p := range b.Parts {
		n := p.Size()
		w.header(tag.Item, "", int(n+n%2))
		if err := w.copy(p); err != nil {
			return err
		}
		if n%2 == 1 {
			w.buf.WriteByte(0)
		}
	}
	w.header(tag.SequenceDelimitationItem, "", 0)
	return nil
}
