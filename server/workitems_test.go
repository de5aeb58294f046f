package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mome/dicomweb/client"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/ups"
	"mome/fixtures/phantom"
)

// manager is a small program that hands work to the node and watches it: a Task Requester and Watcher of IHE AI Workflow for Imaging.
type manager struct {
	t      *testing.T
	root   string
	events chan []byte
}

// manage subscribes to all workitems.
func manage(t *testing.T, root string) *manager {
	t.Helper()
	m := &manager{t: t, root: root, events: make(chan []byte, 10_000)}
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(root, "http")+"/subscribers/MANAGER", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.CloseNow()
		for range m.events {
		}
	})
	go func() { // a listener that does not read answers no ping, and is cut off
		defer close(m.events)
		for {
			_, body, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			m.events <- body
		}
	}()
	m.send("POST", "/workitems/"+ups.GlobalSubscription+"/subscribers/MANAGER", nil, 201)
	return m
}

func (m *manager) send(method, path string, ds *dicom.Dataset, status int) []*dicom.Dataset {
	m.t.Helper()
	var body []byte
	if ds != nil {
		var err error
		if body, err = dicom.AppendJSON(nil, ds, dicom.JSONOptions{}); err != nil {
			m.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.root+path, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/dicom+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		m.t.Fatalf("%s %s: %s %s %v, want %d", method, path, resp.Status, answer, err, status)
	}
	if len(answer) == 0 {
		return nil
	}
	list, err := dicom.ParseJSON(bytes.NewReader(answer), dicom.Limits{})
	if err != nil {
		m.t.Fatal(err)
	}
	return list
}

// request creates a workitem that asks for the analysis of a study.
func (m *manager) request(id, study string, edit ...func(*dicom.Dataset)) {
	m.t.Helper()
	ds, input := dicom.New(), dicom.New()
	input.Set(tag.TypeOfInstances, "DICOM")
	input.Set(tag.StudyInstanceUID, study)
	ds.Set(tag.ProcedureStepState, "SCHEDULED")
	ds.Set(tag.ScheduledProcedureStepPriority, "HIGH")
	ds.Set(tag.ProcedureStepLabel, "Please read")
	ds.Set(tag.ScheduledProcedureStepStartDateTime, "20260501")
	ds.Set(tag.InputReadinessState, "READY")
	ds.SetItems(tag.InputInformationSequence, input)
	ds.SetItems(tag.ScheduledWorkitemCodeSequence, tasks[1].Item())
	for _, e := range edit {
		e(ds)
	}
	m.send("POST", "/workitems?"+id, ds, 201)
}

// next returns the next event.
func (m *manager) next(otherwise string) []byte {
	m.t.Helper()
	select {
	case body, ok := <-m.events:
		if !ok {
			m.t.Fatal("the channel ended: " + otherwise)
		}
		return body
	case <-time.After(5 * time.Minute):
		m.t.Fatal(otherwise)
		return nil
	}
}

// until reads events until one of a workitem's state comes, and returns its UID and what was told in between, in short. Any
// workitem will do where id is empty.
func (m *manager) until(id, state string) (uid string, told []string) {
	m.t.Helper()
	for {
		body := m.next(fmt.Sprintf("no event of %s %s; there were %q", id, state, told))
		list, err := dicom.ParseJSON(bytes.NewReader(body), dicom.Limits{})
		if err != nil {
			m.t.Fatal(err)
		}
		ds := list[0]
		uid = ds.String(tag.New(0, 0x1000))
		short := ds.String(tag.New(0, 0x1002)) + " " + ds.String(tag.ProcedureStepState)
		if p := ds.Item(tag.ProcedureStepProgressInformationSequence); p != nil {
			short = "progress " + p.String(tag.ProcedureStepProgressDescription)
		}
		if id == "" || uid == id {
			told = append(told, short)
			if ds.String(tag.ProcedureStepState) == state {
				return uid, told
			}
		}
	}
}

func withWorkitems(f *nodeFlags) { f.Workitems = true }

// TestWorkitemOfANewStudy pushes a study, follows its workitem by events alone and fetches the report that it names.
func TestWorkitemOfANewStudy(t *testing.T) {
	n := startNode(t, t.TempDir(), withWorkitems)
	m := manage(t, n.url()+"/dicom-web")
	s := study(t, phantom.Config{Seed: 31, Resolution: phantom.Tiny})
	remote, err := client.New(client.Config{URL: m.root})
	if err != nil {
		t.Fatal(err)
	}
	if sent, err := remote.Store(t.Context(), instances(s), client.StoreOptions{}); err != nil || sent.Stored != s.Len() {
		t.Fatalf("stored %d, %v", sent.Stored, err)
	}
	id, told := m.until("", "COMPLETED")
	events := strings.Join(told, ", ")
	for _, want := range []string{"1 SCHEDULED", "5 ", "1 IN PROGRESS", "progress claimed", "progress headers", "progress report", "progress done"} {
		if !strings.Contains(events, want) {
			t.Errorf("events %s, want %q among them", events, want)
		}
	}
	ds := m.send("GET", "/workitems/"+id, nil, 200)[0]
	performed := ds.Item(tag.UnifiedProcedureStepPerformedProcedureSequence)
	for what, have := range map[string][2]string{
		"task":       {ds.Item(tag.ScheduledWorkitemCodeSequence).String(tag.CodeValue), "110004"},
		"station":    {performed.Item(tag.PerformedStationNameCodeSequence).String(tag.CodeValue), "MOME"},
		"patient":    {ds.String(tag.PatientID), s.Truth.PatientID},
		"percent":    {ds.Item(tag.ProcedureStepProgressInformationSequence).String(tag.ProcedureStepProgress), "100"},
		"input":      {ds.Item(tag.InputInformationSequence).String(tag.StudyInstanceUID), s.Truth.StudyInstanceUID},
		"its lesion": {fmt.Sprint(strings.Contains(performed.String(tag.CommentsOnThePerformedProcedureStep), "lesion")), "true"},
	} {
		if have[0] != have[1] {
			t.Errorf("%s: %q, want %q", what, have[0], have[1])
		}
	}
	read := 0
	for _, input := range ds.Items(tag.InputInformationSequence) {
		read += len(input.Items(tag.ReferencedSOPSequence))
	}
	if read != s.Len() {
		t.Errorf("%d instances as input, want %d", read, s.Len())
	}
	classes := map[string]int{}
	for _, output := range performed.Items(tag.OutputInformationSequence) {
		series := fetchURL(t, output.Item(tag.WADORSRetrievalSequence).String(tag.RetrieveURL))
		for _, ref := range output.Items(tag.ReferencedSOPSequence) {
			classes[ref.String(tag.ReferencedSOPClassUID)]++
			if !bytes.Contains(series, []byte(ref.String(tag.ReferencedSOPInstanceUID))) {
				t.Error("the Retrieve URL does not lead to the object")
			}
		}
	}
	if classes[uid.Comprehensive3DSRStorage] != 1 || classes[uid.SegmentationStorage] != 1 {
		t.Errorf("outputs %v, want an SR and a SEG", classes)
	}
	if found := m.send("GET", "/workitems?ProcedureStepState=COMPLETED&ScheduledWorkitemCodeSequence.CodeValue=110004&PatientID="+s.Truth.PatientID, nil, 200); len(found) != 1 {
		t.Errorf("%d workitems found, want one", len(found))
	}
}

// fetchURL gets what lies under a Retrieve URL.
func fetchURL(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("GET %s: %s %v", url, resp.Status, err)
	}
	return b
}

// TestWorkitemAsksForAnAnalysis asks before the study is there, and again when it was analysed.
func TestWorkitemAsksForAnAnalysis(t *testing.T) {
	n := startNode(t, t.TempDir(), withWorkitems)
	m := manage(t, n.url()+"/dicom-web")
	s := study(t, phantom.Config{Seed: 32, Resolution: phantom.Tiny})
	study := s.Truth.StudyInstanceUID
	m.request("2.25.1", study)
	m.request("2.25.9", study, func(ds *dicom.Dataset) { ds.SetItems(tag.ScheduledWorkitemCodeSequence) }) // another's work
	m.progress("2.25.1", "waiting for the study to be stored")
	push(t, n, s)
	m.until("2.25.1", "COMPLETED")
	first := m.send("GET", "/workitems/2.25.1", nil, 200)[0]

	m.request("2.25.2", study)
	m.until("2.25.2", "COMPLETED")
	second := m.send("GET", "/workitems/2.25.2", nil, 200)[0]
	report := func(ds *dicom.Dataset) string {
		return ds.Item(tag.UnifiedProcedureStepPerformedProcedureSequence).Item(tag.OutputInformationSequence).Item(tag.ReferencedSOPSequence).String(tag.ReferencedSOPInstanceUID)
	}
	if report(first) == "" || report(first) != report(second) {
		t.Errorf("reports %q and %q, want the same one: nothing changed in between", report(first), report(second))
	}
	if all := m.send("GET", "/workitems", nil, 200); len(all) != 3 {
		t.Errorf("%d workitems, want the three that were created: one for each run", len(all))
	}
	if other := m.send("GET", "/workitems/2.25.9", nil, 200)[0].String(tag.ProcedureStepState); other != "SCHEDULED" {
		t.Errorf("a workitem of another task is %s", other)
	}
}

// progress waits until a workitem says that it waits for something.
func (m *manager) progress(id, want string) {
	m.t.Helper()
	for {
		body := m.next(fmt.Sprintf("%s never said %q", id, want))
		if bytes.Contains(body, []byte(id+`"`)) && bytes.Contains(body, []byte(want)) {
			return
		}
	}
}

func TestWorkitemWithoutDynamicSeries(t *testing.T) {
	n := startNode(t, t.TempDir(), withWorkitems)
	m := manage(t, n.url()+"/dicom-web")
	push(t, n, study(t, phantom.Config{Seed: 33, Resolution: phantom.Tiny, Without: []string{"DCE"}}))
	id, _ := m.until("", "CANCELED")
	ds := m.send("GET", "/workitems/"+id, nil, 200)[0]
	progress := ds.Item(tag.ProcedureStepProgressInformationSequence)
	reason := progress.Item(tag.ProcedureStepDiscontinuationReasonCodeSequence)
	if reason.String(tag.CodeValue) != "110523" || !strings.Contains(progress.String(tag.ReasonForCancellation), "not analysed") {
		t.Errorf("canceled for %s %q", reason.String(tag.CodeMeaning), progress.String(tag.ReasonForCancellation))
	}
	if len(ds.Item(tag.UnifiedProcedureStepPerformedProcedureSequence).Items(tag.OutputInformationSequence)) != 1 {
		t.Error("the report that says so is not named")
	}
}
