package archivetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
)

// RunObjects tests an object store against the contract of archive.Objects. Open returns an empty store.
func RunObjects(t *testing.T, open func(t *testing.T) archive.Objects) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, archive.Objects)
	}{
		{"commit and read", commitAndRead},
		{"discard", discard},
		{"too large", tooLarge},
		{"reader fails", readerFails},
		{"replace while read", replaceWhileRead},
		{"remove", remove},
		{"malformed keys", malformedKeys},
		{"concurrent", concurrent},
		{"cancelled", cancelled},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, open(t)) })
	}
}

// received is a time as Commit gets it.
func received(n int) time.Time {
	return time.Date(2024, 5, 1, 12, 0, 0, 123456000, time.UTC).Add(time.Duration(n) * time.Second)
}

func stage(t *testing.T, o archive.Objects, content []byte) archive.Staged {
	t.Helper()
	s, err := o.Stage(context.Background(), bytes.NewReader(content), 1<<20)
	if err != nil {
		t.Fatalf("stage: %v", err)
	}
	return s
}

func commit(t *testing.T, o archive.Objects, key string, content []byte, at time.Time) {
	t.Helper()
	s := stage(t, o, content)
	if err := s.Commit(context.Background(), key, at); err != nil {
		t.Fatalf("commit %s: %v", key, err)
	}
	if err := s.Discard(); err != nil {
		t.Fatalf("discard after commit: %v", err)
	}
}

func read(t *testing.T, b archive.Blob) []byte {
	t.Helper()
	content, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return content
}

func load(t *testing.T, o archive.Objects, key string) []byte {
	t.Helper()
	b, err := o.Open(context.Background(), key)
	if err != nil {
		t.Fatalf("open %s: %v", key, err)
	}
	defer b.Close()
	return read(t, b)
}

// walk returns what Walk finds, by key.
func walk(t *testing.T, o archive.Objects) []archive.Found {
	t.Helper()
	var out []archive.Found
	if err := o.Walk(context.Background(), "", func(f archive.Found) error {
		f.Received = f.Received.UTC()
		out = append(out, f)
		return nil
	}); err != nil {
		t.Fatalf("walk: %v", err)
	}
	slices.SortFunc(out, func(a, b archive.Found) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
	return out
}

func commitAndRead(t *testing.T, o archive.Objects) {
	content := bytes.Repeat([]byte("0123456789"), 50_000)
	s := stage(t, o, content)
	sum := sha256.Sum256(content)
	if s.Size() != int64(len(content)) || s.SHA256() != hex.EncodeToString(sum[:]) {
		t.Errorf("staged: got %d bytes, hash %s", s.Size(), s.SHA256())
	}
	part := make([]byte, 10)
	if _, err := s.ReadAt(part, 123_450); err != nil || string(part) != "0123456789" {
		t.Errorf("read what is staged: got %q, %v", part, err)
	}
	if found := walk(t, o); len(found) != 0 {
		t.Errorf("walk before commit: got %v, want nothing", found)
	}
	if err := s.Commit(context.Background(), "ab/1.2/1.3.dcm", received(1)); err != nil {
		t.Fatal(err)
	}
	commit(t, o, "ab/1.2/1.4.dcm", nil, received(2))
	if got := load(t, o, "ab/1.2/1.3.dcm"); !bytes.Equal(got, content) {
		t.Errorf("read: got %d bytes, not those stored", len(got))
	}
	want := []archive.Found{{Key: "ab/1.2/1.3.dcm", Size: int64(len(content)), Received: received(1)}, {Key: "ab/1.2/1.4.dcm", Received: received(2)}}
	if got := walk(t, o); !slices.Equal(got, want) {
		t.Errorf("walk: got %v, want %v", got, want)
	}
	commit(t, o, "ab/1.22/1.3.dcm", nil, received(3))
	for under, want := range map[string]int{"ab/1.2": 2, "ab": 3, "ab/1.2/none": 0, "cd": 0} {
		n := 0
		if err := o.Walk(context.Background(), under, func(archive.Found) error { n++; return nil }); err != nil || n != want {
			t.Errorf("walk under %q: got %d, %v, want %d", under, n, err, want)
		}
	}
	if err := o.Walk(context.Background(), "../x", func(archive.Found) error { return nil }); err == nil {
		t.Error("walk outside: got no error")
	}
	stop := errors.New("enough")
	if err := o.Walk(context.Background(), "", func(archive.Found) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("walk that is ended: got %v, want %v", err, stop)
	}
}

func discard(t *testing.T, o archive.Objects) {
	s := stage(t, o, []byte("x"))
	for range 2 {
		if err := s.Discard(); err != nil {
			t.Errorf("discard: %v", err)
		}
	}
	if found := walk(t, o); len(found) != 0 {
		t.Errorf("walk: got %v, want nothing", found)
	}
}

func tooLarge(t *testing.T, o archive.Objects) {
	for _, tc := range []struct {
		size, limit int
		refused     bool
	}{{10, 10, false}, {11, 10, true}, {0, 0, false}, {1 << 20, 10, true}} {
		s, err := o.Stage(context.Background(), bytes.NewReader(make([]byte, tc.size)), int64(tc.limit))
		if refused := dicomweb.KindOf(err) == dicomweb.TooLarge && err != nil; refused != tc.refused {
			t.Errorf("%d bytes, limit %d: got %v, want refused %v", tc.size, tc.limit, err, tc.refused)
		}
		if err == nil {
			s.Discard()
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func readerFails(t *testing.T, o archive.Objects) {
	broken := errors.New("connection reset")
	if _, err := o.Stage(context.Background(), io.MultiReader(bytes.NewReader([]byte("abc")), failing{broken}), 100); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func replaceWhileRead(t *testing.T, o archive.Objects) {
	commit(t, o, "ab/1/2.dcm", []byte("first"), received(1))
	b, err := o.Open(context.Background(), "ab/1/2.dcm")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	commit(t, o, "ab/1/2.dcm", []byte("second one"), received(2))
	if got := read(t, b); string(got) != "first" {
		t.Errorf("the reader that was there before: got %q, want first", got)
	}
	if got := load(t, o, "ab/1/2.dcm"); string(got) != "second one" {
		t.Errorf("a new reader: got %q, want second one", got)
	}
	if err := o.Remove(context.Background(), "ab/1/2.dcm"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b); string(got) != "first" {
		t.Errorf("after removing: got %q, want first", got)
	}
}

func remove(t *testing.T, o archive.Objects) {
	commit(t, o, "ab/1/2.dcm", []byte("x"), received(1))
	for range 2 { // the second time there is nothing to remove
		if err := o.Remove(context.Background(), "ab/1/2.dcm"); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	if _, err := o.Open(context.Background(), "ab/1/2.dcm"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: got %v, want fs.ErrNotExist", err)
	}
	commit(t, o, "ab/1/2.dcm", []byte("again"), received(2))
	if got := load(t, o, "ab/1/2.dcm"); string(got) != "again" {
		t.Errorf("stored again: got %q", got)
	}
}

func malformedKeys(t *testing.T, o archive.Objects) {
	for _, key := range []string{"", "..", "../x", "a/../b", "/etc/passwd", "a//b", "a\x00b", "a b", "a\\b"} {
		s := stage(t, o, []byte("x"))
		if err := s.Commit(context.Background(), key, received(1)); err == nil {
			t.Errorf("commit under %q: got no error", key)
		}
		s.Discard()
		if _, err := o.Open(context.Background(), key); err == nil {
			t.Errorf("open %q: got no error", key)
		}
		if err := o.Remove(context.Background(), key); err == nil {
			t.Errorf("remove %q: got no error", key)
		}
	}
}

// concurrent commits to few keys from many sides, removing now and then.
func concurrent(t *testing.T, o archive.Objects) {
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 10 {
				key := fmt.Sprintf("ab/%d/%d.dcm", i%3, i)
				s, err := o.Stage(context.Background(), bytes.NewReader(bytes.Repeat([]byte{byte(w)}, 5000)), 1<<20)
				if err == nil {
					err = errors.Join(s.Commit(context.Background(), key, received(i)), s.Discard())
				}
				if err != nil {
					t.Errorf("worker %d, %s: %v", w, key, err)
				}
			}
		})
	}
	all.Wait()
	for _, f := range walk(t, o) {
		if got := load(t, o, f.Key); !bytes.Equal(got, bytes.Repeat(got[:1], 5000)) {
			t.Errorf("%s holds parts of several objects", f.Key)
		}
	}
}

func cancelled(t *testing.T, o archive.Objects) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := o.Stage(ctx, bytes.NewReader(make([]byte, 1000)), 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("stage: got %v, want context.Canceled", err)
	}
	commit(t, o, "ab/1/2.dcm", []byte("x"), received(1))
	if err := o.Walk(ctx, "", func(archive.Found) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("walk: got %v, want context.Canceled", err)
	}
}
