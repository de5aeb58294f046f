package dicom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	godicom "github.com/grailbio/go-dicom"
	"github.com/grailbio/go-dicom/dicomtag"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// Header returns the data set as go-dicom decodes it: a second reading, independent of the scanner's own, of the
// values that analysis goes by. go-dicom never sees the file. It is given a stream that is written anew from the
// scan, in explicit VR little endian, with nothing in it that go-dicom misreads or that could harm it:
//   - the values that are held in memory only, so its size is bounded by Limits.HeaderBytes;
//   - no Specific Character Set, so that text comes through as the bytes that were sent;
//   - sequences of undefined length, nested no deeper than Limits.Depth;
//   - UN, OV, SV, UV, OL and whatever has no whole number of words as OB; text that would be split wrongly or is too
//     long for its VR as UT.
//
// The result has the elements of f.Dataset: those that went through go-dicom with the values it gave, the ones left
// in the file as they are. It is an error when go-dicom sees another structure than the scan did.
func Header(f *File) (d *Dataset, err error) {
	defer func() {
		if r := recover(); r != nil { // go-dicom asserts by panicking; what it says could hold a value
			d, err = nil, fmt.Errorf("dicom: read header: go-dicom panicked")
		}
	}()
	if cost := goCost(f.Dataset); cost > f.limits().HeaderBytes {
		return nil, &FormatError{Reason: ReasonHeaderBytes}
	}
	var buf bytes.Buffer
	normalise(&buf, f.Dataset)
	read, err := godicom.ReadDataSetInBytes(buf.Bytes(), godicom.ReadOptions{})
	if err != nil {
		return nil, fmt.Errorf("dicom: read header: go-dicom refused it")
	}
	elements := read.Elements
	for len(elements) > 0 && elements[0].Tag.Group == dicomtag.MetadataGroup {
		elements = elements[1:]
	}
	return convert(f.Dataset, elements)
}

// goCost estimates the memory that go-dicom takes for d: it boxes every single value.
func goCost(d *Dataset) int64 {
	const element, value = 256, 64
	var n int64
	for e := range d.All() {
		if !shown(e) {
			continue
		}
		n += element + int64(len(e.Value))
		switch vr := shownAs(e); {
		case vr == OB || vr == OW || vr == UT:
		case vr.word() > 1:
			n += value * int64(len(e.Value)/vr.word())
		default:
			n += value * int64(bytes.Count(e.Value, []byte{'\\'}))
		}
		for _, item := range e.Items {
			n += element + goCost(item)
		}
	}
	return n
}

// normalise writes the stream that go-dicom reads.
func normalise(buf *bytes.Buffer, d *Dataset) {
	buf.Write(make([]byte, preamble))
	buf.WriteString("DICM")
	ts := padText(UI, uid.ExplicitVRLittleEndian)
	putHeader(buf, tag.FileMetaInformationGroupLength, UL, 4)
	buf.Write(binary.LittleEndian.AppendUint32(nil, uint32(8+len(ts))))
	putHeader(buf, tag.TransferSyntaxUID, UI, len(ts))
	buf.Write(ts)
	normaliseDataset(buf, d)
}

func normaliseDataset(buf *bytes.Buffer, d *Dataset) {
	for e := range d.All() {
		if !shown(e) {
			continue
		}
		if e.VR == SQ {
			putHeader(buf, e.Tag, SQ, -1)
			for _, item := range e.Items {
				putHeader(buf, tag.Item, "", -1)
				normaliseDataset(buf, item)
				putHeader(buf, tag.ItemDelimitationItem, "", 0)
			}
			putHeader(buf, tag.SequenceDelimitationItem, "", 0)
			continue
		}
		v, vr := littleEndian(e, d.byteOrder()), shownAs(e)
		putHeader(buf, e.Tag, vr, len(v)+len(v)%2)
		buf.Write(v)
		if len(v)%2 == 1 {
			buf.WriteByte(padding(vr))
		}
	}
}

// shown reports whether go-dicom gets to see e.
func shown(e *Element) bool {
	return !e.Deferred() && e.Fragments == nil && !isPixels(e.Tag) && e.Tag != tag.SpecificCharacterSet
}

// shownAs returns the VR with which e is shown to go-dicom.
func shownAs(e *Element) VR {
	long := len(e.Value) > 0xFFFC
	switch e.VR {
	case UN, OV, SV, UV, OL:
		return OB
	case AT, US, SS, UL, SL, FL, FD, OF, OD, OW:
		// OF and OD would become a list of numbers of any length.
		size := e.VR.word()
		if e.VR == AT {
			size = 4
		}
		if long || len(e.Value)%size != 0 || e.VR == OF || e.VR == OD {
			return OB
		}
		return e.VR
	case ST, UR:
		return UT
	}
	if long && !e.VR.long() {
		return UT
	}
	return e.VR
}

// putHeader writes an element's header in explicit VR little endian; length -1 is undefined, vr "" none.
func putHeader(buf *bytes.Buffer, t tag.Tag, vr VR, length int) {
	var space [12]byte
	o := binary.LittleEndian
	b := o.AppendUint16(o.AppendUint16(space[:0], t.Group()), t.Element())
	b = append(b, vr...)
	switch {
	case vr == "":
		b = o.AppendUint32(b, uint32(length))
	case vr.long():
		b = o.AppendUint32(append(b, 0, 0), uint32(length))
	default:
		b = o.AppendUint16(b, uint16(length))
	}
	buf.Write(b)
}

// convert returns d with the values that go-dicom read.
func convert(d *Dataset, read []*godicom.Element) (*Dataset, error) {
	out := &Dataset{elements: make([]*Element, 0, len(d.elements)), charset: d.charset, offset: d.offset}
	for _, e := range d.elements {
		if !shown(e) {
			out.elements = append(out.elements, e)
			continue
		}
		if len(read) == 0 || read[0].Tag != goTag(e.Tag) {
			return nil, fmt.Errorf("dicom: read header: go-dicom does not see %v", e.Tag)
		}
		c := &Element{Tag: e.Tag, VR: e.VR, Span: e.Span}
		if e.VR == SQ {
			if len(read[0].Value) != len(e.Items) {
				return nil, fmt.Errorf("dicom: read header: go-dicom sees other items in %v", e.Tag)
			}
			for i, v := range read[0].Value {
				item, ok := v.(*godicom.Element)
				if !ok {
					return nil, fmt.Errorf("dicom: read header: go-dicom sees other items in %v", e.Tag)
				}
				children, err := itemElements(item)
				if err != nil {
					return nil, err
				}
				n, err := convert(e.Items[i], children)
				if err != nil {
					return nil, err
				}
				c.Items = append(c.Items, n)
			}
		} else if v, err := goValue(c.VR, read[0]); err != nil {
			return nil, err
		} else if len(e.Value) > 0 {
			// Never nil, which would mean that it was left in the file; go-dicom trims text to nothing.
			c.Value = append([]byte{}, v...)
			if shownAs(e) == OB {
				c.Value = c.Value[:min(len(v), len(e.Value))] // without the padding of an odd length
			}
		}
		out.elements = append(out.elements, c)
		read = read[1:]
	}
	if len(read) > 0 {
		return nil, fmt.Errorf("dicom: read header: go-dicom sees elements that are not there")
	}
	return out, nil
}

func itemElements(item *godicom.Element) ([]*godicom.Element, error) {
	out := make([]*godicom.Element, len(item.Value))
	for i, v := range item.Value {
		e, ok := v.(*godicom.Element)
		if !ok {
			return nil, fmt.Errorf("dicom: read header: go-dicom sees an item that holds no elements")
		}
		out[i] = e
	}
	return out, nil
}

// goValue returns what go-dicom read as the bytes of a value in little endian.
func goValue(vr VR, e *godicom.Element) ([]byte, error) {
	o := binary.LittleEndian
	var b []byte
	var parts []string
	for _, v := range e.Value {
		switch v := v.(type) {
		case []byte:
			b = append(b, v...)
		case uint16:
			b = o.AppendUint16(b, v)
		case int16:
			b = o.AppendUint16(b, uint16(v))
		case uint32:
			b = o.AppendUint32(b, v)
		case int32:
			b = o.AppendUint32(b, uint32(v))
		case float32:
			b = o.AppendUint32(b, math.Float32bits(v))
		case float64:
			b = o.AppendUint64(b, math.Float64bits(v))
		case dicomtag.Tag:
			b = o.AppendUint16(o.AppendUint16(b, v.Group), v.Element)
		case string:
			parts = append(parts, v)
		default:
			return nil, fmt.Errorf("dicom: read header: go-dicom gives %v as a %T", e.Tag, v)
		}
	}
	if parts != nil {
		return padText(vr, strings.Join(parts, `\`)), nil
	}
	return b, nil
}
