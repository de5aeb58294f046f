// Package commitment is the Storage Commitment service (PS3.18 section 13): a modality names instances, and is told for
// each whether this node keeps it, so that it may delete its own copy. An instance counts as kept when the archive has
// it under the class that was named and its file is whole: every byte is read and held against the digest that was
// taken when it came. The answer is given at once, with status 200, never 202.
//
// What was asked is remembered under its transaction UID for a month and over restarts, and is judged anew whenever the
// result is asked for: an instance that was deleted meanwhile is not told as kept.
package commitment

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
)

// Archive has the instances, and room for the requests beside its index; *archive.Archive does.
type Archive interface {
	Instances(ctx context.Context, ref dicomweb.Ref) ([]archive.Instance, error)
	Open(ctx context.Context, i archive.Instance) (*archive.Object, error)
	Update(ctx context.Context, fn func(*sql.Tx) error) error
	View(ctx context.Context, fn func(*sql.Tx) error) error
}

// Config wires a Service. Archive is needed.
type Config struct {
	Archive  Archive
	MaxBytes int64            // of a request; default 16 MiB
	Keep     time.Duration    // how long a request is remembered; default 30 days
	Now      func() time.Time // default time.Now
	Log      *slog.Logger     // files that are not whole; default: nothing is logged
}

// Service answers requests for commitment. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu       sync.Mutex
	prepared bool // the table is there
}

// New checks cfg.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Archive == nil:
		return nil, errors.New("commitment: Config.Archive is missing")
	case cfg.MaxBytes < 0 || cfg.Keep < 0:
		return nil, errors.New("commitment: Config.MaxBytes or Config.Keep is negative")
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 16 << 20
	}
	if cfg.Keep == 0 {
		cfg.Keep = 30 * 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg}, nil
}

// Request answers POST /commitment-requests/{transaction} (PS3.18 section 13.4). The path value "transaction" is the
// Transaction UID. The same request again is answered again; another one under the same UID is a conflict.
func (s *Service) Request(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	transaction, media, err := s.begin(r)
	if err != nil {
		return err
	}
	asked, err := s.read(r)
	if err != nil {
		return err
	}
	if err := s.remember(r.Context(), transaction, asked); err != nil {
		return err
	}
	return s.answer(w, r, asked, media)
}

// Result answers GET /commitment-requests/{transaction} (PS3.18 section 13.5).
func (s *Service) Result(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	transaction, media, err := s.begin(r)
	if err != nil {
		return err
	}
	asked, err := s.recall(r.Context(), transaction)
	if err != nil {
		return err
	}
	return s.answer(w, r, asked, media)
}

// begin reads what both transactions have in common: the transaction UID and the media type of the answer.
func (s *Service) begin(r *http.Request) (transaction, media string, err error) {
	offers := []mediatype.Offer{{Media: mediatype.DICOMJSON}, {Media: mediatype.JSON}, {Media: mediatype.DICOMXML}}
	n, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return "", "", dicomweb.Errorf(dicomweb.NotAcceptable, "the answer to a request for storage commitment is %s or %s", mediatype.DICOMJSON, mediatype.DICOMXML)
	}
	transaction = r.PathValue("transaction")
	if !uid.Valid(transaction) {
		return "", "", dicomweb.Errorf(dicomweb.BadRequest, "the transaction UID is malformed: digits and dots expected, at most 64 characters")
	}
	return transaction, offers[n].Media, nil
}

// read reads the request's payload, a Storage Commitment Request Module (PS3.18 section J.1).
func (s *Service) read(r *http.Request) (request, error) {
	if coding := strings.ToLower(r.Header.Get("Content-Encoding")); coding != "" && coding != "identity" {
		return request{}, dicomweb.Errorf(dicomweb.UnsupportedMedia, "a request for storage commitment must come without Content-Encoding")
	}
	lim := dicom.Limits{HeaderBytes: s.cfg.MaxBytes, Elements: 8 * maxReferences, Items: 4 * maxReferences, Depth: 8}
	ct, err := mediatype.Parse(r.Header.Get("Content-Type"))
	if err != nil {
		ct = mediatype.New("none")
	}
	var payload *dicom.Dataset
	switch ct.Name {
	case mediatype.DICOMJSON, mediatype.JSON:
		var list []*dicom.Dataset
		if list, err = dicom.ParseJSON(r.Body, lim); err == nil && len(list) != 1 {
			return request{}, dicomweb.Errorf(dicomweb.BadRequest, "the body holds %d data sets: one is expected, the Storage Commitment Request Module", len(list))
		} else if err == nil {
			payload = list[0]
		}
	case mediatype.DICOMXML:
		payload, err = dicom.ParseXML(r.Body, lim)
	default:
		return request{}, dicomweb.Errorf(dicomweb.UnsupportedMedia, "a request for storage commitment is %s or %s", mediatype.DICOMJSON, mediatype.DICOMXML)
	}
	if err != nil {
		return request{}, malformed(err, s.cfg.MaxBytes)
	}
	return parse(payload)
}

func malformed(err error, limit int64) error {
	var format *dicom.FormatError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.As(err, &format) && format.Limit():
		return dicomweb.Errorf(dicomweb.TooLarge, "one request for storage commitment takes %d bytes and %d instances: ask in parts", limit, maxReferences)
	}
	return &dicomweb.Error{Kind: dicomweb.BadRequest, Text: "the body is no data set as its Content-Type says", Err: err}
}

// answer judges the references and writes the Storage Commitment Response Module (PS3.18 section J.2).
func (s *Service) answer(w http.ResponseWriter, r *http.Request, asked request, media string) error {
	response, err := s.judge(r.Context(), asked)
	if err != nil {
		return fmt.Errorf("commitment: judge a request: %w", err)
	}
	var body []byte
	if media == mediatype.DICOMXML {
		body, err = dicom.AppendXML(nil, response, dicom.JSONOptions{})
	} else {
		body, err = dicom.AppendJSON(nil, response, dicom.JSONOptions{})
	}
	if err != nil {
		return fmt.Errorf("commitment: write the response: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}
