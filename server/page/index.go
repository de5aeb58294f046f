package page

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/query"
	"mome/server/jobs"
)

// shownStudies is how many studies the list has; GET /jobs has more.
const shownStudies = 50

// indexPage is the list of studies.
type indexPage struct {
	layout
	DICOMweb                   string // URL of the services
	Uptime                     string
	Studies, Series, Instances int
	Active                     int // analyses that are not at their end
	List                       []indexStudy
	More                       bool
}

// indexStudy is a line of the list.
type indexStudy struct {
	jobs.Status
	Patient
	Percent int
	State   string   // in words
	Tone    string   // class of the state
	Age     string   // since the last change
	Found   []string // sentences on the result
}

// Index answers GET / with the list of studies and the state of the node.
func (s *Service) Index(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	p := s.reader(r, "")
	d := indexPage{layout: s.layout(p, s.cfg.Node), DICOMweb: s.cfg.BaseURL(r)}
	now := s.cfg.Now()
	d.Uptime = lasting(now.Sub(s.started))
	for level, n := range map[query.Level]*int{query.Study: &d.Studies, query.Series: &d.Series, query.Instance: &d.Instances} {
		_, count, err := s.cfg.Archive.Find(r.Context(), query.Query{Level: level, Limit: -1})
		if err != nil {
			return fmt.Errorf("count %s: %w", level, err)
		}
		*n = count
	}
	list, err := s.cfg.Jobs.List(r.Context(), shownStudies+1)
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	if d.More = len(list) > shownStudies; d.More {
		list = list[:shownStudies]
	}
	for _, j := range list {
		row := indexStudy{Status: j, Percent: percent(j.Progress), Age: lasting(now.Sub(j.Changed))}
		row.State, row.Tone = p.state(j.State)
		head, err := s.study(r.Context(), j.Study)
		if err != nil {
			return err
		}
		row.Patient = patientOf(head)
		if err := s.outcome(r.Context(), p, &row); err != nil {
			return err
		}
		if !j.State.Final() {
			d.Active++
		}
		d.List = append(d.List, row)
	}
	if d.Active > 0 {
		d.Refresh = busyRefreshS
	}
	return s.answer(w, p.Language, "index", d)
}

// outcome puts what was found into a line of the list, and what was not analysed in the place of its state.
func (s *Service) outcome(ctx context.Context, p reader, row *indexStudy) error {
	if row.Status.State != jobs.Done {
		return nil
	}
	record, err := s.kept(ctx, row.Study)
	if err != nil {
		return err
	}
	if record == nil {
		if row.Summary != "" {
			row.Found = []string{row.Summary}
		}
		return nil
	}
	var d studyPage
	d.headOf(p, all(record))
	row.State, row.Tone, row.Found = d.Headline, d.Tone, d.Sub
	return nil
}

// study returns what the archive says of a study, nil where it has none.
func (s *Service) study(ctx context.Context, study string) (*dicom.Dataset, error) {
	found, _, err := s.cfg.Archive.Find(ctx, query.Query{Level: query.Study, Ref: dicomweb.Ref{Study: study}, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("look up a study: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}

// state is a state of the queue in words, and its class.
func (p reader) state(s jobs.State) (text, tone string) {
	switch s {
	case jobs.Waiting:
		return p.Text("Waiting for the study to be complete"), "busy"
	case jobs.Queued:
		return p.Text("Queued"), "busy"
	case jobs.Running:
		return p.Text("Being analysed"), "busy"
	case jobs.Retrying:
		return p.Text("Will be tried again"), "busy"
	case jobs.Failed:
		return p.Text("Failed"), "bad"
	}
	return p.Text("Analysed"), "done"
}

func percent(part float64) int { return int(100 * min(max(part, 0), 1)) }

// lasting writes a duration as people say it: its largest unit and, below a day, the next.
func lasting(d time.Duration) string {
	switch d = max(d, 0).Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}
