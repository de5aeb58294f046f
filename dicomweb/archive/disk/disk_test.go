package disk_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/archive/disk"
)

func TestObjects(t *testing.T) {
	archivetest.RunObjects(t, func(t *testing.T) archive.Objects {
		s, err := disk.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(true) })
		return archive.Disk(s)
	})
}

func TestOneProcess(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := disk.Open(dir); err == nil {
		second.Close(true)
		t.Error("the store could be opened twice")
	}
	if err := s.Close(true); err != nil {
		t.Fatal(err)
	}
	again, err := disk.Open(dir)
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	again.Close(true)
}

func TestCleanMark(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		close, want bool // how the one before closed, and what is found
	}{{true, true}, {true, true}, {false, true}, {true, false}, {true, true}} {
		s, err := disk.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if s.Clean() != tc.want {
			t.Errorf("clean: got %v, want %v", s.Clean(), tc.want)
		}
		if err := s.Close(tc.close); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLeftovers wants temporary files gone and stored ones untouched when a store is opened.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.Stage(context.Background(), bytes.NewReader([]byte("kept")), 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Commit(context.Background(), "ab/1/2.dcm", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stage(context.Background(), bytes.NewReader([]byte("lost")), 100); err != nil {
		t.Fatal(err)
	}
	s.Close(false)
	if s, err = disk.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close(true)
	if left, err := os.ReadDir(filepath.Join(dir, "incoming")); err != nil || len(left) != 0 {
		t.Errorf("temporary files: got %d, %v, want none", len(left), err)
	}
	o, err := s.Open(context.Background(), "ab/1/2.dcm")
	if err != nil {
		t.Fatal(err)
	}
	o.Close()
}

// TestEmptyFolders wants the folders of a study gone with its last object.
func TestEmptyFolders(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(true)
	st, err := s.Stage(context.Background(), bytes.NewReader([]byte("x")), 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Commit(context.Background(), "ab/1/2.dcm", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(context.Background(), "ab/1/2.dcm"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "objects")); err != nil || len(left) != 0 {
		t.Errorf("folders: got %d, %v, want none", len(left), err)
	}
}
