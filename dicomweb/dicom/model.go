package dicom

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"mome/dicomweb/dicom/tag"
)

// JSONOptions tells how values of bytes are put into the DICOM JSON Model and into its sibling, the Native DICOM Model.
type JSONOptions struct {
	// BulkDataURI gives the URI of a value that shall not be in the document; "" puts it there all the same. It is asked
	// for values of VR OB, OD, OF, OL, OV, OW and UN only: all other values, also long lists of numbers such as Graphic
	// Data, are always written as Value, for clients expect them there. path names the element within the object:
	// the tag in hexadecimal, before it the sequences and the items, counted from 0, that lead to it:
	// "7FE00010", "00540016/0/00181074". Dataset.Find takes it back.
	BulkDataURI func(path string, e *Element) string
	// InlineLimit is the length in bytes up to which such a value is written as InlineBinary without asking; 0
	// means 1024. Images are always asked for.
	InlineLimit int
}

// modelWriter is what the writers of DICOM JSON and of the Native DICOM Model share.
type modelWriter struct {
	opt  JSONOptions
	file *File
	path []byte // of the element that is written, see JSONOptions
}

// listed reports whether the models hold the element: all but group lengths and File Meta Information. Command elements
// are in no object; the Store Instances Response borrows one.
func listed(e *Element) bool { return e.Tag.Group() != 2 && e.Tag.Element() != 0 }

// empty reports whether the element has neither a value nor a place where to get it.
func (e *Element) empty() bool {
	return len(e.Value) == 0 && !e.Deferred() && e.Fragments == nil && e.BulkDataURI == ""
}

// bulkDataURI returns what stands for the value of e, "" where the value itself is to be written.
func (m *modelWriter) bulkDataURI(e *Element) string {
	if e.BulkDataURI != "" || !e.VR.Opaque() || m.opt.BulkDataURI == nil {
		return e.BulkDataURI
	}
	limit := m.opt.InlineLimit
	if limit == 0 {
		limit = 1024
	}
	if len(e.Value) <= limit && e.Value != nil && !isPixels(e.Tag) {
		return ""
	}
	return m.opt.BulkDataURI(string(m.path), e)
}

// load returns e with its value in memory.
func (m *modelWriter) load(e *Element) (*Element, error) {
	if !e.Deferred() {
		return e, nil
	}
	if m.file == nil || e.Fragments != nil {
		return nil, fmt.Errorf("dicom: write %v %s: the value was left in the file and has no BulkDataURI",
			e.Tag, e.Tag.Keyword())
	}
	v, err := m.file.Value(e)
	if err != nil {
		return nil, err
	}
	c := *e
	c.Value = v
	return &c, nil
}

// littleEndian returns the value in little endian, as PS3.18 section F.2.7 wants it.
func littleEndian(e *Element, o binary.ByteOrder) []byte {
	size := e.VR.word()
	if o == binary.LittleEndian || size == 1 {
		return e.Value
	}
	b := slices.Clone(e.Value)
	for v := b; len(v) >= size; v = v[size:] {
		slices.Reverse(v[:size])
	}
	return b
}

// budget counts what reading a document costs against Limits; all data sets of the document share it.
type budget struct {
	lim             Limits
	model           string       // of the document, as errors name it
	offset          func() int64 // how much was read of it, in bytes
	elements, items int
	held            int64 // bytes of memory accounted against Limits.HeaderBytes
}

func (b *budget) hold(n int64, t tag.Tag) error {
	if b.held += n; b.held > b.lim.HeaderBytes {
		return &FormatError{Offset: b.offset(), Tag: t, Reason: ReasonHeaderBytes}
	}
	return nil
}

func (b *budget) element(t tag.Tag) error {
	if b.elements++; b.elements > b.lim.Elements {
		return &FormatError{Offset: b.offset(), Tag: t, Reason: ReasonElements}
	}
	return b.hold(elementCost, t)
}

func (b *budget) item(t tag.Tag) error {
	if b.items++; b.items > b.lim.Items {
		return &FormatError{Offset: b.offset(), Tag: t, Reason: ReasonItems}
	}
	return b.hold(itemCost, t)
}

// nested checks the depth of a data set within sequence t.
func (b *budget) nested(t tag.Tag, depth int) error {
	if depth > b.lim.Depth {
		return &FormatError{Offset: b.offset(), Tag: t, Reason: ReasonDepth}
	}
	return nil
}

// bad is the error of a document that is well-formed and no data set.
func (b *budget) bad(t tag.Tag, reason string) error {
	return &FormatError{Offset: b.offset(), Tag: t, Reason: b.model + ": " + reason}
}

// add puts what was read of an attribute behind the elements of d.
func (b *budget) add(d *Dataset, a *attribute) error {
	e, reason := a.element()
	if reason != "" {
		return b.bad(a.tag, reason)
	}
	d.elements = append(d.elements, e)
	b.held -= valueCost * int64(len(a.values)) // they are garbage now
	return b.hold(int64(len(e.Value)), a.tag)
}

// sort puts the elements of d in order.
func (b *budget) sort(d *Dataset) error {
	slices.SortFunc(d.elements, func(a, b *Element) int { return cmp.Compare(a.Tag, b.Tag) })
	for i := 1; i < len(d.elements); i++ {
		if e := d.elements[i]; e.Tag == d.elements[i-1].Tag {
			return b.bad(e.Tag, "the attribute occurs twice")
		}
	}
	return nil
}

// nameUTF8 makes Specific Character Set tell what the text of a document is.
func nameUTF8(d *Dataset) {
	ascii, _ := textOf(d)
	nameCharset(d, !ascii)
}

func nameCharset(d *Dataset, needed bool) {
	if needed || d.Has(tag.SpecificCharacterSet) {
		d.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	}
	for e := range d.All() {
		for _, item := range e.Items {
			item.charset = []string{"ISO_IR 192"}
			nameCharset(item, false)
		}
	}
}
