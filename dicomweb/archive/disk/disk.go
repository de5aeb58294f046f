// Package disk keeps objects as files in one folder of one file system. An object is written to a temporary file,
// flushed, renamed to its key, and its folder flushed; a key is the path below objects/. It knows nothing of DICOM.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	objectsDir  = "objects"
	incomingDir = "incoming" // temporary files; nothing in it was acknowledged
	lockFile    = "lock"
	openMark    = "open" // there while the store is in use: a start that finds it follows a crash
)

// bufferSize is how much of an object is held in memory while it is taken in.
const bufferSize = 128 << 10

// Store is a folder of objects. All methods may be called concurrently.
type Store struct {
	dir   string
	lock  *os.File
	clean bool

	flush   flusher
	buffers sync.Pool // of *[bufferSize]byte

	mu      sync.Mutex
	durable map[string]bool // folders whose own entry is known to be flushed
}

// Open opens the store in dir, making it where there is none, and removes temporary files. It fails when another
// process has it open.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir, durable: map[string]bool{}}
	s.buffers.New = func() any { return new([bufferSize]byte) }
	for _, d := range []string{"", objectsDir, incomingDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o750); err != nil {
			return nil, err
		}
	}
	var err error
	if s.lock, err = os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o640); err != nil {
		return nil, err
	}
	if err := lock(s.lock); err != nil {
		return nil, errors.Join(fmt.Errorf("disk: %s is open in another process: %w", dir, err), s.lock.Close())
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

// start leaves the mark that Close takes away and clears what an earlier process left.
func (s *Store) start() error {
	mark := filepath.Join(s.dir, openMark)
	_, err := os.Lstat(mark)
	s.clean = errors.Is(err, fs.ErrNotExist)
	if err := os.WriteFile(mark, nil, 0o640); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, incomingDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(s.dir, incomingDir, e.Name())); err != nil {
			return err
		}
	}
	return flushDir(s.dir) // the mark, and the folders beside it
}

// Clean reports whether the previous process closed the store in good order.
func (s *Store) Clean() bool { return s.clean }

// Close gives the store back. Clean says that the caller knows of nothing that the next one should repair.
func (s *Store) Close(clean bool) error {
	var err error
	if clean {
		err = os.Remove(filepath.Join(s.dir, openMark))
	}
	return errors.Join(err, s.lock.Close())
}

// path returns the file of a key. Keys come from UIDs that were checked; this is the second lock on the door.
func (s *Store) path(key string) (string, error) {
	if !fs.ValidPath(key) || strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./-") != "" {
		return "", fmt.Errorf("disk: malformed key %q", key)
	}
	return filepath.Join(s.dir, objectsDir, filepath.FromSlash(key)), nil
}

// Open returns the object under key, fs.ErrNotExist where there is none.
func (s *Store) Open(_ context.Context, key string) (*Object, error) {
	name, err := s.path(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Object{File: f, size: info.Size()}, nil
}

// Object is a stored file, open for reading.
type Object struct {
	*os.File
	size int64
}

// Stretch returns a reader of n bytes from off on that the system can send without copying them. It moves the file's
// own position: use it before the next one is asked for, by one goroutine.
func (o *Object) Stretch(off, n int64) (io.Reader, error) {
	if _, err := o.Seek(off, io.SeekStart); err != nil {
		return nil, err
	}
	return &io.LimitedReader{R: o.File, N: n}, nil
}

// Size returns the file's length in bytes.
func (o *Object) Size() int64 { return o.size }

// Remove deletes the object under key, and the folders that become empty.
func (s *Store) Remove(_ context.Context, key string) error {
	name, err := s.path(key)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.flush.dir(filepath.Dir(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for key = path.Dir(key); key != "."; key = path.Dir(key) {
		if !s.removeDir(key) {
			break
		}
	}
	return nil
}

// removeDir removes the folder of key if it is empty. It excludes Commit, which counts on the folders it made.
func (s *Store) removeDir(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := filepath.Join(s.dir, objectsDir, filepath.FromSlash(key))
	if os.Remove(dir) != nil {
		return false
	}
	delete(s.durable, dir)
	return true
}

// Walk calls fn for every object in the folder under, "" for all, with its size and the time given to Commit, until fn
// returns an error.
func (s *Store) Walk(ctx context.Context, under string, fn func(key string, size int64, received time.Time) error) error {
	root, start := filepath.Join(s.dir, objectsDir), filepath.Join(s.dir, objectsDir)
	if under != "" {
		var err error
		if start, err = s.path(under); err != nil {
			return err
		}
	}
	return filepath.WalkDir(start, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name != root {
			return nil // removed meanwhile, or a folder that holds nothing
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(rel), info.Size(), info.ModTime())
	})
}
