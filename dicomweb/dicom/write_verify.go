package dicom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

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

// utf8Dataset returns ds with Specific Character Set ISO_IR 192 where its text is UTF-8 beyond ASCII and no character
// set is named.
func utf8Dataset(ds *Dataset) (*Dataset, error) {
	if ds.order == binary.BigEndian {
		return nil, fmt.Errorf("the data set is big endian")
	}
	if e := ds.Get(tag.SpecificCharacterSet); e != nil && len(e.Value) > 0 {
		return ds, nil
	}
	if ascii, valid := textOf(ds); ascii || !valid {
		return ds, nil
	}
	ds = ds.Clone()
	ds.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	return ds, nil
}

// textOf reports whether all text of d is ASCII, and whether it is UTF-8; items with a character set of their own
// are left out.
func textOf(d *Dataset) (ascii, valid bool) {
	ascii, valid = true, true
	for e := range d.All() {
		if e.VR.encoded() {
			ascii = ascii && isASCII(e.Value)
			valid = valid && (ascii || utf8.Valid(e.Value))
		}
		for _, item := range e.Items {
			if !item.Has(tag.SpecificCharacterSet) {
				a, v := textOf(item)
				ascii, valid = ascii && a, valid && v
			}
		}
	}
	return ascii, valid
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
