package wado

import (
	"container/list"
	"context"
	"sync"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/pixel"
)

// frames opens an instance and finds its frames. Viewers ask for the frames of an object one by one, and scanning a
// large multi-frame object takes longer than reading a frame: so where the frames lie is remembered, without keeping
// the file open. The caller closes the object; of the file, only what concerns pixels is there.
func (s *Service) frames(ctx context.Context, i archive.Instance) (*archive.Object, *dicom.File, *pixel.FrameSet, error) {
	if known := s.known.get(i.SHA256); known != nil {
		o, err := s.cfg.Archive.Open(ctx, i)
		if err != nil {
			return nil, nil, nil, err
		}
		return o, known.file, known.frames.On(o), nil
	}
	o, f, err := s.scan(ctx, i)
	if err != nil {
		return nil, nil, nil, err
	}
	frames, err := framesOf(f)
	if err != nil {
		o.Close()
		return nil, nil, nil, err
	}
	s.known.remember(i.SHA256, f)
	return o, f, frames, nil
}

// How much is remembered: a frame takes about 40 bytes, so all of it stays below 100 MB.
const (
	cachedObjects = 256
	cachedFrames  = 10_000 // of one object; larger ones are scanned each time
	cachedValue   = 64     // bytes of an attribute: those that tell what a pixel is are short, lookup tables are not
)

// frameCache remembers where the frames of the objects asked for last lie. Its zero value is ready for use.
type frameCache struct {
	mu    sync.Mutex
	bySHA map[string]*list.Element // of *knownFrames
	order list.List                // the one used last first
}

type knownFrames struct {
	sha256 string
	file   *dicom.File // without Body
	frames *pixel.FrameSet
}

func (c *frameCache) get(sha256 string) *knownFrames {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.bySHA[sha256]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*knownFrames)
}

// remember keeps what concerns pixels of f. Deflated files are left out: their spans count in what was inflated. So are those
// in big endian, since numbers are kept as they are stored.
func (c *frameCache) remember(sha256 string, f *dicom.File) {
	if f.TransferSyntax == uid.DeflatedExplicitVRLittleEndian || f.TransferSyntax == explicitVRBigEndian || f.Dataset.IntOr(tag.NumberOfFrames, 1) > cachedFrames {
		return
	}
	small := &dicom.File{Dataset: dicom.New(), TransferSyntax: f.TransferSyntax, Body: f.Body, Size: f.Size}
	for e := range f.Dataset.All() {
		g := e.Tag.Group()
		if len(e.Items) == 0 && (g == 0x0028 && len(e.Value) <= cachedValue || g == tag.PixelData.Group() && len(e.Value) <= 8*cachedFrames) {
			c := *e // the scan's elements share memory with their neighbours
			small.Dataset.Put(&c)
		}
	}
	frames, err := pixel.Frames(small)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySHA == nil {
		c.bySHA = map[string]*list.Element{}
	}
	if c.bySHA[sha256] != nil {
		return
	}
	small.Body = nil
	c.bySHA[sha256] = c.order.PushFront(&knownFrames{sha256, small, frames})
	if c.order.Len() > cachedObjects {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.bySHA, oldest.Value.(*knownFrames).sha256)
	}
}
