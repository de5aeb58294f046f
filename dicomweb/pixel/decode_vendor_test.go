package pixel_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/pixel"
)

// TestTwelveBits reads three real files of one image: as it was, with stripes of 0F0F and FFFF, and those declared
// signed. The bits above the twelve that are stored mean nothing.
func TestTwelveBits(t *testing.T) {
	root, err := os.Getwd()
	for err == nil && root != "/" {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Dir(root)
	}
	z, err := zip.OpenReader(filepath.Join(root, "..", "shared", "data", "vendor-dicom", "siemens_signed12bit.zip"))
	if err != nil {
		t.Skipf("no vendor files: %v", err)
	}
	defer z.Close()
	want := map[string][2]int32{ // least and largest sample
		"12bitUnsigned.dcm":        {0, 2908},
		"12bitUnsigned_0x0F0F.dcm": {0, 4095},
		"12bitSigned_0x0F0F.dcm":   {-2048, 2047},
	}
	for _, entry := range z.File {
		name := filepath.Base(entry.Name)
		w, ok := want[name]
		if !ok {
			continue
		}
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		f, err := dicom.Scan(bytes.NewReader(raw), int64(len(raw)), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := pixel.LayoutOf(f.Dataset)
		if err != nil {
			t.Fatal(err)
		}
		frames, err := pixel.Frames(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := frames.Frame(0)
		if err != nil {
			t.Fatal(err)
		}
		samples := make([]int32, l.Samples())
		if err := pixel.Decode(l, f.TransferSyntax, b, samples); err != nil {
			t.Fatal(err)
		}
		count := map[int32]int{}
		for _, s := range samples {
			count[s]++
		}
		least, largest := samples[0], samples[0]
		for s := range count {
			least, largest = min(least, s), max(largest, s)
		}
		if least != w[0] || largest != w[1] {
			t.Errorf("%s: %d to %d, want %d to %d", name, least, largest, w[0], w[1])
		}
		stripes := [2]int32{0x0F0F, 0x0FFF} // as they are without a sign
		if strings.Contains(name, "Signed") {
			stripes = [2]int32{-241, -1}
		}
		if strings.Contains(name, "0F0F") && (count[stripes[0]] != 232 || count[stripes[1]] != 128) {
			t.Errorf("%s: %d samples of %d and %d of %d, want 232 and 128", name, count[stripes[0]], stripes[0], count[stripes[1]], stripes[1])
		}
	}
}
