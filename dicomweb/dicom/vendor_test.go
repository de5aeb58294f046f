package dicom_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
)

// vendorFiles calls each with every DICOM file of the vendor series that lie beside the repository, and skips the
// test where they do not.
func vendorFiles(t *testing.T, each func(t *testing.T, name string, b []byte)) {
	t.Helper()
	dir := vendorDir()
	archives, _ := filepath.Glob(filepath.Join(dir, "*.zip"))
	if len(archives) == 0 {
		t.Skip("no vendor series at ../shared/data/vendor-dicom beside the repository")
	}
	for _, path := range archives {
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, entry := range z.File {
			r, err := entry.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) < 132 || string(b[128:132]) != "DICM" {
				continue
			}
			each(t, filepath.Base(path)+"/"+entry.Name, b)
		}
	}
}

// eachSample checks an object with every VR, and the first file of each vendor series that has fewer bytes than most.
func eachSample(t *testing.T, most int, check func(t *testing.T, name string, b []byte)) {
	t.Run("own", func(t *testing.T) { check(t, "every VR", write(t, everyVR(), uid.ExplicitVRLittleEndian)) })
	t.Run("vendors", func(t *testing.T) {
		seen := map[string]bool{}
		vendorFiles(t, func(t *testing.T, name string, b []byte) {
			series, _, _ := strings.Cut(name, "/")
			if !seen[series] && len(b) < most {
				seen[series] = true
				check(t, name, b)
			}
		})
	})
}

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

func TestScanVendor(t *testing.T) {
	n := 0
	vendorFiles(t, func(t *testing.T, name string, b []byte) {
		n++
		f, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if _, _, _, _, err := f.Ref(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	t.Logf("%d files scanned", n)
}
