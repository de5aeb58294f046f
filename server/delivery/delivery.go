// Package delivery brings results to where they are wanted: to PACS by STOW-RS (PS3.18 section 10.5), and a word to programs
// by webhook. What is to be delivered is written into the archive's database before an analysis counts as done, and is tried
// until the other side has it, over restarts of the node; what is given up stays visible. It knows nothing of what a result
// says. A URL's user and password are used and never written down or shown.
package delivery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
)

// Kind is how a target is told.
type Kind string

// Kinds.
const (
	STOW    Kind = "stow-rs"
	Webhook Kind = "webhook"
)

// Target is somebody who wants results.
type Target struct {
	Kind Kind
	URL  string // of the DICOMweb root, or of the webhook; user:password@ is sent as basic authentication
	// Sources also sends the instances that were analysed, before the results. STOW only.
	Sources bool
}

// Name is the URL without user, password and query, by which the target is known.
func (t Target) Name() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return "unreadable URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// Item is what came of an analysis.
type Item struct {
	Study    string         `json:"study"`
	Revision int64          `json:"revision"` // of the study that was analysed
	Outcome  string         `json:"outcome"`  // "with findings", "without findings", "not done"
	Objects  []dicomweb.Ref `json:"objects"`  // stored results, in the order in which they must arrive
}

// same reports whether both are the same results of the same revision.
func (i Item) same(o Item) bool {
	return i.Study == o.Study && i.Revision == o.Revision && i.Outcome == o.Outcome && slices.Equal(i.Objects, o.Objects)
}

// State is where a delivery is on its way.
type State string

// States.
const (
	Pending   State = "pending" // for its first or next attempt
	Delivered State = "delivered"
	Failed    State = "failed" // given up until the node starts again
)

// Status is one delivery. It holds no patient data but the study's UID.
type Status struct {
	Study    string    `json:"study"`
	Revision int64     `json:"revision"`
	Target   string    `json:"target"`
	Kind     Kind      `json:"kind"`
	State    State     `json:"state"`
	Attempts int       `json:"attempts"`
	Changed  time.Time `json:"changed"`
	Next     time.Time `json:"next_attempt,omitzero"`
	Reason   string    `json:"reason,omitempty"` // why the last attempt failed
	Stored   int       `json:"stored,omitempty"` // instances that the other side took
}

// Archive is what deliveries need of the archive; *archive.Archive has it.
type Archive interface {
	Instances(ctx context.Context, ref dicomweb.Ref) ([]archive.Instance, error)
	Open(ctx context.Context, i archive.Instance) (*archive.Object, error)
	Update(ctx context.Context, fn func(*sql.Tx) error) error
	View(ctx context.Context, fn func(*sql.Tx) error) error
}

// Config is what an Outbox works with. Archive is needed.
type Config struct {
	Archive Archive
	Targets []Target
	// Secret signs webhooks: X-Mome-Signature is then "sha256=" and the HMAC-SHA256 of the body in hexadecimal digits.
	Secret string
	// Link returns where a study's results are to be seen and read, for webhooks.
	Link     func(study string) (page, findings string)
	Version  string
	Attempts int                                 // before giving up; default 12, over more than two hours
	Backoff  func(n int) time.Duration           // the wait after attempt n; default 10 s, doubled each time, at most 30 min
	HTTP     *http.Client                        // default: one that gives up on an answer that does not begin within two minutes
	Now      func() time.Time                    // default time.Now
	Alarm    func(at time.Time) <-chan time.Time // fires at a time of the clock, or at once when it is past; default by time.After
	// OnAttempt is called after an attempt was written down, from the target's goroutine; it may be nil.
	OnAttempt func(Status)
	Log       *slog.Logger // default: nothing is logged
}

func (c *Config) validate() error {
	if c.Archive == nil {
		return errors.New("delivery: Config.Archive is needed")
	}
	if c.Attempts < 0 {
		return fmt.Errorf("delivery: Config.Attempts %d is negative", c.Attempts)
	}
	seen := map[string]bool{}
	for _, t := range c.Targets {
		u, err := url.Parse(t.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("delivery: target %s: http(s)://host[:port]/path is expected", t.Name())
		}
		if t.Kind != STOW && t.Kind != Webhook {
			return fmt.Errorf("delivery: target %s: unknown kind %q", t.Name(), t.Kind)
		}
		key := string(t.Kind) + t.Name()
		if seen[key] {
			return fmt.Errorf("delivery: target %s is given twice", t.Name())
		}
		seen[key] = true
	}
	if c.Attempts == 0 {
		c.Attempts = 12
	}
	if c.Backoff == nil {
		c.Backoff = func(n int) time.Duration { return min(10*time.Second<<min(n-1, 12), 30*time.Minute) }
	}
	if c.HTTP == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.ResponseHeaderTimeout = 2 * time.Minute
		c.HTTP = &http.Client{Transport: transport}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Alarm == nil {
		now := c.Now
		c.Alarm = func(at time.Time) <-chan time.Time { return time.After(at.Sub(now())) }
	}
	if c.Link == nil {
		c.Link = func(string) (string, string) { return "", "" }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
