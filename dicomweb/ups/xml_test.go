package ups_test

import (
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/ups"
)

// TestXML creates, updates and claims with XML bodies and reads XML answers.
func TestXML(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	xml := func(ds *dicom.Dataset) string {
		b, err := dicom.AppendXML(nil, ds, dicom.JSONOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const is = "Content-Type: application/dicom+xml"
	n.do("POST", "/workitems?2.25.1", xml(step()), is).want(t, 201, "")
	n.do("POST", "/workitems?2.25.2", xml(step()), is).want(t, 201, "")
	n.do("POST", "/workitems?2.25.3", xml(step())[:200], is).want(t, 400, "")
	n.do("POST", "/workitems?2.25.3", text(t, step()), is).want(t, 400, "")
	claim := dicom.New()
	claim.Set(tag.TransactionUID, "2.25.11")
	claim.Set(tag.ProcedureStepState, "IN PROGRESS")
	n.do("PUT", "/workitems/2.25.1/state", xml(claim), is).want(t, 200, "")
	one := n.do("GET", "/workitems/2.25.1", "", "Accept: application/dicom+xml")
	one.want(t, 200, "")
	ds, err := dicom.ParseXML(strings.NewReader(one.body), dicom.Limits{})
	if err != nil || ds.String(tag.ProcedureStepState) != "IN PROGRESS" || ds.Has(tag.TransactionUID) || one.Header.Get("Content-Type") != "application/dicom+xml" {
		t.Errorf("%s %s, %v", one.Header.Get("Content-Type"), one.body, err)
	}
	for _, path := range []string{"", "/2.25.1"} {
		got := n.do("GET", "/workitems"+path, "", `Accept: multipart/related; type="application/dicom+xml"`)
		_, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
		if err != nil || params["type"] != "application/dicom+xml" {
			t.Fatalf("Content-Type %s: %v", got.Header.Get("Content-Type"), err)
		}
		parts := multipart.NewReader(strings.NewReader(got.body), params["boundary"])
		uids := ""
		for {
			part, err := parts.NextPart()
			if err != nil {
				break
			}
			ds, err := dicom.ParseXML(part, dicom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			uids += ds.String(tag.SOPInstanceUID) + " "
		}
		if want := map[string]string{"": "2.25.1 2.25.2 ", "/2.25.1": "2.25.1 "}[path]; uids != want {
			t.Errorf("%s: %q, want %q", path, uids, want)
		}
	}
	n.do("GET", "/workitems", "", "Accept: application/dicom+xml").want(t, 406, "")
}
