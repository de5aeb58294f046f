package jobs

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive/index"
)

// Queue is the running queue. All methods may be called concurrently.
type Queue struct {
	cfg Config

	mu      sync.Mutex
	active  map[string]*entry // studies that are not final, and those whose row could not be written yet
	running int
	changed chan struct{} // closed at the next change of any status

	wokenMu sync.Mutex      // apart from mu, which is held while rows are written
	woken   map[string]bool // studies that may have changed

	wake       chan struct{} // for the dispatcher
	stop       chan struct{}
	once       sync.Once
	work       context.Context // of runs
	cancelWork context.CancelFunc
	workers    sync.WaitGroup
	ended      chan struct{} // the dispatcher is done
}

// New loads the queue and starts it: what was running when the node ended is queued again, its attempt counted, and
// what changed while the node was down waits to settle. Stop ends it.
func New(cfg Config) (*Queue, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	q := &Queue{
		cfg: cfg, active: map[string]*entry{}, woken: map[string]bool{}, changed: make(chan struct{}),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	q.work, q.cancelWork = context.WithCancel(context.Background())
	if err := q.restore(q.work); err != nil {
		q.cancelWork()
		return nil, fmt.Errorf("jobs: load the queue: %w", err)
	}
	go q.dispatch()
	return q, nil
}

// restore fills the queue from its rows and from the archive's revisions.
func (q *Queue) restore(ctx context.Context) error {
	if err := q.cfg.Archive.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(schema)
		return err
	}); err != nil {
		return err
	}
	analysed := map[string]int64{}
	if err := q.load(ctx, ``, nil, func(e *entry) error {
		analysed[e.Study] = e.analysed
		if !e.State.Final() {
			q.active[e.Study] = e
		}
		return nil
	}); err != nil {
		return err
	}
	for _, e := range q.active {
		if e.State == Waiting {
			e.NextAttempt = time.Time{} // settle counts anew, Settle may be another one by now
		}
		if e.State != Running {
			continue
		}
		e.Stage, e.Progress = "", 0
		if e.Canceled {
			q.giveUp(e, e.Reason)
		} else if e.Attempts >= q.cfg.Attempts {
			q.giveUp(e, fmt.Sprintf("the node ended during attempt %d of %d", e.Attempts, q.cfg.Attempts))
		} else {
			e.Reason = "the node ended during the attempt"
			q.enqueue(e)
		}
	}
	return q.cfg.Archive.Revisions(ctx, func(r index.Revision) error {
		done, known := analysed[r.Study]
		if !known {
			done = r.Answered // the row was lost, or there was no queue before
		}
		if r.Revision > done {
			q.markWoken(r.Study)
		}
		return nil
	})
}

// Changed tells the queue that a study's sources changed. It does not block: it is meant for archive.Config.OnStored.
func (q *Queue) Changed(study string) {
	q.markWoken(study)
	q.poke()
}

func (q *Queue) markWoken(study string) {
	q.wokenMu.Lock()
	defer q.wokenMu.Unlock()
	q.woken[study] = true
}

func (q *Queue) takeWoken() map[string]bool {
	q.wokenMu.Lock()
	defer q.wokenMu.Unlock()
	woken := q.woken
	q.woken = map[string]bool{}
	return woken
}

// poke makes the dispatcher look again.
func (q *Queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// tell lets Watch know of a change. Its caller holds mu.
func (q *Queue) tell() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Watch returns a channel that is closed at the next change of any status: to follow a study, call Watch, then Status,
// then wait for the channel.
func (q *Queue) Watch() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.changed
}

// Wait returns the study's status as soon as it is final: Done or Failed.
func (q *Queue) Wait(ctx context.Context, study string) (Status, error) {
	for {
		changed := q.Watch()
		s, err := q.Status(ctx, study)
		switch {
		case err == nil && s.State.Final():
			return s, nil
		case err != nil && dicomweb.KindOf(err) != dicomweb.NotFound:
			return s, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// Status returns the status of a study, an error of kind dicomweb.NotFound when it has none.
func (q *Queue) Status(ctx context.Context, study string) (Status, error) {
	q.mu.Lock()
	if e := q.active[study]; e != nil && e.State != forgotten {
		defer q.mu.Unlock()
		return e.Status.clone(), nil
	}
	q.mu.Unlock()
	e, err := q.find(ctx, study)
	if err != nil {
		return Status{}, fmt.Errorf("jobs: status: %w", err)
	}
	if e == nil || e.State == forgotten {
		return Status{}, dicomweb.Errorf(dicomweb.NotFound, "there is no analysis of study %s", study)
	}
	return e.Status, nil
}

func (s Status) clone() Status {
	s.Stages = slices.Clone(s.Stages)
	return s
}

// List returns at most limit statuses, all when limit is 0, those that changed last first.
func (q *Queue) List(ctx context.Context, limit int) ([]Status, error) {
	if limit <= 0 {
		limit = -1
	}
	out := []Status{}
	seen := map[string]bool{}
	q.mu.Lock()
	for _, e := range q.active {
		seen[e.Study] = true
		if e.State != forgotten {
			out = append(out, e.Status.clone())
		}
	}
	q.mu.Unlock()
	more := limit
	if limit > 0 {
		more += len(seen) // those may be among the rows too
	}
	if err := q.load(ctx, `WHERE state <> ? ORDER BY changed DESC LIMIT ?`, []any{string(forgotten), more}, func(e *entry) error {
		if !seen[e.Study] {
			out = append(out, e.Status)
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("jobs: list: %w", err)
	}
	slices.SortFunc(out, func(a, b Status) int {
		return cmp.Or(b.Changed.Compare(a.Changed), cmp.Compare(a.Study, b.Study))
	})
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// Stop ends the queue: nothing new begins, and it returns when the runs under way have ended. When ctx is done first,
// they are cancelled and counted as not begun, so that the next start runs them again. What is waiting stays in the
// database.
func (q *Queue) Stop(ctx context.Context) error {
	q.once.Do(func() { close(q.stop) })
	<-q.ended
	finished := make(chan struct{})
	go func() {
		q.workers.Wait()
		close(finished)
	}()
	var err error
	select {
	case <-finished:
	case <-ctx.Done():
		err = ctx.Err()
		q.cancelWork()
		<-finished
	}
	q.cancelWork()
	q.mu.Lock()
	defer q.mu.Unlock()
	return errors.Join(err, q.saveAll())
}

// now returns the time in whole microseconds, UTC.
func (q *Queue) now() time.Time { return q.cfg.Now().UTC().Truncate(time.Microsecond) }
