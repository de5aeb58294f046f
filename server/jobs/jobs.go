// Package jobs decides when a study is analysed: a study that has been quiet for a while after its last change is
// queued, run, retried where that can help, and given up visibly where it cannot. The queue lives in the archive's
// database and survives restarts and kills. It knows nothing of what an analysis does.
//
// A study's way:
//
//	waiting -> queued -> running -> done
//	   ^         ^          |
//	   |         |          +-> retrying -> queued
//	   |         |          +-> failed
//	   |         +-- Requeue, Request, restart of the node
//	   +-- a new source instance, in any state; while running, when the run ends
//
// Cancel ends a run or takes a study from the queue, which is failed then; Forget leaves nothing of a study but the word
// that it needs no run.
package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive/index"
)

// State is where a study is on its way.
type State string

// States.
const (
	Waiting  State = "waiting"  // for the study to be quiet
	Queued   State = "queued"   // for a worker
	Running  State = "running"  //
	Retrying State = "retrying" // for the next attempt's time
	Done     State = "done"     //
	Failed   State = "failed"   // given up, see Reason

	forgotten State = "forgotten" // of a row that nobody sees: the study is deleted
)

// Final reports whether the state changes only when something new comes.
func (s State) Final() bool { return s == Done || s == Failed || s == forgotten }

// Status is what is known of a study's analysis. It holds no patient data but the study's UID.
type Status struct {
	Study       string      `json:"study"`
	State       State       `json:"state"`
	Stage       string      `json:"stage,omitempty"` // what a running analysis does
	Progress    float64     `json:"progress"`        // 0 to 1
	Attempts    int         `json:"attempts"`        // that began, for this revision
	Revision    int64       `json:"revision"`        // of the study, that is or was analysed last
	Changed     time.Time   `json:"changed"`         // when this status last did
	Queued      time.Time   `json:"queued,omitzero"`
	Started     time.Time   `json:"started,omitzero"`
	Finished    time.Time   `json:"finished,omitzero"`
	NextAttempt time.Time   `json:"next_attempt,omitzero"` // when waiting or retrying ends
	Reason      string      `json:"reason,omitempty"`      // why the last attempt failed
	Asked       bool        `json:"asked,omitempty"`       // the run was asked for by Request
	Canceled    bool        `json:"canceled,omitempty"`    // by Cancel; while running, the run is being ended
	Results     Results     `json:"results"`               // of the last run that stored some
	Summary     string      `json:"summary,omitempty"`
	Stages      []StageTime `json:"stages,omitempty"` // of the last attempt
}

// Results are the objects that a run stored. In JSON each is its three UIDs.
type Results struct{ SR, SEG []dicomweb.Ref }

type resultsJSON struct {
	SR  []refJSON `json:"sr,omitempty"`
	SEG []refJSON `json:"seg,omitempty"`
}

type refJSON struct {
	Study    string `json:"study"`
	Series   string `json:"series"`
	Instance string `json:"instance"`
}

// MarshalJSON writes the references with keys in lower case.
func (r Results) MarshalJSON() ([]byte, error) {
	var out resultsJSON
	for _, ref := range r.SR {
		out.SR = append(out.SR, refJSON(ref))
	}
	for _, ref := range r.SEG {
		out.SEG = append(out.SEG, refJSON(ref))
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Results) UnmarshalJSON(b []byte) error {
	var in resultsJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*r = Results{}
	for _, ref := range in.SR {
		r.SR = append(r.SR, dicomweb.Ref(ref))
	}
	for _, ref := range in.SEG {
		r.SEG = append(r.SEG, dicomweb.Ref(ref))
	}
	return nil
}

// StageTime is how long a part of a run took.
type StageTime struct {
	Stage   string  `json:"stage"`
	Seconds float64 `json:"seconds"`
}

// Job is one attempt at analysing a study.
type Job struct {
	Study    string
	Revision int64 // of the study when the attempt began
	Attempt  int   // from 1 on
}

// Result is what a run leaves.
type Result struct {
	SR, SEG []dicomweb.Ref // the objects stored
	Summary string         // one line for people, without patient data
	NotDone string         // why nothing could be said, a short code such as NODCE; "" when something was
}

// Permanent marks an error that trying again cannot cure.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// IsPermanent reports whether err was marked by Permanent.
func IsPermanent(err error) bool {
	var p *permanent
	return errors.As(err, &p)
}

// ErrCanceled is the cause (context.Cause) of the end of a run's context when it was Cancel or Forget that ended it.
var ErrCanceled = errors.New("jobs: the analysis was canceled")

type permanent struct{ err error }

func (p *permanent) Error() string { return p.err.Error() }
func (p *permanent) Unwrap() error { return p.err }

// Archive is what the queue needs of the archive; *archive.Archive has it.
type Archive interface {
	StudyRevision(ctx context.Context, study string) (rev int64, changed time.Time, err error)
	Revisions(ctx context.Context, fn func(index.Revision) error) error
	Update(ctx context.Context, fn func(*sql.Tx) error) error
	View(ctx context.Context, fn func(*sql.Tx) error) error
}

// Config is what a Queue works with. Archive and Run are needed.
type Config struct {
	Archive  Archive
	Settle   time.Duration                       // how long a study must be quiet; default 30 s
	Attempts int                                 // before giving up; default 5
	Backoff  func(n int) time.Duration           // the wait after attempt n; default 10 s, doubled each time, at most 10 min
	Now      func() time.Time                    // the archive's clock too; default time.Now
	Alarm    func(at time.Time) <-chan time.Time // fires at a time of the clock, or at once when it is past; default by time.After
	Workers  int                                 // runs at once; default 1
	// Run analyses a study and stores its results. It must return soon after ctx is cancelled, and doing it twice for
	// one revision must do no harm. A result beside an error counts when the error is the last. Progress may be called from any goroutine until Run returns. An error's text is
	// shown to users: it must hold no patient data.
	Run func(ctx context.Context, job Job, progress func(stage string, fraction float64)) (Result, error)
	// Ended is told of a study whose way has ended, done, failed or forgotten, once that is written down. It must not block and
	// must not call the queue; it may be nil.
	Ended func(study string)
	Log   *slog.Logger // default: nothing is logged
}

func (c *Config) validate() error {
	switch {
	case c.Archive == nil:
		return errors.New("jobs: Config.Archive is needed")
	case c.Run == nil:
		return errors.New("jobs: Config.Run is needed")
	case c.Settle < 0:
		return fmt.Errorf("jobs: Config.Settle %v is negative", c.Settle)
	case c.Attempts < 0:
		return fmt.Errorf("jobs: Config.Attempts %d is negative", c.Attempts)
	case c.Workers < 0:
		return fmt.Errorf("jobs: Config.Workers %d is negative", c.Workers)
	}
	if c.Settle == 0 {
		c.Settle = 30 * time.Second
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.Backoff == nil {
		c.Backoff = func(n int) time.Duration { return min(10*time.Second<<min(n-1, 10), 10*time.Minute) }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Alarm == nil {
		now := c.Now
		c.Alarm = func(at time.Time) <-chan time.Time { return time.After(at.Sub(now())) }
	}
	if c.Ended == nil {
		c.Ended = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
