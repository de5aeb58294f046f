package stow

import (
	"strconv"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// object is a data set with the values that its metadata referred to.
type object struct {
	dataset        *dicom.Dataset
	transferSyntax string
	values         map[*dicom.Element]dicom.Bulk
}

func (o *object) bulk(e *dicom.Element) (dicom.Bulk, error) { return o.values[e], nil }

// assemble resolves what a data set refers to and decides on its transfer syntax (PS3.18 section 10.5.2).
func (q *separate) assemble(ds *dicom.Dataset) (*object, error) {
	o := &object{dataset: ds, transferSyntax: ds.String(tag.TransferSyntaxUID), values: map[*dicom.Element]dicom.Bulk{}}
	if o.transferSyntax == "" {
		o.transferSyntax = uid.ExplicitVRLittleEndian
	}
	if e := ds.Get(tag.PixelData); e != nil && e.BulkDataURI != "" {
		v, err := q.value(e)
		if err != nil {
			return nil, err
		}
		if err := o.pixels(e, v.parts); err != nil {
			return nil, err
		}
	}
	return o, q.resolve(o, ds)
}

// resolve finds the values of ds and its items.
func (q *separate) resolve(o *object, ds *dicom.Dataset) error {
	for e := range ds.All() {
		for _, item := range e.Items {
			if err := q.resolve(o, item); err != nil {
				return err
			}
		}
		if _, done := o.values[e]; done || e.BulkDataURI == "" {
			continue
		}
		if e.VR == dicom.SQ {
			return refuse(dicomweb.CannotUnderstand, "%s: a sequence cannot be bulk data", nameOf(e.Tag))
		}
		v, err := q.value(e)
		if err != nil {
			return err
		}
		b := dicom.Bulk{}
		for _, p := range v.parts {
			b.Parts = append(b.Parts, p.bytes)
		}
		o.values[e] = b
	}
	return nil
}

// value returns what the BulkDataURI of e refers to.
func (q *separate) value(e *dicom.Element) (*bulkValue, error) {
	v := q.bulk[e.BulkDataURI]
	if v == nil {
		return nil, refuse(dicomweb.CannotUnderstand, "%s: no part has its BulkDataURI as Content-Location", nameOf(e.Tag))
	}
	return v, nil
}

// nameOf returns an attribute's keyword, its tag where it has none.
func nameOf(t tag.Tag) string {
	if k := t.Keyword(); k != "" {
		return k
	}
	return t.Hex()
}

// numberOfFrames returns Number of Frames, 1 where it is not told.
func numberOfFrames(ds *dicom.Dataset) int { return max(1, ds.IntOr(tag.NumberOfFrames, 1)) }

// pixels decides how Pixel Data are encoded, fills in what the metadata do not say of them, and checks what they do.
func (o *object) pixels(e *dicom.Element, parts []bulkPart) error {
	if isNative(parts[0].media, o.transferSyntax) {
		return o.native(e, parts)
	}
	b := dicom.Bulk{Encapsulated: true}
	for i, p := range parts {
		frame, d, err := describe(p, o.transferSyntax)
		if err != nil {
			return err
		}
		if d.native {
			return o.transform(e, parts)
		}
		if i == 0 {
			o.transferSyntax = d.transferSyntax
		} else if d.transferSyntax != o.transferSyntax {
			return refuse(dicomweb.TransferSyntaxNotSupported, "the frames have different transfer syntaxes")
		}
		if err := d.fill(o.dataset); err != nil {
			return err
		}
		if d.video && len(parts) > 1 {
			return refuse(dicomweb.DataSetMismatch, "a video comes in one part, not in %d", len(parts))
		}
		if !d.video && i == len(parts)-1 {
			if err := o.frames(len(parts)); err != nil {
				return err
			}
		}
		b.Parts = append(b.Parts, frame)
	}
	e.VR = dicom.OB
	o.dataset.Delete(tag.ExtendedOffsetTable) // they speak of other fragments
	o.dataset.Delete(tag.ExtendedOffsetTableLengths)
	o.values[e] = b
	return nil
}

// frames checks Number of Frames against the n that came, or sets it.
func (o *object) frames(n int) error {
	if want := numberOfFrames(o.dataset); o.dataset.Has(tag.NumberOfFrames) && want != n {
		return refuse(dicomweb.DataSetMismatch, "%d frames came, NumberOfFrames is %d", n, want)
	}
	if n > 1 {
		o.dataset.Set(tag.NumberOfFrames, strconv.Itoa(n))
	}
	return nil
}

// native takes uncompressed pixels, in one part or a part for each frame.
func (o *object) native(e *dicom.Element, parts []bulkPart) error {
	syntax := parts[0].media.Param("transfer-syntax")
	if syntax == "" || syntax == "*" {
		syntax = o.transferSyntax
	} else if syntax == explicitVRBigEndian {
		return refuse(dicomweb.TransferSyntaxNotSupported, "bulk data are little endian, PS3.18 section 10.5.1.4")
	}
	switch syntax {
	case uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian:
		o.transferSyntax = syntax
	case explicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian: // of the object whose metadata these were
		o.transferSyntax = uid.ExplicitVRLittleEndian
	default:
		return refuse(dicomweb.TransferSyntaxNotSupported, "the transfer syntax is not one that can be stored")
	}
	b := dicom.Bulk{}
	for _, p := range parts {
		if !isNative(p.media, o.transferSyntax) {
			return refuse(dicomweb.TransferSyntaxNotSupported, "the frames have different transfer syntaxes")
		}
		b.Parts = append(b.Parts, p.bytes)
	}
	if want := nativeLength(o.dataset); b.Size() < want {
		return refuse(dicomweb.DataSetMismatch, "PixelData has %d bytes, its description asks for %d", b.Size(), want)
	}
	if e.VR != dicom.OB || o.dataset.IntOr(tag.BitsAllocated, 8) > 8 || o.transferSyntax == uid.ImplicitVRLittleEndian {
		e.VR = dicom.OW // PS3.5 section 8.2
	}
	o.values[e] = b
	return nil
}

// nativeLength returns how many bytes of Pixel Data the description tells, 0 where it does not.
func nativeLength(ds *dicom.Dataset) int64 {
	switch ds.String(tag.PhotometricInterpretation) {
	case "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420":
		return 0 // fewer samples than pixels
	}
	const tooMany = 1 << 50
	n := int64(1)
	for _, factor := range []int{
		ds.IntOr(tag.Rows, 0), ds.IntOr(tag.Columns, 0), ds.IntOr(tag.SamplesPerPixel, 1), ds.IntOr(tag.BitsAllocated, 0), numberOfFrames(ds),
	} {
		if factor <= 0 {
			return 0
		}
		if n > tooMany/int64(factor) {
			return tooMany // no object has so many
		}
		n *= int64(factor)
	}
	return (n + 7) / 8
}
