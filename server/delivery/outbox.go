package delivery

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// Outbox delivers. All methods may be called concurrently.
type Outbox struct {
	cfg    Config
	work   context.Context
	cancel context.CancelFunc
	lanes  []*lane
	done   sync.WaitGroup
}

// lane is one target with the goroutine that serves it: a PACS that is away keeps nobody else waiting.
type lane struct {
	Target
	wake chan struct{}
}

// New loads what is still to be delivered and starts. What had failed is tried again: whoever restarts a node may have
// mended the reason. Stop ends it.
func New(cfg Config) (*Outbox, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	o := &Outbox{cfg: cfg}
	o.work, o.cancel = context.WithCancel(context.Background())
	if err := o.restore(); err != nil {
		o.cancel()
		return nil, fmt.Errorf("delivery: load the outbox: %w", err)
	}
	for _, t := range cfg.Targets {
		l := &lane{Target: t, wake: make(chan struct{}, 1)}
		o.lanes = append(o.lanes, l)
		o.done.Go(func() { o.serve(l) })
	}
	return o, nil
}

func (o *Outbox) restore() error {
	return o.cfg.Archive.Update(o.work, func(tx *sql.Tx) error {
		if _, err := tx.Exec(schema); err != nil {
			return err
		}
		failed, err := get(o.work, tx, `WHERE state = ?`, string(Failed))
		if err != nil {
			return err
		}
		for n := range failed {
			r := &failed[n]
			r.State, r.Attempts, r.Next = Pending, 0, o.cfg.Now()
			if err := put(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// Enqueue writes down that every target is to get the item; it returns when that survives a crash. The same results of the
// same revision again change nothing; others take the place of what is still on its way.
func (o *Outbox) Enqueue(ctx context.Context, item Item) error {
	if len(o.lanes) == 0 {
		return nil
	}
	now := o.cfg.Now()
	err := o.cfg.Archive.Update(ctx, func(tx *sql.Tx) error {
		for _, l := range o.lanes {
			have, err := get(ctx, tx, `WHERE study = ? AND target = ? AND kind = ?`, item.Study, l.Name(), string(l.Kind))
			if err != nil {
				return err
			}
			if len(have) > 0 && (have[0].Revision > item.Revision || have[0].item.same(item)) {
				continue
			}
			r := &row{item: item, Status: Status{Study: item.Study, Revision: item.Revision, Target: l.Name(), Kind: l.Kind,
				State: Pending, Changed: now, Next: now}}
			if err := put(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delivery: enqueue: %w", err)
	}
	for _, l := range o.lanes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// Of returns the deliveries of a study, by target.
func (o *Outbox) Of(ctx context.Context, study string) ([]Status, error) {
	rows, err := o.rows(ctx, `WHERE study = ? ORDER BY target, kind`, study)
	if err != nil {
		return nil, fmt.Errorf("delivery: status: %w", err)
	}
	out := make([]Status, len(rows))
	for n := range rows {
		out[n] = rows[n].Status
	}
	return out, nil
}

// Stop ends running deliveries, which are tried again by the next start, and waits for that until ctx ends.
func (o *Outbox) Stop(ctx context.Context) error {
	o.cancel()
	ended := make(chan struct{})
	go func() { o.done.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// brokenPause is how long a lane waits when the database does not answer.
const brokenPause = 10 * time.Second

// serve delivers what is due for one target, one after the other, oldest first.
func (o *Outbox) serve(l *lane) {
	for o.work.Err() == nil {
		var alarm <-chan time.Time
		next, err := o.rows(o.work, `WHERE target = ? AND kind = ? AND state = ? ORDER BY next, study LIMIT 1`, l.Name(), string(l.Kind), string(Pending))
		switch {
		case err != nil:
			if o.work.Err() == nil {
				o.cfg.Log.Error("the outbox cannot be read", "target", l.Name(), "err", err)
			}
			alarm = o.cfg.Alarm(o.cfg.Now().Add(brokenPause))
		case len(next) == 0:
		case next[0].Next.After(o.cfg.Now()):
			alarm = o.cfg.Alarm(next[0].Next)
		default:
			if o.attempt(l, &next[0]) {
				continue
			}
			alarm = o.cfg.Alarm(o.cfg.Now().Add(brokenPause))
		}
		select {
		case <-o.work.Done():
		case <-l.wake:
		case <-alarm:
		}
	}
}

// attempt delivers once and writes down what came of it; it reports whether it could.
func (o *Outbox) attempt(l *lane, r *row) bool {
	stored, err := o.deliver(o.work, l.Target, r.item)
	if o.work.Err() != nil {
		return false // cut off by Stop: not an attempt
	}
	r.Attempts++
	r.Changed, r.Stored, r.Next, r.Reason = o.cfg.Now(), stored, time.Time{}, ""
	log := o.cfg.Log.With("study", r.Study, "target", r.Target, "attempt", r.Attempts)
	switch {
	case err == nil:
		r.State = Delivered
		log.Info("delivered", "instances", stored)
	case r.Attempts >= o.cfg.Attempts:
		r.State, r.Reason = Failed, err.Error()
		log.Error("delivery given up; the next start of the node tries again", "err", err)
	default:
		r.Reason, r.Next = err.Error(), r.Changed.Add(o.cfg.Backoff(r.Attempts))
		log.Warn("delivery failed", "err", err, "next", r.Next)
	}
	if err := o.save(o.work, r); err != nil {
		log.Error("the outbox cannot be written", "err", err)
		return false
	}
	if o.cfg.OnAttempt != nil {
		o.cfg.OnAttempt(r.Status)
	}
	return true
}
