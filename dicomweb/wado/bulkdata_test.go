package wado_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/related"
)

// rleFrame is RLE of one 8-bit segment: a header of 64 bytes, then a run of three pixels.
func rleFrame(value string) string {
	return "\x01\x00\x00\x00\x40" + strings.Repeat("\x00", 59) + "\xFE" + value
}

// number gives a data set another SOP Instance UID.
func number(d *dicom.Dataset, n int) *dicom.Dataset {
	d.Set(tag.SOPInstanceUID, fmt.Sprintf("%s.%d", ref.Instance, n))
	d.Set(tag.InstanceNumber, n)
	return d
}

// mixed are the objects of a study: one rich in bulk data, one compressed that can be decoded, one that cannot be, one
// that is broken, one without pixels.
func mixed(t *testing.T) [][]byte {
	return [][]byte{
		rich(t),
		encode(number(image(1, 3, 3, 8, "", nil), 1), uid.RLELossless, rleFrame("\x07"), rleFrame("\x08"), rleFrame("\x09")),
		encode(number(image(1, 2, 2, 16, "", nil), 2), jpeg2000, "one\xFF", "two\xFF"),
		encode(number(image(1, 3, 1, 8, "", nil), 3), uid.RLELossless, "garbage!"),
		encode(number(image(0, 0, 1, 8, "", nil), 4), uid.ExplicitVRLittleEndian),
	}
}

// sent is a part of an answer.
type sent struct{ location, media, body string }

func (s sent) String() string { return fmt.Sprintf("%s %s %.40q", s.location, s.media, s.body) }

// sentBy reads the parts; locations are given below the instances.
func sentBy(t *testing.T, w *httptest.ResponseRecorder) []sent {
	t.Helper()
	_, boundary, _ := strings.Cut(w.Header().Get("Content-Type"), "boundary=")
	r, err := related.NewReader(w.Body, boundary, related.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var all []sent
	for {
		p, err := r.Next()
		if err != nil {
			return all
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(p); err != nil {
			t.Fatal(err)
		}
		_, below, _ := strings.Cut(p.Header.Get("Content-Location"), "/instances/"+ref.Instance)
		all = append(all, sent{below, p.Header.Get("Content-Type"), b.String()})
	}
}

func TestAllBulkData(t *testing.T) {
	const icon = "/bulkdata/00081115/1/00091003"
	stored := func(syntax string) string { return "application/octet-stream; transfer-syntax=" + syntax }
	long, deep := strings.Repeat("long", 600), strings.Repeat("deep", 600)
	pixels := []sent{
		{"/bulkdata/7FE00010", octets, "aAbB"},
		{".1/bulkdata/7FE00010", octets, "\x07\x07\x07\x08\x08\x08\x09\x09\x09"},
		{".3/bulkdata/7FE00010", "image/dicom-rle; transfer-syntax=" + uid.RLELossless, "garbage!"},
	}
	values := []sent{{icon, octets, deep}, {"/bulkdata/00091002", octets, long}}
	asStored := []sent{
		{"/bulkdata/7FE00010", octets, "aAbB"},
		{".1/bulkdata/7FE00010", stored(uid.RLELossless), rleFrame("\x07")},
		{".1/bulkdata/7FE00010", stored(uid.RLELossless), rleFrame("\x08")},
		{".1/bulkdata/7FE00010", stored(uid.RLELossless), rleFrame("\x09")},
		{".2/bulkdata/7FE00010", stored(jpeg2000), "one\xFF"},
		{".2/bulkdata/7FE00010", stored(jpeg2000), "two\xFF"},
		{".3/bulkdata/7FE00010", stored(uid.RLELossless), "garbage!"},
	}
	s := service(t, mixed(t)...)
	study, series := dicomweb.Ref{Study: ref.Study}, dicomweb.Ref{Study: ref.Study, Series: ref.Series}
	for _, c := range []struct {
		name    string
		handler func(http.ResponseWriter, *http.Request, dicomweb.Ref) error
		at      dicomweb.Ref
		accept  string
		status  int
		want    []sent
	}{
		{"study, bytes", s.AllBulkData, study, `multipart/related; type="application/octet-stream"`, 206, slices.Concat(values, pixels)},
		{"series, bytes", s.AllBulkData, series, `multipart/related; type="application/octet-stream"`, 206, slices.Concat(values, pixels)},
		{"study, as stored", s.AllBulkData, study, ohif, 200, slices.Concat(values, asStored)},
		{"instance", s.AllBulkData, ref, "", 200, slices.Concat(values, pixels[:1])},
		{"the study itself as bytes", s.Instances, study, `multipart/related; type="application/octet-stream"`, 206, slices.Concat(values, pixels)},
		{"pixels of a study, bytes", s.PixelData, study, `multipart/related; type="application/octet-stream"`, 206, pixels},
		{"pixels of a study, as stored", s.PixelData, study, ohif, 200, asStored},
		{"pixels of a series, one media type", s.PixelData, series, `multipart/related; type="image/jp2"`, 206, []sent{
			{".2/bulkdata/7FE00010", "image/jp2; transfer-syntax=" + jpeg2000, "one\xFF"},
			{".2/bulkdata/7FE00010", "image/jp2; transfer-syntax=" + jpeg2000, "two\xFF"}}},
		{"single part of a study", s.PixelData, study, "application/octet-stream", 406, nil},
		{"a media type that none has", s.PixelData, study, `multipart/related; type="image/png"`, 406, nil},
		{"an object without bulk data", s.AllBulkData, dicomweb.Ref{Study: ref.Study, Series: ref.Series, Instance: ref.Instance + ".4"}, "", 404, nil},
		{"an object without pixels", s.PixelData, dicomweb.Ref{Study: ref.Study, Series: ref.Series, Instance: ref.Instance + ".4"}, "", 404, nil},
		{"an unknown study", s.AllBulkData, dicomweb.Ref{Study: "9.9"}, "", 404, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, status := call(c.handler, c.at, c.accept)
			if status != c.status {
				t.Fatalf("status %d, want %d", status, c.status)
			}
			if c.want == nil {
				return
			}
			if warned := w.Header().Get("Warning") != ""; warned != (status == 206) {
				t.Errorf("status %d, Warning %q", status, w.Header().Get("Warning"))
			}
			got := sentBy(t, w)
			slices.SortStableFunc(got, func(a, b sent) int { return strings.Compare(a.location, b.location) })
			want := slices.Clone(c.want)
			slices.SortStableFunc(want, func(a, b sent) int { return strings.Compare(a.location, b.location) })
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", lines(got), lines(want))
			}
			if tag := w.Header().Get("ETag"); tag == "" || again(c.handler, c.at, c.accept, tag) != 304 {
				t.Errorf("ETag %q is not answered by 304", tag)
			}
		})
	}
}

func lines(all []sent) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

// again asks with If-None-Match and returns the status.
func again(h func(http.ResponseWriter, *http.Request, dicomweb.Ref) error, at dicomweb.Ref, accept, etag string, values ...string) int {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", accept)
	r.Header.Set("If-None-Match", etag)
	for i := 0; i+1 < len(values); i += 2 {
		r.SetPathValue(values[i], values[i+1])
	}
	w := httptest.NewRecorder()
	if err := h(w, r, at); err != nil {
		return dicomweb.KindOf(err).Status()
	}
	return w.Code
}

// TestBulkDataForms asks for one value in the forms that it has.
func TestBulkDataForms(t *testing.T) {
	pdf := image(0, 0, 1, 8, "", nil)
	pdf.SetVR(tag.EncapsulatedDocument, dicom.OB, []byte("%PDF-\x00"))
	pdf.Set(tag.MIMETypeOfEncapsulatedDocument, "application/pdf")
	pdf.SetVR(tag.EncapsulatedDocumentLength, dicom.UL, 5)
	pdf.SetVR(tag.New(0x0009, 0x10), dicom.LO, "MOME TEST")
	page := image(0, 0, 1, 8, "", nil)
	page.SetVR(tag.EncapsulatedDocument, dicom.OB, []byte("<p>x</p>"))
	page.Set(tag.MIMETypeOfEncapsulatedDocument, "text/html")
	rle := encode(image(1, 3, 3, 8, "", nil), uid.RLELossless, rleFrame("\x07"), rleFrame("\x08"), rleFrame("\x09"))
	film := encode(image(1, 2, 9, 8, "", nil), uid.MPEG4HP41, "fi", "lm")
	bits := encode(image(3, 3, 3, 1, dicom.OB, []byte{0xFF, 0x01, 0x54, 0x05}), uid.ExplicitVRLittleEndian)
	float := image(1, 1, 1, 32, "", nil)
	float.SetVR(tag.FloatPixelData, dicom.OF, []byte{1, 2, 3, 4})
	const document, pixels = "00420011", "7FE00010"
	for _, c := range []struct {
		name         string
		file         []byte
		path, accept string
		ranged       string
		status       int
		want         string
		media        string
	}{
		{"a document as what it is", encode(pdf, uid.ExplicitVRLittleEndian), document, "", "", 200, "%PDF-", "application/pdf"},
		{"a document as OHIF asks", encode(pdf, uid.ExplicitVRLittleEndian), document, "application/pdf", "", 200, "%PDF-", "application/pdf"},
		{"a document as bytes", encode(pdf, uid.ExplicitVRLittleEndian), document, "application/octet-stream", "", 200, "%PDF-", octets},
		{"a document as an image", encode(pdf, uid.ExplicitVRLittleEndian), document, "image/jpeg", "", 406, "", ""},
		{"a page of HTML comes as bytes only", encode(page, uid.ExplicitVRLittleEndian), document, "text/html", "", 406, "", ""},
		{"and without asking", encode(page, uid.ExplicitVRLittleEndian), document, "*/*", "", 200, "<p>x</p>", octets},
		{"RLE decoded is one value", rle, pixels, "application/octet-stream", "", 200, "\x07\x07\x07\x08\x08\x08\x09\x09\x09", octets},
		{"RLE as stored is no single part", rle, pixels, "image/dicom-rle", "", 406, "", ""},
		{"a film is one stream", film, pixels, "video/mp4", "", 200, "film", "video/mp4; transfer-syntax=" + uid.MPEG4HP41},
		{"a part of a film", film, pixels, "video/mp4", "bytes=1-2", 206, "il", "video/mp4; transfer-syntax=" + uid.MPEG4HP41},
		{"the end of a film", film, pixels, "video/mp4", "bytes=-1", 206, "m", "video/mp4; transfer-syntax=" + uid.MPEG4HP41},
		{"a film in bytes is as stored", film, pixels, "application/octet-stream", "", 200, "film", "application/octet-stream; transfer-syntax=" + uid.MPEG4HP41},
		{"a film cannot be decoded", film, pixels, octets, "", 406, "", ""},
		{"bits are one value", bits, pixels, "application/octet-stream", "", 200, "\xFF\x01\x54\x05", octets},
		{"beyond the end", bits, pixels, "application/octet-stream", "bytes=9-", 416, "", ""},
		{"float pixels", encode(float, uid.ExplicitVRLittleEndian), "7FE00008", "application/octet-stream", "", 200, "\x01\x02\x03\x04", octets},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := service(t, c.file)
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept", c.accept)
			r.Header.Set("Range", c.ranged)
			r.SetPathValue("path", c.path)
			w := httptest.NewRecorder()
			if err := s.BulkData(w, r, ref); err != nil {
				w.Code = dicomweb.KindOf(err).Status()
			}
			if w.Code != c.status {
				t.Fatalf("status %d, want %d", w.Code, c.status)
			}
			if c.want == "" {
				return
			}
			body, media := w.Body.String(), w.Header().Get("Content-Type")
			if strings.HasPrefix(media, "multipart/") {
				all := sentBy(t, w)
				body, media = all[0].body, all[0].media
			}
			if body != c.want || media != c.media {
				t.Errorf("%q as %s, want %q as %s", body, media, c.want, c.media)
			}
		})
	}
}

// TestPixelDataOfAnInstance is a value that can be had as one part, in ranges, and of which HEAD tells the length.
func TestPixelDataOfAnInstance(t *testing.T) {
	s := service(t, encode(image(1, 2, 3, 16, dicom.OW, []byte("aAbBcCdDeEfF")), uid.ExplicitVRLittleEndian))
	w, _ := call(s.PixelData, ref, "application/octet-stream")
	etag := w.Header().Get("ETag")
	if got := w.Header().Get("Content-Location"); got != "http://node/dicom-web/"+ref.Path()+"/bulkdata/7FE00010" {
		t.Errorf("Content-Location %s", got)
	}
	for _, c := range []struct {
		name, method, header, value, ifRange string
		status                               int
		want, length                         string
	}{
		{"whole", "GET", "", "", "", 200, "aAbBcCdDeEfF", "12"},
		{"head", "HEAD", "", "", "", 200, "", "12"},
		{"range", "GET", "Range", "bytes=4-7", "", 206, "cCdD", "4"},
		{"range of the same", "GET", "Range", "bytes=4-7", etag, 206, "cCdD", "4"},
		{"range of another", "GET", "Range", "bytes=4-7", `"other"`, 200, "aAbBcCdDeEfF", "12"},
		{"beyond", "GET", "Range", "bytes=12-", "", 416, "", ""},
		{"have it", "GET", "If-None-Match", etag, "", 304, "", ""},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.Header.Set("Accept", "application/octet-stream")
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if c.ifRange != "" {
			r.Header.Set("If-Range", c.ifRange)
		}
		w := httptest.NewRecorder()
		if err := s.PixelData(w, r, ref); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || c.want != "" && w.Body.String() != c.want || c.length != "" && w.Header().Get("Content-Length") != c.length {
			t.Errorf("%s: %d %q of length %s, want %d %q of %s", c.name, w.Code, w.Body, w.Header().Get("Content-Length"), c.status, c.want, c.length)
		}
	}
}
