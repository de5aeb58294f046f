package qido_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/qido"
	"mome/dicomweb/query"
)

// fixed answers every query with one instance, remembers the query and says that more follow.
type fixed struct {
	asked     query.Query
	none      bool
	remaining int
	err       error
}

func (f *fixed) Find(_ context.Context, q query.Query) ([]*dicom.Dataset, int, error) {
	f.asked = q
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

func TestFailuresAreNotAnswers(t *testing.T) {
	w, err := search(t, &fixed{err: errors.New("locked")}, "", dicomweb.Ref{})
	if dicomweb.KindOf(err) != dicomweb.Internal || w.Body.Len() != 0 {
		t.Errorf("%v, body %q", err, w.Body)
	}
	if _, err = search(t, &fixed{}, "limit=x", dicomweb.Ref{}); dicomweb.KindOf(err) != dicomweb.BadRequest {
		t.Errorf("limit=x: %v", err)
	}
}
