// Package stow is the Store transaction, STOW-RS (PS3.18 section 10.5): it hands each part of a request to the archive
// as a stream and tells what became of it. A part that fails never takes its neighbours with it, and nothing is told
// as stored that would not survive a power cut. Instances come as DICOM files, or as metadata in JSON or XML with their
// bulk data in parts of their own, which are made files here (PS3.18 section 10.5.2).
package stow

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
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
	Archive     Archive
	BaseURL     func(*http.Request) string // URL of the service root as the client reaches it, without a slash at its end
	MaxBytes    int64                      // of a body once decompressed; default 64 GiB
	MaxParts    int                        // of a body, and instances of its metadata; default 100,000
	MaxMetadata int64                      // bytes that metadata and part headers of a request may take in memory; default 128 MiB
	SpoolDir    string                     // folder for the bulk data of a request until it is whole; default that of the system
	// RefuseDuplicates tells the sender of other content under a stored SOP Instance UID, which the archive kept out, of a
	// failure (0111H) instead of a warning.
	RefuseDuplicates bool
	RetryAfter       time.Duration // told when there is no space; default 1 minute
	Log              *slog.Logger  // the node's own faults; default: nothing is logged
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
	case cfg.MaxBytes < 0 || cfg.MaxParts < 0 || cfg.MaxMetadata < 0:
		return nil, errors.New("stow: Config.MaxBytes, MaxParts or MaxMetadata is negative")
	}
	if cfg.MaxParts == 0 {
		cfg.MaxParts = 100_000
	}
	if cfg.MaxMetadata == 0 {
		cfg.MaxMetadata = 128 << 20
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
	offers := []mediatype.Offer{
		{Media: mediatype.DICOMJSON}, {Media: mediatype.JSON}, {Media: mediatype.DICOMXML}, {Media: mediatype.DICOMXML, Multipart: true},
	}
	answer, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return dicomweb.Errorf(dicomweb.NotAcceptable, "the answer to Store is %s or %s, the latter also in %s", mediatype.DICOMJSON, mediatype.DICOMXML, mediatype.Related)
	}
	rep := &report{study: ref.Study, refuse: s.cfg.RefuseDuplicates}
	if err := s.receive(r, rep); err != nil {
		return err
	}
	return s.answer(w, rep, s.cfg.BaseURL(r), offers[answer])
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
	limited := &limitedReader{r: body, left: s.cfg.MaxBytes, limit: s.cfg.MaxBytes}
	switch ct.Name {
	case mediatype.DICOM:
		rep.take(s.put(r.Context(), limited, "", rep.study, func() {}))
	case mediatype.DICOMJSON, mediatype.DICOMXML:
		q := s.separate(rep)
		q.metadata(r.Context(), limited, ct)
		q.store(r.Context())
	case mediatype.Related:
		return s.related(r.Context(), limited, ct, rep)
	default:
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "%s cannot be stored: %s", ct.Name, accepted)
	}
	switch {
	case limited.read == 0 && rep.unread():
		return dicomweb.Errorf(dicomweb.BadRequest, "the body is empty")
	case len(rep.results) == 0:
		return dicomweb.Errorf(dicomweb.BadRequest, "the metadata hold no instance")
	}
	return nil
}

const accepted = `multipart/related or a single part of application/dicom, or application/dicom+json or application/dicom+xml with bulk data, is expected`

// related stores a multipart body. Its parts tell by their own types what they are; those that are neither objects nor
// metadata are bulk data where the body is one of metadata, and taken for objects otherwise.
func (s *Service) related(ctx context.Context, body *limitedReader, ct mediatype.Type, rep *report) error {
	media := strings.ToLower(ct.Param("type"))
	switch media {
	case "", "*/*", mediatype.DICOM, mediatype.DICOMJSON, mediatype.DICOMXML:
	default:
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "parts of type %s cannot be stored: %s", printable(media), accepted)
	}
	rd, err := related.NewReader(body, ct.Param("boundary"), related.Limits{Parts: s.cfg.MaxParts})
	if err != nil {
		return dicomweb.Errorf(dicomweb.BadRequest, "the Content-Type names no usable boundary")
	}
	q := s.separate(rep)
	defer q.spool.close()
	objects := storing{free: make(chan struct{}, atOnce)}
	parts, apart := 0, media == mediatype.DICOMJSON || media == mediatype.DICOMXML
	for rep.broken == nil && !rep.full && !objects.ended.Load() {
		part, err := rd.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			rep.broken = err
			break
		}
		parts++
		partType := part.Header.Get("Content-Type")
		switch m, _ := mediatype.Parse(partType); {
		case m.Name == mediatype.DICOMJSON || m.Name == mediatype.DICOMXML:
			apart = true
			q.metadata(ctx, part, m)
		case apart && m.Name != mediatype.DICOM:
			if err := q.take(part); err != nil {
				s.internal(ctx, rep, result{}, err)
				rep.full = true // the parts that follow have no place either
			}
		default:
			objects.begin(func(taken func()) verdict { return s.put(ctx, part, partType, rep.study, taken) })
		}
	}
	objects.wait(rep)
	q.store(ctx)
	switch {
	case len(rep.results) > 0:
		return nil
	case parts > 0 && rep.broken == nil:
		return dicomweb.Errorf(dicomweb.BadRequest, "the metadata hold no instance")
	}
	return s.unreadable(rep.broken, body.read)
}

// unreadable returns the error for a body in which nothing was found.
func (s *Service) unreadable(err error, read int64) error {
	switch {
	case read == 0:
		return dicomweb.Errorf(dicomweb.BadRequest, "the body is empty")
	case overLimit(err):
		return &dicomweb.Error{Kind: dicomweb.TooLarge, Text: s.limit(err), Err: err}
	case err == nil:
		return dicomweb.Errorf(dicomweb.BadRequest, "the body has no parts")
	}
	return &dicomweb.Error{Kind: dicomweb.BadRequest, Text: "the multipart body cannot be read: " + reasonOf(err), Err: err}
}

// verdict is what became of one part, and what that means for those that follow.
type verdict struct {
	result
	broken error // of the body's reader, which ends the request
	full   bool  // nothing more can be stored

	panicked string // with what and where storing it panicked
}

// put stores one instance. Taken is called when r is not read any further.
func (s *Service) put(ctx context.Context, r io.Reader, partType, study string, taken func()) verdict {
	defer taken()
	watched := &watchedReader{r: r}
	receipt, err := s.cfg.Archive.Put(ctx, watched, archive.PutOptions{Study: study, Taken: taken})
	if watched.err != nil && err != nil {
		return verdict{broken: watched.err, result: result{
			ref: receipt.Ref, class: receipt.SOPClass, reason: dicomweb.CannotUnderstand, comment: "not whole: " + reasonOf(watched.err),
		}}
	}
	return s.settle(ctx, receipt, err, partType)
}

// settle tells what the archive did.
func (s *Service) settle(ctx context.Context, receipt archive.Receipt, err error, partType string) verdict {
	v := verdict{result: result{ref: receipt.Ref, class: receipt.SOPClass, outcome: receipt.Outcome}}
	if err != nil {
		v.failure(err, partType)
		v.full = errors.Is(err, archive.ErrNoSpace) || dicomweb.KindOf(err) == dicomweb.Unavailable
		if v.internal || v.full {
			s.log(ctx, receipt.Ref, err)
		}
	}
	return v
}

// internal notes a fault of the node's own, such as a full disk under the spool.
func (s *Service) internal(ctx context.Context, rep *report, res result, err error) {
	s.log(ctx, res.ref, err)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		rep.full = true
		err = archive.ErrNoSpace
	}
	res.failure(err, "")
	rep.add(res)
}

func (s *Service) log(ctx context.Context, ref dicomweb.Ref, err error) {
	s.cfg.Log.ErrorContext(ctx, "store instance", "study", ref.Study, "series", ref.Series, "error", err)
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
	r                 io.Reader
	left, read, limit int64
}

func (l *limitedReader) Read(b []byte) (int, error) {
	if l.left < 0 {
		return 0, dicomweb.Errorf(dicomweb.TooLarge, "the body is larger than the %d bytes that this node takes", l.limit)
	}
	n, err := l.r.Read(b)
	l.left, l.read = l.left-int64(n), l.read+int64(n)
	if l.left < 0 { // what is within the limit still counts; the next call fails
		return n + int(l.left), nil
	}
	return n, err
}
