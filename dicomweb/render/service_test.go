package render_test

import (
	"bytes"
	"context"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
	"mome/dicomweb/render"
	"mome/dicomweb/wado"
)

// service serves data sets out of an archive of its own.
func service(t testing.TB, objects ...*dicom.Dataset) *render.Service {
	t.Helper()
	a := open(t)
	put(t, a, objects...)
	return serve(t, a)
}

func open(t testing.TB) *archive.Archive {
	t.Helper()
	a, err := archive.Open(context.Background(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func put(t testing.TB, a *archive.Archive, objects ...*dicom.Dataset) {
	t.Helper()
	for _, d := range objects {
		putFile(t, a, archivetest.File(t, d))
	}
}

func putFile(t testing.TB, a *archive.Archive, file []byte) {
	t.Helper()
	if _, err := a.Put(context.Background(), bytes.NewReader(file), archive.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func serve(t testing.TB, a *archive.Archive) *render.Service {
	t.Helper()
	base := func(*http.Request) string { return "http://node/dicom-web" }
	retrieve, err := wado.New(wado.Config{Archive: a, BaseURL: base})
	if err != nil {
		t.Fatal(err)
	}
	s, err := render.New(render.Config{Archive: a, BaseURL: base, Retrieve: retrieve})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type handler func(http.ResponseWriter, *http.Request, dicomweb.Ref) error

// call asks a handler; header lines are "Name: value", a line "frames: 1,2" is the path value. The status is that of the
// error's kind if there is one.
func call(method string, h handler, ref dicomweb.Ref, query string, header ...string) (w *httptest.ResponseRecorder, status int, err error) {
	r := httptest.NewRequest(method, "/x?"+query, nil)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "frames" {
			r.SetPathValue(name, value)
			continue
		}
		r.Header.Add(name, value)
	}
	w = httptest.NewRecorder()
	if err = h(w, r, ref); err != nil {
		return w, dicomweb.KindOf(err).Status(), err
	}
	return w, w.Code, nil
}

var (
	inSeries = func(series, instance string) dicomweb.Ref { return archivetest.Ref("study", series, instance) }
	all      = dicomweb.Ref{Study: inSeries("", "").Study}
	pdfRef   = inSeries("pdf", "pdf")
	srRef    = inSeries("sr", "sr")
	planRef  = inSeries("plan", "plan")
	videoRef = inSeries("video", "video")
)

// picture is a ramp of columns x rows pixels; frames > 1 makes it a multi-frame object whose frames get brighter.
func picture(ref dicomweb.Ref, number, rows, columns, frames int) *dicom.Dataset {
	var pixels []byte
	for f := range frames {
		for i := range rows * columns {
			pixels = append(pixels, byte(min(255, i%columns*10+50*f)))
		}
	}
	pixels = append(pixels, make([]byte, len(pixels)%2)...)
	d := object(rows, columns, pixels, bits8)
	d.Set(tag.StudyInstanceUID, ref.Study)
	d.Set(tag.SeriesInstanceUID, ref.Series)
	d.Set(tag.SOPInstanceUID, ref.Instance)
	d.Set(tag.InstanceNumber, number)
	d.SetVR(tag.PixelData, dicom.OB, pixels)
	if frames > 1 {
		d.Set(tag.NumberOfFrames, frames)
	}
	return d
}

// without is an object of a SOP Class without pixels.
func without(ref dicomweb.Ref, class string, set func(*dicom.Dataset)) *dicom.Dataset {
	return archivetest.Dataset(ref, func(d *dicom.Dataset) {
		for _, t := range []tag.Tag{tag.PixelData, tag.Rows, tag.Columns, tag.BitsAllocated} {
			d.Delete(t)
		}
		d.Set(tag.SOPClassUID, class)
		if set != nil {
			set(d)
		}
	})
}

var pdf = []byte("%PDF-1.4 not much of a page")

// study has two series of pictures, one of three frames, a report, a PDF and a radiotherapy plan.
func study() []*dicom.Dataset {
	return []*dicom.Dataset{
		picture(inSeries("a", "a1"), 1, 4, 8, 1), picture(inSeries("a", "a2"), 2, 4, 8, 1), picture(inSeries("a", "a3"), 3, 4, 8, 1),
		picture(inSeries("b", "b1"), 1, 6, 3, 3),
		without(srRef, uid.ComprehensiveSRStorage, func(d *dicom.Dataset) { d.Set(tag.ValueType, "CONTAINER") }),
		without(pdfRef, uid.EncapsulatedPDFStorage, func(d *dicom.Dataset) {
			d.SetVR(tag.EncapsulatedDocument, dicom.OB, append(pdf, 0))
			d.Set(tag.EncapsulatedDocumentLength, len(pdf))
		}),
		without(planRef, uid.RTPlanStorage, nil),
	}
}

func TestRenderedAndThumbnails(t *testing.T) {
	s := service(t, study()...)
	const jpeg, png, gif, html = "image/jpeg", "image/png", "image/gif", "text/html; charset=utf-8"
	const browser = "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
	one, many := inSeries("a", "a1"), inSeries("b", "b1")
	seriesA, seriesB := dicomweb.Ref{Study: one.Study, Series: one.Series}, dicomweb.Ref{Study: many.Study, Series: many.Series}
	for _, c := range []struct {
		name    string
		handler handler
		ref     dicomweb.Ref
		query   string
		header  []string
		status  int
		media   string // of the answer, or of each part
		parts   int    // 0 for a single part
		size    image.Point
	}{
		{"instance", s.Rendered, one, "", nil, 200, jpeg, 0, image.Pt(8, 4)},
		{"png", s.Rendered, one, "", []string{"Accept: image/png"}, 200, png, 0, image.Pt(8, 4)},
		{"gif", s.Rendered, one, "", []string{"Accept: image/gif"}, 200, gif, 0, image.Pt(8, 4)},
		{"browser", s.Rendered, one, "", []string{browser}, 200, jpeg, 0, image.Pt(8, 4)},
		{"accept in the query wins", s.Rendered, one, "accept=image%2Fpng", []string{"Accept: image/jpeg"}, 200, png, 0, image.Pt(8, 4)},
		{"weights", s.Rendered, one, "", []string{"Accept: image/jpeg;q=0.2, image/png;q=0.9"}, 200, png, 0, image.Pt(8, 4)},
		{"refused by zero", s.Rendered, one, "", []string{"Accept: image/jpeg;q=0, image/*"}, 200, png, 0, image.Pt(8, 4)},
		{"multipart", s.Rendered, one, "", []string{`Accept: multipart/related; type="image/png"`}, 200, png, 1, image.Pt(8, 4)},
		{"nothing that is made", s.Rendered, one, "", []string{"Accept: image/jp2"}, 406, "", 0, image.Point{}},
		{"html of an image", s.Rendered, one, "", []string{"Accept: text/html"}, 406, "", 0, image.Point{}},
		{"dicom", s.Rendered, one, "", []string{"Accept: application/dicom"}, 406, "", 0, image.Point{}},
		{"viewport", s.Rendered, one, "viewport=100,100", nil, 200, jpeg, 0, image.Pt(100, 50)},
		{"viewport, part", s.Rendered, one, "viewport=64,64,2,0,2,4", nil, 200, jpeg, 0, image.Pt(32, 64)},
		{"viewport, encoded", s.Rendered, one, "viewport=4%2C4", nil, 200, jpeg, 0, image.Pt(4, 2)},
		{"frame", s.Rendered, many, "", []string{"frames: 3"}, 200, jpeg, 0, image.Pt(3, 6)},
		{"frames", s.Rendered, many, "", []string{"frames: 3,1"}, 200, jpeg, 2, image.Pt(3, 6)},
		{"frames as one image", s.Rendered, many, "", []string{"frames: 3,1", "Accept: image/jpeg"}, 406, "", 0, image.Point{}},
		{"frame beyond", s.Rendered, many, "", []string{"frames: 4"}, 404, "", 0, image.Point{}},
		{"frame 0", s.Rendered, many, "", []string{"frames: 0"}, 400, "", 0, image.Point{}},
		{"frame x", s.Rendered, many, "", []string{"frames: x"}, 400, "", 0, image.Point{}},
		{"frame of a report", s.Rendered, srRef, "", []string{"frames: 1"}, 404, "", 0, image.Point{}},
		{"series", s.Rendered, seriesA, "", []string{`Accept: multipart/related; type="image/jpeg"`}, 200, jpeg, 3, image.Pt(8, 4)},
		{"series, no Accept", s.Rendered, seriesA, "", nil, 200, jpeg, 3, image.Pt(8, 4)},
		{"series as one image", s.Rendered, seriesB, "", []string{"Accept: image/png"}, 200, png, 0, image.Pt(3, 6)},
		{"series in an img element", s.Rendered, seriesB, "", []string{browser}, 200, jpeg, 0, image.Pt(3, 6)},
		{"study, images only", s.Rendered, all, "", []string{`Accept: multipart/related; type="image/png"`}, 206, png, 4, image.Point{}},
		{"study, reports only", s.Rendered, all, "", []string{`Accept: multipart/related; type="text/html"`}, 206, html, 1, image.Point{}},
		{"report", s.Rendered, srRef, "", nil, 200, html, 0, image.Point{}},
		{"report for a browser", s.Rendered, srRef, "", []string{"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}, 200, html, 0, image.Point{}},
		{"report as text", s.Rendered, srRef, "", []string{"Accept: text/plain"}, 200, "text/plain; charset=utf-8", 0, image.Point{}},
		{"report as xml", s.Rendered, srRef, "", []string{"Accept: text/xml"}, 200, "text/xml", 0, image.Point{}},
		{"report as an image", s.Rendered, srRef, "", []string{"Accept: image/jpeg"}, 406, "", 0, image.Point{}},
		{"pdf", s.Rendered, pdfRef, "", nil, 200, "application/pdf", 0, image.Point{}},
		{"plan", s.Rendered, planRef, "", nil, 406, "", 0, image.Point{}},
		{"unknown", s.Rendered, inSeries("a", "none"), "", nil, 404, "", 0, image.Point{}},
		{"window", s.Rendered, one, "window=40,80,linear", nil, 200, jpeg, 0, image.Pt(8, 4)},
		{"window, exact", s.Rendered, one, "window=40,0.5,linear-exact", nil, 200, jpeg, 0, image.Pt(8, 4)},
		{"window, as the attribute spells it", s.Rendered, one, "window=40,80,SIGMOID", nil, 200, jpeg, 0, image.Pt(8, 4)},
		{"quality", s.Rendered, one, "quality=1", nil, 200, jpeg, 0, image.Pt(8, 4)},
		{"annotation", s.Rendered, one, "annotation=patient", nil, 200, jpeg, 0, image.Pt(8, 4)},
		{"thumbnail", s.Thumbnail, one, "", nil, 200, jpeg, 0, image.Pt(8, 4)},
		{"thumbnail, OHIF by the query", s.Thumbnail, one, "accept=image%2Fjpeg", []string{`Accept: multipart/related; type="application/octet-stream"`}, 200, jpeg, 0, image.Pt(8, 4)},
		{"thumbnail, viewport", s.Thumbnail, one, "viewport=256,256", []string{"Accept: image/jpeg"}, 200, jpeg, 0, image.Pt(256, 128)},
		{"thumbnail as png", s.Thumbnail, seriesA, "", []string{"Accept: image/png"}, 200, png, 0, image.Pt(8, 4)},
		{"thumbnail of a frame", s.Thumbnail, many, "", []string{"frames: 1"}, 200, jpeg, 0, image.Pt(3, 6)},
		{"thumbnail of a study", s.Thumbnail, all, "", nil, 200, jpeg, 0, image.Point{}},
		{"thumbnail of a report", s.Thumbnail, srRef, "", nil, 404, "", 0, image.Point{}},
		{"thumbnail of a series of reports", s.Thumbnail, dicomweb.Ref{Study: srRef.Study, Series: srRef.Series}, "", nil, 404, "", 0, image.Point{}},
		{"thumbnail of a pdf", s.Thumbnail, pdfRef, "", nil, 404, "", 0, image.Point{}},
		{"thumbnail of a part", s.Thumbnail, one, "viewport=64,64,2,0,2,4", nil, 400, "", 0, image.Point{}},
		{"thumbnail of nothing", s.Thumbnail, inSeries("none", "none"), "", nil, 404, "", 0, image.Point{}},
		{"thumbnail as html", s.Thumbnail, one, "", []string{"Accept: text/html"}, 406, "", 0, image.Point{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, status, err := call("GET", c.handler, c.ref, c.query, c.header...)
			if status != c.status {
				t.Fatalf("%d %v, want %d", status, err, c.status)
			}
			if c.media == "" {
				return
			}
			bodies, types := [][]byte{w.Body.Bytes()}, []string{w.Header().Get("Content-Type")}
			if c.parts > 0 {
				bodies, types = parts(t, w)
			}
			if c.parts > 0 && len(bodies) != c.parts {
				t.Fatalf("%d parts, want %d", len(bodies), c.parts)
			}
			for i, b := range bodies {
				if types[i] != c.media {
					t.Errorf("part %d is %s, want %s", i, types[i], c.media)
				}
				if c.size != (image.Point{}) {
					img, format, err := image.Decode(bytes.NewReader(b))
					if err != nil || "image/"+format != c.media || img.Bounds().Size() != c.size {
						t.Errorf("part %d is %s of %v, %v, want %v", i, format, img.Bounds(), err, c.size)
					}
				}
			}
			head, status, err := call("HEAD", c.handler, c.ref, c.query, c.header...)
			if want := w.Header().Get("Content-Length"); status != c.status || head.Body.Len() != 0 || head.Header().Get("Content-Length") != want {
				t.Errorf("HEAD: %d %v, %d bytes, length %s, want %s", status, err, head.Body.Len(), head.Header().Get("Content-Length"), want)
			}
		})
	}
}

// parts reads a multipart answer, whose parts all say where they are.
func parts(t *testing.T, w *httptest.ResponseRecorder) (bodies [][]byte, types []string) {
	t.Helper()
	ct, err := mediatype.Parse(w.Header().Get("Content-Type"))
	if err != nil || ct.Name != mediatype.Related {
		t.Fatalf("Content-Type %q, want multipart/related", w.Header().Get("Content-Type"))
	}
	r, err := related.NewReader(w.Body, ct.Param("boundary"), related.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, err := r.Next()
		if err == io.EOF {
			return bodies, types
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if at := p.Header.Get("Content-Location"); !strings.HasPrefix(at, "http://node/dicom-web/studies/") || !strings.HasSuffix(at, "/rendered") {
			t.Errorf("Content-Location of a part is %q", at)
		}
		bodies, types = append(bodies, b), append(types, p.Header.Get("Content-Type"))
	}
}

// TestParametersAreRefused: each error is 400 and names its parameter.
func TestParametersAreRefused(t *testing.T) {
	s := service(t, study()...)
	for _, query := range []string{
		"window=abc", "window=", "window=40", "window=40,abc", "window=40,0,linear", "window=40,0.9,linear", "window=40,-1,sigmoid", "window=1,2,cubic",
		"window=NaN,1,linear-exact", "window=1,Inf,linear", "window=1,2,linear,3",
		"viewport=1", "viewport=a,b", "viewport=0,10", "viewport=10,-5", "viewport=8193,10", "viewport=1.5,10", "viewport=10,10,1,1,0,1",
		"viewport=10,10,-1,0,2,2", "viewport=10,10,100,0,2,2", "viewport=10,10,x", "viewport=10,10,0,0,1,1,1", "viewport=10,10,NaN,0,1,1",
		"quality=0", "quality=101", "quality=high", "quality=", "iccprofile=adobergb", "iccprofile=maybe", "iccprofile=rommrgb",
	} {
		name, _, _ := strings.Cut(query, "=")
		_, status, err := call("GET", s.Rendered, inSeries("a", "a1"), query)
		if status != 400 || !strings.HasPrefix(err.Error(), name+":") {
			t.Errorf("%s: %d %v, want 400 and the parameter's name", query, status, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	s := service(t, study()...)
	w, _, _ := call("GET", s.Rendered, inSeries("a", "a1"), "annotation=patient,technique")
	if got := w.Header().Get("Warning"); !strings.HasPrefix(got, "299 http://node/dicom-web ") || !strings.Contains(got, "annotation") {
		t.Errorf("annotation: Warning %q", got)
	}
	w, _, _ = call("GET", s.Rendered, all, "", `Accept: multipart/related; type="image/jpeg"`)
	if got := w.Header().Get("Warning"); !strings.Contains(got, "3 of 7") {
		t.Errorf("study: Warning %q, want 3 of 7 parts", got)
	}
}

func TestEntityTags(t *testing.T) {
	s := service(t, study()...)
	one := inSeries("a", "a1")
	seen := map[string]string{}
	for _, query := range []string{"", "viewport=4,4", "window=1,2,linear", "window=1,3,linear", "quality=5", "accept=image/png"} {
		for name, h := range map[string]handler{"rendered": s.Rendered, "thumbnail": s.Thumbnail} {
			w, _, err := call("GET", h, one, query)
			etag := w.Header().Get("ETag")
			if err != nil || etag == "" || w.Header().Get("Cache-Control") != "private, no-cache" {
				t.Fatalf("%s?%s: %v, ETag %q", name, query, err, etag)
			}
			if other, have := seen[etag]; have && other != w.Body.String() {
				t.Errorf("%s?%s: another picture has the same ETag", name, query)
			}
			seen[etag] = w.Body.String()
			again, status, err := call("GET", h, one, query, "If-None-Match: W/"+etag+`, "x"`)
			if status != 304 || err != nil || again.Body.Len() != 0 {
				t.Errorf("%s?%s: %d %v with %d bytes, want 304", name, query, status, err, again.Body.Len())
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("%d different ETags, want at least 6", len(seen))
	}
}

// TestRepresentative: the middle image of the middle series, the middle frame unless the object names one.
func TestRepresentative(t *testing.T) {
	named := picture(inSeries("c", "c1"), 1, 4, 4, 3)
	named.Set(tag.RepresentativeFrameNumber, 3)
	s := service(t, append(study(), named)...)
	first := func(ref dicomweb.Ref, query string) uint8 {
		w, _, err := call("GET", s.Rendered, ref, query, "Accept: image/png")
		if err != nil {
			t.Fatal(err)
		}
		img, _, err := image.Decode(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return img.(*image.Gray).Pix[0]
	}
	if got := first(inSeries("b", "b1"), ""); got != 50 {
		t.Errorf("an object of three frames begins with %d, want 50, of the second", got)
	}
	if got := first(inSeries("c", "c1"), ""); got != 100 {
		t.Errorf("an object whose Representative Frame Number is 3 begins with %d, want 100", got)
	}
	w, _, err := call("GET", s.Thumbnail, dicomweb.Ref{Study: all.Study, Series: inSeries("a", "").Series}, "")
	if want := inSeries("a", "a2").Path() + "/thumbnail"; err != nil || !strings.HasSuffix(w.Header().Get("Content-Location"), want) {
		t.Errorf("thumbnail of a series: %v, Content-Location %q, want %s", err, w.Header().Get("Content-Location"), want)
	}
}

// TestBrokenImagesCostNoOthers: wherever it stands in the series, what cannot be rendered is left out.
func TestBrokenImagesCostNoOthers(t *testing.T) {
	for broken := range 3 {
		var objects []*dicom.Dataset
		for i := range 3 {
			d := picture(inSeries("a", string(rune('a'+i))), i+1, 4, 4, 1)
			if i == broken {
				d.Set(tag.PhotometricInterpretation, "HSV")
			}
			objects = append(objects, d)
		}
		w, status, err := call("GET", service(t, objects...).Rendered, dicomweb.Ref{Study: all.Study, Series: inSeries("a", "").Series}, "")
		if err != nil || status != 200 && status != 206 {
			t.Fatalf("image %d broken: %d %v", broken+1, status, err)
		}
		if bodies, _ := parts(t, w); len(bodies) != 2 {
			t.Errorf("image %d broken: %d parts, want 2", broken+1, len(bodies))
		}
	}
}
