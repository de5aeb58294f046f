package wado

import (
	"bytes"
	"io"
	"net/http"
	"strconv"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/pixel"
	"mome/dicomweb/related"
)

// value is a value in the form in which it is sent: a whole, or frames.
type value struct {
	whole *io.SectionReader
	src   *frameSource // where whole is nil
	count int
	parts bool // each frame is a part; else all together are one
}

// newValue opens the value e of f. What cannot be decoded is an error of kind NotAcceptable.
func newValue(f *dicom.File, e *dicom.Element, form form) (*value, error) {
	switch {
	case !form.frames && e.Fragments != nil && form.TransferSyntax == f.TransferSyntax:
		return &value{whole: pixel.Stream(f, e)}, nil
	case !form.frames && e.Fragments == nil:
		whole, err := native(f, e)
		return &value{whole: whole}, err
	}
	frames, err := framesOf(f)
	if err != nil {
		return nil, err
	}
	if frames.Count() > maxFrameList {
		return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "%d frames are too many for one answer", frames.Count())
	}
	src, err := newFrameSource(f, frames, form.Offer)
	if err != nil {
		return nil, err
	}
	v := &value{src: src, count: frames.Count(), parts: form.frames}
	if v.made() {
		if _, err := src.bytes(0); err != nil { // shows while it can still be answered with a status
			return nil, cannot(err)
		}
	}
	return v, nil
}

// native returns a value in little endian; of an Encapsulated Document, what its length says.
func native(f *dicom.File, e *dicom.Element) (*io.SectionReader, error) {
	if f.TransferSyntax == explicitVRBigEndian {
		raw, err := f.Value(e)
		if err != nil {
			return nil, err
		}
		raw = swap(raw, word(e.VR))
		return io.NewSectionReader(bytes.NewReader(raw), 0, int64(len(raw))), nil
	}
	body := io.NewSectionReader(bytes.NewReader(e.Value), 0, int64(len(e.Value)))
	if e.Deferred() {
		body = f.Open(e.Span)
	}
	if e.Tag == tag.EncapsulatedDocument {
		if n, ok := f.Dataset.Int(tag.EncapsulatedDocumentLength); ok && int64(n) == body.Size()-1 {
			body = io.NewSectionReader(body, 0, int64(n)) // without the byte that made it even
		}
	}
	return body, nil
}

// made reports whether another version of this program may make other bytes.
func (v *value) made() bool { return v.src != nil && v.src.made() }

// sizes returns the lengths of the parts in bytes, where they are known before.
func (v *value) sizes() (sizes []int64, known bool) {
	if v.whole != nil {
		return []int64{v.whole.Size()}, true
	}
	total := int64(0)
	for i := range v.count {
		n, known, err := v.src.size(i)
		if err != nil || !known {
			return nil, false
		}
		total += n
		sizes = append(sizes, n)
	}
	if !v.parts {
		return []int64{total}, true
	}
	return sizes, true
}

// together returns all frames as one.
func (v *value) together() io.Reader {
	return &inTurn{count: v.count, open: func(i int) (io.Reader, error) { return v.src.open(i) }}
}

// serve sends the value as a single part; several frames that are made on the way without ranges.
func (v *value) serve(w http.ResponseWriter, r *http.Request) error {
	if v.whole != nil {
		return serve(w, r, v.whole)
	}
	if v.count == 1 {
		body, err := v.src.open(0)
		if err != nil {
			return err
		}
		return serve(w, r, body)
	}
	if sizes, known := v.sizes(); known {
		w.Header().Set("Content-Length", strconv.FormatInt(sizes[0], 10))
	}
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := io.Copy(w, v.together())
	return err
}

// write sends the value as one part or as many.
func (v *value) write(mw *related.Writer, header related.Header) error {
	switch {
	case v.whole != nil:
		return writePart(mw, header, v.whole)
	case !v.parts:
		return writePart(mw, header, v.together())
	}
	for i := range v.count {
		body, err := v.src.open(i)
		if err != nil {
			return err
		}
		if err := writePart(mw, header, body); err != nil {
			return err
		}
	}
	return nil
}
