package index

import (
	"slices"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// What a header holds of one element and altogether; what is longer stays in the file and is read from there when a
// key asks for it. The functional groups of an enhanced MR and the content tree of a long report are such.
const (
	longestValue   = 16 << 10
	longestElement = 64 << 10
	longestHeader  = 512 << 10
)

// header returns f's data set in little endian and UTF-8 without what is long. Spans keep counting in f.Body.
func header(f *dicom.File) *dicom.Dataset {
	out, left := dicom.New(), longestHeader
	big := f.TransferSyntax == explicitVRBigEndian
	for e := range f.Dataset.All() {
		size := sizeOf(e)
		if size > longestElement || size > left || len(e.Value) > longestValue {
			out.Put(&dicom.Element{Tag: e.Tag, VR: e.VR, Span: spanOf(e)})
			continue
		}
		left -= size
		if e.Tag != tag.SpecificCharacterSet {
			out.Put(portable(f.Dataset, e, big))
		}
	}
	declareUTF8(out)
	return out
}

// spanOf returns where e lies; an element that the scanner rebuilt has no place of its own and counts as one byte, so
// that it is still known to be left out.
func spanOf(e *dicom.Element) dicom.Span {
	if e.Span.Length == 0 {
		return dicom.Span{Offset: e.Span.Offset, Length: 1}
	}
	return e.Span
}

// sizeOf returns about how many bytes e takes in a header.
func sizeOf(e *dicom.Element) int {
	n := 16 + len(e.Value) + 16*len(e.Fragments)
	for _, item := range e.Items {
		n += 8
		for child := range item.All() {
			n += sizeOf(child)
		}
	}
	return n
}

// explicitVRBigEndian is retired and has no keyword in package uid.
const explicitVRBigEndian = "1.2.840.10008.1.2.2"

// portable returns e of ds in little endian and UTF-8; big tells that ds is in big endian.
func portable(ds *dicom.Dataset, e *dicom.Element, big bool) *dicom.Element {
	c := &dicom.Element{Tag: e.Tag, VR: e.VR, Span: e.Span}
	switch {
	case e.Fragments != nil: // compressed pixels: known to be there, read from the file
		c.Span = spanOf(e)
	case e.VR == dicom.SQ:
		for _, item := range e.Items {
			n := dicom.New()
			for child := range item.All() {
				if child.Tag != tag.SpecificCharacterSet {
					n.Put(portable(item, child, big))
				}
			}
			declareUTF8(n)
			c.Items = append(c.Items, n)
		}
	case len(e.Value) == 0:
	case text(e.VR):
		c.Value = []byte(strings.Join(ds.ElementStrings(e), `\`))
	case big:
		c.Value = swap(e.Value, unit(e.VR))
	default:
		c.Value = e.Value
	}
	return c
}

// text reports whether values of vr are text, in the data set's character set or ASCII.
func text(vr dicom.VR) bool {
	switch vr {
	case dicom.AE, dicom.AS, dicom.CS, dicom.DA, dicom.DS, dicom.DT, dicom.IS, dicom.LO, dicom.LT, dicom.PN, dicom.SH,
		dicom.ST, dicom.TM, dicom.UC, dicom.UI, dicom.UR, dicom.UT:
		return true
	}
	return false
}

// unit returns the bytes of what is swapped as one in values of vr.
func unit(vr dicom.VR) int {
	switch vr {
	case dicom.AT, dicom.US, dicom.SS, dicom.OW:
		return 2
	case dicom.UL, dicom.SL, dicom.FL, dicom.OL, dicom.OF:
		return 4
	case dicom.UV, dicom.SV, dicom.FD, dicom.OV, dicom.OD:
		return 8
	}
	return 1
}

// swap returns b with the bytes of each whole unit in reverse order.
func swap(b []byte, unit int) []byte {
	out := slices.Clone(b)
	for rest := out; len(rest) >= unit; rest = rest[unit:] {
		slices.Reverse(rest[:unit])
	}
	return out
}

// declareUTF8 names the character set of text that is not ASCII, at the level where it stands.
func declareUTF8(ds *dicom.Dataset) {
	for e := range ds.All() {
		if !text(e.VR) {
			continue
		}
		for _, c := range e.Value {
			if c >= 0x80 {
				ds.Set(tag.SpecificCharacterSet, "ISO_IR 192")
				return
			}
		}
	}
}
