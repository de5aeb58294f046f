package render

import (
	"context"
	"fmt"
	"io"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/pixel"
)

// opened is an instance that is open for reading.
type opened struct {
	file   *dicom.File
	frames *pixel.FrameSet // nil for an object without pixels
	io.Closer
}

// open opens and scans an instance. Of objects with many frames the header is kept, for viewers ask frame by frame, and
// scanning a large one takes longer than rendering a frame. The caller closes it.
func (s *Service) open(ctx context.Context, i archive.Instance) (opened, error) {
	o, err := s.cfg.Archive.Open(ctx, i)
	if err != nil {
		return opened{}, err
	}
	if known, ok := s.headers.get(i.SHA256); ok {
		f := *known.file
		f.Body = o
		return opened{&f, known.frames.On(o), o}, nil
	}
	f, err := o.File()
	if err != nil {
		o.Close()
		return opened{}, fmt.Errorf("render: scan instance %s: %w", i.Ref.Instance, err)
	}
	out := opened{file: f, Closer: o}
	if i.Frames > 0 {
		if out.frames, err = pixel.Frames(f); err != nil {
			o.Close()
			return opened{}, undecodable(err)
		}
		s.keep(i, out)
	}
	return out, nil
}

// keep remembers the header of an object of many frames. Those that are deflated are left out: where their frames lie counts
// in what was inflated.
func (s *Service) keep(i archive.Instance, o opened) {
	e := o.frames.Element()
	if i.Frames < 2 || i.TransferSyntax == uid.DeflatedExplicitVRLittleEndian || e.Tag == tag.PixelData && !e.Deferred() {
		return
	}
	weight := i.Size - e.Span.Length + int64(64*len(e.Fragments))
	f := *o.file
	f.Body = nil
	s.headers.put(i.SHA256, opened{file: &f, frames: o.frames.On(nil)}, 4*weight) // elements take more than they are long
}
