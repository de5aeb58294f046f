package ups_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/ups"
)

func TestSearch(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	for i := range 5 {
		n.create(fmt.Sprint("2.25.", i+1), func(ds *dicom.Dataset) {
			ds.Set(tag.ScheduledProcedureStepStartDateTime, fmt.Sprintf("2026050%d1200", 5-i))
			ds.Set(tag.PatientID, fmt.Sprint("P", i))
			ds.Set(tag.PatientName, "Lee^"+string(rune('A'+i)))
			ds.Set(tag.WorklistLabel, []string{"AI", "HUMAN"}[i%2])
			code := dicom.New()
			code.Set(tag.CodeValue, fmt.Sprint(110003+i%2))
			code.Set(tag.CodingSchemeDesignator, "DCM")
			code.Set(tag.CodeMeaning, "Computer Aided Something")
			ds.SetItems(tag.ScheduledWorkitemCodeSequence, code)
			request := dicom.New()
			request.Set(tag.AccessionNumber, fmt.Sprint("A", i))
			ds.SetItems(tag.ReferencedRequestSequence, request)
			input := dicom.New()
			input.Set(tag.StudyInstanceUID, fmt.Sprint("1.2.", i))
			ds.SetItems(tag.InputInformationSequence, input)
		})
	}
	n.do("PUT", "/workitems/2.25.5/state", state("2.25.11", "IN PROGRESS")).want(t, 200, "")
	for _, c := range []struct {
		name, query string
		status      int
		want        string // last digits of the UIDs, in order
	}{
		{"all, by their start", "", 200, "54321"},
		{"state", "?ProcedureStepState=SCHEDULED", 200, "4321"},
		{"states", "?00741000=SCHEDULED,IN PROGRESS", 200, "54321"},
		{"label", "?WorklistLabel=AI", 200, "531"},
		{"label with wildcard", "?WorklistLabel=H*", 200, "42"},
		{"code in a sequence", "?ScheduledWorkitemCodeSequence.CodeValue=110004", 200, "42"},
		{"code by tags", "?00404018.00080100=110003&00404018.00080102=DCM", 200, "531"},
		{"code of another scheme", "?ScheduledWorkitemCodeSequence.CodeValue=110003&ScheduledWorkitemCodeSequence.CodingSchemeDesignator=L", 204, ""},
		{"start from", "?ScheduledProcedureStepStartDateTime=20260503-", 200, "321"},
		{"start until", "?ScheduledProcedureStepStartDateTime=-20260502", 200, "54"},
		{"start between", "?00404005=20260502-20260503", 200, "43"},
		{"patient", "?PatientID=P2", 200, "3"},
		{"name", "?PatientName=lee^b", 200, "2"},
		{"accession number", "?ReferencedRequestSequence.AccessionNumber=A4", 200, "5"},
		{"priority and readiness", "?ScheduledProcedureStepPriority=MEDIUM&InputReadinessState=READY", 200, "54321"},
		{"UIDs", "?SOPInstanceUID=2.25.1,2.25.4,2.25.77", 200, "41"},
		{"study of an input", "?InputInformationSequence.StudyInstanceUID=1.2.3", 200, "4"},
		{"study of an input and label", "?InputInformationSequence.StudyInstanceUID=1.2.3,1.2.4&WorklistLabel=AI", 200, "5"},
		{"nothing", "?PatientID=X", 204, ""},
		{"page", "?limit=2&offset=1", 206, "43"},
		{"last page", "?limit=2&offset=3", 200, "21"},
		{"behind the end", "?limit=2&offset=9", 204, ""},
		{"unknown parameters are ignored", "?foo=bar&PatientID=P0", 200, "1"},
		{"bad limit", "?limit=abc", 400, ""},
		{"bad date", "?ScheduledProcedureStepStartDateTime=soon", 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := n.do("GET", "/workitems"+strings.ReplaceAll(c.query, " ", "%20"), "")
			if got.StatusCode != c.status {
				t.Fatalf("%s %s, want %d", got.Status, got.body, c.status)
			}
			uids := ""
			if got.body != "" && c.status < 300 {
				for _, ds := range got.datasets(t) {
					uids += ds.String(tag.SOPInstanceUID)[len("2.25."):]
					for _, want := range []tag.Tag{tag.ProcedureStepState, tag.WorklistLabel, tag.PatientName, tag.ScheduledWorkitemCodeSequence, tag.InputInformationSequence} {
						if !ds.Has(want) {
							t.Errorf("an answer lacks %s", want.Keyword())
						}
					}
					if len(ds.Items(tag.InputInformationSequence)) != 1 {
						t.Error("an answer lacks the input")
					}
					if ds.Has(tag.CommentsOnTheScheduledProcedureStep) {
						t.Error("an answer holds what was not asked for")
					}
				}
			}
			if uids != c.want {
				t.Errorf("found %q, want %q", uids, c.want)
			}
			if more := strings.Contains(got.Header.Get("Warning"), "additional results"); more != (c.status == 206) {
				t.Errorf("Warning %q", got.Header.Get("Warning"))
			}
		})
	}
	got := n.do("GET", "/workitems?includefield=CommentsOnTheScheduledProcedureStep&PatientID=P0", "")
	if !got.datasets(t)[0].Has(tag.CommentsOnTheScheduledProcedureStep) {
		t.Error("includefield adds nothing")
	}
}

// TestAnswersAreReadOneByOne changes workitems when the head of the answer is out: what is answered is read only then, so that
// an answer of many workitems is never in memory as a whole.
func TestAnswersAreReadOneByOne(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	for i := range 4 {
		n.create(fmt.Sprint("2.25.", i+1))
	}
	s, err := ups.NewService(ups.ServiceConfig{Worklist: n.list, BaseURL: func(*http.Request) string { return n.root }})
	if err != nil {
		t.Fatal(err)
	}
	for i, accept := range []string{"application/dicom+json", `multipart/related; type="application/dicom+xml"`} {
		claimed, now := fmt.Sprint("2.25.", i+1), fmt.Sprint("as it is now ", i)
		w := &hooked{ResponseRecorder: httptest.NewRecorder(), head: func() {
			n.do("PUT", "/workitems/"+claimed+"/state", state("2.25.11", "IN PROGRESS")).want(t, 200, "")
			label := dicom.New()
			label.Set(tag.ProcedureStepLabel, now)
			n.do("POST", "/workitems/2.25.4", text(t, label)).want(t, 200, "")
		}}
		r := httptest.NewRequest("GET", "/workitems?ProcedureStepState=SCHEDULED", nil)
		r.Header.Set("Accept", accept)
		if err := s.Search(w, r, dicomweb.Ref{}); err != nil {
			t.Fatal(err)
		}
		body := w.Body.String()
		if w.Code != 200 || strings.Contains(body, claimed) || !strings.Contains(body, "2.25.3") || !strings.Contains(body, now) {
			t.Errorf("%s: %d %s, want all but %s, which is not SCHEDULED any more", accept, w.Code, body, claimed)
		}
		if i == 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("not JSON: %s", body)
		}
	}
}

// hooked calls head when the head of an answer is written.
type hooked struct {
	*httptest.ResponseRecorder
	head func()
}

func (h *hooked) WriteHeader(status int) {
	h.head()
	h.ResponseRecorder.WriteHeader(status)
}
