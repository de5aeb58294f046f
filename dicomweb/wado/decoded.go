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
	frames, err := framesOf(f)
	if err != nil {
		return nil, 0, err
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
	rest := &inTurn{count: frames.Count() - 1, open: func(i int) (io.Reader, error) { return src.open(i + 1) }}
	return io.MultiReader(buf, first, rest, bytes.NewReader(make([]byte, total%2))), size, nil
}

// framesOf finds the frames of f. That they cannot be taken apart, or are too few for what the header tells, is an error of
// kind NotAcceptable: nothing is wrong with the request.
func framesOf(f *dicom.File) (*pixel.FrameSet, error) {
	frames, err := pixel.Frames(f)
	var e *dicomweb.Error
	if errors.As(err, &e) && (e.Kind == dicomweb.UnsupportedMedia || e.Kind == dicomweb.Conflict) {
		return nil, &dicomweb.Error{Kind: dicomweb.NotAcceptable, Text: e.Text, Err: e.Err}
	}
	return frames, err
}

// cannot makes an error of kind NotAcceptable of why an object cannot be decoded.
func cannot(err error) error {
	return &dicomweb.Error{Kind: dicomweb.NotAcceptable, Text: "the object's pixel data cannot be converted", Err: err}
}

// inTurn reads one reader after the other, each made when its turn comes.
type inTurn struct {
	count int
	open  func(i int) (io.Reader, error)
	next  int
	now   io.Reader
}

func (r *inTurn) Read(b []byte) (int, error) {
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
		if r.next == r.count {
			return 0, io.EOF
		}
		var err error
		if r.now, err = r.open(r.next); err != nil {
			return 0, err
		}
		r.next++
	}
}
