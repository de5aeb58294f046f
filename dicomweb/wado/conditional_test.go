package wado_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// request is one of a resource with a header.
type request struct {
	h      func(http.ResponseWriter, *http.Request, dicomweb.Ref) error
	accept string
	frames string
}

func (q request) do(t *testing.T, method string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	r.Header.Set("Accept", q.accept)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	r.SetPathValue("frames", q.frames)
	w := httptest.NewRecorder()
	if err := q.h(w, r, ref); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestEntityTags asks for every form of an object and for its frames: each has a tag of its own, which is answered by
// 304, strong where the bytes are the same for ever.
func TestEntityTags(t *testing.T) {
	stored := encode(image(1, 3, 3, 8, "", nil), uid.RLELossless, rleFrame("\x07"), rleFrame("\x08"), rleFrame("\x09"))
	s := service(t, stored)
	seen := map[string]string{}
	for _, c := range []struct {
		name string
		request
		weak bool
	}{
		{"instance as stored", request{s.Instances, "application/dicom; transfer-syntax=*", ""}, false},
		{"instance decoded", request{s.Instances, "application/dicom", ""}, true},
		{"instance compressed", request{s.Instances, "application/dicom; transfer-syntax=" + uid.JPEGLSLossless, ""}, true},
		{"instance in parts", request{s.Instances, "", ""}, true},
		{"instance in parts as stored", request{s.Instances, `multipart/related; type="application/dicom"; transfer-syntax=*`, ""}, true},
		{"zip", request{s.Instances, zipped, ""}, true},
		{"frame as stored", request{s.Frames, "image/dicom-rle", "1"}, false},
		{"another frame", request{s.Frames, "image/dicom-rle", "2"}, false},
		{"frame decoded", request{s.Frames, "application/octet-stream", "1"}, true},
		{"frame compressed", request{s.Frames, "image/jls", "1"}, true},
		{"frame in parts", request{s.Frames, ohif, "1"}, true},
		{"frames in parts", request{s.Frames, ohif, "1,2"}, true},
		{"frames in another order", request{s.Frames, ohif, "2,1"}, true},
		{"metadata", request{s.Metadata, "", ""}, true},
		{"metadata in XML", request{s.Metadata, "application/dicom+xml", ""}, true},
	} {
		w := c.do(t, "GET")
		tag := w.Header().Get("ETag")
		if tag == "" || strings.HasPrefix(tag, "W/") != c.weak || w.Header().Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%s: ETag %q, weak is %t, Cache-Control %q", c.name, tag, c.weak, w.Header().Get("Cache-Control"))
		}
		if other := seen[tag]; other != "" {
			t.Errorf("%s and %s have the same tag", c.name, other)
		}
		seen[tag] = c.name
		for _, method := range []string{"GET", "HEAD"} {
			got := c.do(t, method, "If-None-Match", `"other", `+tag)
			if got.Code != 304 || got.Body.Len() > 0 || got.Header().Get("ETag") != tag {
				t.Errorf("%s: %s with its tag is %d with %d bytes", c.name, method, got.Code, got.Body.Len())
			}
			if got := c.do(t, method, "If-None-Match", `"other"`); got.Code != 200 {
				t.Errorf("%s: %s with another tag is %d", c.name, method, got.Code)
			}
		}
	}
}

// TestRangesOfFrames reads stretches of single-part frames.
func TestRangesOfFrames(t *testing.T) {
	native := service(t, encode(image(1, 4, 2, 16, dicom.OW, []byte("aAbBcCdDeEfFgGhH")), uid.ExplicitVRLittleEndian))
	// A frame in two fragments, the second of odd length with the byte that makes it even.
	split := service(t, encode(image(1, 2, 1, 16, "", nil), jpeg2000, "abcd", "ef"))
	mask := service(t, encode(image(3, 3, 3, 1, dicom.OB, []byte{0xFF, 0x01, 0x54, 0x05}), uid.ExplicitVRLittleEndian))
	second := request{native.Frames, "application/octet-stream", "2"}
	tag := second.do(t, "GET").Header().Get("ETag")
	for _, c := range []struct {
		name string
		request
		ranged, ifRange string
		status          int
		want, stretch   string
	}{
		{"middle", second, "bytes=2-3", "", 206, "fF", "bytes 2-3/8"},
		{"to the end", second, "bytes=6-", "", 206, "hH", "bytes 6-7/8"},
		{"the last", second, "bytes=-3", "", 206, "GhH", "bytes 5-7/8"},
		{"longer than it is", second, "bytes=6-99", "", 206, "hH", "bytes 6-7/8"},
		{"beyond", second, "bytes=8-", "", 416, "", "bytes */8"},
		{"no range at all", second, "bytes=x", "", 416, "", ""},
		{"another unit", second, "frames=1-2", "", 200, "eEfFgGhH", ""},
		{"if it is the same", second, "bytes=0-1", tag, 206, "eE", "bytes 0-1/8"},
		{"if it is another", second, "bytes=0-1", `"other"`, 200, "eEfFgGhH", ""},
		{"across fragments", request{split.Frames, "image/jp2", "1"}, "bytes=3-4", "", 206, "de", "bytes 3-4/6"},
		{"a part asked for in ranges comes whole", request{native.Frames, ohif, "1"}, "bytes=0-1", "", 200, "", ""},
		{"bits that begin within a byte", request{mask.Frames, "application/octet-stream", "3"}, "bytes=1-1", "", 206, "\x01", "bytes 1-1/2"},
	} {
		header := []string{"Range", c.ranged}
		if c.ifRange != "" {
			header = append(header, "If-Range", c.ifRange)
		}
		w := c.do(t, "GET", header...)
		if w.Code != c.status || c.want != "" && w.Body.String() != c.want || c.stretch != "" && w.Header().Get("Content-Range") != c.stretch {
			t.Errorf("%s: %d %q %s, want %d %q %s", c.name, w.Code, w.Body, w.Header().Get("Content-Range"), c.status, c.want, c.stretch)
		}
	}
}

// TestFramesOfOddLength: native frames follow each other without padding, compressed ones are padded to even length.
func TestFramesOfOddLength(t *testing.T) {
	native := service(t, encode(image(1, 3, 3, 8, dicom.OB, []byte("abcdefghi\x00")), uid.ExplicitVRLittleEndian))
	table := image(1, 2, 2, 8, "", nil)
	table.SetVR(tag.New(0x7FE0, 1), dicom.OV, []byte{0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0})
	table.SetVR(tag.New(0x7FE0, 2), dicom.OV, []byte{3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0})
	extended := service(t, encode(table, jpeg2000, "one\x00", "two2"))
	for _, c := range []struct {
		name string
		request
		want []string
	}{
		{"native", request{native.Frames, ohif, "1,2,3"}, []string{"abc", "def", "ghi"}},
		{"extended offset table", request{extended.Frames, ohif, "2,1"}, []string{"two2", "one"}},
	} {
		got, _ := parts(t, c.do(t, "GET"))
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
