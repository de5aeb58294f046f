package access

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// recheck is how often a file that is in use is looked at for a change.
const recheck = time.Second

// watched is a value that was read from files and is read again when one of them changes. Looking costs a stat a
// second and needs no goroutine.
type watched[T any] struct {
	paths []string
	read  func() (T, error)
	now   func() time.Time
	log   *slog.Logger

	mu     sync.Mutex
	value  T
	stamps []stamp
	looked time.Time
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

// watch reads the value once. Now and log may be nil.
func watch[T any](paths []string, read func() (T, error), now func() time.Time, log *slog.Logger) (*watched[T], error) {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	w := &watched[T]{paths: paths, read: read, now: now, log: log, looked: now()}
	w.stamps = w.stamp()
	var err error
	w.value, err = read()
	return w, err
}

// get returns the value as the files say, or said when they could last be read.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if now.Sub(w.looked) < recheck {
		return w.value
	}
	w.looked = now
	stamps := w.stamp()
	if slices.Equal(stamps, w.stamps) {
		return w.value
	}
	w.stamps = stamps
	value, err := w.read()
	if err != nil {
		w.log.Error("a changed file is not used: what was read before stays in force", "file", w.paths[0], "error", err)
		return w.value
	}
	w.value = value
	w.log.Info("read again", "file", w.paths[0])
	return value
}

func (w *watched[T]) stamp() []stamp {
	out := make([]stamp, len(w.paths))
	for i, p := range w.paths {
		if info, err := os.Stat(p); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}
