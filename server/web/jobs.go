package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
)

// Jobs knows the analyses of this node.
type Jobs interface {
	// List returns the jobs, the one that changed last first.
	List(ctx context.Context) ([]Job, error)
	// Status returns the job of a study; ok is false when there is none.
	Status(ctx context.Context, study string) (job Job, ok bool, err error)
}

// State is how far an analysis is.
type State string

// States. A study is Waiting until nothing new has come for a while.
const (
	Waiting State = "waiting"
	Queued  State = "queued"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Active reports whether the state will change by itself.
func (s State) Active() bool { return s == Waiting || s == Queued || s == Running }

// Job is one analysis as the node shows it. It holds no patient data but the study's UID.
type Job struct {
	Study    string
	State    State
	Stage    string  // what a running analysis does
	Progress float64 // 0 to 1
	Reason   string  // why it failed, or what it could not do
	Attempt  int     // from 1 on, 0 before the first
	Changed  time.Time
	Results  []dicomweb.Ref // the objects that it stored
}

// noJobs stands for a node that analyses nothing.
type noJobs struct{}

func (noJobs) List(context.Context) ([]Job, error)               { return nil, nil }
func (noJobs) Status(context.Context, string) (Job, bool, error) { return Job{}, false, nil }

// jobJSON is a job in an answer.
type jobJSON struct {
	Study    string    `json:"study"`
	State    State     `json:"state"`
	Stage    string    `json:"stage,omitempty"`
	Progress float64   `json:"progress"`
	Reason   string    `json:"reason,omitempty"`
	Attempt  int       `json:"attempt,omitempty"`
	Changed  time.Time `json:"changed"`
	Results  []string  `json:"results"` // URLs, to be retrieved by WADO-RS
}

func toJSON(j Job, base string) jobJSON {
	out := jobJSON{
		Study: j.Study, State: j.State, Stage: j.Stage, Progress: j.Progress, Reason: j.Reason, Attempt: j.Attempt,
		Changed: j.Changed.UTC(), Results: []string{},
	}
	for _, ref := range j.Results {
		out.Results = append(out.Results, base+"/"+ref.Path())
	}
	return out
}

// listJobs answers GET /jobs.
func (s *services) listJobs(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	jobs, err := s.cfg.Jobs.List(r.Context())
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	out, base := make([]jobJSON, 0, len(jobs)), s.base(r)
	for _, j := range jobs {
		out = append(out, toJSON(j, base))
	}
	return answerJSON(w, out)
}

// showJob answers GET /jobs/{study}.
func (s *services) showJob(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	j, ok, err := s.cfg.Jobs.Status(r.Context(), ref.Study)
	switch {
	case err != nil:
		return fmt.Errorf("status of study %s: %w", ref.Study, err)
	case !ok:
		return dicomweb.Errorf(dicomweb.NotFound, "there is no analysis of this study")
	}
	return answerJSON(w, toJSON(j, s.base(r)))
}

func answerJSON(w http.ResponseWriter, v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediatype.JSON)
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(append(body, '\n'))
	return err
}
