package ups_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/ups"
)

const all = ups.GlobalSubscription

func TestEventsOfOneWorkitem(t *testing.T) {
	const lock = "2.25.11"
	n := start(t, t.TempDir(), ups.Config{})
	w := n.watch("WATCHER")
	n.create("2.25.1")
	n.create("2.25.2")
	got := n.do("POST", "/workitems/2.25.1/subscribers/WATCHER", "")
	got.want(t, 201, "")
	if want := "ws" + strings.TrimPrefix(n.root, "http") + "/subscribers/WATCHER"; got.Header.Get("Content-Location") != want {
		t.Errorf("Content-Location %q, want %q", got.Header.Get("Content-Location"), want)
	}
	ds, short := w.next()
	if short != "2.25.1 1 SCHEDULED READY" {
		t.Errorf("initial event %q", short)
	}
	for at, want := range map[tag.Tag]string{
		tag.New(0, 0x0002): "1.2.840.10008.5.1.4.34.6.1", tag.New(0, 0x0100): "256", tag.New(0, 0x0800): "0", tag.New(0, 0x1000): "2.25.1",
	} {
		if got := ds.String(at); got != want {
			t.Errorf("%v of the event is %q, want %q", at, got, want)
		}
	}

	incomplete := dicom.New()
	incomplete.Set(tag.InputReadinessState, "INCOMPLETE")
	n.do("POST", "/workitems/2.25.2", text(t, incomplete)).want(t, 200, "") // nobody watches it
	n.do("POST", "/workitems/2.25.1", text(t, incomplete)).want(t, 200, "")
	n.do("PUT", "/workitems/2.25.1/state", state(lock, "IN PROGRESS")).want(t, 200, "")
	progress, item := dicom.New(), dicom.New()
	item.Set(tag.ProcedureStepProgress, 40)
	item.Set(tag.ProcedureStepProgressDescription, "reading")
	progress.SetItems(tag.ProcedureStepProgressInformationSequence, item)
	n.do("POST", "/workitems/2.25.1?"+lock, text(t, progress)).want(t, 200, "")
	n.do("POST", "/workitems/2.25.1?"+lock, text(t, progress)).want(t, 200, "") // the same again is no news
	n.do("POST", "/workitems/2.25.1/cancelrequest?requester=RIS", `[{"00741238":{"vr":"LT","Value":["too late"]}}]`).want(t, 202, "")
	n.do("PUT", "/workitems/2.25.1/state", state(lock, "CANCELED")).want(t, 200, "")
	w.want("2.25.1 1 SCHEDULED INCOMPLETE", "2.25.1 1 IN PROGRESS INCOMPLETE", "2.25.1 3 40 reading", "2.25.1 2 RIS too late", "2.25.1 1 CANCELED INCOMPLETE")
}

func TestAssignedAndCanceledWhileScheduled(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	w := n.watch("W")
	n.do("POST", "/workitems/"+all+"/subscribers/W?deletionlock=false", "").want(t, 201, "")
	station := dicom.New()
	station.Set(tag.CodeValue, "MOME")
	station.Set(tag.CodingSchemeDesignator, "L")
	station.Set(tag.CodeMeaning, "MOME node")
	n.create("2.25.1", func(ds *dicom.Dataset) { ds.SetItems(tag.ScheduledStationNameCodeSequence, station) })
	w.want("2.25.1 1 SCHEDULED READY")
	if ds, short := w.next(); short != "2.25.1 5" || ds.Item(tag.ScheduledStationNameCodeSequence).String(tag.CodeValue) != "MOME" {
		t.Errorf("event %q, want UPS Assigned with the station", short)
	}
	n.do("POST", "/workitems/2.25.1/cancelrequest", "").want(t, 202, "")
	w.want("2.25.1 2 ANONYMOUS", "2.25.1 1 IN PROGRESS READY", "2.25.1 1 CANCELED READY")
}

// TestSubscriptions goes through PS3.4 table CC.2.3-2: what each action leads to is seen by who gets the next event.
func TestSubscriptions(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	n.create("2.25.1")
	w := n.watch("W")
	subscribe := func(status int, path string) {
		t.Helper()
		n.do("POST", "/workitems/"+path, "").want(t, status, "")
	}
	unsubscribe := func(status int, path string) {
		t.Helper()
		n.do("DELETE", "/workitems/"+path, "").want(t, status, "")
	}
	readiness := func(uid, to string) {
		t.Helper()
		ds := dicom.New()
		ds.Set(tag.InputReadinessState, to)
		n.do("POST", "/workitems/"+uid, text(t, ds)).want(t, 200, "")
	}

	subscribe(201, all+"/subscribers/W") // without lock: no initial event
	readiness("2.25.1", "INCOMPLETE")
	n.create("2.25.2")
	w.want("2.25.1 1 SCHEDULED INCOMPLETE", "2.25.2 1 SCHEDULED READY")

	unsubscribe(200, "2.25.1/subscribers/W") // one only
	readiness("2.25.1", "READY")
	readiness("2.25.2", "INCOMPLETE")
	w.want("2.25.2 1 SCHEDULED INCOMPLETE")

	subscribe(200, all+"/subscribers/W/suspend") // what is subscribed stays
	n.create("2.25.3")
	readiness("2.25.2", "READY")
	w.want("2.25.2 1 SCHEDULED READY")
	subscribe(404, all+"/subscribers/W/suspend")
	subscribe(400, "2.25.2/subscribers/W/suspend")

	subscribe(201, all+"/subscribers/W?deletionlock=true") // initial events of those that were not subscribed
	w.want("2.25.1 1 SCHEDULED READY", "2.25.3 1 SCHEDULED READY")
	for uid, want := range map[string]bool{"2.25.1": true, "2.25.2": false, "2.25.3": true} {
		if locked, err := n.locked(uid); err != nil || locked != want {
			t.Errorf("%s locked: %t, %v, want %t", uid, locked, err, want)
		}
	}
	subscribe(201, "2.25.2/subscribers/W?deletionlock=true")
	subscribe(201, "2.25.1/subscribers/W?deletionlock=false")
	w.want("2.25.2 1 SCHEDULED READY", "2.25.1 1 SCHEDULED READY")
	for uid, want := range map[string]bool{"2.25.1": false, "2.25.2": true} {
		if locked, err := n.locked(uid); err != nil || locked != want {
			t.Errorf("%s locked: %t, %v, want %t", uid, locked, err, want)
		}
	}

	unsubscribe(200, all+"/subscribers/W") // everything
	readiness("2.25.2", "UNAVAILABLE")
	n.create("2.25.4")
	subscribe(201, "2.25.4/subscribers/W")
	w.want("2.25.4 1 SCHEDULED READY")

	subscribe(201, all+"/subscribers/W")
	subscribe(200, all+"/subscribers/W/suspend")
	unsubscribe(200, all+"/subscribers/W") // what a suspended one left is ended too
	for _, uid := range []string{"2.25.1", "2.25.4"} {
		unsubscribe(404, uid+"/subscribers/W")
	}
	unsubscribe(404, all+"/subscribers/W")
	subscribe(201, all+"/subscribers/W")
	unsubscribe(404, ups.FilteredSubscription+"/subscribers/W") // another one, which stays as it is
	unsubscribe(200, "2.25.1/subscribers/W")
	subscribe(404, "2.25.99/subscribers/W")
	subscribe(400, "2.25.1/subscribers/A%20MUCH%20TOO%20LONG%20TITLE")
	subscribe(400, "2.25.1/subscribers/W?deletionlock=maybe")
}

// locked reports whether a Deletion Lock keeps a workitem.
func (n *node) locked(uid string) (locked bool, err error) {
	err = n.a.View(n.t.Context(), func(tx *sql.Tx) error {
		return tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM ups_subscription WHERE workitem = ? AND locked = 1)`, uid).Scan(&locked)
	})
	return locked, err
}

// TestNothingIsKeptForNobody: events of a title that subscribes no more and does not listen go with its last subscription.
func TestNothingIsKeptForNobody(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	n.create("2.25.1")
	n.create("2.25.2")
	for i := range 3 {
		ae := fmt.Sprint("W", i)
		n.do("POST", "/workitems/2.25.1/subscribers/"+ae, "").want(t, 201, "")
		n.do("POST", "/workitems/2.25.2/subscribers/"+ae, "").want(t, 201, "")
		n.do("DELETE", "/workitems/2.25.1/subscribers/"+ae, "").want(t, 200, "")
	}
	n.do("DELETE", "/workitems/2.25.2/subscribers/W0", "").want(t, 200, "")
	n.do("POST", "/workitems/"+all+"/subscribers/W2", "").want(t, 201, "")
	n.do("DELETE", "/workitems/2.25.2/subscribers/W2", "").want(t, 200, "")
	n.do("DELETE", "/workitems/2.25.1/subscribers/W2", "").want(t, 200, "")
	n.do("POST", "/workitems/"+all+"/subscribers/W2/suspend", "").want(t, 200, "")
	left := map[string]int{}
	if err := n.a.View(t.Context(), func(tx *sql.Tx) error {
		for _, ae := range []string{"W0", "W1", "W2"} {
			var count int
			if err := tx.QueryRow(`SELECT COUNT(*) FROM ups_event WHERE ae = ?`, ae).Scan(&count); err != nil {
				return err
			}
			left[ae] = count
		}
		return nil
	}); err != nil || left["W0"] != 0 || left["W1"] != 2 || left["W2"] != 0 {
		t.Errorf("events left %v, %v, want those of W1", left, err)
	}
}

func TestFilteredSubscription(t *testing.T) {
	label := func(s string) func(*dicom.Dataset) {
		return func(ds *dicom.Dataset) { ds.Set(tag.WorklistLabel, s) }
	}
	for _, query := range []string{"filter=WorklistLabel%3DAI%2CScheduledProcedureStepPriority%3DMEDIUM", "WorklistLabel=AI", "filter=00741202%3DAI"} {
		n := start(t, t.TempDir(), ups.Config{})
		n.create("2.25.1", label("AI"))
		n.create("2.25.2", label("HUMAN"))
		w := n.watch("W")
		n.do("POST", "/workitems/"+ups.FilteredSubscription+"/subscribers/W?deletionlock=true&"+query, "").want(t, 201, "")
		n.create("2.25.3", label("HUMAN"))
		n.create("2.25.4", label("AI"))
		w.want("2.25.1 1 SCHEDULED READY", "2.25.4 1 SCHEDULED READY")
		n.do("DELETE", "/workitems/"+ups.FilteredSubscription+"/subscribers/W", "").want(t, 200, "")
	}
	n := start(t, t.TempDir(), ups.Config{})
	n.do("POST", "/workitems/"+ups.FilteredSubscription+"/subscribers/W?filter=InputInformationSequence.StudyInstanceUID%3D1.2.3", "").want(t, 201, "")
	for i, study := range []string{"1.2.4", "1.2.3"} {
		n.create(fmt.Sprint("2.25.", i+1), func(ds *dicom.Dataset) {
			item := dicom.New()
			item.Set(tag.StudyInstanceUID, study)
			ds.SetItems(tag.InputInformationSequence, item)
		})
	}
	n.watch("W").want("2.25.2 1 SCHEDULED READY")
	for _, query := range []string{"", "?filter=", "?filter=NoSuchAttribute%3DX", "?filter=TransactionUID%3D1.2", "?filter=ScheduledProcedureStepStartDateTime%3Dsoon"} {
		n.do("POST", "/workitems/"+ups.FilteredSubscription+"/subscribers/W"+query, "").want(t, 400, "")
	}
}

// TestAwayAndBack keeps events for a subscriber that does not listen, over a restart too, as many as it may have.
func TestAwayAndBack(t *testing.T) {
	dir := t.TempDir()
	cfg := ups.Config{Events: 3}
	n := start(t, dir, cfg)
	n.do("POST", "/workitems/"+all+"/subscribers/W", "").want(t, 201, "")
	n.create("2.25.1")
	w := n.watch("W")
	w.want("2.25.1 1 SCHEDULED READY")
	n.stop()
	if _, short := w.next(); short != all+" 4 GOING DOWN" {
		t.Errorf("event %q, want GOING DOWN", short)
	}
	if _, _, err := w.conn.Read(w.ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the connection ended with %v, want going away", err)
	}

	n = start(t, dir, cfg)
	n.create("2.25.2")
	n.create("2.25.3")
	n.watch("W").want(all+" 4 RESTARTED", "2.25.2 1 SCHEDULED READY", "2.25.3 1 SCHEDULED READY")
	n.stop()

	n = start(t, dir, cfg)
	for i := 4; i < 9; i++ {
		n.create(fmt.Sprint("2.25.", i))
	}
	n.watch("W").want("2.25.6 1 SCHEDULED READY", "2.25.7 1 SCHEDULED READY", "2.25.8 1 SCHEDULED READY")
}

// TestBrokenOff tries a connection that fails in the middle: what it did not get comes by the next one.
func TestBrokenOff(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	n.do("POST", "/workitems/"+all+"/subscribers/W", "").want(t, 201, "")
	for i := range 3 {
		n.create(fmt.Sprint("2.25.", i+1))
	}
	broken := errors.New("broken")
	taken := 0
	if err := n.list.Listen(t.Context(), "W", func([]byte) error {
		if taken++; taken == 2 {
			return broken
		}
		return nil
	}); !errors.Is(err, broken) {
		t.Fatalf("Listen returned %v, want the error of send", err)
	}
	n.watch("W").want("2.25.2 1 SCHEDULED READY", "2.25.3 1 SCHEDULED READY")
}

// TestTwoListenOneIsStuck has two connections of one title; one takes nothing for a while. Changes and the other go on, and it
// gets what it missed.
func TestTwoListenOneIsStuck(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{})
	n.do("POST", "/workitems/"+all+"/subscribers/W", "").want(t, 201, "")
	ctx, cancel := context.WithCancel(t.Context())
	stuck, ended := make(chan string), make(chan error, 1)
	go func() {
		ended <- n.list.Listen(ctx, "W", func(body []byte) error { stuck <- string(body); return nil }) // waits for who reads it
	}()
	n.create("2.25.1")
	next := func(want string) {
		t.Helper()
		select {
		case body := <-stuck:
			if !strings.Contains(body, want) {
				t.Errorf("event %s, want that of %s", body, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the one that was stuck never got the event of %s", want)
		}
	}
	next("2.25.1") // it listens, and takes nothing more
	n.create("2.25.2")
	w := n.watch("W")
	_, first := w.next()
	if first == "2.25.1 1 SCHEDULED READY" { // not yet counted as sent
		_, first = w.next()
	}
	if first != "2.25.2 1 SCHEDULED READY" {
		t.Errorf("event %q, want that of 2.25.2", first)
	}
	n.create("2.25.3")
	n.create("2.25.4")
	w.want("2.25.3 1 SCHEDULED READY", "2.25.4 1 SCHEDULED READY")
	for i := 2; i <= 4; i++ {
		next(fmt.Sprint("2.25.", i))
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that was stuck ended with %v", err)
	}
	n.create("2.25.5")
	w.want("2.25.5 1 SCHEDULED READY")
}

// TestLargeEventsAreReadApart: events that are large do not add up in memory.
func TestLargeEventsAreReadApart(t *testing.T) {
	a, err := archive.Open(t.Context(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	counted := &counting{Archive: a}
	list, err := ups.Open(t.Context(), ups.Config{Database: counted})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list.Create(t.Context(), "2.25.1", step()); err != nil {
		t.Fatal(err)
	}
	if _, err := list.Change(t.Context(), "2.25.1", "2.25.11", ups.InProgress); err != nil {
		t.Fatal(err)
	}
	if err := list.Subscribe(t.Context(), "2.25.1", "W", false, ""); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if _, err := list.RequestCancel(t.Context(), "2.25.1", ups.Cancellation{RequestingAE: "RIS", Reason: strings.Repeat("please ", 200_000)}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := counted.views.Load()
	var at []int64 // views before each event
	err = list.Listen(ctx, "W", func([]byte) error {
		if at = append(at, counted.views.Load()-before); len(at) == 5 {
			cancel()
		}
		return nil
	})
	if want := []int64{1, 1, 2, 3, 4}; !errors.Is(err, context.Canceled) || !slices.Equal(at, want) {
		t.Errorf("the database was read %d times before the events, %v, want %d", at, err, want)
	}
}

// counting counts how often a database is read.
type counting struct {
	*archive.Archive
	views atomic.Int64
}

func (c *counting) View(ctx context.Context, fn func(*sql.Tx) error) error {
	c.views.Add(1)
	return c.Archive.View(ctx, fn)
}

func TestChannelRefusals(t *testing.T) {
	n := start(t, t.TempDir(), ups.Config{Channels: 1, Watchers: 1})
	if got := n.do("GET", "/subscribers/W", ""); got.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("plain GET: %s, want 426", got.Status)
	}
	n.do("GET", "/subscribers/A%20MUCH%20TOO%20LONG%20TITLE", "").want(t, 400, "")
	dial := func(origin string) (*websocket.Conn, *http.Response, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return websocket.Dial(ctx, n.root+"/subscribers/W", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
	}
	if _, resp, err := dial("http://evil.example"); err == nil || resp.StatusCode != 403 {
		t.Errorf("another site's page may listen: %v", err)
	}
	first, _, err := dial(n.server.URL)
	if err != nil {
		t.Fatal("the node's own page may not listen:", err)
	}
	defer first.CloseNow()
	n.create("2.25.1")
	n.do("POST", "/workitems/2.25.1/subscribers/W", "").want(t, 201, "")
	if _, _, err := first.Read(t.Context()); err != nil { // it listens
		t.Fatal(err)
	}
	second, _, err := dial(n.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer second.CloseNow()
	if _, _, err := second.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
		t.Errorf("one connection too many ended with %v, want try again later", err)
	}
	n.do("POST", "/workitems/2.25.1/subscribers/OTHER", "").want(t, 503, "")
}

// TestChannelWithoutDatabase: that events cannot be read is told to the listener, and to the log, once.
func TestChannelWithoutDatabase(t *testing.T) {
	a, err := archive.Open(t.Context(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var log bytes.Buffer
	list, err := ups.Open(t.Context(), ups.Config{Database: unreadable{a}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ups.NewService(ups.ServiceConfig{Worklist: list, BaseURL: func(*http.Request) string { return "http://node" }})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		r.SetPathValue("aetitle", "W")
		s.Listen(w, r, dicomweb.Ref{})
	}))
	defer server.Close()
	conn, _, err := websocket.Dial(t.Context(), server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusInternalError {
		t.Errorf("the connection ended with %v, want an internal error", err)
	}
	<-ended
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "disk on fire") {
		t.Errorf("log %q, want one line that says why", log.String())
	}
}

// unreadable is a database that takes and gives nothing back.
type unreadable struct{ *archive.Archive }

func (unreadable) View(context.Context, func(*sql.Tx) error) error { return errors.New("disk on fire") }
