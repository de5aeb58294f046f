// Package page shows people what the node knows: the list of studies at /, and a page per study that says what was found
// and why, step by step, with pictures. Pages are HTML without scripts, in the languages of package words; they are made
// from the findings and pictures that Keep filed beside the study, so that a restart or another node over the same
// archive shows the same. They say what the analysis said and judge nothing themselves.
//
// Patient names and IDs are shown as QIDO-RS gives them to the same user, and are in no log line and no error.
package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/query"
	"mome/server/delivery"
	"mome/server/jobs"
	"mome/server/words"
)

//go:embed style.css
var style string

//go:embed icon.svg
var icon []byte

//go:embed layout.html
var layoutHTML string

//go:embed index.html
var indexHTML string

//go:embed study.html
var studyHTML string

//go:embed lesion.html
var lesionHTML string

// Archive is what pages read; *archive.Archive has it.
type Archive interface {
	Files
	Find(ctx context.Context, q query.Query) (results []*dicom.Dataset, remaining int, err error)
	Instances(ctx context.Context, ref dicomweb.Ref) ([]archive.Instance, error)
	Open(ctx context.Context, i archive.Instance) (*archive.Object, error)
}

// Jobs knows the analyses of this node; *jobs.Queue does.
type Jobs interface {
	// List returns at most limit statuses, those that changed last first.
	List(ctx context.Context, limit int) ([]jobs.Status, error)
	// Status returns the status of a study, an error of kind dicomweb.NotFound when it has none.
	Status(ctx context.Context, study string) (jobs.Status, error)
}

// Deliveries knows what became of sending a study's results; *delivery.Outbox does.
type Deliveries interface {
	Of(ctx context.Context, study string) ([]delivery.Status, error)
}

// Config wires a Service. Archive, Jobs and BaseURL are needed.
type Config struct {
	Archive  Archive
	Jobs     Jobs
	BaseURL  func(*http.Request) string // URL of the DICOMweb root as the client reaches it
	Node     string                     // what pages call the node
	Model    string                     // the model in one line
	Version  string                     // of the software
	Language words.Language             // of who does not ask for another by ?lang=
	// Viewer returns where a viewer shows a study, with a series in front unless that is "". root leads from the page to the
	// node's root. "" and nil: there is no viewer.
	Viewer func(root, study, series string) string
	// Deliveries tells where results were sent; nil: nowhere.
	Deliveries Deliveries
	Now        func() time.Time // its location is the zone in which pages tell times; default time.Now
}

// Service answers for pages. It is safe for concurrent use.
type Service struct {
	cfg       Config
	started   time.Time
	templates map[words.Language]*template.Template
	policy    string // Content-Security-Policy
}

// New checks cfg.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Archive == nil:
		return nil, errors.New("page: Config.Archive is missing")
	case cfg.Jobs == nil:
		return nil, errors.New("page: Config.Jobs is missing")
	case cfg.BaseURL == nil:
		return nil, errors.New("page: Config.BaseURL is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Language == "" {
		cfg.Language = words.English
	}
	s := &Service{cfg: cfg, started: cfg.Now(), templates: map[words.Language]*template.Template{}}
	for _, l := range words.Languages() {
		t := template.New("").Funcs(template.FuncMap{
			"t": l.Text, "say": sayIn(l), "table": func(title string, rows []measure) group { return group{title, rows} },
			"milli": func(micro float64) float64 { return micro / 1000 }, // ADC in 1e-3 mm2/s
		})
		for _, source := range [...]string{layoutHTML, indexHTML, studyHTML, lesionHTML} {
			if _, err := t.Parse(source); err != nil {
				return nil, fmt.Errorf("page: %w", err)
			}
		}
		s.templates[l] = t
	}
	sum := sha256.Sum256([]byte(style))
	s.policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return s, nil
}

// sayIn returns what writes a sentence of the analysis in a language or, where that has no words for it, as English.
func sayIn(l words.Language) func(string) template.HTML {
	return func(sentence string) template.HTML {
		text, ok := l.Translate(sentence)
		if text = template.HTMLEscapeString(text); ok {
			return template.HTML(text)
		}
		return template.HTML(`<span lang="en">` + text + `</span>`)
	}
}

// reader is who reads a page: the language, and what links carry on.
type reader struct {
	words.Language
	asked bool   // by ?lang=
	Root  string // from the page to the node's root: "" or "../"
}

func (s *Service) reader(r *http.Request, root string) reader {
	if l, ok := words.Parse(r.URL.Query().Get("lang")); ok {
		return reader{l, true, root}
	}
	return reader{s.cfg.Language, false, root}
}

// Query is what links to other pages end in.
func (p reader) Query() string {
	if p.asked {
		return "?lang=" + string(p.Language)
	}
	return ""
}

// Languages are those to choose from.
func (p reader) Languages() []words.Language { return words.Languages() }

// layout is what every page has.
type layout struct {
	reader
	Title   string
	Refresh int // s until the page is loaded anew, 0 for never
	Style   template.CSS
	Node    string
	Version string
	Model   string
}

func (s *Service) layout(p reader, title string) layout {
	return layout{reader: p, Title: title, Style: template.CSS(style), Node: s.cfg.Node, Version: s.cfg.Version, Model: s.cfg.Model}
}

// answer executes a template and sends the page.
func (s *Service) answer(w http.ResponseWriter, l words.Language, name string, data any) error {
	var b bytes.Buffer
	if err := s.templates[l].ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", l.Tag())
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", s.policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", fmt.Sprint(b.Len()))
	_, err := w.Write(b.Bytes())
	return err
}

// Icon answers GET /favicon.ico, which browsers ask for unbidden, with an SVG.
func (s *Service) Icon(w http.ResponseWriter, _ *http.Request, _ dicomweb.Ref) error {
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "max-age=86400")
	_, err := w.Write(icon)
	return err
}

// Findings answers GET /study/{study}/findings.json with the record. There is none for what was stored before records
// were kept, unless its SR tells.
func (s *Service) Findings(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	stored, err := s.cfg.Archive.Instances(r.Context(), ref)
	if err != nil {
		return err
	}
	record, err := s.record(r.Context(), ref.Study, stored)
	if err != nil {
		return err
	}
	if record == nil {
		return dicomweb.Errorf(dicomweb.NotFound, "the study has no findings yet")
	}
	return answerJSON(w, record)
}

// Picture answers GET /study/{study}/pictures/{picture}. Names hold a hash of the picture, so it may be kept for good.
func (s *Service) Picture(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	name := r.PathValue("picture")
	if !strings.HasSuffix(name, ".png") {
		return dicomweb.Errorf(dicomweb.NotFound, "there is no such picture")
	}
	content, err := s.cfg.Archive.Attachment(r.Context(), ref.Study, name)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Content-Length", fmt.Sprint(len(content)))
	_, err = w.Write(content)
	return err
}
