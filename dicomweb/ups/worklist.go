// Package ups is the Worklist service, UPS-RS (PS3.18 section 11), with its notifications over WebSocket (section 8.10):
// Unified Procedure Steps (PS3.3 C.30) that programs create, find, claim, perform and watch, under the rules of PS3.4
// annex CC. Worklist keeps the rules and the rows, in a database that somebody else opened; Service speaks HTTP. What a
// workitem asks for and who does it is none of its business: a node that performs steps itself does so through Worklist's
// own methods.
//
// A Transaction UID is the lock of who claimed a workitem. It is compared and kept, and never told: not in answers, events,
// errors or logs.
package ups

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
)

// Well-known UIDs that stand for all workitems in subscriptions (PS3.4 CC.2.3).
const (
	GlobalSubscription   = "1.2.840.10008.5.1.4.34.5"
	FilteredSubscription = "1.2.840.10008.5.1.4.34.5.1"
)

// State is Procedure Step State (0074,1000), PS3.4 table CC.1.1-1.
type State string

// States.
const (
	Scheduled  State = "SCHEDULED"
	InProgress State = "IN PROGRESS"
	Canceled   State = "CANCELED"
	Completed  State = "COMPLETED"
)

// Final reports whether a workitem stays in the state for good.
func (s State) Final() bool { return s == Canceled || s == Completed }

// Database is where workitems live; *archive.Archive is one.
type Database interface {
	// Update runs fn in a transaction that writes and returns when it is durable, View in one that reads a snapshot. An
	// error of fn rolls back. One transaction writes at a time, so that events are seen in the order of their numbers.
	Update(ctx context.Context, fn func(*sql.Tx) error) error
	View(ctx context.Context, fn func(*sql.Tx) error) error
}

// Cancellation is what came with a request to cancel (PS3.4 table CC.2.2-1).
type Cancellation struct {
	RequestingAE string
	Reason       string         // Reason For Cancellation, may be empty
	Code         *dicom.Dataset // an item of the proposed discontinuation reason, or nil
	ContactURI   string
	ContactName  string
}

// Config is what a Worklist works with. Database is needed.
type Config struct {
	Database Database
	AETitle  string        // of the node; default "MOME"
	Label    string        // Worklist Label of workitems that come without one; default "DEFAULT"
	Keep     time.Duration // how long a final workitem that nobody locks is kept; default 90 days
	Open     int           // workitems that are not final; more are refused; default 100,000
	Events   int           // kept for one subscriber until it listens, the newest; default 1,000
	Watchers int           // AE titles that subscribe, more are refused; default 1,000
	Channels int           // connections that listen at once, more are refused; default 256

	// Changed is told of a workitem that was created, or updated while SCHEDULED; Cancel of a request to cancel one that the
	// node performs itself, or that was SCHEDULED and is CANCELED by now. Both are called when the change is durable and must
	// not block; either may be nil.
	Changed func(uid string)
	Cancel  func(uid string, c Cancellation)

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default: nothing is logged
}

func (c *Config) complete() error {
	if c.Database == nil {
		return errors.New("ups: Config.Database is needed")
	}
	for _, n := range []struct {
		name      string
		value     *int
		otherwise int
	}{{"Open", &c.Open, 100_000}, {"Events", &c.Events, 1000}, {"Watchers", &c.Watchers, 1000}, {"Channels", &c.Channels, 256}} {
		if *n.value < 0 {
			return fmt.Errorf("ups: Config.%s is %d", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.otherwise
		}
	}
	if c.Keep < 0 {
		return fmt.Errorf("ups: Config.Keep is %v", c.Keep)
	}
	if c.Keep == 0 {
		c.Keep = 90 * 24 * time.Hour
	}
	if c.AETitle == "" {
		c.AETitle = "MOME"
	}
	if !validAE(c.AETitle) {
		return fmt.Errorf("ups: Config.AETitle %q: 1 to 16 characters of ASCII without backslash are expected", c.AETitle)
	}
	if c.Label == "" {
		c.Label = "DEFAULT"
	}
	if c.Changed == nil {
		c.Changed = func(string) {}
	}
	if c.Cancel == nil {
		c.Cancel = func(string, Cancellation) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Worklist keeps workitems, subscriptions and the events that subscribers have not had yet. All methods may be called
// concurrently. What a method returned belongs to the caller.
type Worklist struct {
	cfg      Config
	lastID   atomic.Int64 // of an event
	channels *channels
}

// Open makes the tables where there are none and tells all subscribers that the node started again (SCP Status Change,
// PS3.4 CC.2.4.3). Close ends it.
func Open(ctx context.Context, cfg Config) (*Worklist, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	w := &Worklist{cfg: cfg, channels: newChannels(cfg.Channels)}
	if err := cfg.Database.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(schema); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM ups_event WHERE ae NOT IN (SELECT ae FROM ups_subscription UNION SELECT ae FROM ups_global)`); err != nil {
			return err
		}
		var last sql.NullInt64
		if err := tx.QueryRow(`SELECT MAX(id) FROM ups_event`).Scan(&last); err != nil {
			return err
		}
		w.lastID.Store(last.Int64)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("ups: open the worklist: %w", err)
	}
	if err := w.change(ctx, func(t *change) error {
		if err := t.expire(); err != nil {
			return err
		}
		return t.announce("RESTARTED")
	}); err != nil {
		return nil, fmt.Errorf("ups: open the worklist: %w", err)
	}
	return w, nil
}

// Close tells who listens that the node goes down and ends the connections; it returns when they have ended or ctx does.
func (w *Worklist) Close(ctx context.Context) error {
	err := w.change(ctx, func(t *change) error { return t.announce("GOING DOWN") })
	return errors.Join(err, w.channels.close(ctx))
}

// AETitle is the node's own.
func (w *Worklist) AETitle() string { return w.cfg.AETitle }

// now returns the time in whole microseconds, UTC.
func (w *Worklist) now() time.Time { return w.cfg.Now().UTC().Truncate(time.Microsecond) }

// change is one transaction that writes, with what is to be told once it is durable.
type change struct {
	*sql.Tx
	w       *Worklist
	ctx     context.Context
	told    map[string]bool // AE titles that have new events
	changed []string        // workitems for Config.Changed
}

func (w *Worklist) change(ctx context.Context, fn func(*change) error) error {
	t := &change{w: w, ctx: ctx, told: map[string]bool{}}
	if err := w.cfg.Database.Update(ctx, func(tx *sql.Tx) error {
		t.Tx = tx
		return fn(t)
	}); err != nil {
		return err
	}
	w.channels.wake(t.told)
	for _, uid := range t.changed {
		w.cfg.Changed(uid)
	}
	return nil
}

// validAE reports whether s is the title of an Application Entity: PS3.5 table 6.2-1, AE.
func validAE(s string) bool {
	if s == "" || len(s) > 16 || strings.TrimSpace(s) != s {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// refusal is an error with the sentence that PS3.18 section 11 wants in the header Warning.
type refusal struct {
	err     *dicomweb.Error
	warning string
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(kind dicomweb.Kind, warning, format string, args ...any) error {
	return &refusal{dicomweb.Errorf(kind, format, args...), warning}
}

// Sentences of the header Warning, PS3.18 sections 11.4.3.2 to 11.10.3.2.
const (
	warnCreated      = "The Workitem was created with modifications."
	warnUpdated      = "The Workitem was updated with modifications."
	warnUnclaimed    = "The target URI did not reference a claimed Workitem."
	warnWorkitem     = "The submitted request is inconsistent with the current state of the Workitem."
	warnInstance     = "The submitted request is inconsistent with the state of the UPS Instance."
	warnNoLock       = "The Transaction UID is missing."
	warnWrongLock    = "The Transaction UID is incorrect."
	warnIsCanceled   = "The UPS is already in the requested state of CANCELED."
	warnIsCompleted  = "The UPS is already in the requested state of COMPLETED."
	warnCompleted    = "The UPS is already COMPLETED."
	warnOutOfContact = "The performer cannot be contacted."
)
