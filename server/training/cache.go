package training

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mome/experts/nn"
)

// Cache keeps prepared samples in a folder, one file per study, so that a run that was killed, or is repeated, does not
// analyse again. A file is whole or absent: it gets its name when its bytes are on the disk. Several processes may use one
// folder. The files hold image data of the studies, readable by their owner only, and no patient identification.
type Cache struct {
	dir string
}

const (
	extension = ".cut"
	partial   = ".part"
	leftover  = 24 * time.Hour // a partial file of that age belongs to a process that was killed
)

// OpenCache opens the cache in dir, making it where there is none, and takes away what killed processes left.
func OpenCache(dir string, now time.Time) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasSuffix(e.Name(), partial) && now.Sub(info.ModTime()) > leftover {
			os.Remove(filepath.Join(dir, e.Name())) // another process may have done so
		}
	}
	return &Cache{dir: dir}, nil
}

// key names the record of a study by everything that it depends on.
func key(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		text := fmt.Sprintf("%+v", p)
		fmt.Fprintf(h, "%d %s\n", len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// digest stands for a patient within one run: equal for equal IDs.
func digest(id string) string { return key("patient", strings.TrimSpace(id)) }

func (c *Cache) path(key string) string { return filepath.Join(c.dir, key+extension) }

// load returns the record under key, nil where there is none that can be used.
func (c *Cache) load(key string, boxes nn.Boxes) *record {
	if c == nil {
		return nil
	}
	f, err := os.Open(c.path(key))
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	r, err := readRecord(f, info.Size(), boxes)
	if err != nil {
		return nil
	}
	for n := range r.Cuts {
		r.Cuts[n].path = c.path(key)
	}
	return r
}

// store keeps a record under key and returns it as it lies on disk. Without a cache it stays in memory.
func (c *Cache) store(key string, r *record, boxes nn.Boxes) (_ *record, err error) {
	if c == nil {
		return r, nil
	}
	f, err := os.CreateTemp(c.dir, key+".*"+partial)
	if err != nil {
		return nil, fmt.Errorf("write cache: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("write cache: %w", err)
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := r.write(w); err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if err := os.Rename(f.Name(), c.path(key)); err != nil {
		return nil, err
	}
	stored := c.load(key, boxes)
	if stored == nil {
		return nil, fmt.Errorf("the file of study %s cannot be read back", r.Study)
	}
	return stored, nil
}
