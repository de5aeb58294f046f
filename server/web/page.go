package web

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"sync"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/query"
)

//go:embed page.html
var pageHTML string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Parse(pageHTML))
})

// shownJobs is how many analyses the page lists; GET /jobs has all.
const shownJobs = 50

// pageData is what the template shows.
type pageData struct {
	Node, Model, Version, Root   string
	Uptime                       string
	Studies, Series, Instances   int
	Jobs                         []pageJob
	MoreJobs                     int
	Refresh                      bool
	Waiting, Running, Done, Fail int
}

type pageJob struct {
	Job
	Percent  int
	Age      string
	Metadata string
	Links    []pageLink
}

type pageLink struct{ Text, URL string }

// page answers GET / with the status of the node.
func (s *services) page(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	d := pageData{Node: s.cfg.Node, Model: s.cfg.Model, Version: s.cfg.Version, Root: s.base(r)}
	now := s.cfg.Now()
	d.Uptime = lasting(now.Sub(s.started))
	for _, c := range []struct {
		level query.Level
		n     *int
	}{{query.Study, &d.Studies}, {query.Series, &d.Series}, {query.Instance, &d.Instances}} {
		var err error
		if *c.n, err = s.count(r.Context(), c.level); err != nil {
			return err
		}
	}
	jobs, err := s.cfg.Jobs.List(r.Context())
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	d.add(jobs, now)
	var buf bytes.Buffer
	if err := pageTemplate().Execute(&buf, d); err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", fmt.Sprint(buf.Len()))
	_, err = w.Write(buf.Bytes())
	return err
}

// add puts the jobs into the page. Its links are relative to the page, so that they hold behind any proxy.
func (d *pageData) add(jobs []Job, now time.Time) {
	for i, j := range jobs {
		d.Refresh = d.Refresh || j.State.Active()
		switch j.State {
		case Running:
			d.Running++
		case Done:
			d.Done++
		case Failed:
			d.Fail++
		default:
			d.Waiting++
		}
		if i >= shownJobs {
			d.MoreJobs++
			continue
		}
		study := prefix[1:] + "/" + dicomweb.Ref{Study: j.Study}.Path()
		row := pageJob{Job: j, Percent: int(100 * min(max(j.Progress, 0), 1)), Age: lasting(now.Sub(j.Changed)), Metadata: study + "/metadata"}
		for k, ref := range j.Results {
			row.Links = append(row.Links, pageLink{fmt.Sprintf("result %d", k+1), prefix[1:] + "/" + ref.Path() + "/metadata"})
		}
		d.Jobs = append(d.Jobs, row)
	}
}

// count returns how many studies, series or instances are stored.
func (s *services) count(ctx context.Context, level query.Level) (int, error) {
	_, n, err := s.cfg.Archive.Find(ctx, query.Query{Level: level, Limit: -1})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", level, err)
	}
	return n, nil
}

// health answers GET /healthz: 200 when the index answers, 503 otherwise.
func (s *services) health(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	if _, err := s.count(r.Context(), query.Study); err != nil {
		return &dicomweb.Error{Kind: dicomweb.Unavailable, Text: "The index does not answer.", Err: err}
	}
	return answerJSON(w, struct {
		Status  string `json:"status"`
		Version string `json:"version,omitempty"`
	}{"ok", s.cfg.Version})
}

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
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
