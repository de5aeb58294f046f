package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"mome/dicomweb"
)

// Staged is an object in a temporary file.
type Staged struct {
	store *Store
	file  *os.File // nil once committed or discarded
	size  int64
	sum   hash.Hash
}

// Stage writes r to a temporary file. More than limit bytes are an error of kind dicomweb.TooLarge; r is then not read
// further.
func (s *Store) Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, incomingDir), "*.part")
	if err != nil {
		return nil, err
	}
	st := &Staged{store: s, file: f, sum: sha256.New()}
	if err := st.fill(ctx, r, limit); err != nil {
		return nil, errors.Join(err, st.Discard())
	}
	return st, nil
}

func (st *Staged) fill(ctx context.Context, r io.Reader, limit int64) error {
	array := st.store.buffers.Get().(*[bufferSize]byte)
	defer st.store.buffers.Put(array)
	buf := array[:]
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if st.size += int64(n); st.size > limit {
			return dicomweb.Errorf(dicomweb.TooLarge, "the instance has more than %d bytes", limit)
		}
		st.sum.Write(buf[:n])
		if _, err := st.file.Write(buf[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ReadAt reads what was taken in.
func (st *Staged) ReadAt(p []byte, off int64) (int, error) { return st.file.ReadAt(p, off) }

// Size returns its length in bytes.
func (st *Staged) Size() int64 { return st.size }

// SHA256 returns its hash in lower-case hexadecimal.
func (st *Staged) SHA256() string { return hex.EncodeToString(st.sum.Sum(nil)) }

// Commit renames the file to its key, replacing what was there. The order is what makes it durable: the content is
// flushed before the name exists, and the name before Commit returns. Received becomes the file's modification time,
// so that backups carry it.
func (st *Staged) Commit(_ context.Context, key string, received time.Time) error {
	name, err := st.store.path(key)
	if err != nil {
		return err
	}
	temporary := st.file.Name()
	if err := os.Chtimes(temporary, received, received); err != nil {
		return err
	}
	if err := st.file.Sync(); err != nil {
		return err
	}
	if err := st.store.rename(temporary, name); err != nil {
		return err
	}
	err = st.file.Close()
	st.file = nil
	if err != nil {
		return fmt.Errorf("disk: close %s: %w", key, err)
	}
	return st.store.flush.dir(filepath.Dir(name))
}

// rename moves a temporary file to name, making its folders durably first.
func (s *Store) rename(temporary, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.makeDir(filepath.Dir(name)); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}

// makeDir makes a folder below objects/ and flushes the entries of those above. Its caller holds mu.
func (s *Store) makeDir(dir string) error {
	if s.durable[dir] || dir == filepath.Join(s.dir, objectsDir) {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := s.makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := flushDir(parent); err != nil {
		return err
	}
	if len(s.durable) > 10_000 { // a folder that is forgotten costs one flush more
		clear(s.durable)
	}
	s.durable[dir] = true
	return nil
}

// Discard removes what was not committed.
func (st *Staged) Discard() error {
	if st.file == nil {
		return nil
	}
	name := st.file.Name()
	err := errors.Join(st.file.Close(), os.Remove(name))
	st.file = nil
	return err
}
