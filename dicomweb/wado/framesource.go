package wado

import (
	"bytes"
	"fmt"
	"io"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/pixel"
)

// frameSource gives frames in the form of an offer, one after the other. It is not safe for concurrent use.
type frameSource struct {
	frames *pixel.FrameSet
	syntax string       // of the file
	word   int          // bytes that are swapped as one; 1 for none
	decode bool         // encapsulated frames are to be decoded
	target string       // the transfer syntax to compress in, "" for none
	layout pixel.Layout // where decode or target is set

	encoder pixel.Encoder
	coded   []byte
}

func newFrameSource(f *dicom.File, frames *pixel.FrameSet, offer mediatype.Offer) (*frameSource, error) {
	s := &frameSource{frames: frames, word: 1, syntax: f.TransferSyntax}
	switch offer.TransferSyntax {
	case f.TransferSyntax, uid.ExplicitVRLittleEndian:
	default:
		s.target = offer.TransferSyntax
	}
	s.decode = frames.Encapsulated() && offer.TransferSyntax != f.TransferSyntax
	if s.made() {
		var err error
		if s.layout, err = pixel.LayoutOf(f.Dataset); err != nil {
			return nil, err
		}
	}
	if f.TransferSyntax == explicitVRBigEndian {
		s.word = word(frames.Element().VR)
		if size, err := frames.Size(0); err == nil && size%int64(s.word) != 0 {
			return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "frames of %d bytes in big-endian words cannot be taken apart", size)
		}
	}
	return s, nil
}

// made reports whether the frames are decoded or compressed on the way: another version of this program may make other
// bytes of the same samples.
func (s *frameSource) made() bool { return s.decode || s.target != "" }

// size returns the length of frame i in bytes, counting from 0, where it is known before the frame is made.
func (s *frameSource) size(i int) (n int64, known bool, err error) {
	switch {
	case s.target != "":
		return 0, false, nil
	case s.decode:
		return int64(s.layout.Bytes()), true, nil
	}
	n, err = s.frames.Size(i)
	return n, true, err
}

// open returns frame i, counting from 0; what it returns holds until the next frame is opened.
func (s *frameSource) open(i int) (*io.SectionReader, error) {
	if !s.made() && s.word == 1 {
		return s.frames.Open(i)
	}
	b, err := s.bytes(i)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))), nil
}

// bytes is open in memory.
func (s *frameSource) bytes(i int) ([]byte, error) {
	b, err := s.frames.Frame(i)
	if err != nil {
		return nil, err
	}
	b = swap(b, s.word)
	if s.decode {
		if b, err = pixel.Native(s.layout, s.syntax, b); err != nil {
			return nil, &dicomweb.Error{Kind: dicomweb.NotAcceptable, Text: fmt.Sprintf("frame %d is stored in a form that cannot be decoded", i+1), Err: err}
		}
	}
	if s.target != "" {
		if s.coded, err = s.encoder.Append(s.coded[:0], s.layout, s.target, b); err != nil {
			return nil, err
		}
		b = s.coded
	}
	return b, nil
}
