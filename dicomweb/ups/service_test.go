package ups_test

import (
	"fmt"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/ups"
)

func TestCreate(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	without := func(t tag.Tag) func(*dicom.Dataset) { return func(ds *dicom.Dataset) { ds.Delete(t) } }
	set := func(t tag.Tag, v string) func(*dicom.Dataset) {
		return func(ds *dicom.Dataset) { ds.SetVR(t, dicom.VR(tag.Lookup(t).VRs[0]), v) }
	}
	const modified = "The Workitem was created with modifications."
	n.create("2.25.100")
	for _, c := range []struct {
		name, query string
		edit        func(*dicom.Dataset)
		status      int
		warning     string
		says        string
	}{
		{"bare UID", "?2.25.1", func(*dicom.Dataset) {}, 201, "", ""},
		{"named parameter", "?workitem=2.25.2", func(*dicom.Dataset) {}, 201, "", ""},
		{"name of older editions", "?AffectedSOPInstanceUID=2.25.3", func(*dicom.Dataset) {}, 201, "", ""},
		{"UID in the data set", "", set(tag.SOPInstanceUID, "2.25.4"), 201, "", ""},
		{"empty Worklist Label", "?2.25.5", func(ds *dicom.Dataset) { ds.Set(tag.WorklistLabel) }, 201, modified, ""},
		{"type 2 absent", "?2.25.6", without(tag.AdmissionID), 201, modified, ""},
		{"same UID again", "?2.25.100", func(*dicom.Dataset) {}, 409, "", "already"},
		{"no UID", "", func(*dicom.Dataset) {}, 400, "", "UID is missing"},
		{"two UIDs", "?2.25.7", set(tag.SOPInstanceUID, "2.25.8"), 400, "", "twice"},
		{"UID of the worklist", "?" + ups.GlobalSubscription, func(*dicom.Dataset) {}, 400, "", "whole worklist"},
		{"malformed UID", "?workitem=2.25.x", func(*dicom.Dataset) {}, 400, "", "malformed"},
		{"type 1 absent", "?2.25.9", without(tag.ProcedureStepLabel), 400, "", "ProcedureStepLabel (0074,1204) needs a value"},
		{"type 1 empty", "?2.25.9", func(ds *dicom.Dataset) { ds.Set(tag.InputReadinessState) }, 400, "", "InputReadinessState"},
		{"not SCHEDULED", "?2.25.9", set(tag.ProcedureStepState, "IN PROGRESS"), 400, "", "must be SCHEDULED"},
		{"no state", "?2.25.9", without(tag.ProcedureStepState), 400, "", "ProcedureStepState"},
		{"with Transaction UID", "?2.25.9", set(tag.TransactionUID, "2.25.77"), 400, "", "TransactionUID (0008,1195) must be empty"},
		{"with progress", "?2.25.9", func(ds *dicom.Dataset) {
			ds.SetItems(tag.ProcedureStepProgressInformationSequence, dicom.New())
		}, 400, "", "must be empty"},
		{"unknown priority", "?2.25.9", set(tag.ScheduledProcedureStepPriority, "URGENT"), 400, "", "HIGH, MEDIUM, LOW"},
		{"start is no time", "?2.25.9", set(tag.ScheduledProcedureStepStartDateTime, "tomorrow"), 400, "", "no date and time"},
		{"code without meaning", "?2.25.9", func(ds *dicom.Dataset) {
			item := dicom.New()
			item.Set(tag.CodeValue, "1")
			item.Set(tag.CodingSchemeDesignator, "L")
			ds.SetItems(tag.ScheduledWorkitemCodeSequence, item)
		}, 400, "", "Code Meaning"},
		{"input names no UID", "?2.25.9", func(ds *dicom.Dataset) {
			item := dicom.New()
			item.Set(tag.StudyInstanceUID, "abc")
			ds.SetItems(tag.InputInformationSequence, item)
		}, 400, "", "is no UID"},
		{"bulk data", "?2.25.9", func(ds *dicom.Dataset) {
			ds.Put(&dicom.Element{Tag: tag.ProcedureStepLabel, VR: dicom.LO, BulkDataURI: "http://127.0.0.1/x"})
		}, 400, "", "bulk data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := n.do("POST", "/workitems"+c.query, text(t, step(c.edit)))
			got.want(t, c.status, c.warning)
			if !strings.Contains(got.body, c.says) {
				t.Errorf("answer %q, want it to say %q", got.body, c.says)
			}
			if created := got.Header.Get("Location"); (created != "") != (c.status == 201) || c.status == 201 && !strings.HasPrefix(created, n.root+"/workitems/2.25.") {
				t.Errorf("Location %q", created)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	one := strings.TrimSuffix(strings.TrimPrefix(text(t, step()), "["), "]")
	for _, c := range []struct {
		name, body, contentType string
		status                  int
	}{
		{"array of one", "[" + one + "]", "application/dicom+json", 201},
		{"object", one, "application/dicom+json", 201},
		{"application/json", one, "application/json; charset=utf-8", 201},
		{"array of two", "[" + one + "," + one + "]", "application/dicom+json", 400},
		{"array of none", "[]", "application/dicom+json", 400},
		{"nothing", "", "application/dicom+json", 400},
		{"cut short", one[:len(one)/2], "application/dicom+json", 400},
		{"form, as curl sends by itself", one, "application/x-www-form-urlencoded", 415},
		{"too large", `[{"00081195":{"vr":"UI","Value":["` + strings.Repeat("1", 9<<20) + `"]}}]`, "application/dicom+json", 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			uid := "2.25.1" + fmt.Sprint(len(c.name))
			n.do("POST", "/workitems?"+uid, c.body, "Content-Type: "+c.contentType).want(t, c.status, "")
		})
	}
}

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
		if want := map[string]string{"": "2.25.1 2.25.2 ", "/2.25.1": "2.25.1 "}[path]; uids != want || int64(len(got.body)) != got.ContentLength {
			t.Errorf("%s: %q of %d bytes, want %q of %d", path, uids, len(got.body), want, got.ContentLength)
		}
	}
	n.do("GET", "/workitems", "", "Accept: application/dicom+xml").want(t, 406, "")
}

func TestRetrieveTellsNoTransactionUID(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	n.create("2.25.1", func(ds *dicom.Dataset) {
		ds.Set(tag.PatientName, "Müller^Änne")
		wado, input := dicom.New(), dicom.New()
		wado.Set(tag.RetrieveURL, "/studies/1.2")
		input.SetItems(tag.WADORSRetrievalSequence, wado)
		ds.SetItems(tag.InputInformationSequence, input)
	})
	const secret = "2.25.424242"
	n.do("PUT", "/workitems/2.25.1/state", state(secret, "IN PROGRESS")).want(t, 200, "")
	got := n.do("GET", "/workitems/2.25.1", "", "Accept: application/dicom+json")
	got.want(t, 200, "")
	ds := got.datasets(t)[0]
	for what, have := range map[string][2]string{
		"state":          {ds.String(tag.ProcedureStepState), "IN PROGRESS"},
		"SOP class":      {ds.String(tag.SOPClassUID), "1.2.840.10008.5.1.4.34.6.1"},
		"UID":            {ds.String(tag.SOPInstanceUID), "2.25.1"},
		"name":           {ds.String(tag.PatientName), "Müller^Änne"},
		"modified":       {ds.String(tag.ScheduledProcedureStepModificationDateTime), "20260501120000.000000+0000"},
		"Retrieve URL":   {ds.Item(tag.InputInformationSequence).Item(tag.WADORSRetrievalSequence).String(tag.RetrieveURL), n.root + "/studies/1.2"},
		"Content-Type":   {got.Header.Get("Content-Type"), "application/dicom+json"},
		"Content-Locat.": {got.Header.Get("Content-Location"), n.root + "/workitems/2.25.1"},
	} {
		if have[0] != have[1] {
			t.Errorf("%s: %q, want %q", what, have[0], have[1])
		}
	}
	for _, query := range []string{"/2.25.1", "?includefield=all", "?includefield=TransactionUID", "?SOPInstanceUID=2.25.1"} {
		if got := n.do("GET", "/workitems"+query, ""); got.StatusCode != 200 || strings.Contains(got.body, secret) || strings.Contains(got.body, "00081195") {
			t.Errorf("%s: %s, holds the Transaction UID: %t", query, got.Status, strings.Contains(got.body, secret))
		}
	}
	n.do("GET", "/workitems?TransactionUID="+secret, "").want(t, 400, "")
	n.do("GET", "/workitems/2.25.2", "").want(t, 404, "")
	n.do("GET", "/workitems/abc", "").want(t, 400, "")
	n.do("GET", "/workitems/2.25.1", "", "Accept: image/png").want(t, 406, "")
}

// TestTransitions goes through PS3.4 table CC.1.1-2.
func TestTransitions(t *testing.T) {
	const (
		instance    = "The submitted request is inconsistent with the state of the UPS Instance."
		missing     = "The Transaction UID is missing."
		incorrect   = "The Transaction UID is incorrect."
		lock, wrong = "2.25.11", "2.25.12"
		isCanceled  = "The UPS is already in the requested state of CANCELED."
		isCompleted = "The UPS is already in the requested state of COMPLETED."
	)
	n := start(t, t.TempDir(), ups.Config{})
	number := 0
	in := func(state_ string) string {
		number++
		uid := fmt.Sprint("2.25.", 1000+number)
		switch state_ {
		case "none":
			return uid
		case "SCHEDULED":
			n.create(uid)
			return uid
		}
		n.create(uid)
		n.do("PUT", "/workitems/"+uid+"/state", state(lock, "IN PROGRESS")).want(t, 200, "")
		if state_ != "IN PROGRESS without results" {
			n.do("POST", "/workitems/"+uid+"?"+lock, text(t, performed())).want(t, 200, "")
		}
		if state_ == "CANCELED" || state_ == "COMPLETED" {
			n.do("PUT", "/workitems/"+uid+"/state", state(lock, state_)).want(t, 200, "")
		}
		return uid
	}
	for _, c := range []struct {
		in, to, transaction string
		status              int
		warning             string
		then                string
	}{
		{"none", "IN PROGRESS", lock, 404, "", ""},
		{"none", "COMPLETED", lock, 404, "", ""},
		{"SCHEDULED", "IN PROGRESS", lock, 200, "", "IN PROGRESS"},
		{"SCHEDULED", "IN PROGRESS", "", 400, missing, "SCHEDULED"},
		{"SCHEDULED", "IN PROGRESS", "abc", 400, incorrect, "SCHEDULED"},
		{"SCHEDULED", "SCHEDULED", lock, 400, instance, "SCHEDULED"},
		{"SCHEDULED", "COMPLETED", lock, 409, instance, "SCHEDULED"},
		{"SCHEDULED", "CANCELED", lock, 409, instance, "SCHEDULED"},
		{"SCHEDULED", "DONE", lock, 400, instance, "SCHEDULED"},
		{"SCHEDULED", "", lock, 400, instance, "SCHEDULED"},
		{"IN PROGRESS", "IN PROGRESS", lock, 409, instance, "IN PROGRESS"},
		{"IN PROGRESS", "IN PROGRESS", wrong, 409, instance, "IN PROGRESS"},
		{"IN PROGRESS", "SCHEDULED", lock, 400, instance, "IN PROGRESS"},
		{"IN PROGRESS", "COMPLETED", lock, 200, "", "COMPLETED"},
		{"IN PROGRESS", "COMPLETED", wrong, 400, incorrect, "IN PROGRESS"},
		{"IN PROGRESS", "COMPLETED", "", 400, missing, "IN PROGRESS"},
		{"IN PROGRESS without results", "COMPLETED", lock, 409, instance, "IN PROGRESS"},
		{"IN PROGRESS", "CANCELED", lock, 200, "", "CANCELED"},
		{"IN PROGRESS without results", "CANCELED", lock, 200, "", "CANCELED"},
		{"IN PROGRESS", "CANCELED", wrong, 400, incorrect, "IN PROGRESS"},
		{"COMPLETED", "IN PROGRESS", lock, 409, instance, "COMPLETED"},
		{"COMPLETED", "COMPLETED", lock, 200, isCompleted, "COMPLETED"},
		{"COMPLETED", "COMPLETED", wrong, 400, incorrect, "COMPLETED"},
		{"COMPLETED", "CANCELED", lock, 409, instance, "COMPLETED"},
		{"CANCELED", "IN PROGRESS", lock, 409, instance, "CANCELED"},
		{"CANCELED", "CANCELED", lock, 200, isCanceled, "CANCELED"},
		{"CANCELED", "CANCELED", wrong, 400, incorrect, "CANCELED"},
		{"CANCELED", "COMPLETED", lock, 409, instance, "CANCELED"},
	} {
		t.Run(c.in+" to "+c.to+" with "+c.transaction, func(t *testing.T) {
			uid := in(c.in)
			got := n.do("PUT", "/workitems/"+uid+"/state", state(c.transaction, c.to))
			got.want(t, c.status, c.warning)
			if strings.Contains(got.body, lock) || strings.Contains(fmt.Sprint(got.Header), lock) {
				t.Errorf("the answer tells the Transaction UID: %v %s", got.Header, got.body)
			}
			if c.then == "" {
				return
			}
			ds := n.do("GET", "/workitems/"+uid, "").datasets(t)[0]
			if s := ds.String(tag.ProcedureStepState); s != c.then {
				t.Errorf("state %s, want %s", s, c.then)
			}
			if progress := ds.Item(tag.ProcedureStepProgressInformationSequence); c.then == "CANCELED" &&
				(!progress.Has(tag.ProcedureStepCancellationDateTime) || len(progress.Items(tag.ProcedureStepDiscontinuationReasonCodeSequence)) != 1) {
				t.Error("CANCELED without time or reason")
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	const (
		lock      = "2.25.11"
		unclaimed = "The target URI did not reference a claimed Workitem."
		conflict  = "The submitted request is inconsistent with the current state of the Workitem."
	)
	n := start(t, t.TempDir(), ups.Config{})
	set := func(t tag.Tag, v string) *dicom.Dataset {
		ds := dicom.New()
		ds.SetVR(t, dicom.VR(tag.Lookup(t).VRs[0]), v)
		return ds
	}
	n.create("2.25.1")
	n.create("2.25.2")
	n.create("2.25.3")
	n.do("PUT", "/workitems/2.25.2/state", state(lock, "IN PROGRESS")).want(t, 200, "")
	n.do("PUT", "/workitems/2.25.3/state", state(lock, "IN PROGRESS")).want(t, 200, "")
	n.do("PUT", "/workitems/2.25.3/state", state(lock, "CANCELED")).want(t, 200, "")
	label := set(tag.ProcedureStepLabel, "another")
	withLock := label.Clone()
	withLock.Set(tag.TransactionUID, lock)
	for _, c := range []struct {
		name, target string
		ds           *dicom.Dataset
		status       int
		warning      string
	}{
		{"scheduled", "2.25.1", label, 200, ""},
		{"scheduled with a transaction", "2.25.1?" + lock, label, 409, unclaimed},
		{"claimed, bare UID", "2.25.2?" + lock, label, 200, ""},
		{"claimed, named parameter", "2.25.2?transaction-uid=" + lock, label, 200, ""},
		{"claimed, in the data set", "2.25.2", withLock, 200, ""},
		{"claimed, without", "2.25.2", label, 400, conflict},
		{"claimed, another", "2.25.2?2.25.12", label, 400, conflict},
		{"claimed, two", "2.25.2?2.25.12", withLock, 400, ""},
		{"canceled", "2.25.3?" + lock, label, 400, conflict},
		{"unknown", "2.25.9?" + lock, label, 404, ""},
		{"state", "2.25.1", set(tag.ProcedureStepState, "COMPLETED"), 400, ""},
		{"patient", "2.25.1", set(tag.PatientID, "X"), 400, ""},
		{"type 1 empty", "2.25.1", set(tag.ProcedureStepLabel, ""), 400, ""},
		{"unknown readiness", "2.25.1", set(tag.InputReadinessState, "MAYBE"), 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.do("POST", "/workitems/"+c.target, text(t, c.ds)).want(t, c.status, c.warning)
		})
	}
	for uid, want := range map[string]string{"2.25.1": "another", "2.25.2": "another", "2.25.3": "Read breast MRI"} {
		if got := n.do("GET", "/workitems/"+uid, "").datasets(t)[0].String(tag.ProcedureStepLabel); got != want {
			t.Errorf("%s: label %q, want %q", uid, got, want)
		}
	}
}

func TestRequestCancel(t *testing.T) {
	const lock = "2.25.11"
	n := start(t, t.TempDir(), ups.Config{})
	for _, uid := range []string{"2.25.1", "2.25.2", "2.25.3", "2.25.4"} {
		n.create(uid)
	}
	for _, uid := range []string{"2.25.2", "2.25.3", "2.25.4"} {
		n.do("PUT", "/workitems/"+uid+"/state", state(lock, "IN PROGRESS")).want(t, 200, "")
	}
	n.do("POST", "/workitems/2.25.3?"+lock, text(t, performed())).want(t, 200, "")
	n.do("PUT", "/workitems/2.25.3/state", state(lock, "COMPLETED")).want(t, 200, "")
	n.do("POST", "/workitems/2.25.4/subscribers/PERFORMER", "").want(t, 201, "")
	reason := `[{"00741238":{"vr":"LT","Value":["wrong patient"]},"00741236":{"vr":"AE","Value":["RIS"]}}]`

	n.do("POST", "/workitems/2.25.1/cancelrequest", reason).want(t, 202, "")
	ds := n.do("GET", "/workitems/2.25.1", "").datasets(t)[0]
	if p := ds.Item(tag.ProcedureStepProgressInformationSequence); ds.String(tag.ProcedureStepState) != "CANCELED" || p.String(tag.ReasonForCancellation) != "wrong patient" {
		t.Errorf("a SCHEDULED one is %s because of %q, want CANCELED", ds.String(tag.ProcedureStepState), p.String(tag.ReasonForCancellation))
	}
	n.do("POST", "/workitems/2.25.1/cancelrequest", "").want(t, 202, "The UPS is already in the requested state of CANCELED.")
	n.do("POST", "/workitems/2.25.2/cancelrequest", "").want(t, 409, "The performer cannot be contacted.")
	n.do("POST", "/workitems/2.25.3/cancelrequest", "").want(t, 409, "The UPS is already COMPLETED.")
	n.do("POST", "/workitems/2.25.4/cancelrequest?requester=RIS", "").want(t, 202, "")
	n.do("POST", "/workitems/2.25.5/cancelrequest", "").want(t, 404, "")
	n.do("POST", "/workitems/2.25.4/cancelrequest", `[{"00741236":{"vr":"AE","Value":["MUCH TOO LONG A TITLE"]}}]`).want(t, 400, "")
	if got := n.do("GET", "/workitems/2.25.4", "").datasets(t)[0].String(tag.ProcedureStepState); got != "IN PROGRESS" {
		t.Errorf("another's workitem is %s after the request, want IN PROGRESS", got)
	}
}

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

// TestKeepsAndForgets restarts the node: workitems, locks and subscriptions stay; what is final goes in its time, and is known
// to have been there.
func TestKeepsAndForgets(t *testing.T) {
	const lock = "2.25.11"
	dir := t.TempDir()
	n := start(t, dir, ups.Config{Keep: time.Hour})
	for _, uid := range []string{"2.25.1", "2.25.2", "2.25.3"} {
		n.create(uid)
		n.do("PUT", "/workitems/"+uid+"/state", state(lock, "IN PROGRESS")).want(t, 200, "")
	}
	n.do("POST", "/workitems/2.25.2/subscribers/WATCHER?deletionlock=true", "").want(t, 201, "")
	n.stop()

	n = start(t, dir, ups.Config{Keep: time.Hour})
	n.do("PUT", "/workitems/2.25.1/state", state(lock, "CANCELED")).want(t, 200, "")
	n.do("PUT", "/workitems/2.25.2/state", state(lock, "CANCELED")).want(t, 200, "")
	n.advance(2 * time.Hour)
	n.create("2.25.4")
	n.do("GET", "/workitems/2.25.1", "").want(t, 410, "")
	n.do("POST", "/workitems/2.25.1", text(t, performed())).want(t, 410, "")
	n.do("POST", "/workitems?2.25.1", text(t, step())).want(t, 409, "")
	n.do("GET", "/workitems/2.25.2", "").want(t, 200, "")
	n.do("GET", "/workitems/2.25.3", "").want(t, 200, "")
	n.do("DELETE", "/workitems/2.25.2/subscribers/WATCHER", "").want(t, 200, "")
	n.create("2.25.5")
	n.do("GET", "/workitems/2.25.2", "").want(t, 410, "")
	if got := n.do("GET", "/workitems", ""); strings.Count(got.body, "SCHEDULED")+strings.Count(got.body, "IN PROGRESS") != 3 || strings.Contains(got.body, "2.25.2\"") {
		t.Errorf("the worklist is %s, want three", got.body)
	}
}

// TestInputsStay: a change of something else leaves the inputs alone, and new ones replace them.
func TestInputsStay(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	input := func(study string) func(*dicom.Dataset) {
		return func(ds *dicom.Dataset) {
			item := dicom.New()
			item.Set(tag.StudyInstanceUID, study)
			ds.SetItems(tag.InputInformationSequence, item)
		}
	}
	n.create("2.25.1", input("1.2.3"))
	check := func(want string) {
		t.Helper()
		i, err := n.list.Get(t.Context(), "2.25.1")
		if err != nil || i.Study != want || i.Dataset.Item(tag.InputInformationSequence).String(tag.StudyInstanceUID) != want {
			t.Errorf("study %q, input %q, %v, want %q", i.Study, i.Dataset.Item(tag.InputInformationSequence).String(tag.StudyInstanceUID), err, want)
		}
		if waiting, err := n.list.Waiting(t.Context(), want); err != nil || len(waiting) != 1 {
			t.Errorf("%d workitems wait for %q, %v", len(waiting), want, err)
		}
	}
	check("1.2.3")
	label, another := dicom.New(), dicom.New()
	label.Set(tag.ProcedureStepLabel, "x")
	n.do("POST", "/workitems/2.25.1", text(t, label)).want(t, 200, "")
	check("1.2.3")
	input("1.2.4")(another)
	n.do("POST", "/workitems/2.25.1", text(t, another)).want(t, 200, "")
	check("1.2.4")
	n.do("PUT", "/workitems/2.25.1/state", state("2.25.11", "IN PROGRESS")).want(t, 200, "")
	if i, err := n.list.Get(t.Context(), "2.25.1"); err != nil || i.Dataset.Item(tag.InputInformationSequence) == nil {
		t.Errorf("the claim took the inputs: %v", err)
	}
}

func TestFull(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{Open: 1})
	n.create("2.25.1")
	n.do("POST", "/workitems?2.25.2", text(t, step())).want(t, 503, "")
	n.do("POST", "/workitems/2.25.1/cancelrequest", "").want(t, 202, "")
	n.create("2.25.2")
}
