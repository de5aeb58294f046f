package wado

import (
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// TestLittleIsRemembered: an object's frames are remembered, lookup tables and the like are not.
func TestLittleIsRemembered(t *testing.T) {
	f, _ := multiframe(t)
	for i := range 200 {
		f.Dataset.SetVR(tag.New(0x0028, uint16(0x5000+i)), dicom.OB, make([]byte, 60_000))
	}
	var c frameCache
	c.remember("x", f)
	known := c.get("x")
	if known == nil || known.frames.Count() != 5 {
		t.Fatalf("remembered: %+v, want five frames", known)
	}
	bytes := 0
	for e := range known.file.Dataset.All() {
		bytes += len(e.Value)
	}
	if bytes > 1000 {
		t.Errorf("%d bytes are remembered of one object, want at most 1000", bytes)
	}
}
