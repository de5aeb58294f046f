package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// unsavedDelay is how long the dispatcher waits before it tries again to write rows that could not be written.
const unsavedDelay = 10 * time.Second

// dispatch moves studies along until Stop.
func (q *Queue) dispatch() {
	defer close(q.ended)
	for {
		var alarm <-chan time.Time
		if next := q.tick(); !next.IsZero() {
			alarm = q.cfg.Alarm(next)
		}
		select {
		case <-q.stop:
			return
		case <-q.wake:
		case <-alarm:
		}
	}
}

// tick does all that is due and returns when something will be due next; zero when only a call can bring news.
func (q *Queue) tick() (next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	failed := false
	for study := range q.takeWoken() {
		if err := q.look(study); err != nil {
			q.cfg.Log.Error("a changed study could not be looked up", "study", study, "err", err)
			q.markWoken(study)
			failed = true
		}
	}
	now := q.now()
	for _, e := range q.active {
		if e.State != Waiting && e.State != Retrying || e.NextAttempt.After(now) {
			continue
		}
		if e.State == Waiting {
			if err := q.settle(e, now); err != nil {
				q.cfg.Log.Error("a study's last change could not be looked up", "study", e.Study, "err", err)
				failed = true
			}
			continue
		}
		q.enqueue(e)
	}
	for q.running < q.cfg.Workers {
		e := q.oldest()
		if e == nil {
			break
		}
		if !q.begin(e) {
			failed = true
			break
		}
	}
	if q.saveAll() != nil || failed {
		return now.Add(unsavedDelay)
	}
	for _, e := range q.active {
		if (e.State == Waiting || e.State == Retrying) && (next.IsZero() || e.NextAttempt.Before(next)) {
			next = e.NextAttempt
		}
	}
	return next
}

// look lets a study wait to settle when it has changed since it was analysed. While it runs, the end of the run looks.
func (q *Queue) look(study string) error {
	e := q.active[study]
	if e != nil && (e.State == Running || e.State == Waiting) {
		return nil // settle asks for the last change itself
	}
	revision, changed, err := q.cfg.Archive.StudyRevision(q.work, study)
	if err != nil {
		return err
	}
	if e == nil {
		if e, err = q.find(q.work, study); err != nil {
			return err
		}
		if e == nil {
			e = &entry{Status: Status{Study: study}}
		}
	}
	if revision <= e.analysed || e.State != Failed && e.State != Done && e.Revision == revision && e.Revision > 0 {
		return nil
	}
	e.State, e.Attempts, e.Reason, e.Canceled = Waiting, 0, "", false
	e.Revision, e.NextAttempt = revision, changed.Add(q.cfg.Settle)
	q.active[study] = e
	q.note(e)
	return nil
}

// settle queues a waiting study that is quiet by now.
func (q *Queue) settle(e *entry, now time.Time) error {
	revision, changed, err := q.cfg.Archive.StudyRevision(q.work, e.Study)
	if err != nil {
		return err
	}
	e.Revision = revision
	if due := changed.Add(q.cfg.Settle); due.After(now) {
		e.NextAttempt = due
		return nil
	}
	q.enqueue(e)
	return nil
}

// enqueue makes a study wait for a worker.
func (q *Queue) enqueue(e *entry) {
	e.State, e.Queued, e.NextAttempt = Queued, q.now(), time.Time{}
	e.Stage, e.Progress = "", 0
	q.note(e)
}

// giveUp ends a study's way with a reason.
func (q *Queue) giveUp(e *entry, reason string) {
	e.State, e.Reason, e.NextAttempt, e.Finished, e.Asked = Failed, reason, time.Time{}, q.now(), false
	e.analysed = max(e.analysed, e.Revision)
	q.note(e)
}

// note marks a status as changed.
func (q *Queue) note(e *entry) {
	e.Changed, e.unsaved = q.now(), true
	q.tell()
}

// oldest returns the study that has been queued longest, nil when there is none.
func (q *Queue) oldest() *entry {
	var first *entry
	for _, e := range q.active {
		if e.State != Queued {
			continue
		}
		if first == nil || cmp.Or(e.Queued.Compare(first.Queued), cmp.Compare(e.Study, first.Study)) < 0 {
			first = e
		}
	}
	return first
}

// begin starts an attempt. Its row says so before the run begins: an attempt that takes the node down is counted.
func (q *Queue) begin(e *entry) bool {
	before := e.Status
	revision, _, err := q.cfg.Archive.StudyRevision(q.work, e.Study)
	if err == nil {
		e.State, e.Revision, e.Started, e.Finished = Running, revision, q.now(), time.Time{}
		e.Attempts++
		e.Stages, e.Stage, e.Progress, e.Changed = nil, "", 0, q.now()
		err = q.save(q.work, e)
	}
	if err != nil {
		e.Status, e.unsaved = before, true
		q.cfg.Log.Error("a job could not be started", "study", e.Study, "err", err)
		return false
	}
	e.unsaved = false
	q.running++
	q.tell()
	job := Job{Study: e.Study, Revision: e.Revision, Attempt: e.Attempts}
	ctx, cancel := context.WithCancelCause(q.work)
	e.cancel = cancel
	q.workers.Go(func() {
		defer cancel(nil)
		q.run(ctx, e, job)
	})
	return true
}

// run is one attempt, in a worker's goroutine.
func (q *Queue) run(ctx context.Context, e *entry, job Job) {
	s := &stages{q: q, e: e}
	result, err := q.guarded(ctx, job, s.progress)
	q.mu.Lock()
	defer q.mu.Unlock()
	s.end()
	q.running--
	e.Finished, e.Stage = q.now(), ""
	switch {
	case err == nil:
		e.State, e.Progress, e.Reason, e.Asked, e.Canceled = Done, 1, "", false, false
		e.keep(result)
		e.analysed = max(e.analysed, job.Revision)
		q.note(e)
		q.cfg.Log.Info("study analysed", "study", e.Study, "attempt", job.Attempt, "seconds", e.Finished.Sub(e.Started).Seconds())
	case e.Canceled:
		q.giveUp(e, e.Reason)
		q.cfg.Log.Info("analysis canceled", "study", e.Study, "attempt", job.Attempt)
	case q.work.Err() != nil:
		e.Attempts--
		q.enqueue(e)
	case IsPermanent(err), job.Attempt >= q.cfg.Attempts:
		e.keep(result)
		q.giveUp(e, shorten(err.Error()))
		q.cfg.Log.Error("analysis given up", "study", e.Study, "attempt", job.Attempt, "err", err)
	default:
		e.State, e.Reason, e.Progress = Retrying, shorten(err.Error()), 0
		e.NextAttempt = q.now().Add(q.cfg.Backoff(job.Attempt))
		q.note(e)
		q.cfg.Log.Warn("analysis failed, will be tried again", "study", e.Study, "attempt", job.Attempt, "err", err)
	}
	q.Changed(e.Study) // it may have, meanwhile
}

// keep remembers what a run stored, if it stored something: also a failure may leave objects that say so.
func (e *entry) keep(r Result) {
	if len(r.SR)+len(r.SEG) > 0 || r.Summary != "" {
		e.Results, e.Summary = Results{SR: r.SR, SEG: r.SEG}, r.Summary
	}
}

// shorten keeps a reason readable.
func shorten(s string) string {
	const longest = 500
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "..."
	}
	return s
}

// guarded turns a panic into an error: one study must not take the node down.
func (q *Queue) guarded(ctx context.Context, job Job, progress func(string, float64)) (r Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			q.cfg.Log.Error("analysis panicked", "study", job.Study, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errors.New("the analysis broke down, see the node's log")
		}
	}()
	return q.cfg.Run(ctx, job, progress)
}

// saveAll writes the rows that lag behind and forgets the studies that have arrived. Its caller holds mu.
func (q *Queue) saveAll() error {
	var behind []*entry
	for _, e := range q.active {
		if e.unsaved {
			behind = append(behind, e)
		}
	}
	if err := q.save(context.WithoutCancel(q.work), behind...); err != nil {
		q.cfg.Log.Error("the status of jobs could not be written", "jobs", len(behind), "err", err)
		return err
	}
	for study, e := range q.active {
		e.unsaved = false
		if e.State.Final() {
			delete(q.active, study)
			q.cfg.Ended(study)
		}
	}
	return nil
}

// stages takes the time of a run's parts.
type stages struct {
	q     *Queue
	e     *entry
	began time.Time
	ended bool
}

func (s *stages) progress(stage string, fraction float64) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	if s.ended {
		return
	}
	if stage != s.e.Stage {
		s.close()
		s.e.Stage, s.began = stage, s.q.now()
	}
	s.e.Progress = min(max(fraction, 0), 1)
	s.e.Changed = s.q.now()
	s.q.tell()
}

func (s *stages) end() {
	s.close()
	s.ended = true
}

func (s *stages) close() {
	if s.e.Stage != "" {
		s.e.Stages = append(s.e.Stages, StageTime{Stage: s.e.Stage, Seconds: s.q.now().Sub(s.began).Seconds()})
	}
}
