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
	"mome/server/jobs"
)

//go:embed page.html
var pageHTML string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Parse(pageHTML))
})

// shownJobs is how many analyses the page lists; GET /jobs has more.
const shownJobs = 50

// pageData is what the template shows.
type pageData struct {
	Node, Model, Version, Root string
	Uptime                     string
	Studies, Series, Instances int
	Active                     int // analyses that are not at their end
	Jobs                       []pageJob
	More                       bool
}

type pageJob struct {
	jobs.Status
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
	list, err := s.cfg.Jobs.List(r.Context(), shownJobs+1)
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	d.add(list, now)
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
func (d *pageData) add(list []jobs.Status, now time.Time) {
	if d.More = len(list) > shownJobs; d.More {
		list = list[:shownJobs]
	}
	for _, j := range list {
		if !j.State.Final() {
			d.Active++
		}
		row := pageJob{Status: j, Percent: int(100 * min(max(j.Progress, 0), 1)), Age: lasting(now.Sub(j.Changed))}
		row.Metadata = metadataLink(dicomweb.Ref{Study: j.Study})
		row.link("report", j.Results.SR)
		row.link("segmentation", j.Results.SEG)
		d.Jobs = append(d.Jobs, row)
	}
}

// metadataLink asks for a type that browsers show; DICOM JSON they would save to a file.
func metadataLink(ref dicomweb.Ref) string {
	return prefix[1:] + "/" + ref.Path() + "/metadata?accept=application/json"
}

// link adds what a browser can show of each result: its metadata.
func (j *pageJob) link(what string, refs []dicomweb.Ref) {
	for i, ref := range refs {
		text := what
		if len(refs) > 1 {
			text = fmt.Sprintf("%s %d", what, i+1)
		}
		j.Links = append(j.Links, pageLink{text, metadataLink(ref)})
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
