package render_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"io"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// profileIn returns the ICC profile of a JPEG or PNG stream, nil when it has none.
func profileIn(t *testing.T, stream []byte) []byte {
	t.Helper()
	if name := []byte("ICC_PROFILE\x00\x01\x01"); bytes.Contains(stream, name) {
		at := bytes.Index(stream, name)
		return stream[at+len(name):][:int(binary.BigEndian.Uint16(stream[at-2:]))-16]
	}
	at := bytes.Index(stream, []byte("iCCPICC profile\x00\x00"))
	if at < 0 {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(stream[at+17:]))
	if err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProfiles: iccprofile puts one in that suits the channels, or the object's own; the streams still decode.
func TestProfiles(t *testing.T) {
	ref := inSeries("v", "v")
	coloured := func(set func(*dicom.Dataset)) *dicom.Dataset {
		d := object(1, 2, []byte{1, 2, 3, 4, 5, 6}, func(d *dicom.Dataset) {
			bits8(d)
			d.Set(tag.SamplesPerPixel, 3)
			d.Set(tag.PhotometricInterpretation, "RGB")
			d.Set(tag.PlanarConfiguration, 0)
		})
		set(d)
		return d
	}
	grey := object(1, 2, []byte{0, 255}, bits8)
	for _, c := range []struct {
		name, query string
		object      *dicom.Dataset
		status      int
		space       string // of the profile, "" for none
	}{
		{"grey, none", "", grey, 200, ""},
		{"grey, no", "iccprofile=no", grey, 200, ""},
		{"grey", "iccprofile=yes", grey, 200, "GRAY"},
		{"grey png", "iccprofile=srgb&accept=image/png", grey, 200, "GRAY"},
		{"gif has no place for it", "iccprofile=yes&accept=image/gif", grey, 406, ""},
		{"colour", "iccprofile=sRGB", coloured(func(*dicom.Dataset) {}), 200, "RGB "},
		{"colour png", "iccprofile=yes&accept=image/png", coloured(func(*dicom.Dataset) {}), 200, "RGB "},
		{"the object's own", "iccprofile=yes", coloured(func(d *dicom.Dataset) { d.SetVR(tag.ICCProfile, dicom.OB, own) }), 200, "own "},
		{"the object's own is not sRGB", "iccprofile=srgb", coloured(func(d *dicom.Dataset) { d.SetVR(tag.ICCProfile, dicom.OB, own) }), 406, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.object.Set(tag.StudyInstanceUID, ref.Study)
			c.object.Set(tag.SeriesInstanceUID, ref.Series)
			c.object.Set(tag.SOPInstanceUID, ref.Instance)
			w, status, err := call("GET", service(t, c.object).Rendered, ref, c.query)
			if status != c.status {
				t.Fatalf("%d %v, want %d", status, err, c.status)
			}
			if status != 200 {
				return
			}
			if _, _, err := image.Decode(bytes.NewReader(w.Body.Bytes())); err != nil {
				t.Error(err)
			}
			p := profileIn(t, w.Body.Bytes())
			if space := string(p[min(16, len(p)):min(20, len(p))]); space != c.space {
				t.Fatalf("profile of colour space %q, want %q", space, c.space)
			}
			if c.space != "" && c.space != "own " {
				valid(t, p)
			}
		})
	}
}

// TestProfilesOfSeveralFrames: the answer names what there is, and nothing else.
func TestProfilesOfSeveralFrames(t *testing.T) {
	ref := inSeries("v", "v")
	s := service(t, picture(ref, 1, 4, 8, 3))
	_, status, err := call("GET", s.Rendered, ref, "iccprofile=yes", "frames: 1,2,3", `Accept: multipart/related; type="image/gif"`)
	const want = `this can be had as: multipart/related; type="image/jpeg", multipart/related; type="image/png"`
	if status != 406 || err == nil || err.Error() != want {
		t.Errorf("%d %v, want 406 %s", status, err, want)
	}
}

// own is no real profile.
var own = append(make([]byte, 16), "own and so on..."...)

// valid checks the profile's structure.
func valid(t *testing.T, p []byte) {
	t.Helper()
	if n := binary.BigEndian.Uint32(p); int(n) != len(p) || string(p[36:40]) != "acsp" {
		t.Fatalf("profile of %d bytes says %d, signature %q", len(p), n, p[36:40])
	}
	for i := range binary.BigEndian.Uint32(p[128:]) {
		e := p[132+12*i:]
		at, n := binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[8:])
		if at%4 != 0 || int(at+n) > len(p) {
			t.Errorf("element %s lies at %d, %d bytes", e[:4], at, n)
		}
	}
}
