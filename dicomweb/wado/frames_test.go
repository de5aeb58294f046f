package wado_test

import (
	"fmt"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
)

const (
	octets   = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
	ohif     = "multipart/related; type=application/octet-stream; transfer-syntax=*"
	python   = `multipart/related; type="*/*"`
	lossless = uid.JPEGLosslessSV1
	jpeg2000 = uid.JPEG2000Lossless
)

func TestFrames(t *testing.T) {
	sixteen := encode(image(1, 2, 3, 16, dicom.OW, []byte("aAbBcCdDeEfF")), uid.ExplicitVRLittleEndian)
	big := encode(image(1, 2, 3, 16, dicom.OW, []byte("aAbBcCdDeEfF")), bigEndian)
	round := encode(image(256, 256, 1, 16, dicom.OW, make([]byte, 2*256*256)), bigEndian) // sizes that are numbers in either order
	implicit := encode(image(1, 2, 3, 16, dicom.OW, []byte("aAbBcCdDeEfF")), uid.DeflatedExplicitVRLittleEndian)
	mask := encode(image(3, 3, 3, 1, dicom.OB, []byte{0xFF, 0x01, 0x54, 0x05}), uid.ExplicitVRLittleEndian)
	jpeg := encode(image(1, 2, 2, 16, "", nil), lossless, "one\xFF", "two\xFF")
	photo := encode(image(1, 2, 1, 8, "", nil), uid.JPEGBaseline8Bit, "one\xFF")
	wavelet := encode(image(1, 2, 2, 16, "", nil), jpeg2000, "one\xFF", "two\xFF")
	// RLE of one 8-bit segment: a header of 64 bytes, then a run of two 7s.
	rle := func(value string) string { return "\x01\x00\x00\x00\x40" + strings.Repeat("\x00", 59) + "\xFF" + value }
	packed := encode(image(1, 2, 2, 8, "", nil), uid.RLELossless, rle("\x07"), rle("\x09"))
	for _, c := range []struct {
		name   string
		file   []byte
		frames string
		accept string
		status int
		want   []string
		types  string
	}{
		{"one, as OHIF asks", sixteen, "1", ohif, 200, []string{"aAbB"}, octets},
		{"order and repetition", sixteen, "3,1,3", ohif, 200, []string{"eEfF", "aAbB", "eEfF"}, octets},
		{"as the Python client asks", sixteen, "2", python, 200, []string{"cCdD"}, octets},
		{"no Accept", sixteen, "2", "", 200, []string{"cCdD"}, octets},
		{"single part", sixteen, "2", "application/octet-stream", 200, []string{"cCdD"}, octets},
		{"a list as single part", sixteen, "1,2", "application/octet-stream", 406, nil, ""},
		{"frame 99", sixteen, "99", ohif, 404, nil, ""},
		{"one of a list too many", sixteen, "1,4", ohif, 404, nil, ""},
		{"frame 0", sixteen, "0", ohif, 400, nil, ""},
		{"frame x", sixteen, "x", ohif, 400, nil, ""},
		{"empty entry", sixteen, "1,,2", ohif, 400, nil, ""},
		{"frame beyond every integer", sixteen, "99999999999999999999", ohif, 400, nil, ""},
		{"image/png", sixteen, "1", `multipart/related; type="image/png"`, 406, nil, ""},
		{"image/jpeg without loss", sixteen, "1", `multipart/related; type="image/jpeg"`, 200, nil, "image/jpeg; transfer-syntax=" + lossless},
		{"image/*", sixteen, "1", `multipart/related; type="image/*"`, 200, nil, "image/jpeg; transfer-syntax=" + lossless},
		{"image/jpeg with loss", sixteen, "1", `multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50`, 406, nil, ""},
		{"as a browser asks for a page", sixteen, "1", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200, []string{"aAbB"}, octets},
		{"what cannot be, then what can", sixteen, "1", `multipart/related; type="image/png", multipart/related; type="application/octet-stream"`, 200, []string{"aAbB"}, octets},
		{"by weight", sixteen, "1", `image/jls; q=0.1, application/octet-stream; q=0.9`, 200, []string{"aAbB"}, octets},
		{"big endian is turned", big, "2", ohif, 200, []string{"cCdD"}, octets},
		{"big endian is compressed", round, "1", `multipart/related; type="image/jpeg"`, 200, nil, "image/jpeg; transfer-syntax=" + lossless},
		{"deflated", implicit, "2", ohif, 200, []string{"cCdD"}, octets},
		{"one bit, frames share bytes", mask, "1,2,3", ohif, 200, []string{"\xFF\x01", "\x00\x00", "\x55\x01"}, octets},
		{"compressed, as OHIF asks", jpeg, "2", ohif, 200, []string{"two\xFF"}, "application/octet-stream; transfer-syntax=" + lossless},
		{"compressed, image/jpeg", jpeg, "1,2", `multipart/related; type="image/jpeg"`, 200, []string{"one\xFF", "two\xFF"}, "image/jpeg; transfer-syntax=" + lossless},
		{"compressed, any", jpeg, "1", python, 200, []string{"one\xFF"}, "image/jpeg; transfer-syntax=" + lossless},
		{"compressed, image/*", jpeg, "1", `multipart/related; type="image/*"`, 200, []string{"one\xFF"}, "image/jpeg; transfer-syntax=" + lossless},
		{"compressed, broken", jpeg, "1", "multipart/related; type=application/octet-stream", 406, nil, ""},
		{"compressed, as image/jp2", wavelet, "1", `multipart/related; type="image/jp2"`, 200, []string{"one\xFF"}, "image/jp2; transfer-syntax=" + jpeg2000},
		{"compressed, decoded without a decoder", wavelet, "1", "multipart/related; type=application/octet-stream", 406, nil, ""},
		{"lossy, bytes", photo, "1", "application/octet-stream", 200, []string{"one\xFF"}, "application/octet-stream; transfer-syntax=" + uid.JPEGBaseline8Bit},
		{"lossy, explicit", photo, "1", octets, 406, nil, ""},
		{"RLE as stored", packed, "2", `multipart/related; type="image/dicom-rle"`, 200, []string{rle("\x09")}, "image/dicom-rle; transfer-syntax=" + uid.RLELossless},
		{"RLE under its old name", packed, "2", `multipart/related; type="image/x-dicom-rle"`, 200, []string{rle("\x09")}, "image/x-dicom-rle; transfer-syntax=" + uid.RLELossless},
		{"RLE decoded", packed, "2,1", "multipart/related; type=application/octet-stream", 200, []string{"\x09\x09", "\x07\x07"}, octets},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := service(t, c.file)
			for _, again := range []string{"first", "again"} { // from a scan, and from what is remembered of it
				w, status := call(s.Frames, ref, c.accept, "frames", c.frames)
				if status != c.status {
					t.Fatalf("%s: frames %s, Accept %q: %d, want %d", again, c.frames, c.accept, status, c.status)
				}
				if status != 200 {
					continue
				}
				got, types := parts(t, w)
				if c.want != nil && fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
					t.Errorf("%s: frames %s: %q, want %q", again, c.frames, got, c.want)
				}
				for _, ct := range types {
					if ct != c.types {
						t.Errorf("%s: frames %s: a part of %s, want %s", again, c.frames, ct, c.types)
					}
				}
			}
		})
	}
}

func TestFramesOfAnObjectWithoutPixels(t *testing.T) {
	s := service(t, encode(image(1, 1, 1, 8, "", nil), uid.ExplicitVRLittleEndian))
	if _, status := call(s.Frames, ref, ohif, "frames", "1"); status != 404 {
		t.Errorf("status %d, want 404", status)
	}
}
