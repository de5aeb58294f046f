package qido_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/qido"
	"mome/dicomweb/query"
	"mome/dicomweb/related"
)

// fixed answers every query with one instance, remembers the query and says that more follow.
type fixed struct {
	asked     query.Query
	none      bool
	remaining int
	err       error
	changes   int64
	times     int // that it was asked
}

func (f *fixed) Changes() int64 { return f.changes }

func (f *fixed) Find(_ context.Context, q query.Query) ([]*dicom.Dataset, int, error) {
	f.asked = q
	f.times++
	if f.none {
		return nil, f.remaining, f.err
	}
	d := dicom.New()
	d.Set(tag.StudyInstanceUID, "1.2")
	d.Set(tag.SeriesInstanceUID, "1.2.3")
	d.Set(tag.SOPInstanceUID, "1.2.3.4")
	return []*dicom.Dataset{d}, f.remaining, f.err
}

func search(t *testing.T, a qido.Archive, rawQuery string, ref dicomweb.Ref) (*httptest.ResponseRecorder, error) {
	t.Helper()
	s, err := qido.New(qido.Config{Archive: a, BaseURL: func(*http.Request) string { return "http://node/dicom-web" }, MaxResults: 7})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.RawQuery = rawQuery
	return w, s.Instances(w, r, ref)
}

func TestAnswer(t *testing.T) {
	w, err := search(t, &fixed{}, "", dicomweb.Ref{})
	want := `[{"00080018":{"vr":"UI","Value":["1.2.3.4"]},"00081190":{"vr":"UR","Value":["http://node/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.4"]},"0020000D":{"vr":"UI","Value":["1.2"]},"0020000E":{"vr":"UI","Value":["1.2.3"]}}]`
	if err != nil || w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/dicom+json" || w.Header().Get("Warning") != "" {
		t.Errorf("%d %v %s, %v, want\n%s", w.Code, w.Header(), w.Body, err, want)
	}
}

func TestLimitIsCapped(t *testing.T) {
	for rawQuery, want := range map[string]int{"": 7, "limit=3": 3, "limit=100": 7, "limit=0": -1} {
		a := &fixed{}
		if _, err := search(t, a, rawQuery, dicomweb.Ref{Study: "1.2"}); err != nil || a.asked.Limit != want || a.asked.Ref.Study != "1.2" {
			t.Errorf("%q asks for %d below %q, %v, want %d below 1.2", rawQuery, a.asked.Limit, a.asked.Ref.Study, err, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	w, err := search(t, &fixed{remaining: 12}, "foo=b%22ar", dicomweb.Ref{})
	got := w.Header().Values("Warning")
	if err != nil || len(got) != 2 || got[1] != `299 http://node/dicom-web "There are 12 additional results that can be requested"` || strings.ContainsAny(got[0], "\r\n") {
		t.Errorf("warnings %q, %v", got, err)
	}
	if w, _ = search(t, &fixed{none: true, remaining: 3}, "limit=0", dicomweb.Ref{}); w.Code != 204 || w.Header().Get("Warning") == "" || w.Body.Len() != 0 {
		t.Errorf("nothing but a remainder: %d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestAnswerAsXML(t *testing.T) {
	s, err := qido.New(qido.Config{Archive: &fixed{}, BaseURL: func(*http.Request) string { return "http://node/dicom-web" }})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", `multipart/related; type="application/dicom+xml"`)
	if err := s.Instances(w, r, dicomweb.Ref{}); err != nil || w.Code != 200 {
		t.Fatalf("%d, %v", w.Code, err)
	}
	ct, err := mediatype.Parse(w.Header().Get("Content-Type"))
	if err != nil || ct.Name != "multipart/related" || ct.Param("type") != "application/dicom+xml" {
		t.Fatalf("Content-Type %s", w.Header().Get("Content-Type"))
	}
	length := w.Body.Len()
	m, err := related.NewReader(w.Body, ct.Param("boundary"), related.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	part, err := m.Next()
	if err != nil || part.Header.Get("Content-Type") != "application/dicom+xml" {
		t.Fatalf("part %v, %v", part, err)
	}
	d, err := dicom.ParseXML(part, dicom.Limits{})
	if err != nil || d.String(tag.RetrieveURL) != "http://node/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.4" {
		t.Errorf("%v with Retrieve URL %q", err, d.String(tag.RetrieveURL))
	}
	if _, err := m.Next(); err != io.EOF || w.Header().Get("Content-Length") != strconv.Itoa(length) {
		t.Errorf("behind the one part: %v; Content-Length %s of %d", err, w.Header().Get("Content-Length"), length)
	}
	for _, accept := range []string{"application/dicom+xml", "image/png", "text/html"} {
		r.Header.Set("Accept", accept)
		if err := s.Instances(httptest.NewRecorder(), r, dicomweb.Ref{}); dicomweb.KindOf(err) != dicomweb.NotAcceptable {
			t.Errorf("Accept %s: %v", accept, err)
		}
	}
}

// TestTooBroad: an answer beyond the limit is refused in words, and all attributes of instances come in smaller answers.
func TestTooBroad(t *testing.T) {
	base := func(*http.Request) string { return "" }
	s, err := qido.New(qido.Config{Archive: &fixed{}, BaseURL: base, MaxBytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, accept := range []string{"application/dicom+json", `multipart/related; type="application/dicom+xml"`} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		if err := s.Instances(httptest.NewRecorder(), r, dicomweb.Ref{}); dicomweb.KindOf(err) != dicomweb.TooLarge || !strings.Contains(err.Error(), "100 bytes") {
			t.Errorf("Accept %s: %v, want that 100 bytes are the limit", accept, err)
		}
	}
	a := &fixed{}
	if s, err = qido.New(qido.Config{Archive: a, BaseURL: base, MaxResults: 70, MaxWhole: 7}); err != nil {
		t.Fatal(err)
	}
	for rawQuery, want := range map[string]int{"": 70, "includefield=Rows": 70, "includefield=all": 7, "includefield=all&limit=3": 3} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = rawQuery
		if err := s.Instances(httptest.NewRecorder(), r, dicomweb.Ref{}); err != nil || a.asked.Limit != want {
			t.Errorf("%q asks for %d, %v, want %d", rawQuery, a.asked.Limit, err, want)
		}
	}
}

func TestFailuresAreNotAnswers(t *testing.T) {
	w, err := search(t, &fixed{err: errors.New("locked")}, "", dicomweb.Ref{})
	if dicomweb.KindOf(err) != dicomweb.Internal || w.Body.Len() != 0 {
		t.Errorf("%v, body %q", err, w.Body)
	}
	if _, err = search(t, &fixed{}, "limit=x", dicomweb.Ref{}); dicomweb.KindOf(err) != dicomweb.BadRequest {
		t.Errorf("limit=x: %v", err)
	}
}
