package wado

import (
	"bytes"
	"errors"
	"io"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/pixel"
)

// decoded returns the file that buf begins, with the decoded frames of f as its pixel data.
func decoded(buf *bytes.Buffer, f *dicom.File) (io.Reader, int64, error) {
	frames, err := pixel.Frames(f)
	if err != nil {
		return nil, 0, cannot(err)
	}
	src, err := newFrameSource(f, frames, mediatype.Offer{TransferSyntax: uid.ExplicitVRLittleEndian})
	if err != nil {
		return nil, 0, cannot(err)
	}
	total := int64(src.layout.Bytes()) * int64(frames.Count())
	if frames.Count() > maxFrameList || total >= 1<<32-2 {
		return nil, 0, dicomweb.Errorf(dicomweb.NotAcceptable, "the object is too large for uncompressed pixel data")
	}
	first, err := src.open(0) // what cannot be decoded shall show before the answer begins
	if err != nil {
		return nil, 0, cannot(err)
	}
	vr := dicom.OW
	if src.layout.BitsAllocated <= 8 {
		vr = dicom.OB
	}
	size := pixelHeader(buf, vr, total)
	rest := &frameReader{src: src, next: 1, count: frames.Count(), padding: total % 2}
	return io.MultiReader(buf, first, rest), size, nil
}

// cannot makes an error of kind NotAcceptable of why an object cannot be decoded.
func cannot(err error) error {
	return &dicomweb.Error{Kind: dicomweb.NotAcceptable, Text: "the object cannot be converted to explicit VR little endian", Err: err}
}

// frameReader reads frame after frame, each decoded when its turn comes.
type frameReader struct {
	src         *frameSource
	next, count int
	padding     int64
	now         io.Reader
}

func (r *frameReader) Read(b []byte) (int, error) {
	for {
		if r.now != nil {
			n, err := r.now.Read(b)
			if n > 0 || err != nil && !errors.Is(err, io.EOF) {
				return n, err
			}
			if err == nil {
				continue
			}
		}
		switch {
		case r.next < r.count:
			var err error
			if r.now, err = r.src.open(r.next); err != nil {
				return 0, err
			}
			r.next++
		case r.padding > 0:
			r.now, r.padding = bytes.NewReader(make([]byte, r.padding)), 0
		default:
			return 0, io.EOF
		}
	}
}
