package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/server/jobs"
)

// clock is a time that only Advance moves.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	waiters map[chan time.Time]time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), waiters: map[chan time.Time]time.Time{}}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Alarm(at time.Time) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	if !at.After(c.now) {
		ch <- c.now
		return ch
	}
	c.waiters[ch] = at
	return ch
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for ch, at := range c.waiters {
		if !at.After(c.now) {
			ch <- c.now
			delete(c.waiters, ch)
		}
	}
}

// attempt is one call of Run, which the test ends.
type attempt struct {
	jobs.Job
	at       time.Time
	ctx      context.Context
	progress func(string, float64)
	end      chan outcome
}

type outcome struct {
	result jobs.Result
	err    error
	panic  any
}

// node is an archive with a queue, as a server joins them.
type node struct {
	t     *testing.T
	clock *clock
	dir   string
	a     *archive.Archive
	q     *jobs.Queue
	runs  chan *attempt
	queue atomic.Pointer[jobs.Queue]
	deaf  atomic.Bool // runs that begin do not notice that they are cancelled
}

const settle = time.Minute

func isSR(ds *dicom.Dataset) bool { return ds.String(tag.Modality) == "SR" }

func start(t *testing.T, c *clock, dir string) *node {
	t.Helper()
	n := &node{t: t, clock: c, dir: dir, runs: make(chan *attempt, 16)}
	var err error
	n.a, err = archive.Open(context.Background(), archive.Config{Dir: dir, Now: c.Now, IsResult: isSR, OnStored: func(study string) {
		if q := n.queue.Load(); q != nil {
			q.Changed(study)
		}
	}})
	if err != nil {
		t.Fatalf("open the archive: %v", err)
	}
	n.q, err = jobs.New(jobs.Config{
		Archive: n.a, Settle: settle, Attempts: 3, Now: c.Now, Alarm: c.Alarm,
		Backoff: func(n int) time.Duration { return time.Duration(n) * time.Hour },
		Run: func(ctx context.Context, job jobs.Job, progress func(string, float64)) (jobs.Result, error) {
			at := &attempt{Job: job, at: c.Now(), ctx: ctx, progress: progress, end: make(chan outcome)}
			cancelled := ctx.Done()
			if n.deaf.Load() {
				cancelled = nil
			}
			n.runs <- at
			select {
			case o := <-at.end:
				if o.panic != nil {
					panic(o.panic)
				}
				return o.result, o.err
			case <-cancelled:
				return jobs.Result{}, ctx.Err()
			}
		},
	})
	if err != nil {
		t.Fatalf("start the queue: %v", err)
	}
	n.queue.Store(n.q)
	t.Cleanup(n.end)
	return n
}

// end stops the node, cancelling what runs.
func (n *node) end() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	n.q.Stop(now)
	n.a.Close()
}

func (n *node) put(study, instance, modality string) {
	n.t.Helper()
	ds := archivetest.Dataset(archivetest.Ref(study, "1"+modality, instance), func(ds *dicom.Dataset) { ds.Set(tag.Modality, modality) })
	if _, err := n.a.Put(context.Background(), bytes.NewReader(archivetest.File(n.t, ds)), archive.PutOptions{}); err != nil {
		n.t.Fatalf("put: %v", err)
	}
}

// next waits for the next run.
func (n *node) next() *attempt {
	n.t.Helper()
	select {
	case at := <-n.runs:
		return at
	case <-time.After(20 * time.Second):
		n.t.Fatal("no run began")
		return nil
	}
}

// until waits for a study's state and returns its status.
func (n *node) until(study string, state jobs.State) jobs.Status {
	n.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		changed := n.q.Watch()
		s, err := n.q.Status(context.Background(), uid(study))
		if err == nil && s.State == state {
			return s
		}
		select {
		case <-changed:
		case <-deadline:
			n.t.Fatalf("study %s: got %+v, %v, want state %s", study, s, err, state)
		}
	}
}

func uid(study string) string { return archivetest.Ref(study, "", "").Study }

func TestSettles(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	began := n.clock.Now()
	n.put("A", "1", "MR")
	if s := n.until("A", jobs.Waiting); !s.NextAttempt.Equal(began.Add(settle)) {
		t.Errorf("next attempt: got %v, want %v", s.NextAttempt, began.Add(settle))
	}
	n.clock.Advance(settle - time.Second)
	n.put("A", "2", "MR") // the quiet time begins anew
	n.clock.Advance(settle - time.Second)
	n.clock.Advance(time.Second)
	at := n.next()
	if want := began.Add(2*settle - time.Second); !at.at.Equal(want) {
		t.Errorf("run began at %v, want %v", at.at, want)
	}
	if want := (jobs.Job{Study: uid("A"), Revision: 2, Attempt: 1}); at.Job != want {
		t.Errorf("job: got %+v, want %+v", at.Job, want)
	}
	sr := []dicomweb.Ref{archivetest.Ref("A", "result", "1")}
	at.progress("headers", 0.1)
	n.clock.Advance(2 * time.Second)
	at.progress("panel", 0.5)
	if s := n.until("A", jobs.Running); s.Stage != "panel" || s.Progress != 0.5 {
		t.Errorf("while running: got stage %q, progress %v, want panel, 0.5", s.Stage, s.Progress)
	}
	n.clock.Advance(3 * time.Second)
	n.put("A", "1", "SR") // a result does not trigger
	at.end <- outcome{result: jobs.Result{SR: sr, Summary: "two candidates"}}
	s, err := n.q.Wait(context.Background(), uid("A"))
	if err != nil || s.State != jobs.Done || s.Progress != 1 || s.Summary != "two candidates" || !reflect.DeepEqual(s.Results.SR, sr) {
		t.Errorf("done: got %+v, %v", s, err)
	}
	if want := []jobs.StageTime{{"headers", 2}, {"panel", 3}}; !reflect.DeepEqual(s.Stages, want) {
		t.Errorf("stages: got %+v, want %+v", s.Stages, want)
	}
	n.clock.Advance(24 * time.Hour)
	n.put("B", "1", "MR")
	n.until("B", jobs.Waiting) // the dispatcher has looked at everything
	n.clock.Advance(settle)
	if at := n.next(); at.Study != uid("B") {
		t.Errorf("run of %s, want only that of study B", at.Study)
	}
}

func TestRetries(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	n.put("A", "1", "MR")
	n.until("A", jobs.Waiting)
	n.clock.Advance(settle)
	for i := 1; i <= 2; i++ {
		at := n.next()
		if at.Attempt != i {
			t.Errorf("attempt: got %d, want %d", at.Attempt, i)
		}
		if i == 1 {
			at.end <- outcome{err: errors.New("device busy")}
		} else {
			at.end <- outcome{panic: "index out of range"}
		}
		s := n.until("A", jobs.Retrying)
		if want := n.clock.Now().Add(time.Duration(i) * time.Hour); !s.NextAttempt.Equal(want) {
			t.Errorf("after attempt %d: next at %v, want %v", i, s.NextAttempt, want)
		}
		if want := []string{"", "device busy", "the analysis broke down, see the node's log"}[i]; s.Reason != want {
			t.Errorf("after attempt %d: reason %q, want %q", i, s.Reason, want)
		}
		n.clock.Advance(time.Duration(i) * time.Hour)
	}
	n.next().end <- outcome{err: errors.New(strings.Repeat("ü", 600))}
	s := n.until("A", jobs.Failed)
	if s.Attempts != 3 || len([]rune(s.Reason)) > 510 {
		t.Errorf("given up: got %+v, want 3 attempts and a shortened reason", s)
	}
	n.put("A", "2", "MR") // something new is a new chance
	n.until("A", jobs.Waiting)
	n.clock.Advance(settle)
	at := n.next()
	if at.Attempt != 1 || at.Revision != 2 {
		t.Errorf("after a change: got %+v, want attempt 1 of revision 2", at.Job)
	}
	at.end <- outcome{result: jobs.Result{Summary: "not done"}, err: jobs.Permanent(errors.New("no DCE series"))}
	if s := n.until("A", jobs.Failed); s.Attempts != 1 || s.Reason != "no DCE series" || s.Summary != "not done" {
		t.Errorf("permanent error: got %+v, want given up at once with the reason and what it left", s)
	}
	if err := n.q.Requeue(context.Background(), uid("A")); err != nil {
		t.Fatalf("requeue: %v", err)
	}
	at = n.next()
	if err := n.q.Requeue(context.Background(), uid("A")); dicomweb.KindOf(err) != dicomweb.Conflict {
		t.Errorf("requeue of a running study: got %v, want a conflict", err)
	}
	at.end <- outcome{}
	if s := n.until("A", jobs.Done); s.Reason != "" {
		t.Errorf("done: got reason %q, want none", s.Reason)
	}
	if err := n.q.Requeue(context.Background(), "1.2.3"); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("requeue of an unknown study: got %v, want not found", err)
	}
}

func TestChangeWhileRunning(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	n.put("A", "1", "MR")
	n.until("A", jobs.Waiting)
	n.clock.Advance(settle)
	at := n.next()
	n.put("A", "2", "MR")
	at.end <- outcome{result: jobs.Result{Summary: "first"}}
	s := n.until("A", jobs.Waiting)
	if s.Revision != 2 || s.Summary != "first" {
		t.Errorf("after the run: got %+v, want revision 2 to come and the first results still there", s)
	}
	n.clock.Advance(settle)
	if at := n.next(); at.Revision != 2 || at.Attempt != 1 {
		t.Errorf("second run: got %+v, want attempt 1 of revision 2", at.Job)
	}
}

// TestKill copies the database while a job runs, which is what a kill leaves, and goes on with the copy.
func TestKill(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	n := start(t, c, dir)
	n.put("A", "1", "MR")
	n.put("B", "1", "MR")
	n.until("B", jobs.Waiting)
	c.Advance(settle)
	running := n.next()
	other := map[string]string{uid("A"): "B", uid("B"): "A"}[running.Study]
	n.until(other, jobs.Queued)

	for i := 2; i <= 3; i++ {
		dead := t.TempDir()
		copyTree(t, dir, dead)
		n = start(t, c, dead)
		at := n.next() // the other one had waited longer, or both are queued by now: take them as they come
		if at.Study != running.Study {
			at.end <- outcome{}
			at = n.next()
		}
		if at.Study != running.Study || at.Attempt != i {
			t.Fatalf("after kill %d: got %+v, want attempt %d of study %s", i-1, at.Job, i, running.Study)
		}
		dir = dead
	}
	dead := t.TempDir()
	copyTree(t, dir, dead)
	n = start(t, c, dead)
	name := map[string]string{"A": "B", "B": "A"}[other]
	if s := n.until(name, jobs.Failed); !strings.Contains(s.Reason, "attempt 3 of 3") {
		t.Errorf("after three kills: got %+v, want given up with the reason", s)
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatalf("copy the node: %v", err)
	}
}

func TestStop(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	n := start(t, c, dir)
	n.put("A", "1", "MR")
	n.until("A", jobs.Waiting)
	c.Advance(settle)
	at := n.next()
	grace, cancel := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- n.q.Stop(grace) }()
	if at.ctx.Err() != nil {
		t.Error("the run was cancelled before the grace time ended")
	}
	cancel()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("stop: got %v, want that the grace time ended", err)
	}
	n.a.Close()
	n = start(t, c, dir)
	if at := n.next(); at.Attempt != 1 {
		t.Errorf("after a stop: got attempt %d, want 1: the node's own stop is nobody's failure", at.Attempt)
	}
}

func TestRestartKeepsWhatIsDone(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	n := start(t, c, dir)
	n.put("A", "1", "MR")
	n.until("A", jobs.Waiting)
	c.Advance(settle)
	at := n.next()
	c.Advance(time.Second)
	n.put("A", "1", "SR")
	at.end <- outcome{}
	n.until("A", jobs.Done)
	n.end()

	for _, tc := range []struct {
		name  string
		spoil func()
		known bool
	}{
		{"restart", func() {}, true},
		{"reindexed", nil, true},
		{"database lost", func() {
			for _, f := range []string{"index.db", "index.db-wal", "index.db-shm"} {
				os.Remove(filepath.Join(dir, f))
			}
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.spoil != nil {
				tc.spoil()
			}
			n := start(t, c, dir)
			if tc.spoil == nil {
				if err := n.a.Reindex(context.Background(), nil); err != nil {
					t.Fatal(err)
				}
				n.q.Changed(uid("A"))
			}
			n.put("Z"+tc.name, "1", "MR")
			n.until("Z"+tc.name, jobs.Waiting)
			c.Advance(settle)
			at := n.next()
			if at.Study != uid("Z"+tc.name) {
				t.Errorf("study %s was analysed again", at.Study)
			}
			n.put("Z"+tc.name, "1", "SR")
			at.end <- outcome{}
			n.until("Z"+tc.name, jobs.Done)
			_, err := n.q.Status(context.Background(), uid("A"))
			if known := err == nil; known != tc.known {
				t.Errorf("status of A: got %v, want known %v", err, tc.known)
			}
			n.end()
		})
	}
}

func TestList(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	for _, study := range []string{"A", "B", "C"} {
		n.put(study, "1", "MR")
		n.until(study, jobs.Waiting)
		n.clock.Advance(settle)
		n.next().end <- outcome{result: jobs.Result{SEG: []dicomweb.Ref{{Study: "1", Series: "2", Instance: "3"}}}}
		n.until(study, jobs.Done)
	}
	for _, tc := range []struct {
		limit int
		want  []string
	}{{0, []string{"C", "B", "A"}}, {2, []string{"C", "B"}}} {
		got, err := n.q.List(context.Background(), tc.limit)
		if err != nil {
			t.Fatal(err)
		}
		var studies []string
		for _, s := range got {
			studies = append(studies, s.Study)
		}
		var want []string
		for _, s := range tc.want {
			want = append(want, uid(s))
		}
		if !reflect.DeepEqual(studies, want) {
			t.Errorf("list %d: got %v, want %v", tc.limit, studies, want)
		}
	}
	got, _ := n.q.List(context.Background(), 1)
	text, err := json.Marshal(got[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"state":"done"`, `"finished":"2024-05-01T12:03:00Z"`, `"seg":[{"study":"1","series":"2","instance":"3"}]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("JSON: got %s, want %s in it", text, want)
		}
	}
	if strings.Contains(string(text), "next_attempt") {
		t.Errorf("JSON: got %s, want no next_attempt", text)
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		field string
		cfg   jobs.Config
	}{
		{"Archive", jobs.Config{}},
		{"Run", jobs.Config{Archive: &archive.Archive{}}},
	} {
		if _, err := jobs.New(tc.cfg); err == nil || !strings.Contains(err.Error(), tc.field) {
			t.Errorf("config without %s: got %v, want the field named", tc.field, err)
		}
	}
}
