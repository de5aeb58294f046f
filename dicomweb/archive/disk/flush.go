package disk

import (
	"errors"
	"os"
	"sync"
)

// flusher flushes folders. Who comes while a folder is being flushed waits for the next flush of it, which serves all
// who came by then: several senders of one study share flushes.
type flusher struct {
	mu      sync.Mutex
	folders map[string]*folder
}

type folder struct {
	users int
	next  *flush     // that serves who comes now; nil when nobody waits for one
	turn  sync.Mutex // held during a flush
}

// flush is one flush that several may wait for. The folder's turn guards it.
type flush struct {
	done bool
	err  error
}

// dir makes those entries of a folder durable that are there when it is called.
func (f *flusher) dir(name string) error {
	f.mu.Lock()
	if f.folders == nil {
		f.folders = map[string]*folder{}
	}
	d := f.folders[name]
	if d == nil {
		d = &folder{}
		f.folders[name] = d
	}
	d.users++
	if d.next == nil {
		d.next = &flush{}
	}
	mine := d.next
	f.mu.Unlock()

	d.turn.Lock()
	if !mine.done { // the first of those who share it
		f.mu.Lock()
		d.next = nil // who comes from here on may have come too late for it
		f.mu.Unlock()
		mine.err, mine.done = flushDir(name), true
	}
	d.turn.Unlock()

	f.mu.Lock()
	defer f.mu.Unlock()
	if d.users--; d.users == 0 {
		delete(f.folders, name)
	}
	return mine.err
}

// flushDir makes the entries of a folder durable.
func flushDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
