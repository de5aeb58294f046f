// Package stow is the Store transaction, STOW-RS (PS3.18 section 10.5): it hands each part of a request to the archive
// as a stream and tells what became of it. A part that fails never takes its neighbours with it, and nothing is told
// as stored that would not survive a power cut. It takes instances as DICOM files only, no separate metadata.
package stow

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// Archive takes in instances; *archive.Archive does.
type Archive interface {
	Put(ctx context.Context, r io.Reader, opt archive.PutOptions) (archive.Receipt, error)
}

// Config wires a Service. Archive and BaseURL are needed.
type Config struct {
	Archive    Archive
	BaseURL    func(*http.Request) string // URL of the service root as the client reaches it, without a slash at its end
	MaxBytes   int64                      // of a body once decompressed; default 64 GiB
	RetryAfter time.Duration              // told when there is no space; default 1 minute
	Log        *slog.Logger               // the node's own faults; default: nothing is logged
}

// Service answers Store requests. It is safe for concurrent use.
type Service struct{ cfg Config }

// New checks cfg.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Archive == nil:
		return nil, errors.New("stow: Config.Archive is missing")
	case cfg.BaseURL == nil:
		return nil, errors.New("stow: Config.BaseURL is missing")
	case cfg.MaxBytes < 0:
		return nil, fmt.Errorf("stow: Config.MaxBytes is %d", cfg.MaxBytes)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 64 << 30
	}
	if cfg.RetryAfter == 0 {
		cfg.RetryAfter = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg}, nil
}

// Store answers POST /studies, and POST /studies/{study} when ref names a study: instances of other studies are then
// refused. An error that it returns was not answered yet.
func (s *Service) Store(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	offers := []mediatype.Offer{{Media: mediatype.DICOMJSON}, {Media: mediatype.JSON}}
	answer, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return dicomweb.Errorf(dicomweb.NotAcceptable, "the answer to Store is %s", mediatype.DICOMJSON)
	}
	rep := &report{study: ref.Study}
	if err := s.receive(r, rep); err != nil {
		return err
	}
	body, err := rep.json(s.cfg.BaseURL(r))
	if err != nil {
		return fmt.Errorf("stow: write the response: %w", err)
	}
	status := rep.status()
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(s.cfg.RetryAfter.Seconds())))
	}
	w.Header().Set("Content-Type", offers[answer].Media)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// receive stores what the body holds. Its error means that nothing could be made of the request as a whole.
func (s *Service) receive(r *http.Request, rep *report) error {
	ct, err := mediatype.Parse(r.Header.Get("Content-Type"))
	if err != nil {
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "Content-Type is missing or malformed: %s", accepted)
	}
	body, err := decompress(r)
	if err != nil {
		return err
	}
	limited := &limitedReader{r: body, left: s.cfg.MaxBytes}
	switch {
	case ct.Name == mediatype.DICOM:
		s.put(r.Context(), limited, "", rep, rep.add(), func() {})
		if limited.read == 0 && rep.results[0].reason == dicomweb.CannotUnderstand {
			return dicomweb.Errorf(dicomweb.BadRequest, "the body is empty")
		}
		return nil
	case ct.Name != mediatype.Related:
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "%s cannot be stored: %s", ct.Name, accepted)
	}
	if part := strings.ToLower(ct.Param("type")); part != "" && part != mediatype.DICOM && part != "*/*" {
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "parts of type %s cannot be stored: %s", printable(part), accepted)
	}
	return s.parts(r.Context(), limited, ct.Param("boundary"), rep)
}

const accepted = `multipart/related; type="application/dicom" or application/dicom is expected`

// atOnce is how many parts of a request are made durable at the same time: while those that were read wait for the
// disk the next one is read, and they share what a flush costs.
const atOnce = 16

// parts stores each part of a multipart body.
func (s *Service) parts(ctx context.Context, body *limitedReader, boundary string, rep *report) error {
	rd, err := related.NewReader(body, boundary, related.Limits{})
	if err != nil {
		return dicomweb.Errorf(dicomweb.BadRequest, "the Content-Type names no usable boundary")
	}
	var storing sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for !rep.ended() {
		part, err := rd.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			rep.end(err, false)
			break
		}
		free <- struct{}{}
		res, taken := rep.add(), make(chan struct{})
		storing.Go(func() {
			s.put(ctx, part, part.Header.Get("Content-Type"), rep, res, sync.OnceFunc(func() { close(taken) }))
			<-free
		})
		<-taken
	}
	storing.Wait()
	if len(rep.results) == 0 {
		return unreadable(rep.broken, body.read)
	}
	return nil
}

// unreadable returns the error for a body in which no part was found.
func unreadable(err error, read int64) error {
	var tooLarge *http.MaxBytesError
	switch {
	case read == 0:
		return dicomweb.Errorf(dicomweb.BadRequest, "the body is empty")
	case errors.As(err, &tooLarge) || dicomweb.KindOf(err) == dicomweb.TooLarge:
		return dicomweb.Errorf(dicomweb.TooLarge, "the body is larger than this node takes")
	case err == nil:
		return dicomweb.Errorf(dicomweb.BadRequest, "the body has no parts")
	}
	return &dicomweb.Error{Kind: dicomweb.BadRequest, Text: "the multipart body cannot be read: " + reasonOf(err), Err: err}
}

// put stores one instance and notes in res what became of it. Taken is called when r is not read any further. An error
// of the reader itself ends the request.
func (s *Service) put(ctx context.Context, r io.Reader, partType string, rep *report, res *result, taken func()) {
	defer taken()
	watched := &watchedReader{r: r}
	receipt, err := s.cfg.Archive.Put(ctx, watched, archive.PutOptions{Study: rep.study, Taken: taken})
	res.ref, res.class, res.outcome = receipt.Ref, receipt.SOPClass, receipt.Outcome
	switch {
	case err == nil:
	case watched.err != nil:
		rep.end(watched.err, false)
		res.reason, res.comment = dicomweb.CannotUnderstand, "not whole: "+reasonOf(watched.err)
	default:
		res.failure(err, partType)
		full := errors.Is(err, archive.ErrNoSpace) || dicomweb.KindOf(err) == dicomweb.Unavailable
		if full {
			rep.end(nil, true)
		}
		if res.internal || full {
			s.cfg.Log.ErrorContext(ctx, "store instance", "study", receipt.Ref.Study, "series", receipt.Ref.Series, "error", err)
		}
	}
}

// decompress returns the body as its Content-Encoding tells.
func decompress(r *http.Request) (io.Reader, error) {
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); coding {
	case "", "identity":
		return r.Body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, dicomweb.Errorf(dicomweb.BadRequest, "the body is not gzip as its Content-Encoding says")
		}
		return z, nil
	default:
		return nil, dicomweb.Errorf(dicomweb.UnsupportedMedia, "Content-Encoding %s is not taken: gzip or none", printable(coding))
	}
}

// watchedReader remembers the error that the reader ended with, to tell a broken body from a failing archive.
type watchedReader struct {
	r   io.Reader
	err error
}

func (w *watchedReader) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// limitedReader fails when a body has more bytes than it may, and counts them.
type limitedReader struct {
	r          io.Reader
	left, read int64
}

func (l *limitedReader) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	l.left, l.read = l.left-int64(n), l.read+int64(n)
	if l.left < 0 {
		return 0, dicomweb.Errorf(dicomweb.TooLarge, "the body is larger than this node takes")
	}
	return n, err
}
