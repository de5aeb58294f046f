package stow

import (
	"io"
	"os"
)

// inMemory is how much of a request's bulk data is held in memory before it goes to a file, in bytes.
const inMemory = 1 << 20

// spool holds the bulk data of one request one after another until the instances are put together. It is used by one
// goroutine that writes, then by those that read.
type spool struct {
	dir  string // of the file; "" is the system's folder for temporary files
	mem  []byte
	file *os.File // nil as long as all is in mem
	size int64
}

// add takes in what r has. An error may be the reader's or the file's.
func (s *spool) add(r io.Reader) (*io.SectionReader, error) {
	from := s.size
	if _, err := io.Copy(s, r); err != nil {
		return nil, err
	}
	return io.NewSectionReader(s, from, s.size-from), nil
}

// Write appends b.
func (s *spool) Write(b []byte) (int, error) {
	if s.file == nil && len(s.mem)+len(b) > inMemory {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	if s.file == nil {
		s.mem = append(s.mem, b...)
		s.size = int64(len(s.mem))
		return len(b), nil
	}
	n, err := s.file.Write(b)
	s.size += int64(n)
	return n, err
}

// open moves what is in memory to a file, whose name is taken away at once where the system allows that: a crash
// leaves nothing behind.
func (s *spool) open() error {
	f, err := os.CreateTemp(s.dir, "stow-*.bulk")
	if err != nil {
		return err
	}
	s.file = f
	os.Remove(f.Name()) // where it fails, close removes it
	_, err = f.Write(s.mem)
	s.mem = nil
	return err
}

// ReadAt reads what was added.
func (s *spool) ReadAt(b []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(b, off)
	}
	if off >= int64(len(s.mem)) {
		return 0, io.EOF
	}
	n := copy(b, s.mem[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// close frees what the spool holds.
func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name()) // it is gone already on most systems
	}
}
