package stow

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"mome/dicomweb/archive"
)

// TestSpool: what was added can be read, in memory and behind its limit.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s := spool{dir: dir}
	defer s.close()
	var parts []*io.SectionReader
	content := []string{"abc", strings.Repeat("x", inMemory-10), "", strings.Repeat("y", 20), "end"}
	for i, c := range content {
		p, err := s.add(strings.NewReader(c))
		if err != nil {
			t.Fatal(err)
		}
		if parts = append(parts, p); (s.file != nil) != (i >= 3) {
			t.Errorf("after part %d: a file is %t", i, s.file != nil)
		}
	}
	for i, p := range parts {
		if got, err := io.ReadAll(p); err != nil || string(got) != content[i] {
			t.Errorf("part %d has %d bytes, %v, want %d", i, len(got), err, len(content[i]))
		}
	}
	broken := errors.New("broken")
	if _, err := s.add(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("the reader's error became %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Logf("%d files are seen while the spool is open, %v", len(left), err)
	}
}

// TestFullSpool: no space for bulk data is no space.
func TestFullSpool(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	s := spool{file: full}
	defer full.Close()
	_, err = s.add(strings.NewReader("abc"))
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want ENOSPC", err)
	}
	service, err2 := New(Config{Archive: (*archive.Archive)(nil), BaseURL: func(*http.Request) string { return "" }})
	if err2 != nil {
		t.Fatal(err2)
	}
	rep := &report{}
	service.internal(t.Context(), rep, result{}, err)
	if got := rep.status(); got != http.StatusServiceUnavailable || rep.results[0].reason != 0xA700 {
		t.Errorf("status %d, reason %X", got, rep.results[0].reason)
	}
}
