package dicom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	godicom "github.com/grailbio/go-dicom"
	"github.com/grailbio/go-dicom/dicomio"
	"github.com/grailbio/go-dicom/dicomtag"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// What this implementation calls itself in the File Meta Information, PS3.7 section D.3.3.2.
const (
	ImplementationClassUID    = "2.25.215606334926558943128926313211566317674"
	ImplementationVersionName = "MOME_1"
)

// Write writes ds as a Part 10 file in Explicit or Implicit VR Little Endian: preamble, File Meta Information made
// from the SOP Class and Instance UIDs of ds, elements in ascending order and padded, sequences of undefined length.
// Text that is not ASCII must be UTF-8 with Specific Character Set ISO_IR 192, which Write adds where ds has none; a
// data set that names another character set is written as it is. Group lengths and group 0002 are left out.
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

func marshal(ds *Dataset, transferSyntax string) (b []byte, err error) {
	syn, err := syntaxOf(transferSyntax)
	if err != nil {
		return nil, err
	}
	if syn.encapsulated || syn.deflated || syn.order != binary.LittleEndian {
		return nil, fmt.Errorf("transfer syntax %s cannot be written", transferSyntax)
	}
	// go-dicom panics on what it does not expect.
	defer func() {
		if r := recover(); r != nil {
			b, err = nil, fmt.Errorf("go-dicom: %v", r)
		}
	}()
	if ds, err = utf8Dataset(ds); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.Grow(sizeOf(ds) + 1024)
	vr := dicomio.ExplicitVR
	if syn.implicit {
		vr = dicomio.ImplicitVR
	}
	enc := dicomio.NewEncoder(&buf, binary.LittleEndian, vr)
	godicom.WriteFileHeader(enc, metaElements(ds, transferSyntax))
	wr := writer{enc: enc, buf: &buf}
	if err := wr.dataset(ds); err != nil {
		return nil, err
	}
	if err := enc.Error(); err != nil {
		return nil, err
	}
	return buf.Bytes(), verify(buf.Bytes(), ds, transferSyntax)
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
}

func (w writer) dataset(d *Dataset) error {
	for e := range d.All() {
		if !written(e) {
			continue
		}
		if err := w.element(e); err != nil {
			return fmt.Errorf("%v %s: %w", e.Tag, e.Tag.Keyword(), err)
		}
	}
	return nil
}

func (w writer) element(e *Element) error {
	switch {
	case e.Fragments != nil:
		return fmt.Errorf("an encapsulated value cannot be written")
	case e.Deferred():
		return fmt.Errorf("the value was left in a file")
	case e.VR == SQ:
		return w.sequence(e)
	}
	if size := e.VR.word(); len(e.Value)%size != 0 && !e.VR.opaque() || e.VR == AT && len(e.Value)%4 != 0 {
		return fmt.Errorf("%d bytes are no whole number of values of %s", len(e.Value), e.VR)
	}
	if len(e.Value) > 0xFFFE && !e.VR.long() && w.explicit() {
		return fmt.Errorf("%d bytes do not fit a %s", len(e.Value), e.VR)
	}
	if uint64(len(e.Value)) >= undefined-1 {
		return fmt.Errorf("%d bytes do not fit a data element", len(e.Value))
	}
	if g := goElement(e); g != nil {
		godicom.WriteElement(w.enc, g)
		return w.enc.Error()
	}
	w.raw(e)
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

// goElement returns e in go-dicom's form, or nil where go-dicom would write other bytes than it should:
//   - OV, SV and UV, and anything it does not know, get a 16-bit length;
//   - a VR other than its dictionary's (edition 2011) is refused, so SS for "US or SS" and much that is newer;
//   - UN is padded with a space;
//   - OW, OF, OD and numbers go through reflection word by word: right, but too slow for a large value;
//   - OW, OF and OD whose value is no whole number of words.
func goElement(e *Element) *godicom.Element {
	g := &godicom.Element{Tag: goTag(e.Tag), VR: string(e.VR)}
	if known, err := dicomtag.Find(g.Tag); err == nil && known.VR != g.VR &&
		dicomtag.GetVRKind(g.Tag, known.VR) != dicomtag.GetVRKind(g.Tag, g.VR) {
		return nil
	}
	if len(e.Value)%e.VR.word() != 0 {
		return nil
	}
	if e.Tag == tag.PixelData {
		if len(e.Value)%2 != 0 {
			return nil
		}
		g.Value = []any{godicom.PixelDataInfo{Frames: [][]byte{e.Value}}}
		return g
	}
	switch e.VR {
	case OV, SV, UV, UN:
		return nil
	case OB:
		g.Value = []any{e.Value}
	case OW:
		if len(e.Value) > 1<<10 {
			return nil
		}
		g.Value = []any{e.Value}
	case AT: // its own path for AT takes nothing but raw bytes as a string
		g.Value = []any{string(e.Value)}
	case US, SS, UL, SL, FL, FD, OF, OD:
		if len(e.Value) > 1<<10 {
			return nil
		}
		g.Value = goNumbers(e)
	default:
		g.Value = []any{string(e.Value)}
	}
	return g
}

// goNumbers returns the values in the Go types that go-dicom expects.
func goNumbers(e *Element) []any {
	size := e.VR.word()
	out := make([]any, 0, len(e.Value)/size)
	o := binary.LittleEndian
	for v := e.Value; len(v) >= size; v = v[size:] {
		switch e.VR {
		case US:
			out = append(out, o.Uint16(v))
		case SS:
			out = append(out, int16(o.Uint16(v)))
		case UL:
			out = append(out, o.Uint32(v))
		case SL:
			out = append(out, int32(o.Uint32(v)))
		case FL, OF:
			out = append(out, math.Float32frombits(o.Uint32(v)))
		default: // FD, OD
			out = append(out, math.Float64frombits(o.Uint64(v)))
		}
	}
	return out
}

// sizeOf estimates the bytes that d needs.
func sizeOf(d *Dataset) int {
	n := 0
	for e := range d.All() {
		n += 12 + len(e.Value)
		for _, item := range e.Items {
			n += 16 + sizeOf(item)
		}
	}
	return n
}

// utf8Dataset returns ds with Specific Character Set ISO_IR 192 where its text needs one and none is named.
func utf8Dataset(ds *Dataset) (*Dataset, error) {
	if ds.order == binary.BigEndian {
		return nil, fmt.Errorf("the data set is big endian")
	}
	e := ds.Get(tag.SpecificCharacterSet)
	named := e != nil && len(e.Value) > 0
	if named && ds.String(e.Tag) != "ISO_IR 192" {
		return ds, nil
	}
	ascii, err := checkUTF8(ds)
	if err != nil || ascii || named {
		return ds, err
	}
	ds = ds.Clone()
	ds.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	return ds, nil
}

// checkUTF8 reports whether all text of d is ASCII, and an error when some is neither that nor UTF-8.
func checkUTF8(d *Dataset) (ascii bool, err error) {
	ascii = true
	for e := range d.All() {
		if e.VR.encoded() {
			for _, c := range e.Value {
				ascii = ascii && c < 0x80
			}
			if !utf8.Valid(e.Value) {
				return false, fmt.Errorf("%v %s: text is not UTF-8", e.Tag, e.Tag.Keyword())
			}
		}
		for _, item := range e.Items {
			if item.Has(tag.SpecificCharacterSet) {
				continue
			}
			a, err := checkUTF8(item)
			if err != nil {
				return false, err
			}
			ascii = ascii && a
		}
	}
	return ascii, nil
}

// verify reads back what was written and compares it with ds.
func verify(b []byte, ds *Dataset, transferSyntax string) error {
	f, err := Scan(bytes.NewReader(b), int64(len(b)), Limits{})
	if err != nil {
		return fmt.Errorf("what was written is not readable: %w", err)
	}
	if f.TransferSyntax != transferSyntax {
		return fmt.Errorf("what was written has another transfer syntax")
	}
	if _, _, _, _, err := f.Ref(); err != nil {
		return err
	}
	return same(b, f.Dataset, ds, f.TransferSyntax == uid.ImplicitVRLittleEndian)
}

// same compares the data set that was scanned from the file b with the one that was to be written.
func same(b []byte, got, want *Dataset, implicit bool) error {
	i := 0
	for w := range want.All() {
		if !written(w) {
			continue
		}
		if i >= len(got.elements) {
			return fmt.Errorf("%v is missing", w.Tag)
		}
		g := got.elements[i]
		i++
		// What was written as UN may come back with the VR that the dictionary knows.
		if g.Tag != w.Tag || w.VR != UN && (g.VR != w.VR && !implicit || len(g.Items) != len(w.Items)) {
			return fmt.Errorf("%v %s came back as %v %s", w.Tag, w.VR, g.Tag, g.VR)
		}
		if w.VR != SQ {
			v := b[g.Span.Offset:][:g.Span.Length]
			if n := len(w.Value); len(v) != n+n%2 || !bytes.Equal(v[:n], w.Value) {
				return fmt.Errorf("%v %s: the value came back changed", w.Tag, w.VR)
			}
		}
		for j := range w.Items {
			if err := same(b, g.Items[j], w.Items[j], implicit); err != nil {
				return fmt.Errorf("%v item %d: %w", w.Tag, j, err)
			}
		}
	}
	if i != len(got.elements) {
		return fmt.Errorf("%v was not to be written", got.elements[i].Tag)
	}
	return nil
}
