package stow

import (
	"bytes"
	"io"
	"math"
	"slices"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
)

// explicitVRBigEndian is retired, so package uid has no name for it.
const explicitVRBigEndian = "1.2.840.10008.1.2.2"

// description is what a compressed stream tells of its image: the Image Pixel Description Macro (PS3.3 table C.7-11c),
// which metadata may leave out (PS3.18 section 10.5.2).
type description struct {
	transferSyntax         string
	rows, columns, samples int // 0 where the stream does not tell
	bits                   int // of a sample
	signed                 bool
	photometric            string
	lossy                  bool
	native                 bool // an image format that DICOM does not know: the pixels are decoded
	video                  bool
}

// syntaxes are the transfer syntaxes in which a media type comes (PS3.18 tables 8.7.3-4 and 8.7.3-5). Where a part names
// none, the stream tells which it is, or the first is meant.
func syntaxes(media string) []string {
	switch media {
	case "image/jpeg":
		return []string{uid.JPEGLosslessSV1, uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless}
	case "image/dicom-rle", "image/x-dicom-rle":
		return []string{uid.RLELossless}
	case "image/jls", "image/x-jls":
		return []string{uid.JPEGLSLossless, uid.JPEGLSNearLossless}
	case "image/jp2":
		return []string{uid.JPEG2000Lossless, uid.JPEG2000}
	case "image/jpx":
		return []string{uid.JPEG2000MCLossless, uid.JPEG2000MC}
	case "image/jphc":
		return []string{uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K}
	case "image/jxl":
		return []string{uid.JPEGXLLossless, uid.JPEGXLJPEGRecompression, uid.JPEGXL}
	case "video/mpeg", "video/mpeg2":
		return []string{uid.MPEG2MPML, uid.MPEG2MPMLF, uid.MPEG2MPHL, uid.MPEG2MPHLF}
	case "video/mp4":
		return []string{uid.MPEG4HP41, uid.MPEG4HP41F, uid.MPEG4HP41BD, uid.MPEG4HP41BDF, uid.MPEG4HP422D, uid.MPEG4HP422DF,
			uid.MPEG4HP423D, uid.MPEG4HP423DF, uid.MPEG4HP42STEREO, uid.MPEG4HP42STEREOF}
	case "video/h265":
		return []string{uid.HEVCMP51, uid.HEVCM10P51}
	}
	return nil
}

// isNative reports whether a part of Pixel Data is uncompressed; syntax is what the metadata say.
func isNative(media mediatype.Type, syntax string) bool {
	if strings.HasPrefix(media.Name, "image/") || strings.HasPrefix(media.Name, "video/") {
		return false
	}
	if s := media.Param("transfer-syntax"); s != "" && s != "*" {
		syntax = s
	}
	return !strings.HasPrefix(syntax, "1.2.840.10008.1.2.4.") && syntax != uid.RLELossless &&
		syntax != uid.EncapsulatedUncompressedExplicitVRLittleEndian && syntax != uid.DeflatedImageFrameCompression
}

// describe tells what a compressed part is, and returns its stream: without the boxes of a JP2 file, which DICOM does
// not take (PS3.5 annex A.4.4). syntax is what the metadata say; the part's own word counts more.
func describe(p bulkPart, syntax string) (frame *io.SectionReader, d description, err error) {
	named := p.media.Param("transfer-syntax")
	if named == "*" {
		named = ""
	}
	if p.media.Name == "image/png" || p.media.Name == "image/gif" {
		return nil, description{native: true}, nil
	}
	allowed := syntaxes(p.media.Name)
	switch {
	case strings.HasPrefix(p.media.Name, "image/") || strings.HasPrefix(p.media.Name, "video/"):
		if allowed == nil {
			return nil, d, refuse(dicomweb.TransferSyntaxNotSupported, "Pixel Data of %s cannot be stored", p.media.Name)
		}
		if named == "" && slices.Contains(allowed, syntax) {
			named = syntax
		}
		if named != "" && !slices.Contains(allowed, named) {
			return nil, d, refuse(dicomweb.TransferSyntaxNotSupported, "%s does not come in the transfer syntax named", p.media.Name)
		}
	case named == "":
		named = syntax
	}
	frame = withoutBoxes(p.bytes)
	head := make([]byte, min(frame.Size(), maxHead))
	if _, err := io.ReadFull(io.NewSectionReader(frame, 0, frame.Size()), head); err != nil {
		return nil, d, err
	}
	d = describeStream(head)
	if named != "" {
		d.transferSyntax = named
	}
	if d.transferSyntax == "" || allowed != nil && !slices.Contains(allowed, d.transferSyntax) {
		d.transferSyntax = allowed[0]
	}
	d.video = strings.HasPrefix(p.media.Name, "video/") || isVideo(d.transferSyntax)
	return frame, d, nil
}

// isVideo reports whether a transfer syntax holds all frames in one stream: MPEG, H.264, H.265, and the multi-component
// JPEG 2000 that goes beyond a frame.
func isVideo(syntax string) bool {
	return strings.HasPrefix(syntax, "1.2.840.10008.1.2.4.10") || syntax == uid.JPEG2000MC || syntax == uid.JPEG2000MCLossless
}

// fill adds to ds what the stream tells and ds does not, and refuses what contradicts it.
func (d description) fill(ds *dicom.Dataset) error {
	if d.rows == 0 {
		return nil
	}
	for _, n := range []int{d.rows, d.columns, d.samples, d.bits} {
		if n < 1 || n > math.MaxUint16 {
			return refuse(dicomweb.CannotUnderstand, "the header of the pixels tells a size of %d", n)
		}
	}
	for _, c := range []struct {
		t     tag.Tag
		value int
	}{{tag.SamplesPerPixel, d.samples}, {tag.Rows, d.rows}, {tag.Columns, d.columns}} {
		if have, ok := ds.Int(c.t); ok && have != c.value {
			return refuse(dicomweb.DataSetMismatch, "%s is %d, the pixels have %d", c.t.Keyword(), have, c.value)
		}
		ds.Set(c.t, c.value)
	}
	allocated := 8
	for allocated < d.bits { // 8, 16, 32: JPEG 2000 has up to 38
		allocated *= 2
	}
	signed := 0
	if d.signed {
		signed = 1
	}
	if have, ok := ds.Int(tag.BitsAllocated); ok && have < d.bits {
		return refuse(dicomweb.DataSetMismatch, "BitsAllocated is %d, the pixels have %d", have, d.bits)
	}
	for _, c := range []struct {
		t     tag.Tag
		value int
	}{{tag.BitsAllocated, allocated}, {tag.BitsStored, d.bits}, {tag.HighBit, d.bits - 1}, {tag.PixelRepresentation, signed}} {
		if _, ok := ds.Int(c.t); !ok {
			ds.Set(c.t, c.value)
		}
	}
	if ds.String(tag.PhotometricInterpretation) == "" {
		ds.Set(tag.PhotometricInterpretation, d.photometric)
	}
	if _, ok := ds.Int(tag.PlanarConfiguration); !ok && d.samples > 1 {
		ds.Set(tag.PlanarConfiguration, 0)
	}
	if d.lossy && ds.String(tag.LossyImageCompression) == "" {
		ds.Set(tag.LossyImageCompression, "01") // PS3.3 section C.7.6.1.1.5
	}
	return nil
}

// transform decodes image formats that DICOM has no transfer syntax for (PS3.18 table 10.5.2-1), a frame or several in
// each part.
func (o *object) transform(e *dicom.Element, parts []bulkPart) error {
	b, frames := dicom.Bulk{}, 0
	for _, p := range parts {
		img, err := decodeImage(p, maxDecoded-b.Size())
		if err != nil {
			return err
		}
		if err := img.fill(o.dataset); err != nil {
			return err
		}
		if got := o.dataset.IntOr(tag.BitsAllocated, 0); got != 8*((img.bits+7)/8) {
			return refuse(dicomweb.DataSetMismatch, "BitsAllocated is %d, the pixels have %d", got, img.bits)
		}
		frames += img.frames
		b.Parts = append(b.Parts, io.NewSectionReader(bytes.NewReader(img.pixels), 0, int64(len(img.pixels))))
	}
	if err := o.frames(frames); err != nil {
		return err
	}
	o.transferSyntax = uid.ExplicitVRLittleEndian
	e.VR = dicom.OW
	o.values[e] = b
	return nil
}
