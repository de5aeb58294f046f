package dicom

import (
	"errors"
	"fmt"
	"io"
)

// source reads a file through a window, so that the many small reads of a scan cost few ReadAt calls.
type source struct {
	r      io.ReaderAt
	size   int64
	off    int64 // where the window begins in the file
	window []byte
	fills  int
	space  []byte
}

const (
	smallWindow = 8 << 10
	largeWindow = 128 << 10 // for headers that outgrow several small ones
)

// peek returns the n bytes at off, valid until the next call. The caller has checked that they lie inside the file
// and n is at most smallWindow.
func (s *source) peek(off int64, n int) ([]byte, error) {
	if at := off - s.off; at >= 0 && at+int64(n) <= int64(len(s.window)) {
		return s.window[at : at+int64(n)], nil
	}
	size := smallWindow
	if s.fills > 4 {
		size = largeWindow
	}
	size = int(min(int64(size), s.size-off))
	if cap(s.space) < size {
		s.space = make([]byte, size)
	}
	s.fills++
	s.window, s.off = s.space[:size], off
	if err := s.readAt(s.window, off); err != nil {
		s.window = nil
		return nil, err
	}
	return s.window[:n], nil
}

// read fills b from off.
func (s *source) read(b []byte, off int64) error {
	if len(b) <= smallWindow {
		v, err := s.peek(off, len(b))
		copy(b, v)
		return err
	}
	return s.readAt(b, off)
}

func (s *source) readAt(b []byte, off int64) error {
	n, err := s.r.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF), err == nil:
		return &FormatError{Offset: off + int64(n), Reason: ReasonTruncated}
	}
	return fmt.Errorf("read at byte %d: %w", off, err)
}
