package wado

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/pixel"
)

// convertible reports whether objects in the transfer syntax can be given in explicit VR little endian, the default of
// PS3.18 table 8.7.3-2: those with uncompressed pixels, and those for whose compression there is a decoder.
func convertible(transferSyntax string) bool {
	pixel1 := pixel.Layout{Rows: 1, Columns: 1, SamplesPerPixel: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
	_, err := pixel.Native(pixel1, transferSyntax, nil)
	return dicomweb.KindOf(err) != dicomweb.UnsupportedMedia
}

// explicit returns an object as a file in explicit VR little endian and its length in bytes. Only the form of the
// encoding changes, no value does, but for compressed pixels, which are decoded. The pixels are read from f while the
// result is read; all else is in memory. Data Set Trailing Padding, which has no meaning, is left out. An object that
// cannot be converted is an error of kind NotAcceptable.
func explicit(f *dicom.File) (io.Reader, int64, error) {
	head, pixels, behind, err := split(f)
	if err != nil {
		return nil, 0, err
	}
	if pixels != nil && pixels.Fragments == nil && (behind || f.TransferSyntax == explicitVRBigEndian) { // a digital signature, say: rare enough to be made in memory
		c, err := littleEndian(f, pixels, f.TransferSyntax == explicitVRBigEndian)
		if err != nil {
			return nil, 0, err
		}
		head.Put(c)
		pixels = nil
	}
	buf, err := written(head)
	if err != nil {
		return nil, 0, err
	}
	switch {
	case pixels == nil:
		return buf, int64(buf.Len()), nil
	case behind:
		return nil, 0, dicomweb.Errorf(dicomweb.NotAcceptable, "the object has attributes behind compressed pixel data: it can be had as stored only")
	case pixels.Fragments != nil:
		return decoded(buf, f)
	}
	size := pixelHeader(buf, pixels.VR, pixels.Span.Length)
	padding := make([]byte, pixels.Span.Length%2)
	return io.MultiReader(buf, f.Open(pixels.Span), bytes.NewReader(padding)), size, nil
}

// written returns head as a file in explicit VR little endian. What cannot be written so, a value that ends within a number,
// say, is an error of kind NotAcceptable.
func written(head *dicom.Dataset) (*bytes.Buffer, error) {
	var buf bytes.Buffer
	if err := dicom.Write(&buf, head, uid.ExplicitVRLittleEndian); err != nil {
		return nil, &dicomweb.Error{Kind: dicomweb.NotAcceptable, Text: "the object cannot be written in another transfer syntax: it can be had as stored only", Err: err}
	}
	return &buf, nil
}

// split returns the data set of an object in little endian, without its Pixel Data and what speaks of their encoding; the
// Pixel Data, nil where there are none or they are in memory already; and whether something stands behind them.
func split(f *dicom.File) (head *dicom.Dataset, pixels *dicom.Element, behind bool, err error) {
	head = dicom.New()
	for e := range f.Dataset.All() {
		switch {
		case e.Tag == tag.DataSetTrailingPadding:
		case e.Tag == tag.PixelData && e.Deferred():
			pixels = e
		default:
			c, err := littleEndian(f, e, f.TransferSyntax == explicitVRBigEndian)
			if err != nil {
				return nil, nil, false, err
			}
			head.Put(c)
			behind = behind || pixels != nil
		}
	}
	if pixels != nil && pixels.Fragments != nil {
		head.Delete(tag.ExtendedOffsetTable) // they speak of fragments
		head.Delete(tag.ExtendedOffsetTableLengths)
	}
	return head, pixels, behind, nil
}

// pixelHeader writes what stands before native Pixel Data of n bytes (PS3.5 section 7.1.2) and returns the length of the
// whole file, with the padding.
func pixelHeader(buf *bytes.Buffer, vr dicom.VR, n int64) int64 {
	n += n % 2
	h := binary.LittleEndian.AppendUint16(nil, tag.PixelData.Group())
	h = binary.LittleEndian.AppendUint16(h, tag.PixelData.Element())
	h = append(append(h, vr...), 0, 0)
	buf.Write(binary.LittleEndian.AppendUint32(h, uint32(n)))
	return int64(buf.Len()) + n
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
