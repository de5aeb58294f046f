package web_test

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/server/web"
)

// picture is an object of two frames of 32 columns and 16 rows of 8 bits: a ramp from left to right, the second frame
// the other way round.
func picture(t *testing.T) []byte {
	pixels := make([]byte, 2*16*32)
	for i := range pixels {
		pixels[i] = byte(i % 32 * 8)
		if i >= 16*32 {
			pixels[i] = 255 - pixels[i]
		}
	}
	return object{number: 1, change: func(d *dicom.Dataset) {
		d.Set(tag.Rows, 16)
		d.Set(tag.Columns, 32)
		d.Set(tag.BitsAllocated, 8)
		d.Set(tag.BitsStored, 8)
		d.Set(tag.HighBit, 7)
		d.SetVR(tag.PixelData, dicom.OB, pixels)
	}}.bytes(t)
}

// rendering is what a rendered resource is asked for, and what it should answer.
type rendering struct {
	name, path, accept string
	status             int
	kind               string // "jpeg" or "png"; "" for no image
	width, height      int
	at                 int    // grey of the pixel in the middle of the left edge, give or take 12; -1 for any
	text               string // in an error or a Warning
}

func (c rendering) check(t *testing.T, n *node) {
	t.Helper()
	got := n.get(c.path, header("Accept", "", c.accept))
	if got.StatusCode != c.status {
		t.Errorf("%s: %s %.200s, want %d", c.name, got.Status, got.body, c.status)
		return
	}
	if told := got.Header.Get("Warning") + string(got.body); !strings.Contains(told, c.text) {
		t.Errorf("%s: no %q in %.200q", c.name, c.text, told)
	}
	if c.kind == "" {
		return
	}
	body := got.body
	if strings.HasPrefix(got.Header.Get("Content-Type"), "multipart/") {
		parts, _, _ := got.parts(t)
		body = parts[0]
	}
	m, kind, err := image.Decode(bytes.NewReader(body))
	if err != nil || kind != c.kind || m.Bounds().Dx() != c.width || m.Bounds().Dy() != c.height {
		t.Errorf("%s: %s %v, %v; want %s of %d x %d", c.name, kind, m, err, c.kind, c.width, c.height)
		return
	}
	grey, _, _, _ := m.At(m.Bounds().Min.X, m.Bounds().Dy()/2).RGBA()
	if d := int(grey>>8) - c.at; c.at >= 0 && (d < -12 || d > 12) {
		t.Errorf("%s: grey %d at the left, want %d", c.name, grey>>8, c.at)
	}
}

func TestRenderedParameters(t *testing.T) {
	n := start(t, web.Config{})
	n.store(picture(t))
	const first, of = instance + ".1/frames/1/rendered", instance + ".1/rendered"
	for _, c := range []rendering{
		{"JPEG by default", first, "", 200, "jpeg", 32, 16, 0, ""},
		{"PNG by Accept", first, "image/png", 200, "png", 32, 16, 0, ""},
		{"browser's list", first, "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", 200, "", 0, 0, -1, ""},
		{"accept in the query", first + "?accept=image/png", "image/jpeg", 200, "png", 32, 16, 0, ""},
		{"none that there is", first, "image/gif;q=0, audio/basic", 406, "", 0, 0, -1, "image/jpeg"},
		{"second frame", instance + ".1/frames/2/rendered", "image/png", 200, "png", 32, 16, 255, ""},
		{"frame that is not there", instance + ".1/frames/3/rendered", "", 404, "", 0, 0, -1, ""},
		{"viewport", first + "?viewport=64,64", "image/png", 200, "png", 64, 32, 0, ""},
		{"viewport of the right half", first + "?viewport=16,16,16,0,16,16", "image/png", 200, "png", 16, 16, 128, ""},
		{"viewport, mirrored", first + "?viewport=32,16,0,0,-32,16", "image/png", 200, "png", 32, 16, 255, ""},
		{"viewport of nothing", first + "?viewport=0,16", "", 400, "", 0, 0, -1, "viewport"},
		{"window", first + "?window=200,100,linear", "image/png", 200, "png", 32, 16, 0, ""},
		{"window that is wide", first + "?window=0,100000,linear", "image/png", 200, "png", 32, 16, 128, ""},
		{"window of letters", first + "?window=abc", "", 400, "", 0, 0, -1, "window"},
		{"quality", first + "?quality=1", "", 200, "jpeg", 32, 16, -1, ""},
		{"quality beyond", first + "?quality=101", "", 400, "", 0, 0, -1, "quality"},
		{"annotation", first + "?annotation=patient", "", 200, "jpeg", 32, 16, -1, "annotation"},
		{"iccprofile", first + "?iccprofile=no", "", 200, "jpeg", 32, 16, -1, ""},
		{"iccprofile of no kind", first + "?iccprofile=purple", "", 400, "", 0, 0, -1, "iccprofile"},
		{"instance of several frames", of, `multipart/related; type="image/jpeg"`, 200, "jpeg", 32, 16, -1, ""},
		{"series", "/studies/" + study + "/series/" + series + "/rendered", `multipart/related; type="image/png"`, 200, "png", 32, 16, -1, ""},
		{"study", "/studies/" + study + "/rendered", `multipart/related; type="image/jpeg"`, 200, "jpeg", 32, 16, -1, ""},
	} {
		c.check(t, n)
	}
}

func TestThumbnailParameters(t *testing.T) {
	n := start(t, web.Config{})
	n.store(picture(t))
	for _, level := range []string{"/studies/" + study, "/studies/" + study + "/series/" + series, instance + ".1", instance + ".1/frames/1"} {
		for _, c := range []rendering{
			{"default", "/thumbnail", "", 200, "jpeg", 32, 16, -1, ""},
			{"viewport", "/thumbnail?viewport=16,16", "image/jpeg", 200, "jpeg", 16, 8, -1, ""},
			{"accept in the query", "/thumbnail?accept=image/png&viewport=16,16", `multipart/related; type="application/octet-stream"`, 200, "png", 16, 8, -1, ""},
			{"part of the image", "/thumbnail?viewport=16,16,0,0,8,8", "", 400, "", 0, 0, -1, "viewport"},
			{"html", "/thumbnail", "text/html", 406, "", 0, 0, -1, "image/jpeg"},
		} {
			c.name, c.path = level+", "+c.name, level+c.path
			c.check(t, n)
		}
	}
}

func TestURIParameters(t *testing.T) {
	n := start(t, web.Config{})
	file := picture(t)
	n.store(file)
	at := func(more string) string {
		return n.root + fmt.Sprintf("/wado?requestType=WADO&studyUID=%s&seriesUID=%s&objectUID=%s.1", study, series, series) + more
	}
	for _, c := range []rendering{
		{"JPEG by default", at("&frameNumber=1"), "", 200, "jpeg", 32, 16, 0, ""},
		{"names in lower case", strings.ToLower(at("&FRAMENUMBER=2")), "", 200, "jpeg", 32, 16, 255, ""},
		{"contentType", at("&contentType=image/png&frameNumber=1"), "image/jpeg", 200, "png", 32, 16, 0, ""},
		{"rows and columns", at("&contentType=image/png&frameNumber=1&rows=8&columns=8"), "", 200, "png", 8, 4, 12, ""},
		{"region", at("&contentType=image/png&frameNumber=1&region=0.5,0,1,1"), "", 200, "png", 16, 16, 128, ""},
		{"window", at("&contentType=image/png&frameNumber=1&windowCenter=0&windowWidth=100000"), "", 200, "png", 32, 16, 128, ""},
		{"half a window", at("&windowCenter=0"), "", 400, "", 0, 0, -1, "windowWidth"},
		{"imageQuality", at("&imageQuality=1&frameNumber=1"), "", 200, "jpeg", 32, 16, -1, ""},
		{"imageQuality beyond", at("&imageQuality=0"), "", 400, "", 0, 0, -1, "imageQuality"},
		{"frame of letters", at("&frameNumber=x"), "", 400, "", 0, 0, -1, "frameNumber"},
		{"another requestType", strings.Replace(at(""), "requestType=WADO", "requestType=X", 1), "", 400, "", 0, 0, -1, "requestType"},
		{"no studyUID", strings.Replace(at(""), "studyUID", "x", 1), "", 400, "", 0, 0, -1, "studyUID"},
		{"no seriesUID", strings.Replace(at(""), "seriesUID", "x", 1), "", 400, "", 0, 0, -1, "seriesUID"},
		{"unknown objectUID", at("9"), "", 404, "", 0, 0, -1, ""},
	} {
		c.check(t, n)
	}
	for _, syntax := range []string{"", "&transferSyntax=1.2.840.10008.1.2.1"} {
		if got := n.get(at("&contentType=application/dicom" + syntax)); got.StatusCode != 200 || !bytes.Equal(got.body, file) {
			t.Errorf("application/dicom%s: %s, %d bytes, want the %d stored", syntax, got.Status, len(got.body), len(file))
		}
	}
	if got := n.get(at("&contentType=application/dicom&transferSyntax=1.2.3")); got.StatusCode != 406 {
		t.Errorf("unknown transfer syntax: %s", got.Status)
	}
}
