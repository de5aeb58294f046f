package wado

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// Instances answers GET /studies/{study}, /studies/{study}/series/{series} and
// /studies/{study}/series/{series}/instances/{instance} (PS3.18 section 10.4.1.1.1): multipart/related, application/zip,
// or application/dicom for one instance where the client asks for it. Where only some of the instances can be had in a
// form that the client takes, it sends those with 206 and a warning. Asked for application/octet-stream it is BulkData
// (section 10.4.4 note 2). An error was not answered yet unless the header is out.
func (s *Service) Instances(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	list, err := s.cfg.Archive.Instances(r.Context(), ref)
	if err != nil {
		return err
	}
	accept := mediatype.Accept(r)
	send, err := s.choose(r.Context(), accept, ref, list)
	if dicomweb.KindOf(err) == dicomweb.NotAcceptable && asksForBytes(accept) {
		return s.AllBulkData(w, r, ref)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Location", s.cfg.BaseURL(r)+"/"+ref.Path())
	if !send[0].offer.Multipart && send[0].offer.Media == mediatype.DICOM {
		return s.single(w, r, send[0])
	}
	if dicomweb.NotModified(w, r, instancesTag(send, s.cfg.BaseURL(r))) {
		return nil
	}
	status := s.warnOfPart(w, r, len(list)-len(send), len(list), "instances")
	if send[0].offer.Media == zipType {
		return s.zip(w, r, send, status)
	}
	return s.multipart(w, r, send, status)
}

// asksForBytes reports whether the client takes parts of application/octet-stream.
func asksForBytes(accept []mediatype.Range) bool {
	_, ok := mediatype.Choose(accept, []mediatype.Offer{{Media: mediatype.OctetStream, Multipart: true}})
	return ok
}

// warnOfPart returns the status of an answer that lacks n of all that were asked for, and warns of it (PS3.18 section
// 8.5).
func (s *Service) warnOfPart(w http.ResponseWriter, r *http.Request, n, all int, what string) int {
	if n == 0 {
		return http.StatusOK
	}
	text := fmt.Sprintf("%d of %d %s cannot be had in a media type and transfer syntax that were asked for", n, all, what)
	w.Header().Add("Warning", "299 "+s.cfg.BaseURL(r)+" "+strconv.Quote(text))
	return http.StatusPartialContent
}

// instancesTag returns the weak entity tag of several instances: it changes with their bytes, their forms, and the
// address that the answer names.
func instancesTag(send []chosen, base string) string {
	parts := []any{base, send[0].offer}
	for _, c := range send {
		parts = append(parts, c.Path(), c.SHA256, c.offer.TransferSyntax)
	}
	return entityTag(true, parts...)
}

// single sends one instance as it is. Stored bytes can be had in ranges.
func (s *Service) single(w http.ResponseWriter, r *http.Request, c chosen) error {
	if dicomweb.NotModified(w, r, entityTag(!c.asStored(), c.SHA256, c.offer)) {
		return nil
	}
	w.Header().Set("Content-Type", c.offer.PartType().String())
	if c.asStored() {
		return s.stored(w, r, c)
	}
	p, err := s.payload(r.Context(), c)
	if err != nil {
		return err
	}
	defer p.close()
	w.Header().Set("Content-Length", strconv.FormatInt(p.size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = send(w, p.Reader)
	return err
}

// stored sends the stored bytes of one instance. HEAD needs the index alone.
func (s *Service) stored(w http.ResponseWriter, r *http.Request, c chosen) error {
	if r.Method == http.MethodHead {
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", strconv.FormatInt(c.Size, 10))
		return nil
	}
	o, err := s.cfg.Archive.Open(r.Context(), c.Instance)
	if err != nil {
		return err
	}
	defer o.Close()
	return serve(w, r, io.NewSectionReader(o, 0, o.Size()))
}

// multipart sends the instances one after the other.
func (s *Service) multipart(w http.ResponseWriter, r *http.Request, send []chosen, status int) error {
	base := s.cfg.BaseURL(r)
	header := func(c chosen) related.Header {
		return related.Header{Type: c.offer.PartType(), Location: base + "/" + c.Path()}
	}
	mw := related.NewWriter(w)
	headers, sizes, known := make([]related.Header, len(send)), make([]int64, len(send)), true
	for i, c := range send {
		headers[i], sizes[i] = header(c), c.Size
		known = known && c.asStored()
	}
	whole := len(send) == 1
	var first *payload
	if r.Method != http.MethodHead || whole && !known {
		var err error
		if first, err = s.part(r.Context(), &send[0], whole); err != nil { // can still be answered with a status
			return err
		}
		sizes[0] = first.size
	}
	if known || whole {
		w.Header().Set("Content-Length", strconv.FormatInt(mw.Size(headers, sizes), 10))
	}
	w.Header().Set("Content-Type", mw.ContentType(mediatype.New(mediatype.DICOM)))
	if status != http.StatusOK {
		w.WriteHeader(status)
	}
	if r.Method == http.MethodHead {
		return first.close()
	}
	for i := range send {
		p := first
		if i > 0 {
			var err error
			if p, err = s.part(r.Context(), &send[i], false); err != nil {
				return err
			}
		}
		err := writePart(mw, header(send[i]), p.Reader)
		p.close()
		if err != nil {
			return fmt.Errorf("wado: send instance %s: %w", send[i].Ref.Instance, err)
		}
	}
	return mw.Close()
}

// part is payload for one of several instances: one that cannot be converted is sent as it is stored, with the
// transfer syntax that it has, rather than at the cost of all that follow. Strict means that this is an error.
func (s *Service) part(ctx context.Context, c *chosen, strict bool) (*payload, error) {
	p, err := s.payload(ctx, *c)
	if err == nil || strict || c.asStored() || ctx.Err() != nil {
		return p, err
	}
	s.cfg.Log.WarnContext(ctx, "instance sent as stored", "study", c.Study, "series", c.Series, "error", err)
	c.offer.TransferSyntax = c.TransferSyntax
	return s.payload(ctx, *c)
}

// writePart sends a part.
func writePart(mw *related.Writer, h related.Header, body io.Reader) error {
	w, err := mw.Part(h)
	if err != nil {
		return err
	}
	_, err = send(w, body)
	return err
}

// payload is the body of one part, ready to be sent.
type payload struct {
	io.Reader
	size   int64
	object *archive.Object
}

// close frees what p reads from; nil has nothing.
func (p *payload) close() error {
	if p == nil {
		return nil
	}
	return p.object.Close()
}

// payload opens an instance in the form chosen.
func (s *Service) payload(ctx context.Context, c chosen) (*payload, error) {
	if c.asStored() {
		o, err := s.cfg.Archive.Open(ctx, c.Instance)
		if err != nil {
			return nil, err
		}
		return &payload{io.NewSectionReader(o, 0, o.Size()), o.Size(), o}, nil
	}
	o, f, err := s.scan(ctx, c.Instance)
	if err != nil {
		return nil, err
	}
	body, size, err := convert(ctx, f, c.offer.TransferSyntax)
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("wado: convert instance %s to %s: %w", c.Ref.Instance, c.offer.TransferSyntax, err)
	}
	return &payload{body, size, o}, nil
}

// convert returns an object in another transfer syntax.
func convert(ctx context.Context, f *dicom.File, syntax string) (io.Reader, int64, error) {
	if syntax == uid.ExplicitVRLittleEndian {
		return explicit(f)
	}
	return compressed(ctx, f, syntax)
}
