package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
	"mome/server/web"
)

// node is a running node with an archive of its own.
type node struct {
	t       *testing.T
	root    string // http://127.0.0.1:port
	dicom   string // root of the DICOMweb services
	archive *archive.Archive
}

// start runs a node on a real listener.
func start(t *testing.T, cfg web.Config) *node {
	t.Helper()
	a, err := archive.Open(context.Background(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if cfg.Archive == nil {
		cfg.Archive = a
	}
	s, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &node{t: t, root: server.URL, dicom: server.URL + "/dicom-web", archive: a}
}

// answer is what came back.
type answer struct {
	*http.Response
	body []byte
}

// do sends a request; header lines are "Name: value".
func (n *node) do(method, url string, body io.Reader, header ...string) answer {
	n.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = n.dicom + url
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Add(name, strings.TrimSpace(value))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatalf("%s %s: read the answer: %v", method, url, err)
	}
	return answer{resp, b}
}

func (n *node) get(url string, header ...string) answer {
	n.t.Helper()
	return n.do("GET", url, nil, header...)
}

// store posts the files as OHIF does and expects 200.
func (n *node) store(files ...[]byte) {
	n.t.Helper()
	body := multipart("b", files...)
	got := n.do("POST", "/studies", strings.NewReader(body), `Content-Type: multipart/related; type="application/dicom"; boundary=b`)
	if got.StatusCode != 200 {
		n.t.Fatalf("store: %s %s", got.Status, got.body)
	}
}

// multipart writes a body by hand.
func multipart(boundary string, parts ...[]byte) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--" + boundary + "\r\nContent-Type: application/dicom\r\n\r\n")
		b.Write(p)
		b.WriteString("\r\n")
	}
	return b.String() + "--" + boundary + "--\r\n"
}

// parts reads a multipart answer.
func (a answer) parts(t *testing.T) (parts [][]byte, types, locations []string) {
	t.Helper()
	ct, err := mediatype.Parse(a.Header.Get("Content-Type"))
	if err != nil || ct.Name != mediatype.Related {
		t.Fatalf("status %s, Content-Type %q, want multipart/related: %.300s", a.Status, a.Header.Get("Content-Type"), a.body)
	}
	r, err := related.NewReader(bytes.NewReader(a.body), ct.Param("boundary"), related.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, err := r.Next()
		if err == io.EOF {
			return parts, types, locations
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, b)
		types = append(types, p.Header.Get("Content-Type"))
		locations = append(locations, p.Header.Get("Content-Location"))
	}
}

// json reads a DICOM JSON answer.
func (a answer) json(t *testing.T) []*dicom.Dataset {
	t.Helper()
	list, err := dicom.ParseJSON(bytes.NewReader(a.body), dicom.Limits{})
	if err != nil {
		t.Fatalf("status %s: %v in %.300s", a.Status, err, a.body)
	}
	return list
}

// object is one test image. Zero fields get defaults.
type object struct {
	study, series, instance string
	number                  int
	patient                 string
	syntax                  string // explicit or implicit VR little endian
	change                  func(*dicom.Dataset)
}

const (
	study  = "1.2.826.0.1.3680043.10.1"
	series = study + ".1"
)

// pixels are two frames of 2 x 2 pixels of 16 bits.
var pixels = []byte{0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0}

func (o object) dataset() *dicom.Dataset {
	orElse := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	d := dicom.New()
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	d.Set(tag.StudyInstanceUID, orElse(o.study, study))
	d.Set(tag.SeriesInstanceUID, orElse(o.series, series))
	d.Set(tag.SOPInstanceUID, orElse(o.instance, fmt.Sprintf("%s.%d", orElse(o.series, series), o.number)))
	d.Set(tag.InstanceNumber, o.number)
	d.Set(tag.PatientName, orElse(o.patient, "Phantom^One"))
	d.Set(tag.PatientID, "P1")
	d.Set(tag.StudyDate, "20240102")
	d.Set(tag.Modality, "MR")
	d.Set(tag.SeriesNumber, 1)
	d.Set(tag.Rows, 2)
	d.Set(tag.Columns, 2)
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.BitsAllocated, 16)
	d.Set(tag.BitsStored, 16)
	d.Set(tag.HighBit, 15)
	d.Set(tag.PixelRepresentation, 0)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	d.Set(tag.NumberOfFrames, 2)
	d.SetVR(tag.PixelData, dicom.OW, pixels)
	if o.change != nil {
		o.change(d)
	}
	return d
}

func (o object) bytes(t *testing.T) []byte {
	t.Helper()
	syntax := o.syntax
	if syntax == "" {
		syntax = uid.ExplicitVRLittleEndian
	}
	var buf bytes.Buffer
	if err := dicom.Write(&buf, o.dataset(), syntax); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// storeResponse is a Store Instances Response.
type storeResponse map[string]struct {
	VR    string
	Value []json.RawMessage
}

func (a answer) storeResponse(t *testing.T) storeResponse {
	t.Helper()
	var s storeResponse
	if err := json.Unmarshal(a.body, &s); err != nil {
		t.Fatalf("status %s: %v in %s", a.Status, err, a.body)
	}
	return s
}
