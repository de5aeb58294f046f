package ups

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
)

// FuzzBody sends bodies to every resource that takes one. Whatever comes is answered, and never by the node's own fault.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`[{"00404005":{"vr":"DT","Value":["2026"]},"00404041":{"vr":"CS","Value":["READY"]},"00741000":{"vr":"CS","Value":["SCHEDULED"]},"00741200":{"vr":"CS","Value":["LOW"]},"00741204":{"vr":"LO","Value":["x"]}}]`,
		`<NativeDicomModel><DicomAttribute tag="00741000" vr="CS" keyword="ProcedureStepState"><Value number="1">SCHEDULED</Value></DicomAttribute></NativeDicomModel>`,
		``, `[]`, `{}`, `[{}]`, `[{"00741000":{"vr":"CS","Value":["SCHEDULED"]}}]`,
		`[{"00081195":{"vr":"UI","Value":["2.25.1"]},"00741000":{"vr":"CS","Value":["IN PROGRESS"]}}]`,
		`[{"00404021":{"vr":"SQ","Value":[{"0020000D":{"vr":"UI","Value":["1.2"]}}]}}]`,
		`[{"00741002":{"vr":"SQ","Value":[{"00741004":{"vr":"DS","Value":[40]},"0074100E":{"vr":"SQ","Value":[{}]}}]}}]`,
		`[{"00741216":{"vr":"SQ","Value":[{"00404033":{"vr":"SQ"}}]}}]`, `[{"00741204":{"vr":"SQ","Value":[{}]}}]`, `[{"00404018":{"vr":"LO","Value":["x"]}}]`,
	} {
		f.Add(s)
	}
	a, err := archive.Open(context.Background(), archive.Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { a.Close() })
	list, err := Open(context.Background(), Config{Database: a, Open: 50})
	if err != nil {
		f.Fatal(err)
	}
	s, err := NewService(ServiceConfig{Worklist: list, BaseURL: func(*http.Request) string { return "http://node" }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for name, h := range map[string]func(http.ResponseWriter, *http.Request, dicomweb.Ref) error{
			"create": s.Create, "update": s.Update, "state": s.ChangeState, "cancel": s.RequestCancel,
		} {
			r := httptest.NewRequest("POST", "/workitems?2.25.7", strings.NewReader(body))
			r.SetPathValue("workitem", "2.25.7")
			r.Header.Set("Content-Type", "application/dicom+json")
			if strings.HasPrefix(body, "<") {
				r.Header.Set("Content-Type", "application/dicom+xml")
			}
			if err := h(httptest.NewRecorder(), r, dicomweb.Ref{}); err != nil && dicomweb.KindOf(err) == dicomweb.Internal {
				t.Errorf("%s: %v", name, err)
			}
		}
		// What was taken can be read back.
		i, err := list.Get(t.Context(), "2.25.7")
		if err != nil && dicomweb.KindOf(err) != dicomweb.NotFound {
			t.Fatal(err)
		}
		if err == nil {
			if _, err := dicom.AppendJSON(nil, i.Dataset, dicom.JSONOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzSubscription reads query strings: a filter that is taken asks for something.
func FuzzSubscription(f *testing.F) {
	for _, s := range []string{"", "deletionlock=true", "filter=WorklistLabel%3DA%2CB%2CPatientID%3DX", "filter=,=,", "PatientName=a%5Eb&filter=", "filter=%00=%ff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		_, filter, err := subscription(raw)
		if err != nil {
			return
		}
		conditions, err := parseFilter(FilteredSubscription, filter)
		if err == nil && len(conditions) == 0 {
			t.Errorf("%q is a filter without conditions", raw)
		}
	})
}
