package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
	"mome/server/delivery"
	"mome/server/jobs"
)

// Jobs knows the analyses of this node; *jobs.Queue does.
type Jobs interface {
	// List returns at most limit statuses, those that changed last first.
	List(ctx context.Context, limit int) ([]jobs.Status, error)
	// Status returns the status of a study, an error of kind dicomweb.NotFound when it has none.
	Status(ctx context.Context, study string) (jobs.Status, error)
}

var _ Jobs = (*jobs.Queue)(nil)

// noJobs stands for a node that analyses nothing.
type noJobs struct{}

func (noJobs) List(context.Context, int) ([]jobs.Status, error) { return nil, nil }

func (noJobs) Status(context.Context, string) (jobs.Status, error) {
	return jobs.Status{}, dicomweb.Errorf(dicomweb.NotFound, "this node analyses nothing")
}

// jobJSON is a status in an answer: as the queue writes it, and the URLs of what it names.
type jobJSON struct {
	jobs.Status
	Metadata string   `json:"metadata"`
	Retrieve []string `json:"retrieve"` // the results, by WADO-RS
	// Deliveries of the results to others; of GET /jobs/{study} alone.
	Deliveries []delivery.Status `json:"deliveries,omitempty"`
}

func toJSON(j jobs.Status, base string) jobJSON {
	out := jobJSON{Status: j, Metadata: base + "/" + dicomweb.Ref{Study: j.Study}.Path() + "/metadata", Retrieve: []string{}}
	for _, refs := range [][]dicomweb.Ref{j.Results.SR, j.Results.SEG} {
		for _, ref := range refs {
			out.Retrieve = append(out.Retrieve, base+"/"+ref.Path())
		}
	}
	return out
}

// maxJobs is how many analyses GET /jobs lists unless its limit says otherwise.
const maxJobs = 1000

// listJobs answers GET /jobs.
func (s *services) listJobs(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	limit := maxJobs
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return dicomweb.Errorf(dicomweb.BadRequest, "limit is a whole number from 1 on")
		}
		limit = n
	}
	list, err := s.cfg.Jobs.List(r.Context(), limit)
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	out, base := make([]jobJSON, 0, len(list)), s.base(r)
	for _, j := range list {
		out = append(out, toJSON(j, base))
	}
	return answerJSON(w, out)
}

// showJob answers GET /jobs/{study}.
func (s *services) showJob(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	j, err := s.cfg.Jobs.Status(r.Context(), ref.Study)
	if err != nil {
		return err
	}
	out := toJSON(j, s.base(r))
	if s.cfg.Deliveries != nil {
		if out.Deliveries, err = s.cfg.Deliveries.Of(r.Context(), ref.Study); err != nil {
			return err
		}
	}
	return answerJSON(w, out)
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
