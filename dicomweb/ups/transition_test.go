package ups_test

import (
	"fmt"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/ups"
)

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

// TestStudyFollowsUpdates: the study that a workitem is about is that of its first input, else that of its results.
func TestStudyFollowsUpdates(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	n.create("2.25.1")
	input := dicom.New()
	input.Set(tag.StudyInstanceUID, "1.2.9")
	for _, c := range []struct {
		name string
		edit func(*dicom.Dataset)
		want string
	}{
		{"results", func(ds *dicom.Dataset) { ds.Set(tag.StudyInstanceUID, "1.2.3") }, "1.2.3"},
		{"results of another study", func(ds *dicom.Dataset) { ds.Set(tag.StudyInstanceUID, "1.2.4") }, "1.2.4"},
		{"an input", func(ds *dicom.Dataset) { ds.SetItems(tag.InputInformationSequence, input) }, "1.2.9"},
		{"results beside an input", func(ds *dicom.Dataset) { ds.Set(tag.StudyInstanceUID, "1.2.5") }, "1.2.9"},
		{"neither", func(ds *dicom.Dataset) { ds.Set(tag.ProcedureStepLabel, "another") }, "1.2.9"},
		{"no input any more", func(ds *dicom.Dataset) { ds.SetItems(tag.InputInformationSequence) }, "1.2.5"},
	} {
		ds := dicom.New()
		c.edit(ds)
		n.do("POST", "/workitems/2.25.1", text(t, ds)).want(t, 200, "")
		if i, err := n.list.Get(t.Context(), "2.25.1"); err != nil || i.Study != c.want {
			t.Errorf("%s: study %q, %v, want %s", c.name, i.Study, err, c.want)
		}
		if waiting, err := n.list.Waiting(t.Context(), c.want); err != nil || len(waiting) != 1 {
			t.Errorf("%s: %d workitems wait for %s, %v, want one", c.name, len(waiting), c.want, err)
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

// TestUpdatesAddUp makes a workitem larger by each update: it is refused before it could not be read any more.
func TestUpdatesAddUp(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	n.create("2.25.1")
	items := make([]*dicom.Dataset, 15_000)
	for i := range items {
		items[i] = dicom.New()
	}
	refused := false
	for i := 0; i < 20 && !refused; i++ {
		ds := dicom.New()
		ds.SetVR(tag.New(0x0009, 0x0010), dicom.LO, "TEST")
		ds.SetItems(tag.New(0x0009, 0x1000+uint16(i)), items...)
		got := n.do("POST", "/workitems/2.25.1", text(t, ds))
		if refused = got.StatusCode == 413; !refused {
			got.want(t, 200, "")
		}
	}
	if !refused {
		t.Error("the workitem grows without an end")
	}
	n.do("GET", "/workitems?includefield=all", "").want(t, 200, "")
}
