package dicom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	godicom "github.com/grailbio/go-dicom"
	"github.com/grailbio/go-dicom/dicomio"
	"github.com/grailbio/go-dicom/dicomtag"

	"mome/dicomweb/dicom/tag"
)

// What this implementation calls itself in the File Meta Information, PS3.7 section D.3.3.2.
const (
	ImplementationClassUID    = "2.25.215606334926558943128926313211566317674"
	ImplementationVersionName = "MOME_1"
)

// Write writes ds as a Part 10 file in Explicit or Implicit VR Little Endian: preamble, File Meta Information made
// from the SOP Class and Instance UIDs of ds, elements in ascending order and padded, sequences of undefined length.
// Text is written as its bytes stand; where it is UTF-8 beyond ASCII and ds names no Specific Character Set, Write
// adds ISO_IR 192. Group lengths and group 0002 are left out.
//
// The object is made in memory, read back by Scan and compared with ds before the first byte goes to w. Values that
// were left in a file (Element.Deferred) must be loaded by File.Value before; big-endian data sets are refused.
func Write(w io.Writer, ds *Dataset, transferSyntax string) error {
	b, err := marshal(ds, transferSyntax)
	if err != nil {
		return fmt.Errorf("dicom: write %s: %w", ds.String(tag.SOPInstanceUID), err)
	}
	_, err = w.Write(b)
	return err
}

// errGoDicom stands for go-dicom's own errors, which may hold a value.
var errGoDicom = errors.New("go-dicom refused it")

func marshal(ds *Dataset, transferSyntax string) (b []byte, err error) {
	syn, err := syntaxOf(transferSyntax)
	if err != nil {
		return nil, err
	}
	if syn.encapsulated || syn.deflated || syn.order != binary.LittleEndian {
		return nil, fmt.Errorf("transfer syntax %s cannot be written", transferSyntax)
	}
	defer func() {
		if r := recover(); r != nil { // go-dicom asserts by panicking; what it says could hold a value
			b, err = nil, fmt.Errorf("go-dicom panicked")
		}
	}()
	if ds, err = utf8Dataset(ds); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.Grow(sizeOf(ds) + 1024)
	wr := newWriter(&buf, ds, transferSyntax, syn)
	if err := wr.dataset(ds); err != nil {
		return nil, err
	}
	if wr.enc.Error() != nil {
		return nil, errGoDicom
	}
	return buf.Bytes(), verify(buf.Bytes(), ds, transferSyntax)
}

// newWriter returns a writer of ds into buf, which holds preamble and File Meta Information by then.
func newWriter(buf *bytes.Buffer, ds *Dataset, transferSyntax string, syn syntax) writer {
	vr := dicomio.ExplicitVR
	if syn.implicit {
		vr = dicomio.ImplicitVR
	}
	enc := dicomio.NewEncoder(buf, binary.LittleEndian, vr)
	godicom.WriteFileHeader(enc, metaElements(ds, transferSyntax))
	return writer{enc: enc, buf: buf}
}

// metaElements returns the File Meta Information in go-dicom's form. The version is given, since go-dicom's own
// default is the text "0 1" and not the bytes 00 01.
func metaElements(ds *Dataset, transferSyntax string) []*godicom.Element {
	text := func(t tag.Tag, vr VR, s string) *godicom.Element {
		return &godicom.Element{Tag: goTag(t), VR: string(vr), Value: []any{s}}
	}
	return []*godicom.Element{
		{Tag: goTag(tag.FileMetaInformationVersion), VR: "OB", Value: []any{[]byte{0, 1}}},
		text(tag.MediaStorageSOPClassUID, UI, ds.String(tag.SOPClassUID)),
		text(tag.MediaStorageSOPInstanceUID, UI, ds.String(tag.SOPInstanceUID)),
		text(tag.TransferSyntaxUID, UI, transferSyntax),
		text(tag.ImplementationClassUID, UI, ImplementationClassUID),
		text(tag.ImplementationVersionName, SH, ImplementationVersionName),
	}
}

func goTag(t tag.Tag) dicomtag.Tag { return dicomtag.Tag{Group: t.Group(), Element: t.Element()} }

// written reports whether Write puts the element into the data set.
func written(e *Element) bool { return e.Tag.Group() > 2 && e.Tag.Element() != 0 }

// writer frames sequences and items itself, for go-dicom encodes each level into a buffer of its own, and gives it
// the elements in them.
type writer struct {
	enc *dicomio.Encoder
	buf *bytes.Buffer // what enc writes to
	// Of WriteBulk only: where buf goes, and what gives the values that are elsewhere.
	out  io.Writer
	bulk func(*Element) (Bulk, error)
}

func (w writer) dataset(d *Dataset) error {
	for e := range d.All() {
		if !written(e) {
			continue
		}
		if err := w.element(e); err != nil {
			return fmt.Errorf("%v %s: %w", e.Tag, e.Tag.Keyword(), err)
		}
		if w.out != nil && w.buf.Len() > flushAt {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w writer) element(e *Element) error {
	switch {
	case e.BulkDataURI != "" && w.bulk != nil:
		return w.external(e)
	case e.Fragments != nil:
		return fmt.Errorf("an encapsulated value cannot be written")
	case e.Deferred():
		return fmt.Errorf("the value was left in a file")
	case e.BulkDataURI != "":
		return fmt.Errorf("the value is elsewhere, at its BulkDataURI")
	case e.VR == SQ:
		return w.sequence(e)
	}
	if len(e.Value)%2 == 1 && e.VR.word() > 1 && !e.VR.Opaque() {
		return fmt.Errorf("%d bytes of %s cannot be padded without another value", len(e.Value), e.VR)
	}
	if err := w.fits(e, int64(len(e.Value))); err != nil {
		return err
	}
	if g := goElement(e); g != nil {
		godicom.WriteElement(w.enc, g)
		if w.enc.Error() != nil {
			return errGoDicom
		}
		return nil
	}
	w.raw(e)
	return nil
}

// fits checks a value's length in bytes against what its length field can tell.
func (w writer) fits(e *Element, n int64) error {
	if n >= undefined-1 || n > 0xFFFE && !e.VR.long() && w.explicit() {
		return &FormatError{Tag: e.Tag, Reason: ReasonFit}
	}
	return nil
}

func (w writer) explicit() bool {
	_, implicit := w.enc.TransferSyntax()
	return implicit == dicomio.ExplicitVR
}

func (w writer) sequence(e *Element) error {
	w.header(e.Tag, SQ, -1)
	for _, item := range e.Items {
		w.header(tag.Item, "", -1)
		if err := w.dataset(item); err != nil {
			return err
		}
		w.header(tag.ItemDelimitationItem, "", 0)
	}
	w.header(tag.SequenceDelimitationItem, "", 0)
	return nil
}

// header writes what stands before a value, PS3.5 section 7.1.
func (w writer) header(t tag.Tag, vr VR, length int) {
	if w.explicit() {
		putHeader(w.buf, t, vr, length)
		return
	}
	o := binary.LittleEndian
	var space [8]byte
	w.buf.Write(o.AppendUint32(o.AppendUint16(o.AppendUint16(space[:0], t.Group()), t.Element()), uint32(length)))
}

// raw writes the element without go-dicom.
func (w writer) raw(e *Element) {
	v := e.Value
	w.header(e.Tag, e.VR, len(v)+len(v)%2)
	w.buf.Write(v)
	if len(v)%2 == 1 {
		w.buf.WriteByte(padding(e.VR))
	}
}

// padding returns the byte that makes a value of vr even, PS3.5 section 6.2.
func padding(vr VR) byte {
	switch vr {
	case AE, AS, CS, DA, DS, DT, IS, LO, LT, PN, SH, ST, TM, UC, UR, UT:
		return ' '
	}
	return 0
}
