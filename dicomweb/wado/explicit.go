package wado

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// explicit returns an object with native pixels as a file in explicit VR little endian and its length in bytes. Only
// the form of the encoding changes, no value does. The pixels are read from f while the result is read; all else is in
// memory. Data Set Trailing Padding, which has no meaning, is left out.
func explicit(f *dicom.File) (io.Reader, int64, error) {
	big := f.TransferSyntax == explicitVRBigEndian
	head := dicom.New()
	var pixels *dicom.Element
	var behind []*dicom.Element
	for e := range f.Dataset.All() {
		switch {
		case e.Tag == tag.DataSetTrailingPadding:
		case e.Tag == tag.PixelData && e.Deferred() && !big:
			pixels = e
		default:
			c, err := littleEndian(f, e, big)
			if err != nil {
				return nil, 0, err
			}
			head.Put(c)
			if pixels != nil {
				behind = append(behind, c)
			}
		}
	}
	if pixels != nil && len(behind) > 0 { // a digital signature, say: rare enough to be made in memory
		c, err := littleEndian(f, pixels, big)
		if err != nil {
			return nil, 0, err
		}
		head.Put(c)
		pixels = nil
	}
	var buf bytes.Buffer
	if err := dicom.Write(&buf, head, uid.ExplicitVRLittleEndian); err != nil {
		return nil, 0, err
	}
	if pixels == nil {
		return &buf, int64(buf.Len()), nil
	}
	// PS3.5 section 7.1.2: tag, VR, two reserved bytes, 32-bit length.
	n := pixels.Span.Length + pixels.Span.Length%2
	h := binary.LittleEndian.AppendUint16(nil, pixels.Tag.Group())
	h = binary.LittleEndian.AppendUint16(h, pixels.Tag.Element())
	h = append(append(h, pixels.VR...), 0, 0)
	buf.Write(binary.LittleEndian.AppendUint32(h, uint32(n)))
	size := int64(buf.Len()) + n
	padding := make([]byte, n-pixels.Span.Length)
	return io.MultiReader(&buf, f.Open(pixels.Span), bytes.NewReader(padding)), size, nil
}

// littleEndian returns e of f with its value in memory and in little endian. Text keeps its bytes and character set.
func littleEndian(f *dicom.File, e *dicom.Element, big bool) (*dicom.Element, error) {
	c := &dicom.Element{Tag: e.Tag, VR: e.VR}
	if e.VR == dicom.SQ {
		for _, item := range e.Items {
			n := dicom.New()
			for child := range item.All() {
				k, err := littleEndian(f, child, big)
				if err != nil {
					return nil, err
				}
				n.Put(k)
			}
			c.Items = append(c.Items, n)
		}
		return c, nil
	}
	if len(e.Value) == 0 && !e.Deferred() {
		return c, nil
	}
	v, err := f.Value(e)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", e.Tag, err)
	}
	if c.Value = v; big {
		c.Value = swap(v, word(e.VR))
	}
	if len(v) > longestShort && !long(e.VR) {
		c.VR = dicom.UN // PS3.5 section 6.2.2 note 5: implicit VR holds more than a 16-bit length tells
	}
	return c, nil
}

const longestShort = 0xFFFE

// long reports whether vr has a 32-bit length in explicit VR, PS3.5 table 7.1-1.
func long(vr dicom.VR) bool {
	switch vr {
	case dicom.OB, dicom.OD, dicom.OF, dicom.OL, dicom.OV, dicom.OW, dicom.SQ, dicom.SV, dicom.UC, dicom.UN, dicom.UR,
		dicom.UT, dicom.UV:
		return true
	}
	return false
}

// word returns how many bytes of a value of vr are swapped as one between byte orders, PS3.5 section 7.3.
func word(vr dicom.VR) int {
	switch vr {
	case dicom.AT, dicom.OW, dicom.SS, dicom.US:
		return 2
	case dicom.FL, dicom.OF, dicom.OL, dicom.SL, dicom.UL:
		return 4
	case dicom.FD, dicom.OD, dicom.OV, dicom.SV, dicom.UV:
		return 8
	}
	return 1
}

// swap returns b with the bytes of each whole word reversed.
func swap(b []byte, word int) []byte {
	if word == 1 {
		return b
	}
	out := slices.Clone(b)
	for v := out; len(v) >= word; v = v[word:] {
		slices.Reverse(v[:word])
	}
	return out
}
