package web_test

import (
	"bytes"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/server/web"
)

// TestLargeObject: an object of more than two stretches of the short way from file to connection arrives whole, as it
// is stored and frame by frame, whatever the client says of compression.
func TestLargeObject(t *testing.T) {
	n := start(t, web.Config{})
	d := object{number: 1}.dataset()
	const rows, columns, frames = 1024, 1024, 5
	pixels := make([]byte, 2*rows*columns*frames)
	for i := range pixels {
		pixels[i] = byte(i * i >> 7)
	}
	d.Set(tag.Rows, rows)
	d.Set(tag.Columns, columns)
	d.Set(tag.NumberOfFrames, frames)
	d.SetVR(tag.PixelData, dicom.OW, pixels)
	var file bytes.Buffer
	if err := dicom.Write(&file, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	n.store(file.Bytes())
	for _, coding := range []string{"identity", "gzip"} {
		header := []string{"Accept-Encoding: " + coding, "Accept: application/dicom; transfer-syntax=*"}
		if got := n.get(instance+".1", header...); got.StatusCode != 200 || !bytes.Equal(got.body, file.Bytes()) {
			t.Errorf("%s: %s with %d bytes, want the %d stored", coding, got.Status, len(got.body), file.Len())
		}
		header[1] = `Accept: multipart/related; type="application/octet-stream"`
		got := n.get(instance+".1/frames/5,1", header...)
		size := 2 * rows * columns
		if got.StatusCode != 200 || !bytes.Contains(got.body, pixels[4*size:]) || !bytes.Contains(got.body, pixels[:size]) {
			t.Errorf("%s: %s, frames 5 and 1 are not in its %d bytes", coding, got.Status, len(got.body))
		}
		got = n.get(instance+".1", header[0], "Accept: application/dicom; transfer-syntax=*", "Range: bytes=5000000-9999999")
		if got.StatusCode != 206 || !bytes.Equal(got.body, file.Bytes()[5_000_000:10_000_000]) {
			t.Errorf("%s: %s with %d bytes, want the 5,000,000 asked for", coding, got.Status, len(got.body))
		}
	}
}
