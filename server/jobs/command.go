package jobs

import (
	"context"
	"fmt"

	"mome/dicomweb"
)

// Requeue runs the study's analysis again, with all attempts, whatever came of it before. It is an error of kind
// dicomweb.NotFound when the study has no sources, dicomweb.Conflict when it is running.
func (q *Queue) Requeue(ctx context.Context, study string) error {
	return q.again(ctx, study, func(e *entry) (bool, error) {
		if e.State == Running {
			return false, dicomweb.Errorf(dicomweb.Conflict, "study %s is being analysed", study)
		}
		return true, nil
	})
}

// Request asks for a run of the study's analysis, also of a study that was analysed before. One that waits, is queued or
// runs is on its way and is left as it is. It is an error of kind dicomweb.NotFound when the study has no sources.
func (q *Queue) Request(ctx context.Context, study string) error {
	return q.again(ctx, study, func(e *entry) (bool, error) {
		e.Asked = e.Asked || e.idle()
		return e.idle(), nil
	})
}

// idle reports whether nothing is under way.
func (e *entry) idle() bool { return e.State == "" || e.State.Final() }

// again queues a study if decide says so.
func (q *Queue) again(ctx context.Context, study string, decide func(*entry) (bool, error)) error {
	revision, _, err := q.cfg.Archive.StudyRevision(ctx, study)
	if err != nil {
		return fmt.Errorf("jobs: requeue: %w", err)
	}
	if revision == 0 {
		return dicomweb.Errorf(dicomweb.NotFound, "study %s has nothing to analyse", study)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.entry(ctx, study)
	if err != nil {
		return fmt.Errorf("jobs: requeue: %w", err)
	}
	if do, err := decide(e); !do {
		return err
	}
	e.Attempts, e.Reason, e.Revision, e.Canceled = 0, "", revision, false
	q.active[study] = e
	q.enqueue(e)
	q.poke()
	return nil
}

// entry returns what is known of a study, an empty entry where nothing is. Its caller holds mu.
func (q *Queue) entry(ctx context.Context, study string) (*entry, error) {
	if e := q.active[study]; e != nil {
		return e, nil
	}
	e, err := q.find(ctx, study)
	if e == nil {
		e = &entry{Status: Status{Study: study}}
	}
	return e, err
}

// Cancel ends the run of a study's analysis, or takes it from the queue: it is Failed then, for the reason, until something
// new comes or it is asked for again. When it returns, that survives a restart. Running tells that a run goes on until it
// has noticed. It is an error of kind dicomweb.NotFound when the study is not queued, retrying or running: one that waits to be
// quiet was asked for by nobody.
func (q *Queue) Cancel(ctx context.Context, study, reason string) (running bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.active[study]
	if e == nil || e.State == Waiting || e.State.Final() {
		return false, dicomweb.Errorf(dicomweb.NotFound, "study %s is not being analysed", study)
	}
	e.Canceled = true
	if running = e.State == Running; running {
		e.Reason = shorten(reason)
		q.note(e)
		e.cancel(ErrCanceled)
	} else {
		q.giveUp(e, shorten(reason))
	}
	if err := q.saveAll(); err != nil {
		return running, fmt.Errorf("jobs: cancel: %w", err)
	}
	return running, nil
}

// Forget is for a study that is deleted: what was known of its analysis goes, and it is not analysed until something new
// comes. A run is ended; when Forget returns without an error none goes on, so that it stores nothing afterwards: call it
// before the study's files are taken away.
func (q *Queue) Forget(ctx context.Context, study string) error {
	revision, _, err := q.cfg.Archive.StudyRevision(ctx, study)
	if err != nil {
		return fmt.Errorf("jobs: forget: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		e, err := q.entry(ctx, study)
		if err != nil {
			return fmt.Errorf("jobs: forget: %w", err)
		}
		if e.State != Running {
			*e = entry{Status: Status{Study: study, State: forgotten}, analysed: max(e.analysed, revision)}
			q.active[study] = e
			q.note(e)
			if err := q.saveAll(); err != nil {
				return fmt.Errorf("jobs: forget: %w", err)
			}
			return nil
		}
		e.Canceled, e.Reason = true, "the study was deleted"
		e.cancel(ErrCanceled)
		if err := q.await(ctx); err != nil {
			return err
		}
	}
}

// await lets go of mu until something changes.
func (q *Queue) await(ctx context.Context) error {
	changed := q.changed
	q.mu.Unlock()
	defer q.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
