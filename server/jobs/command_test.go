package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive/archivetest"
	"mome/server/jobs"
)

// analysed puts a study and lets it be analysed.
func (n *node) analysed(study string) {
	n.t.Helper()
	n.put(study, "1", "MR")
	n.until(study, jobs.Waiting)
	n.clock.Advance(settle)
	n.next().end <- outcome{result: jobs.Result{Summary: "first"}}
	n.until(study, jobs.Done)
}

// killed returns a copy of the node's files, which is what a kill leaves.
func (n *node) killed() string {
	n.t.Helper()
	dir := n.t.TempDir()
	copyTree(n.t, n.dir, dir)
	return dir
}

func TestRequest(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	ctx := context.Background()
	if err := n.q.Request(ctx, uid("A")); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("request for a study that is not there: %v, want not found", err)
	}
	n.put("A", "1", "MR")
	n.until("A", jobs.Waiting)
	if err := n.q.Request(ctx, uid("A")); err != nil {
		t.Fatal(err)
	}
	if s := n.until("A", jobs.Waiting); s.Asked {
		t.Errorf("a study that is not quiet yet: %+v, want it to wait on", s)
	}
	n.clock.Advance(settle)
	at := n.next()
	if err := n.q.Request(ctx, uid("A")); err != nil {
		t.Errorf("request for a running study: %v, want it left alone", err)
	}
	at.end <- outcome{}
	n.until("A", jobs.Done)
	if err := n.q.Request(ctx, uid("A")); err != nil {
		t.Fatal(err)
	}
	at = n.next() // at once, and though nothing changed
	if s := n.until("A", jobs.Running); at.Revision != 1 || at.Attempt != 1 || !s.Asked {
		t.Errorf("run %+v with status %+v, want attempt 1 of revision 1, asked", at.Job, s)
	}
	at.end <- outcome{}
	if s := n.until("A", jobs.Done); s.Asked {
		t.Error("done and still asked")
	}
}

func TestCancel(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	ctx := context.Background()
	cancel := func(study string, want bool) {
		t.Helper()
		if running, err := n.q.Cancel(ctx, uid(study), "nobody wants it"); err != nil || running != want {
			t.Fatalf("cancel: running %t, %v, want %t", running, err, want)
		}
	}
	n.analysed("A")
	if err := n.q.Request(ctx, uid("A")); err != nil {
		t.Fatal(err)
	}
	at := n.next()
	n.analysedLater("B") // the only worker is busy
	cancel("A", true)
	<-at.ctx.Done()
	if cause := context.Cause(at.ctx); !errors.Is(cause, jobs.ErrCanceled) {
		t.Errorf("cause %v, want ErrCanceled", cause)
	}
	s := n.until("A", jobs.Failed)
	if !s.Canceled || s.Reason != "nobody wants it" || s.Summary != "first" {
		t.Errorf("canceled: %+v, want the reason and the results of before", s)
	}
	at = n.next()
	at.end <- outcome{err: errors.New("device busy")}
	n.until("B", jobs.Retrying)
	cancel("B", false)
	if s := n.until("B", jobs.Failed); !s.Canceled || s.NextAttempt != (time.Time{}) {
		t.Errorf("canceled between attempts: %+v", s)
	}
	for _, study := range []string{"A", "B", "C"} {
		if _, err := n.q.Cancel(ctx, uid(study), ""); dicomweb.KindOf(err) != dicomweb.NotFound {
			t.Errorf("cancel of %s: %v, want not found", study, err)
		}
	}
	n.put("A", "2", "MR") // something new is analysed all the same
	if s := n.until("A", jobs.Waiting); s.Canceled {
		t.Error("what came afterwards counts as canceled")
	}
	if _, err := n.q.Cancel(ctx, uid("A"), ""); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("cancel of a waiting study: %v, want not found", err)
	}
}

// analysedLater puts a study that is queued behind what runs.
func (n *node) analysedLater(study string) {
	n.t.Helper()
	n.put(study, "1", "MR")
	n.until(study, jobs.Waiting)
	n.clock.Advance(settle)
	n.until(study, jobs.Queued)
}

// TestCancelSurvivesKill kills the node after Cancel returned and before the run noticed.
func TestCancelSurvivesKill(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	n.deaf.Store(true)
	n.put("A", "1", "MR")
	n.until("A", jobs.Waiting)
	n.clock.Advance(settle)
	at := n.next()
	defer func() { at.end <- outcome{} }()
	if running, err := n.q.Cancel(context.Background(), uid("A"), "nobody wants it"); err != nil || !running {
		t.Fatal(running, err)
	}
	again := start(t, n.clock, n.killed())
	if s := again.until("A", jobs.Failed); !s.Canceled || s.Reason != "nobody wants it" {
		t.Errorf("after the kill: %+v, want it canceled", s)
	}
	again.analysed("B")
	select {
	case at := <-again.runs:
		t.Errorf("%+v began again", at.Job)
	default:
	}
}

// TestRequestSurvivesKill kills the node while a study that was asked for is queued.
func TestRequestSurvivesKill(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	n.analysed("A")
	n.put("B", "1", "MR")
	n.until("B", jobs.Waiting)
	n.clock.Advance(settle)
	n.next() // occupies the worker
	if err := n.q.Request(context.Background(), uid("A")); err != nil {
		t.Fatal(err)
	}
	n.put("C", "1", "MR")
	n.until("C", jobs.Waiting) // the dispatcher wrote what lagged behind
	again := start(t, n.clock, n.killed())
	seen := map[string]bool{}
	for range 2 {
		at := again.next()
		seen[at.Study] = true
		at.end <- outcome{}
	}
	if !seen[uid("A")] || !seen[uid("B")] {
		t.Errorf("ran %v, want both", seen)
	}
}

func TestForget(t *testing.T) {
	n := start(t, newClock(), t.TempDir())
	ctx := context.Background()
	n.analysed("A")
	forget := func(study string) {
		t.Helper()
		if err := n.q.Forget(ctx, uid(study)); err != nil {
			t.Fatal(err)
		}
		if s, err := n.q.Status(ctx, uid(study)); dicomweb.KindOf(err) != dicomweb.NotFound {
			t.Errorf("status of a forgotten study: %+v, %v", s, err)
		}
	}
	forget("A")
	forget("unknown")

	n.put("B", "1", "MR")
	n.until("B", jobs.Waiting)
	n.clock.Advance(settle)
	at := n.next()
	forget("B") // returns when the run has ended
	if at.ctx.Err() == nil {
		t.Error("the run goes on")
	}
	n.put("C", "1", "MR")
	n.until("C", jobs.Waiting)
	forget("C")
	if list, err := n.q.List(ctx, 0); err != nil || len(list) != 0 {
		t.Errorf("list %+v, %v, want nothing", list, err)
	}
	n.end()

	n = start(t, n.clock, n.dir) // nothing of what was forgotten is analysed again
	n.clock.Advance(time.Hour)
	n.put("A", "9", "MR") // but what comes anew
	if s := n.until("A", jobs.Waiting); s.Summary != "" || s.Revision != 2 {
		t.Errorf("the study came again: %+v, want nothing of before", s)
	}
	n.clock.Advance(settle)
	if at := n.next(); at.Study != archivetest.Ref("A", "", "").Study {
		t.Errorf("run of %s, want of A alone", at.Study)
	}
	if list, err := n.q.List(ctx, 0); err != nil || len(list) != 1 {
		t.Errorf("list %+v, %v, want A", list, err)
	}
}
