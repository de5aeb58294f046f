package client

import (
	"bytes"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// Source is one DICOM file to be stored.
type Source struct {
	Name string                        // for reports
	Size int64                         // in bytes, negative when unknown
	Open func() (io.ReadCloser, error) // called once for each attempt
}

// Bytes returns a source in memory.
func Bytes(name string, b []byte) Source {
	return Source{Name: name, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// File returns the file at path.
func File(path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, err
	}
	return Source{Name: path, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path) }}, nil
}

// Folder yields every regular file below root in lexical order, without hidden ones and DICOMDIR, which is no
// instance. Names are relative to root. An error ends the walk.
func Folder(root string) iter.Seq2[Source, error] {
	return func(yield func(Source, error) bool) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			hidden := strings.HasPrefix(d.Name(), ".") && path != root
			if d.IsDir() {
				if hidden {
					return filepath.SkipDir
				}
				return nil
			}
			if hidden || !d.Type().IsRegular() || strings.EqualFold(d.Name(), "DICOMDIR") {
				return nil
			}
			s, err := File(path)
			if err != nil {
				return err
			}
			if rel, err := filepath.Rel(root, path); err == nil && rel != "." {
				s.Name = rel
			}
			if !yield(s, nil) {
				return filepath.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Source{}, err)
		}
	}
}

// looksDICOM reports whether a file begins as PS3.10 section 7.1 tells: a preamble and DICM, or File Meta Information
// without them.
func looksDICOM(head []byte) bool {
	if len(head) >= 132 && string(head[128:132]) == "DICM" {
		return true
	}
	return bytes.HasPrefix(head, []byte{2, 0, 0, 0, 'U', 'L'})
}
