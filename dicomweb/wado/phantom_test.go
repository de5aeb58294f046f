package wado_test

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/related"
	"mome/dicomweb/wado"
	"mome/fixtures/phantom"
)

// examination stores a phantom with enhanced objects and returns its files by SOP Instance UID.
func examination(t *testing.T) (*wado.Service, map[string]*dicom.File, dicomweb.Ref) {
	t.Helper()
	p, err := phantom.New(phantom.Config{Seed: 3, Vendor: phantom.SiemensXA, Resolution: phantom.Tiny, Phases: 2})
	if err != nil {
		t.Fatal(err)
	}
	var bodies [][]byte
	files, at := map[string]*dicom.File{}, dicomweb.Ref{}
	for _, d := range p.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b.Bytes())
		files[d.String(tag.SOPInstanceUID)] = scanned(t, b.Bytes())
		at.Study = d.String(tag.StudyInstanceUID)
	}
	return service(t, bodies...), files, at
}

// bulkDataURIs calls fn with every element of d that is elsewhere.
func bulkDataURIs(d *dicom.Dataset, fn func(*dicom.Element)) {
	for e := range d.All() {
		if e.BulkDataURI != "" {
			fn(e)
		}
		for _, item := range e.Items {
			bulkDataURIs(item, fn)
		}
	}
}

// TestBulkDataOfAPhantom fetches every BulkDataURI of a study's metadata and compares with the files; the same values
// come all at once.
func TestBulkDataOfAPhantom(t *testing.T) {
	s, files, study := examination(t)
	w, status := call(s.Metadata, study, "application/dicom+json")
	list := metadata(t, w)
	if status != 200 || len(list) != len(files) {
		t.Fatalf("status %d, %d data sets of %d", status, len(list), len(files))
	}
	want := map[string][]byte{}
	for _, d := range list {
		instance := d.String(tag.SOPInstanceUID)
		at := dicomweb.Ref{Study: study.Study, Series: d.String(tag.SeriesInstanceUID), Instance: instance}
		bulkDataURIs(d, func(e *dicom.Element) {
			path, ok := strings.CutPrefix(e.BulkDataURI, "http://node/dicom-web/"+at.Path()+"/bulkdata/")
			if !ok {
				t.Fatalf("BulkDataURI %s", e.BulkDataURI)
			}
			got, status := call(s.BulkData, at, "application/octet-stream", "path", path)
			_, stored := files[instance].Dataset.Find(path)
			value, err := files[instance].Value(stored)
			if err != nil || status != 200 || !bytes.Equal(got.Body.Bytes(), value) {
				t.Errorf("%s: %d with %d bytes, %v, the file has %d", path, status, got.Body.Len(), err, len(value))
			}
			want[e.BulkDataURI] = value
		})
	}
	if len(want) < len(files) {
		t.Errorf("%d values of %d images", len(want), len(files))
	}
	w, _ = call(s.AllBulkData, study, "")
	_, boundary, _ := strings.Cut(w.Header().Get("Content-Type"), "boundary=")
	r, err := related.NewReader(w.Body, boundary, related.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, err := r.Next()
		if err != nil {
			break
		}
		var b bytes.Buffer
		b.ReadFrom(p)
		uri := p.Header.Get("Content-Location")
		if value, ok := want[uri]; !ok || !bytes.Equal(b.Bytes(), value) {
			t.Errorf("%s: %d bytes, the file has %d", uri, b.Len(), len(value))
		}
		delete(want, uri)
	}
	if len(want) > 0 {
		t.Errorf("%d values did not come", len(want))
	}
}

// TestCompressedPhantom sends a study in each lossless transfer syntax and compares every pixel, and tells what it saved.
func TestCompressedPhantom(t *testing.T) {
	s, files, study := examination(t)
	for _, syntax := range []string{uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless} {
		w, status := call(s.Instances, study, "multipart/related; type=application/dicom; transfer-syntax="+syntax)
		bodies, _ := partsOf(t, w)
		if status != 200 || len(bodies) != len(files) {
			t.Fatalf("%s: status %d, %d instances of %d", syntax, status, len(bodies), len(files))
		}
		sent, stored := 0, int64(0)
		for _, b := range bodies {
			f := scanned(t, []byte(b))
			was := files[f.Dataset.String(tag.SOPInstanceUID)]
			same(t, syntax, samples(t, f), samples(t, was))
			sent, stored = sent+len(b), stored+was.Size
		}
		t.Logf("%s: %d of %d bytes", syntax, sent, stored)
		if int64(sent) >= stored {
			t.Errorf("%s: %d bytes were sent for %d stored", syntax, sent, stored)
		}
	}
}

// TestMetadataInXML holds the XML against the JSON of the same study, at each level.
func TestMetadataInXML(t *testing.T) {
	s, files, study := examination(t)
	var one dicomweb.Ref
	for _, f := range files {
		one = dicomweb.Ref{Study: study.Study, Series: f.Dataset.String(tag.SeriesInstanceUID), Instance: f.Dataset.String(tag.SOPInstanceUID)}
	}
	for _, at := range []dicomweb.Ref{study, {Study: one.Study, Series: one.Series}, one} {
		w, _ := call(s.Metadata, at, "")
		want := metadata(t, w)
		w, status := call(s.Metadata, at, `multipart/related; type="application/dicom+xml"`)
		if status != 200 {
			t.Fatalf("%s: %d", at.Path(), status)
		}
		bodies, types := partsOf(t, w)
		if len(bodies) != len(want) || types[0] != "application/dicom+xml" {
			t.Fatalf("%s: %d parts of %s, want %d", at.Path(), len(bodies), types[0], len(want))
		}
		for i, b := range bodies {
			d, err := dicom.ParseXML(strings.NewReader(b), dicom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			sameDataset(t, d, want[i])
		}
	}
	w, status := call(s.Metadata, one, "application/dicom+xml")
	if d, err := dicom.ParseXML(w.Body, dicom.Limits{}); status != 200 || err != nil || d.String(tag.SOPInstanceUID) != one.Instance {
		t.Errorf("single part: %d, %v", status, err)
	}
	if _, status := call(s.Metadata, study, "application/dicom+xml"); status != 406 {
		t.Errorf("single part of a study: %d, want 406", status)
	}
	if w, _ := call(s.Metadata, study, "application/json"); w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("application/json comes as %s", w.Header().Get("Content-Type"))
	}
	r := httptest.NewRequest("GET", "/?accept=multipart/related;type=application/dicom%2Bxml", nil)
	w = httptest.NewRecorder()
	if err := s.Metadata(w, r, one); err != nil || !strings.Contains(w.Body.String(), "<NativeDicomModel") {
		t.Errorf("accept= in the query: %v, %.200s", err, w.Body)
	}
}

func sameDataset(t *testing.T, got, want *dicom.Dataset) {
	t.Helper()
	opt := dicom.JSONOptions{}
	a, err := dicom.AppendJSON(nil, got, opt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := dicom.AppendJSON(nil, want, opt)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s: XML and JSON tell different things:\n%.600s\n%.600s", want.String(tag.SOPInstanceUID), a, b)
	}
}
