package wado_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// vendorFolder returns the folder of vendors' files beside the repository, found from the go.mod upwards.
func vendorFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
	folder := filepath.Join(dir, "..", "shared", "data", "vendor-dicom")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("vendors' files are not at %s", folder)
	}
	return folder
}

// TestExplicitOfVendorsFiles writes vendors' files in implicit VR, as many archives send them, has them converted back
// and compares attribute by attribute, as DICOM JSON; the frames and metadata of each must be had as well. Private
// attributes have no VR in implicit VR: they are compared as what a reader makes of them there.
func TestExplicitOfVendorsFiles(t *testing.T) {
	zips, err := filepath.Glob(filepath.Join(vendorFolder(t), "*.zip"))
	if err != nil || len(zips) == 0 {
		t.Fatalf("no zips: %v", err)
	}
	all := 0
	for _, name := range zips {
		t.Run(filepath.Base(name), func(t *testing.T) {
			z, err := zip.OpenReader(name)
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			tried := 0
			for _, entry := range z.File {
				r, err := entry.Open()
				if err != nil {
					t.Fatal(err)
				}
				file, err := io.ReadAll(r)
				r.Close()
				if err != nil {
					t.Fatal(err)
				}
				f, err := dicom.Scan(bytes.NewReader(file), int64(len(file)), dicom.Limits{})
				if err != nil || len(file) > 8<<20 || tried == 2 {
					continue
				}
				study, series, instance, _, err := f.Ref()
				if err != nil {
					continue
				}
				tried++
				check(t, implicit(t, f), dicomweb.Ref{Study: study, Series: series, Instance: instance})
			}
			all += tried
		})
	}
	if all < 5 {
		t.Errorf("only %d files were tried", all)
	}
}

// implicit returns the object in implicit VR little endian.
func implicit(t *testing.T, f *dicom.File) []byte {
	t.Helper()
	d := loaded(t, f, f.Dataset)
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ImplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// loaded returns d with every value in memory.
func loaded(t *testing.T, f *dicom.File, d *dicom.Dataset) *dicom.Dataset {
	t.Helper()
	out := d.Clone()
	for e := range d.All() {
		c := *e
		if e.Deferred() {
			var err error
			if c.Value, err = f.Value(e); err != nil {
				t.Fatal(err)
			}
		}
		c.Items = nil
		for _, item := range e.Items {
			c.Items = append(c.Items, loaded(t, f, item))
		}
		out.Put(&c)
	}
	return out
}

func check(t *testing.T, file []byte, ref dicomweb.Ref) {
	t.Helper()
	f, err := dicom.Scan(bytes.NewReader(file), int64(len(file)), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, file)
	opt := dicom.JSONOptions{BulkDataURI: func(path string, e *dicom.Element) string { return path }}
	want, err := f.AppendJSON(nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	w, status := call(s.Instances, ref, "application/dicom")
	if status != 200 {
		t.Fatalf("%s in %s: status %d", ref.Instance, f.TransferSyntax, status)
	}
	bodies, _ := parts(t, w)
	got := []byte(bodies[0])
	g, err := dicom.Scan(bytes.NewReader(got), int64(len(got)), dicom.Limits{})
	if err != nil {
		t.Fatalf("%s: what was converted cannot be read: %v", ref.Instance, err)
	}
	have, err := g.AppendJSON(nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	if g.TransferSyntax != uid.ExplicitVRLittleEndian || !bytes.Equal(have, want) {
		t.Errorf("%s in %s: converted to %s, %d bytes of JSON differ from the %d wanted", ref.Instance, f.TransferSyntax, g.TransferSyntax, len(have), len(want))
	}
	pixels, converted := f.Dataset.Get(tag.PixelData), g.Dataset.Get(tag.PixelData)
	a, _ := f.Value(pixels)
	b, _ := g.Value(converted)
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Errorf("%s: pixel data of %d bytes became %d", ref.Instance, len(a), len(b))
	}
	if _, status := call(s.Frames, ref, ohif, "frames", "1"); status != 200 {
		t.Errorf("%s: frame 1: status %d", ref.Instance, status)
	}
	if w, status := call(s.Metadata, ref, ""); status != 200 || len(metadata(t, w)) != 1 {
		t.Errorf("%s: metadata: status %d", ref.Instance, status)
	}
}
