package render_test

import (
	"bytes"
	"image"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
)

func TestURI(t *testing.T) {
	s := service(t, study()...)
	query := func(ref dicomweb.Ref, more string) string {
		return "requestType=WADO&studyUID=" + ref.Study + "&seriesUID=" + ref.Series + "&objectUID=" + ref.Instance + more
	}
	one, many := inSeries("a", "a1"), inSeries("b", "b1")
	for _, c := range []struct {
		name, query, accept string
		status              int
		media               string
		size                image.Point
	}{
		{"image", query(one, ""), "", 200, "image/jpeg", image.Pt(8, 4)},
		{"names in any case", strings.ToLower(query(one, "&CONTENTTYPE=image/png")), "", 200, "image/png", image.Pt(8, 4)},
		{"contentType wins over Accept", query(one, "&contentType=image/png"), "image/gif", 200, "image/png", image.Pt(8, 4)},
		{"contentType list", query(one, "&contentType=image%2Fjp2,image/gif"), "", 200, "image/gif", image.Pt(8, 4)},
		{"Accept alone", query(one, ""), "image/png", 200, "image/png", image.Pt(8, 4)},
		{"frame", query(many, "&frameNumber=3"), "", 200, "image/jpeg", image.Pt(3, 6)},
		{"multi-frame", query(many, ""), "", 200, "image/jpeg", image.Pt(3, 6)},
		{"rows and columns", query(one, "&rows=40&columns=40"), "", 200, "image/jpeg", image.Pt(40, 20)},
		{"rows alone", query(one, "&rows=40"), "", 200, "image/jpeg", image.Pt(80, 40)},
		{"region", query(one, "&region=0.5,0,1,1"), "", 200, "image/jpeg", image.Pt(4, 4)},
		{"window and quality", query(one, "&windowCenter=40&windowWidth=80&imageQuality=50&annotation=patient"), "", 200, "image/jpeg", image.Pt(8, 4)},
		{"dicom", query(one, "&contentType=application/dicom"), "", 200, "application/dicom; transfer-syntax=" + uid.ExplicitVRLittleEndian, image.Point{}},
		{"dicom in a transfer syntax", query(one, "&contentType=application%2Fdicom&transferSyntax="+uid.ExplicitVRLittleEndian), "", 200,
			"application/dicom; transfer-syntax=" + uid.ExplicitVRLittleEndian, image.Point{}},
		{"dicom in a transfer syntax that is not to be had", query(one, "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.4.90"), "", 406, "", image.Point{}},
		{"dicom of a frame", query(many, "&contentType=application/dicom&frameNumber=1"), "", 400, "", image.Point{}},
		{"report", query(srRef, ""), "", 200, "text/html; charset=utf-8", image.Point{}},
		{"pdf", query(pdfRef, "&contentType=application/pdf"), "", 200, "application/pdf", image.Point{}},
		{"plan", query(planRef, ""), "", 200, "application/dicom; transfer-syntax=" + uid.ExplicitVRLittleEndian, image.Point{}},
		{"plan as an image", query(planRef, "&contentType=image/jpeg"), "", 406, "", image.Point{}},
		{"no such type", query(one, "&contentType=image/jp2"), "", 406, "", image.Point{}},
		{"unknown", query(inSeries("a", "none"), ""), "", 404, "", image.Point{}},
		{"frame beyond", query(many, "&frameNumber=4"), "", 404, "", image.Point{}},
		{"frame 0", query(many, "&frameNumber=0"), "", 400, "", image.Point{}},
		{"two frames", query(many, "&frameNumber=1,2"), "", 400, "", image.Point{}},
		{"no requestType", strings.TrimPrefix(query(one, ""), "requestType=WADO&"), "", 400, "", image.Point{}},
		{"another requestType", query(one, "&") + "&requestType=WADO", "", 200, "image/jpeg", image.Pt(8, 4)},
		{"no objectUID", "requestType=WADO&studyUID=1.2&seriesUID=1.3", "", 400, "", image.Point{}},
		{"malformed UID", "requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=abc", "", 400, "", image.Point{}},
		{"half a window", query(one, "&windowCenter=40"), "", 400, "", image.Point{}},
		{"window of letters", query(one, "&windowCenter=a&windowWidth=b"), "", 400, "", image.Point{}},
		{"quality", query(one, "&imageQuality=0"), "", 400, "", image.Point{}},
		{"rows", query(one, "&rows=0"), "", 400, "", image.Point{}},
		{"region outside", query(one, "&region=0,0,2,2"), "", 400, "", image.Point{}},
		{"region upside down", query(one, "&region=0,1,1,0"), "", 400, "", image.Point{}},
		{"region of three", query(one, "&region=0,0,1"), "", 400, "", image.Point{}},
		{"presentation state", query(one, "&presentationUID=1.2&presentationSeriesUID=1.3"), "", 400, "", image.Point{}},
		{"anonymize", query(one, "&anonymize=yes"), "", 400, "", image.Point{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.accept != "" {
				header = []string{"Accept: " + c.accept}
			}
			w, status, err := call("GET", s.URI, dicomweb.Ref{}, c.query, header...)
			if status != c.status {
				t.Fatalf("%d %v, want %d", status, err, c.status)
			}
			if got := w.Header().Get("Content-Type"); c.media != "" && got != c.media {
				t.Errorf("Content-Type %q, want %q", got, c.media)
			}
			if c.size != (image.Point{}) {
				if img, _, err := image.Decode(w.Body); err != nil || img.Bounds().Size() != c.size {
					t.Errorf("image: %v, want %v", err, c.size)
				}
			}
		})
	}
	w, _, err := call("GET", s.URI, dicomweb.Ref{}, query(one, "&contentType=application/dicom"))
	if f, e := dicom.Scan(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()), dicom.Limits{}); err != nil || e != nil {
		t.Errorf("application/dicom: %v, %v", err, e)
	} else if _, _, instance, _, _ := f.Ref(); instance != archivetest.Ref("study", "a", "a1").Instance {
		t.Errorf("application/dicom: instance %s", instance)
	}
}
