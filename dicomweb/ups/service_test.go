package ups_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
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
		{"a state that is a sequence", "?2.25.9", func(ds *dicom.Dataset) { ds.SetItems(tag.ProcedureStepState, dicom.New()) }, 400, "", "must not be a sequence"},
		{"a readiness that is bytes", "?2.25.9", func(ds *dicom.Dataset) {
			ds.Put(&dicom.Element{Tag: tag.InputReadinessState, VR: dicom.OB, Value: []byte("READY ")})
		}, 400, "", "InputReadinessState (0040,4041) must not be binary"},
		{"a code that is text", "?2.25.9", func(ds *dicom.Dataset) {
			ds.SetVR(tag.ScheduledWorkitemCodeSequence, dicom.LO, "110004")
		}, 400, "", "must be a sequence"},
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
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, one)
	z.Close()
	whole := packed.String()
	for i, c := range []struct {
		name, body, coding string
		status             int
	}{
		{"gzip", whole, "gzip", 201},
		{"gzip in capitals", whole, "GZIP", 201},
		{"gzip cut short", whole[:len(whole)/2], "gzip", 400},
		{"gzip with a wrong checksum", whole[:len(whole)-8] + "checksum", "gzip", 400},
		{"gzip that is damaged", whole[:20] + strings.Repeat("\xff", 40) + whole[60:], "gzip", 400},
		{"not gzip", one, "gzip", 400},
		{"another coding", one, "br", 415},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.do("POST", fmt.Sprint("/workitems?2.25.2", i), c.body, "Content-Encoding: "+c.coding).want(t, c.status, "")
		})
	}
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
