package wado_test

import (
	"net/http/httptest"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
)

// TestInseparableFrames asks for the frames of objects that do not tell where they lie: 406, since nothing is wrong with the
// request. In an answer of many values they are left out.
func TestInseparableFrames(t *testing.T) {
	part := rleFrame("\x07")
	fragments := encode(number(image(1, 3, 2, 8, "", nil), 1), uid.RLELossless, part, part, part)
	for _, c := range []struct {
		name     string
		file     []byte
		bulkData int
	}{
		{"fragments without a table", fragments, 406},
		{"video", encode(number(image(1, 2, 5, 8, "", nil), 1), uid.MPEG2MPML, "video\x00"), 200},
		{"too few bytes", encode(number(image(1, 200, 2, 8, dicom.OB, []byte("ab")), 1), uid.ExplicitVRLittleEndian), 200},
	} {
		s, at := service(t, c.file), ref
		at.Instance += ".1"
		if _, status := call(s.Frames, at, "", "frames", "1"); status != 406 {
			t.Errorf("%s: frame 1: %d, want 406", c.name, status)
		}
		if _, status := call(s.BulkData, at, "", "path", "7FE00010"); status != c.bulkData {
			t.Errorf("%s: bulk data: %d, want %d", c.name, status, c.bulkData)
		}
	}
	s := service(t, fragments, encode(number(image(1, 2, 1, 16, dicom.OW, []byte("aAbB")), 2), uid.ExplicitVRLittleEndian))
	w := httptest.NewRecorder()
	if err := s.PixelData(w, httptest.NewRequest("GET", "/", nil), series); err != nil {
		t.Fatal(err)
	}
	if got := sentBy(t, w); len(got) != 1 || got[0].body != "aAbB" {
		t.Errorf("pixel data of a series: %v, want those of the second instance", got)
	}
}

// TestBulkDataInLowerCase: hexadecimal digits count regardless of case, and name the same forms.
func TestBulkDataInLowerCase(t *testing.T) {
	s := service(t, encode(image(1, 3, 2, 8, "", nil), uid.RLELossless, rleFrame("\x07"), rleFrame("\x08")))
	for _, path := range []string{"7FE00010", "7fe00010"} {
		w, status := call(s.BulkData, ref, "application/octet-stream", "path", path)
		if status != 200 || w.Body.String() != "\x07\x07\x07\x08\x08\x08" {
			t.Errorf("%s: %d with %q, want the frames decoded", path, status, w.Body)
		}
	}
}
