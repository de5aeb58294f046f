// Package qido is the Search transaction, QIDO-RS (PS3.18 section 10.6): six resources, answered as JSON or XML. What a
// query means is package query's business, what matches it the archive's; this package speaks HTTP.
package qido

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/query"
)

// Archive answers queries; *archive.Archive does.
type Archive interface {
	// Find returns one data set for each result and how many results follow those; the data sets are the caller's.
	Find(ctx context.Context, q query.Query) (results []*dicom.Dataset, remaining int, err error)
	// Changes returns a number that grows with every change of what can be found, before the change is acknowledged.
	Changes() int64
}

// Config wires a Service. Archive and BaseURL are needed.
type Config struct {
	Archive Archive
	BaseURL func(*http.Request) string // URL of the service root as the client reaches it, without a slash at its end
	// MaxResults caps one answer, also where the client names no limit; what remains is told by a warning. Default 50,000.
	MaxResults int
	// MaxWhole caps answers that have all attributes of instances, which take much more; default 2,000.
	MaxWhole int
	// MaxBytes bounds one answer: a search that would give more is refused. Default 256 MiB.
	MaxBytes int
}

// Service answers searches. It is safe for concurrent use.
type Service struct {
	cfg  Config
	kept kept
}

// New checks cfg.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Archive == nil:
		return nil, errors.New("qido: Config.Archive is missing")
	case cfg.BaseURL == nil:
		return nil, errors.New("qido: Config.BaseURL is missing")
	case cfg.MaxResults < 0 || cfg.MaxWhole < 0 || cfg.MaxBytes < 0:
		return nil, errors.New("qido: Config.MaxResults, MaxWhole or MaxBytes is negative")
	}
	if cfg.MaxResults == 0 {
		cfg.MaxResults = 50_000
	}
	if cfg.MaxWhole == 0 {
		cfg.MaxWhole = 2_000
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 256 << 20
	}
	return &Service{cfg: cfg}, nil
}

// Studies answers GET /studies.
func (s *Service) Studies(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	return s.search(w, r, ref, query.Study)
}

// Series answers GET /series and GET /studies/{study}/series.
func (s *Service) Series(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	return s.search(w, r, ref, query.Series)
}

// Instances answers GET /instances, GET /studies/{study}/instances and GET
// /studies/{study}/series/{series}/instances.
func (s *Service) Instances(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	return s.search(w, r, ref, query.Instance)
}

// search answers with 200, 204 when nothing matches, or 413 (PS3.18 table 10.6.3-1). An error was not answered yet.
func (s *Service) search(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref, level query.Level) error {
	offers := []mediatype.Offer{{Media: mediatype.DICOMJSON}, {Media: mediatype.JSON}, {Media: mediatype.DICOMXML, Multipart: true}}
	k, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return dicomweb.Errorf(dicomweb.NotAcceptable, `the answer to a search is %s, or multipart/related; type="%s"`, mediatype.DICOMJSON, mediatype.DICOMXML)
	}
	base, changes := s.cfg.BaseURL(r), s.cfg.Archive.Changes()
	question := strings.Join([]string{offers[k].Media, base, level.String(), ref.Study, ref.Series, r.URL.RawQuery}, "\n")
	a := s.kept.get(question, changes)
	if a == nil {
		var err error
		if a, err = s.find(r, ref, level, base, offers[k]); err != nil {
			return err
		}
		s.kept.put(question, changes, a)
	}
	return a.send(w, base)
}

// find asks the archive. The Retrieve URLs of the results lie below base.
func (s *Service) find(r *http.Request, ref dicomweb.Ref, level query.Level, base string, offer mediatype.Offer) (*answer, error) {
	q, warnings, err := query.Parse(r.URL.RawQuery, level, ref)
	if err != nil {
		return nil, err
	}
	most := s.cfg.MaxResults
	if q.IncludeAll && level == query.Instance {
		most = min(most, s.cfg.MaxWhole)
	}
	if q.Limit == 0 || q.Limit > most {
		q.Limit = most
	}
	results, remaining, err := s.cfg.Archive.Find(r.Context(), q)
	if err != nil {
		return nil, fmt.Errorf("qido: search for %s: %w", level, err)
	}
	if remaining > 0 { // PS3.18 section 8.3.4.4.1
		warnings = append(warnings, fmt.Sprintf("There are %d additional results that can be requested", remaining))
	}
	a := &answer{warnings: warnings}
	if len(results) == 0 {
		return a, nil
	}
	for _, ds := range results {
		ds.Set(tag.RetrieveURL, base+"/"+refOf(ds, level).Path())
	}
	if a.body, a.contentType, err = s.encode(results, offer); err != nil {
		return nil, fmt.Errorf("qido: write %s: %w", level, err)
	}
	return a, nil
}

// refOf returns the resource that a result is.
func refOf(ds *dicom.Dataset, level query.Level) dicomweb.Ref {
	ref := dicomweb.Ref{Study: ds.String(tag.StudyInstanceUID)}
	if level >= query.Series {
		ref.Series = ds.String(tag.SeriesInstanceUID)
	}
	if level >= query.Instance {
		ref.Instance = ds.String(tag.SOPInstanceUID)
	}
	return ref
}
