package ups_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/ups"
)

// node is a worklist behind HTTP, with a clock of its own.
type node struct {
	t      *testing.T
	root   string
	list   *ups.Worklist
	a      *archive.Archive
	server *httptest.Server

	mu      sync.Mutex
	now     time.Time
	changed []string
	cancels []ups.Cancellation
}

func (n *node) clock() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

func (n *node) advance(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = n.now.Add(d)
}

// start runs a worklist over dir; its end is the test's unless stop is called before.
func start(t *testing.T, dir string, cfg ups.Config) *node {
	t.Helper()
	n := &node{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	if n.a, err = archive.Open(context.Background(), archive.Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	cfg.Database, cfg.Now = n.a, n.clock
	cfg.Changed = func(uid string) { n.mu.Lock(); defer n.mu.Unlock(); n.changed = append(n.changed, uid) }
	cfg.Cancel = func(_ string, c ups.Cancellation) { n.mu.Lock(); defer n.mu.Unlock(); n.cancels = append(n.cancels, c) }
	if n.list, err = ups.Open(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	s, err := ups.NewService(ups.ServiceConfig{Worklist: n.list, BaseURL: func(r *http.Request) string { return "http://" + r.Host + "/base" }})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request, dicomweb.Ref) error{
		"POST /base/workitems": s.Create, "GET /base/workitems": s.Search, "GET /base/workitems/{workitem}": s.Retrieve,
		"POST /base/workitems/{workitem}": s.Update, "PUT /base/workitems/{workitem}/state": s.ChangeState,
		"POST /base/workitems/{workitem}/cancelrequest":                 s.RequestCancel,
		"POST /base/workitems/{workitem}/subscribers/{aetitle}":         s.Subscribe,
		"DELETE /base/workitems/{workitem}/subscribers/{aetitle}":       s.Unsubscribe,
		"POST /base/workitems/{workitem}/subscribers/{aetitle}/suspend": s.Suspend,
		"GET /base/subscribers/{aetitle}":                               s.Listen,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r, dicomweb.Ref{}); err != nil {
				http.Error(w, err.Error(), dicomweb.KindOf(err).Status())
			}
		})
	}
	n.server = httptest.NewServer(mux)
	n.root = n.server.URL + "/base"
	t.Cleanup(n.stop)
	return n
}

// stop ends the node as a server does.
func (n *node) stop() {
	if n.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.list.Close(ctx); err != nil {
		n.t.Error("close:", err)
	}
	n.server.Close()
	n.a.Close()
	n.server = nil
}

type answer struct {
	*http.Response
	body string
}

// do sends a data set, or nothing where it is empty.
func (n *node) do(method, path, body string, header ...string) answer {
	n.t.Helper()
	req, err := http.NewRequest(method, n.root+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/dicom+json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return answer{resp, string(b)}
}

// want checks status and Warning; "" wants none.
func (a answer) want(t *testing.T, status int, warning string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: %s %s, want %d", a.Request.Method, a.Request.URL, a.Status, a.body, status)
	}
	got := a.Header.Get("Warning")
	if warning == "" && got != "" || warning != "" && got != "299 http://"+a.Request.URL.Host+"/base: "+warning {
		t.Errorf("%s %s: Warning %q, want %q", a.Request.Method, a.Request.URL, got, warning)
	}
}

func (a answer) datasets(t *testing.T) []*dicom.Dataset {
	t.Helper()
	list, err := dicom.ParseJSON(strings.NewReader(a.body), dicom.Limits{})
	if err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return list
}

// step is a workitem as a client writes it, complete by PS3.4 table CC.2.5-3.
func step(edit ...func(*dicom.Dataset)) *dicom.Dataset {
	ds := dicom.New()
	ds.Set(tag.ProcedureStepState, "SCHEDULED")
	ds.Set(tag.ScheduledProcedureStepPriority, "MEDIUM")
	ds.Set(tag.ProcedureStepLabel, "Read breast MRI")
	ds.Set(tag.WorklistLabel, "AI")
	ds.Set(tag.ScheduledProcedureStepStartDateTime, "20260501120000")
	ds.Set(tag.InputReadinessState, "READY")
	ds.Set(tag.CommentsOnTheScheduledProcedureStep)
	for _, t := range []tag.Tag{tag.PatientName, tag.PatientID, tag.IssuerOfPatientID, tag.PatientBirthDate, tag.PatientSex, tag.AdmissionID, tag.AdmittingDiagnosesDescription} {
		ds.Set(t)
	}
	for _, t := range []tag.Tag{tag.ScheduledProcessingParametersSequence, tag.ScheduledStationNameCodeSequence, tag.ScheduledStationClassCodeSequence,
		tag.ScheduledStationGeographicLocationCodeSequence, tag.ScheduledWorkitemCodeSequence, tag.InputInformationSequence, tag.IssuerOfPatientIDQualifiersSequence,
		tag.OtherPatientIDsSequence, tag.IssuerOfAdmissionIDSequence, tag.AdmittingDiagnosesCodeSequence, tag.ReferencedRequestSequence,
		tag.ProcedureStepProgressInformationSequence, tag.UnifiedProcedureStepPerformedProcedureSequence} {
		ds.SetItems(t)
	}
	for _, e := range edit {
		e(ds)
	}
	return ds
}

// text is a data set as a request's body.
func text(t *testing.T, ds *dicom.Dataset) string {
	t.Helper()
	b, err := dicom.AppendJSON([]byte("["), ds, dicom.JSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "]"
}

// create adds a workitem.
func (n *node) create(uid string, edit ...func(*dicom.Dataset)) {
	n.t.Helper()
	n.do("POST", "/workitems?"+uid, text(n.t, step(edit...))).want(n.t, 201, "")
}

// state is the body of a change of state.
func state(transaction, to string) string {
	var parts []string
	if transaction != "" {
		parts = append(parts, fmt.Sprintf(`"00081195":{"vr":"UI","Value":[%q]}`, transaction))
	}
	if to != "" {
		parts = append(parts, fmt.Sprintf(`"00741000":{"vr":"CS","Value":[%q]}`, to))
	}
	return `[{` + strings.Join(parts, ",") + `}]`
}

// performed is what a workitem needs to be COMPLETED.
func performed() *dicom.Dataset {
	station := dicom.New()
	station.Set(tag.CodeValue, "X")
	station.Set(tag.CodingSchemeDesignator, "L")
	station.Set(tag.CodeMeaning, "X")
	p := dicom.New()
	p.SetItems(tag.PerformedStationNameCodeSequence, station)
	p.SetItems(tag.PerformedWorkitemCodeSequence, station)
	p.Set(tag.PerformedProcedureStepStartDateTime, "20260501120000")
	p.Set(tag.PerformedProcedureStepEndDateTime, "20260501120100")
	p.SetItems(tag.OutputInformationSequence)
	ds := dicom.New()
	ds.SetItems(tag.UnifiedProcedureStepPerformedProcedureSequence, p)
	return ds
}

// watch opens a channel and returns what comes, each as "type state" or the like.
func (n *node) watch(ae string) *watcher {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(n.root, "http")+"/subscribers/"+ae, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	w := &watcher{n.t, ctx, conn}
	n.t.Cleanup(func() { conn.CloseNow(); cancel() })
	return w
}

type watcher struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

// next returns the next event, as read and in short.
func (w *watcher) next() (*dicom.Dataset, string) {
	w.t.Helper()
	kind, body, err := w.conn.Read(w.ctx)
	if err != nil {
		w.t.Fatal("no event:", err)
	}
	if kind != websocket.MessageText || !json.Valid(body) {
		w.t.Fatalf("event %v %s, want a text frame of JSON", kind, body)
	}
	list, err := dicom.ParseJSON(strings.NewReader(string(body)), dicom.Limits{})
	if err != nil || len(list) != 1 {
		w.t.Fatalf("event %s: %v", body, err)
	}
	ds := list[0]
	short := fmt.Sprint(ds.String(tag.New(0, 0x1000)), " ", ds.String(tag.New(0, 0x1002)))
	progress := ds.Item(tag.ProcedureStepProgressInformationSequence)
	for _, s := range []string{ds.String(tag.ProcedureStepState), ds.String(tag.InputReadinessState), ds.String(tag.RequestingAE),
		ds.String(tag.ReasonForCancellation), progress.String(tag.ProcedureStepProgress), progress.String(tag.ProcedureStepProgressDescription), ds.String(tag.SCPStatus)} {
		if s != "" {
			short += " " + s
		}
	}
	return ds, short
}

// want reads events and compares them in short.
func (w *watcher) want(events ...string) {
	w.t.Helper()
	for _, want := range events {
		if _, got := w.next(); got != want {
			w.t.Errorf("event %q, want %q", got, want)
		}
	}
}
