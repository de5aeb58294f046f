package analysis

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts/series"
)

// Object is one instance that can be read again and again: headers first, pixels later.
type Object interface {
	// Open returns the scanned object. Closing it ends the use of the file.
	Open() (*dicom.File, io.Closer, error)
}

// FromDir returns the DICOM files below dir, in order of their names, and how many other files it passed over.
func FromDir(dir string) (objects []Object, passedOver int, err error) {
	var paths []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	slices.Sort(paths)
	for _, p := range paths {
		_, c, err := dicom.ReadFile(p)
		if err != nil {
			passedOver++
			continue
		}
		c.Close()
		objects = append(objects, file(p))
	}
	return objects, passedOver, nil
}

type file string

func (p file) Open() (*dicom.File, io.Closer, error) { return dicom.ReadFile(string(p)) }

// FromMemory returns an object over the bytes of a Part 10 file.
func FromMemory(part10 []byte) Object { return memory(part10) }

// FromDatasets returns objects over data sets, such as a phantom's, written as Part 10 files: what was never sent is read
// through the same bytes as what a node receives.
func FromDatasets(ctx context.Context, instances iter.Seq2[string, *dicom.Dataset]) ([]Object, error) {
	var objects []Object
	for name, ds := range instances {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		objects = append(objects, FromMemory(b.Bytes()))
	}
	return objects, nil
}

type memory []byte

func (m memory) Open() (*dicom.File, io.Closer, error) {
	f, err := dicom.Scan(bytes.NewReader(m), int64(len(m)), dicom.Limits{})
	return f, io.NopCloser(nil), err
}

// opener gives series.Assemble the files behind its instances.
func opener(objects []Object) series.Opener {
	return func(_ context.Context, n int) (*dicom.File, io.Closer, error) { return objects[n].Open() }
}
