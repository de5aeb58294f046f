package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// vendorDir returns ../shared/data/vendor-dicom beside the module.
func vendorDir() string {
	dir, _ := os.Getwd()
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "data", "vendor-dicom")
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// TestVendors stores real series, compares the headers that the index keeps with the files, and wants a rebuilt index
// to say the same as the first.
func TestVendors(t *testing.T) {
	archives, _ := filepath.Glob(filepath.Join(vendorDir(), "*.zip"))
	if len(archives) == 0 {
		t.Skip("no vendor series at ../shared/data/vendor-dicom beside the repository")
	}
	ctx := context.Background()
	a := open(t, archive.Config{})
	stored := 0
	for _, path := range archives {
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range z.File {
			r, err := entry.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := a.Put(ctx, bytes.NewReader(b), archive.PutOptions{})
			if err != nil { // documentation, and a few files that name two instances
				continue
			}
			stored++
			if rec.Outcome == archive.Stored {
				compareHeader(t, a, filepath.Base(path)+"/"+entry.Name, rec.Ref)
			}
		}
		z.Close()
	}
	if stored < 50 {
		t.Errorf("stored %d files, want the vendor series", stored)
	}
	all := func() []byte {
		q, _, err := query.Parse("includefield=all", query.Instance, dicomweb.Ref{})
		if err != nil {
			t.Fatal(err)
		}
		results, _, err := a.Find(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for _, ds := range results {
			if out, err = dicom.AppendJSON(out, ds, dicom.JSONOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	before := all()
	if err := a.Reindex(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if after := all(); !bytes.Equal(before, after) {
		t.Errorf("after Reindex: got %d bytes of answers, want the %d of before", len(after), len(before))
	}
}

// compareHeader compares what the index keeps of an instance with its file, as DICOM JSON.
func compareHeader(t *testing.T, a *archive.Archive, name string, ref dicomweb.Ref) {
	t.Helper()
	if err := a.Headers(context.Background(), ref, func(i archive.Instance, h *dicom.Dataset) error {
		o, err := a.Open(context.Background(), i)
		if err != nil {
			return err
		}
		defer o.Close()
		f, err := o.File()
		if err != nil {
			return err
		}
		whole := f.Dataset.Clone()
		kept := 0
		for e := range f.Dataset.All() {
			switch k := h.Get(e.Tag); {
			case e.Tag == tag.SpecificCharacterSet:
				continue
			case k == nil:
				t.Errorf("%s: %v is not in the header", name, e.Tag)
			case k.Deferred() || e.Fragments != nil:
				whole.Delete(e.Tag)
				h.Delete(e.Tag)
			default:
				kept++
			}
		}
		if kept < 20 {
			t.Errorf("%s: only %d attributes are in the header", name, kept)
		}
		h.Delete(tag.AvailableTransferSyntaxUID)
		opt := dicom.JSONOptions{InlineLimit: 1 << 20, BulkDataURI: func(path string, _ *dicom.Element) string { return path }}
		want, err := dicom.AppendJSON(nil, whole, opt)
		if err != nil {
			return err
		}
		h.Delete(tag.SpecificCharacterSet)
		whole.Delete(tag.SpecificCharacterSet)
		got, err := dicom.AppendJSON(nil, h, opt)
		if err != nil {
			return err
		}
		if cut := bytes.Index(want, []byte(`"00080008"`)); cut > 0 { // behind the character set
			want, got = want[cut:], got[max(0, bytes.Index(got, []byte(`"00080008"`))):]
		}
		if !bytes.Equal(got, want) {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			from := max(0, at-60)
			t.Errorf("%s: header and file differ:\ngot  ...%s\nwant ...%s", name, got[from:min(at+60, len(got))], want[from:min(at+60, len(want))])
		}
		return nil
	}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
