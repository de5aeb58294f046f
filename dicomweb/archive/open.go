package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive/disk"
	"mome/dicomweb/archive/sqlite"
	"mome/dicomweb/dicom"
)

// Archive is the node's store. All methods may be called concurrently.
type Archive struct {
	cfg         Config
	objects     Objects
	index       Index
	puts        keyed
	maintenance sync.RWMutex // held for writing while the index is rebuilt, for reading while something is taken away
	changes     atomic.Int64 // see Changes
	unsure      atomic.Bool  // something went wrong that the next start should look at
	finish      func(clean bool) error
}

// Open opens the archive in cfg.Dir, making it where there is none. What a crash left is repaired before it returns:
// temporary files go, and files and index rows are compared, so that each file has its row and each row its file. An
// index that is missing, damaged or made by another attribute table is rebuilt. Only one process can have an archive
// open.
func Open(ctx context.Context, cfg Config) (*Archive, error) {
	if cfg.Dir == "" {
		return nil, errors.New("archive: Config.Dir is empty")
	}
	store, err := disk.Open(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("archive: open %s: %w", cfg.Dir, err)
	}
	idx, fresh, err := sqlite.Open(ctx, filepath.Join(cfg.Dir, "index.db"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("archive: open the index in %s: %w", cfg.Dir, err), store.Close(false))
	}
	a, err := New(cfg, Disk(store), idx)
	if err != nil {
		return nil, errors.Join(err, idx.Close(), store.Close(false))
	}
	a.finish = store.Close
	switch {
	case fresh:
		err = a.Reindex(ctx, nil)
	case !store.Clean():
		err = a.repair(ctx)
	}
	if err != nil {
		a.unsure.Store(true)
		return nil, errors.Join(fmt.Errorf("archive: repair %s: %w", cfg.Dir, err), a.Close())
	}
	return a, nil
}

// New makes an archive of an object store and an index that the caller opened, without looking at what they hold. It
// closes the index with the archive.
func New(cfg Config, objects Objects, idx Index) (*Archive, error) {
	if cfg.MaxInstanceBytes < 0 {
		return nil, errors.New("archive: Config.MaxInstanceBytes is negative")
	}
	if cfg.MaxInstanceBytes == 0 {
		cfg.MaxInstanceBytes = 16 << 30
	}
	if cfg.IsResult == nil {
		cfg.IsResult = func(*dicom.Dataset) bool { return false }
	}
	if cfg.IsSource == nil {
		cfg.IsSource = func(*dicom.Dataset) bool { return true }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Archive{cfg: cfg, objects: objects, index: idx, finish: func(bool) error { return nil }}, nil
}

// Close ends the archive. The caller has ended its use before.
func (a *Archive) Close() error {
	err := a.index.Close()
	return errors.Join(err, a.finish(err == nil && !a.unsure.Load()))
}

func (a *Archive) now() time.Time { return a.cfg.Now().UTC().Truncate(time.Microsecond) }

// keyOf returns the key of an instance: its study's instances lie together, studies spread over 256 folders.
func keyOf(ref dicomweb.Ref) string { return folderOf(ref.Study) + "/" + ref.Instance + suffix }

// suffix ends the key of an instance, and of nothing else.
const suffix = ".dcm"

func folderOf(study string) string {
	sum := sha256.Sum256([]byte(study))
	return hex.EncodeToString(sum[:1]) + "/" + study
}

// Disk returns a store on disk as Objects.
func Disk(s *disk.Store) Objects { return onDisk{s} }

type onDisk struct{ *disk.Store }

func (d onDisk) Stage(ctx context.Context, r io.Reader, limit int64) (Staged, error) {
	s, err := d.Store.Stage(ctx, r, limit)
	if err != nil {
		return nil, err // not a typed nil
	}
	return s, nil
}

func (d onDisk) Open(ctx context.Context, key string) (Blob, error) {
	b, err := d.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (d onDisk) Walk(ctx context.Context, under string, fn func(Found) error) error {
	return d.Store.Walk(ctx, under, func(key string, size int64, received time.Time) error {
		return fn(Found{Key: key, Size: size, Received: received})
	})
}

// keyed is one mutex per key.
type keyed struct {
	mu    sync.Mutex
	locks map[string]*counted
}

type counted struct {
	sync.Mutex
	users int
}

// lock waits for the key and returns what gives it back.
func (k *keyed) lock(key string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*counted{}
	}
	c := k.locks[key]
	if c == nil {
		c = &counted{}
		k.locks[key] = c
	}
	c.users++
	k.mu.Unlock()
	c.Lock()
	return func() {
		c.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if c.users--; c.users == 0 {
			delete(k.locks, key)
		}
	}
}
