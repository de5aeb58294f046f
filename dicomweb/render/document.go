package render

import (
	"bytes"
	"context"
	"errors"
	"io"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/pixel"
)

// asIs opens the document or video that an instance encapsulates, read from the file while it is sent.
func (s *Service) asIs(ctx context.Context, c chosen) (*body, error) {
	o, err := s.cfg.Archive.Open(ctx, c.Instance)
	if err != nil {
		return nil, err
	}
	f, err := o.File()
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	content, err := encapsulated(f, c.kind)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return &body{content, content.Size(), o.Close}, nil
}

// encapsulated returns the value of Encapsulated Document without its padding (PS3.3 C.24.2), or the fragments of Pixel
// Data one after the other (PS3.5 section 8.2.5).
func encapsulated(f *dicom.File, k kind) (*io.SectionReader, error) {
	t := tag.EncapsulatedDocument
	if k == video {
		t = tag.PixelData
	}
	e := f.Dataset.Get(t)
	switch {
	case e != nil && len(e.Fragments) > 1:
		return pixel.Stream(f, e), nil
	case e == nil || e.Fragments != nil || len(e.Value) == 0 && !e.Deferred():
		return nil, dicomweb.Errorf(dicomweb.NotFound, "the object is empty: it encapsulates nothing")
	}
	content := io.NewSectionReader(bytes.NewReader(e.Value), 0, int64(len(e.Value)))
	if e.Deferred() {
		content = f.Open(e.Span)
	}
	if n, ok := f.Dataset.Int(tag.EncapsulatedDocumentLength); ok && int64(n) == content.Size()-1 {
		return io.NewSectionReader(content, 0, int64(n)), nil
	}
	return content, nil
}
