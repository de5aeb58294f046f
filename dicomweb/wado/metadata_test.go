package wado_test

import (
	"bytes"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// rich returns an image with a long value at the top, one in a sequence, a short one, and a long sequence.
func rich(t *testing.T) []byte {
	t.Helper()
	d := image(1, 2, 1, 16, dicom.OW, []byte("aAbB"))
	d.Set(tag.PatientName, "Müller^Jörg")
	d.SetVR(tag.New(0x0009, 0x10), dicom.LO, "MOME TEST")
	d.SetVR(tag.New(0x0009, 0x1001), dicom.OB, []byte("tiny"))
	d.SetVR(tag.New(0x0009, 0x1002), dicom.UN, bytes.Repeat([]byte("long"), 600))
	item := dicom.New()
	item.SetVR(tag.New(0x0009, 0x10), dicom.LO, "MOME TEST")
	item.SetVR(tag.New(0x0009, 0x1003), dicom.OW, bytes.Repeat([]byte("deep"), 600))
	d.SetItems(tag.ReferencedSeriesSequence, dicom.New(), item)
	var groups []*dicom.Dataset // more than an index keeps of one attribute
	for i := range 3000 {
		g := dicom.New()
		g.Set(tag.DimensionIndexValues, i)
		g.Set(tag.StackID, "a stack")
		groups = append(groups, g)
	}
	d.SetItems(tag.PerFrameFunctionalGroupsSequence, groups...)
	var buf bytes.Buffer
	if err := dicom.Write(&buf, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func metadata(t *testing.T, w *httptest.ResponseRecorder) []*dicom.Dataset {
	t.Helper()
	list, err := dicom.ParseJSON(w.Body, dicom.Limits{})
	if err != nil {
		t.Fatalf("%v in %.300s", err, w.Body)
	}
	return list
}

func TestMetadataIsWhole(t *testing.T) {
	s := service(t, rich(t))
	for _, at := range []dicomweb.Ref{{Study: ref.Study}, {Study: ref.Study, Series: ref.Series}, ref} {
		w, status := call(s.Metadata, at, "application/dicom+json")
		if status != 200 || w.Header().Get("Content-Type") != "application/dicom+json" {
			t.Fatalf("%s: %d %s", at.Path(), status, w.Header().Get("Content-Type"))
		}
		list := metadata(t, w)
		if len(list) != 1 {
			t.Fatalf("%s: %d data sets, want 1", at.Path(), len(list))
		}
		d := list[0]
		if got := d.String(tag.PatientName); got != "Müller^Jörg" {
			t.Errorf("PatientName %q", got)
		}
		if got := len(d.Items(tag.PerFrameFunctionalGroupsSequence)); got != 3000 {
			t.Errorf("%d functional groups, want 3000", got)
		}
		if got := string(d.Bytes(tag.New(0x0009, 0x1001))); got != "tiny" {
			t.Errorf("short private value %q, want it inline", got)
		}
	}
}

// TestBulkDataURIsResolve takes every BulkDataURI of the metadata and fetches it.
func TestBulkDataURIsResolve(t *testing.T) {
	s := service(t, rich(t))
	w, _ := call(s.Metadata, ref, "")
	d := metadata(t, w)[0]
	uri := func(e *dicom.Element) string {
		t.Helper()
		if e == nil || e.BulkDataURI == "" {
			t.Fatalf("%+v has no BulkDataURI", e)
		}
		return e.BulkDataURI
	}
	for _, c := range []struct {
		name string
		e    *dicom.Element
		want string
	}{
		{"pixel data", d.Get(tag.PixelData), "aAbB"},
		{"private", d.Get(tag.New(0x0009, 0x1002)), strings.Repeat("long", 600)},
		{"in a sequence", d.Items(tag.ReferencedSeriesSequence)[1].Get(tag.New(0x0009, 0x1003)), strings.Repeat("deep", 600)},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, ok := strings.CutPrefix(uri(c.e), "http://node/dicom-web/"+ref.Path()+"/bulkdata/")
			if !ok {
				t.Fatalf("BulkDataURI %s", c.e.BulkDataURI)
			}
			for _, accept := range []string{"", "application/octet-stream", `multipart/related; type="application/octet-stream"`, "multipart/related; type=application/octet-stream; transfer-syntax=*", "*/*"} {
				w, status := call(s.BulkData, ref, accept, "path", path)
				if status != 200 {
					t.Fatalf("Accept %q: %d", accept, status)
				}
				if got, types := parts(t, w); len(got) != 1 || got[0] != c.want || types[0] != octets {
					t.Errorf("Accept %q: %d parts of %v, want one of %s with %d bytes", accept, len(got), types, octets, len(c.want))
				}
			}
		})
	}
	for path, want := range map[string]int{"": 404, "7FE00010/0": 404, "00100010": 404, "00081115/7/00091003": 404, "../..": 404} {
		if _, status := call(s.BulkData, ref, "", "path", path); status != want {
			t.Errorf("bulkdata/%s: %d, want %d", path, status, want)
		}
	}
}

func TestBulkDataOfCompressedPixels(t *testing.T) {
	s := service(t, encode(image(1, 2, 2, 16, "", nil), lossless, "one\xFF", "two\xFF"))
	w, _ := call(s.Metadata, ref, "")
	if e := metadata(t, w)[0].Get(tag.PixelData); e == nil || !strings.HasSuffix(e.BulkDataURI, "/bulkdata/7FE00010") {
		t.Fatalf("pixel data in the metadata: %+v", e)
	}
	w, status := call(s.BulkData, ref, ohif, "path", "7FE00010")
	if status != 200 {
		t.Fatal(status)
	}
	if got, _ := parts(t, w); len(got) != 2 || got[0] != "one\xFF" || got[1] != "two\xFF" {
		t.Errorf("parts %q, want the two frames", got)
	}
}

func TestMetadataIsSentOnce(t *testing.T) {
	s := service(t, rich(t))
	w, _ := call(s.Metadata, ref, "")
	etag := w.Header().Get("ETag")
	for header, want := range map[string]int{etag: 304, `"other", ` + etag: 304, strings.TrimPrefix(etag, "W/"): 304, "*": 304, `"other"`: 200} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("If-None-Match", header)
		w := httptest.NewRecorder()
		if err := s.Metadata(w, r, ref); err != nil || w.Code != want {
			t.Errorf("If-None-Match %s: %d, %v, want %d", header, w.Code, err, want)
		}
	}
}

func TestMetadataRefuses(t *testing.T) {
	s := service(t, rich(t))
	if _, status := call(s.Metadata, ref, "text/html"); status != 406 {
		t.Errorf("text/html: %d, want 406", status)
	}
	if _, status := call(s.Metadata, dicomweb.Ref{Study: "9.9"}, ""); status != 404 {
		t.Errorf("unknown study: %d, want 404", status)
	}
}

// TestExplicit converts what dicom.Write does not write and compares every value.
func TestExplicit(t *testing.T) {
	for name, syntax := range map[string]string{"big endian": bigEndian, "deflated": uid.DeflatedExplicitVRLittleEndian} {
		t.Run(name, func(t *testing.T) {
			d := image(1, 2, 3, 16, dicom.OW, []byte("aAbBcCdDeEfF"))
			d.Set(tag.PatientName, "Phantom^One")
			d.SetVR(tag.EchoTime, dicom.DS, "1.50")
			d.SetVR(tag.New(0x0019, 0x10), dicom.LO, "X")
			d.SetVR(tag.New(0x0019, 0x1001), dicom.FD, 1.25, -2)
			d.SetVR(tag.DataSetTrailingPadding, dicom.OB, []byte{0, 0})
			s := service(t, encode(d, syntax))
			w, status := call(s.Instances, ref, "application/dicom")
			if status != 200 {
				t.Fatal(status)
			}
			got, _ := parts(t, w)
			f, err := dicom.Scan(strings.NewReader(got[0]), int64(len(got[0])), dicom.Limits{})
			if err != nil || f.TransferSyntax != uid.ExplicitVRLittleEndian {
				t.Fatalf("%v in %s", err, f.TransferSyntax)
			}
			d.Delete(tag.DataSetTrailingPadding)
			for want := range d.All() {
				e := f.Dataset.Get(want.Tag)
				if e == nil {
					t.Errorf("%v is missing", want.Tag)
					continue
				}
				if v, err := f.Value(e); err != nil || !bytes.Equal(v, want.Value) {
					t.Errorf("%v = %s, %v, want %s", want.Tag, base64.StdEncoding.EncodeToString(v), err, base64.StdEncoding.EncodeToString(want.Value))
				}
			}
			if f.Dataset.Len() != d.Len() {
				t.Errorf("%d elements, want %d", f.Dataset.Len(), d.Len())
			}
		})
	}
}

// TestWhatCannotBeWritten: an object that came with half a number is had as it is stored, and 406 in another transfer syntax.
func TestWhatCannotBeWritten(t *testing.T) {
	d := image(1, 2, 1, 16, dicom.OW, []byte("aAbB"))
	d.Put(&dicom.Element{Tag: tag.AcquisitionDuration, VR: dicom.FD, Value: []byte("odd")})
	s := service(t, encode(d, uid.DeflatedExplicitVRLittleEndian))
	for syntax, want := range map[string]int{"*": 200, uid.ExplicitVRLittleEndian: 406, uid.RLELossless: 406} {
		if _, status := call(s.Instances, ref, "application/dicom; transfer-syntax="+syntax); status != want {
			t.Errorf("transfer syntax %s: %d, want %d", syntax, status, want)
		}
	}
}

// TestDecodedInstances gives compressed objects in explicit VR little endian, or says that it cannot.
func TestDecodedInstances(t *testing.T) {
	// RLE of one 8-bit segment: a header of 64 bytes, then a run of three pixels.
	rle := func(value string) string {
		return "\x01\x00\x00\x00\x40" + strings.Repeat("\x00", 59) + "\xFE" + value
	}
	for _, c := range []struct {
		name   string
		file   []byte
		accept string
		status int
		syntax string
		pixels string
	}{
		{"RLE, default", encode(image(1, 3, 3, 8, "", nil), uid.RLELossless, rle("\x07"), rle("\x08"), rle("\x09")), "application/dicom", 200, uid.ExplicitVRLittleEndian, "\x07\x07\x07\x08\x08\x08\x09\x09\x09\x00"},
		{"RLE, multipart", encode(image(1, 3, 1, 8, "", nil), uid.RLELossless, rle("\x07")), `multipart/related; type="application/dicom"`, 200, uid.ExplicitVRLittleEndian, "\x07\x07\x07\x00"},
		{"RLE as stored", encode(image(1, 3, 1, 8, "", nil), uid.RLELossless, rle("\x07")), "application/dicom; transfer-syntax=*", 200, uid.RLELossless, ""},
		{"RLE that is broken", encode(image(1, 3, 1, 8, "", nil), uid.RLELossless, "garbage!"), "application/dicom", 406, "", ""},
		{"RLE of a layout without a decoder", encode(image(1, 3, 1, 1, "", nil), uid.RLELossless, rle("\x07")), "application/dicom", 406, "", ""},
		{"no decoder", encode(image(1, 3, 1, 8, "", nil), jpeg2000, "x\xFF"), "application/dicom", 406, "", ""},
		{"lossy, without a decoder", encode(image(1, 3, 1, 8, "", nil), uid.JPEGBaseline8Bit, "x\xFF"), "application/dicom", 200, uid.JPEGBaseline8Bit, ""},
		{"lossy, asked for explicit", encode(image(1, 3, 1, 8, "", nil), uid.JPEGBaseline8Bit, "x\xFF"), "application/dicom; transfer-syntax=" + uid.ExplicitVRLittleEndian, 406, "", ""},
		{"no decoder, anything goes", encode(image(1, 3, 1, 8, "", nil), jpeg2000, "x\xFF"), "*/*", 200, jpeg2000, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := service(t, c.file)
			w, status := call(s.Instances, ref, c.accept)
			if status != c.status {
				t.Fatalf("status %d, want %d", status, c.status)
			}
			if status != 200 {
				return
			}
			got, types := parts(t, w)
			f, err := dicom.Scan(strings.NewReader(got[0]), int64(len(got[0])), dicom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if f.TransferSyntax != c.syntax || !strings.HasSuffix(types[0], "transfer-syntax="+c.syntax) {
				t.Errorf("%s, a part of %s, want %s", f.TransferSyntax, types[0], c.syntax)
			}
			if c.pixels == "" {
				if got[0] != string(c.file) {
					t.Error("the stored bytes came back changed")
				}
				return
			}
			if v, err := f.Value(f.Dataset.Get(tag.PixelData)); err != nil || string(v) != c.pixels {
				t.Errorf("pixels %x, %v, want %x", v, err, c.pixels)
			}
		})
	}
}
