package wado

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// chosen is an instance with the representation that it will be sent in.
type chosen struct {
	archive.Instance
	offer mediatype.Offer
}

// asStored reports whether the stored bytes are sent.
func (c chosen) asStored() bool { return c.offer.TransferSyntax == c.TransferSyntax }

// Instances answers GET /studies/{study}, /studies/{study}/series/{series} and
// /studies/{study}/series/{series}/instances/{instance} (PS3.18 section 10.4.1.1.1): multipart/related, or
// application/dicom for one instance where the client asks for it. Where only some of the instances can be had in a
// form that the client takes, it sends those with 206 and a warning. An error was not answered yet unless the header is
// out.
func (s *Service) Instances(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	list, err := s.cfg.Archive.Instances(r.Context(), ref)
	if err != nil {
		return err
	}
	send, err := choose(mediatype.Accept(r), list, ref.Instance != "")
	if err != nil {
		return err
	}
	if n := len(list) - len(send); n > 0 {
		text := fmt.Sprintf("%d of %d instances cannot be had in a transfer syntax that was asked for", n, len(list))
		w.Header().Add("Warning", "299 "+s.cfg.BaseURL(r)+" "+strconv.Quote(text))
	}
	if !send[0].offer.Multipart {
		return s.single(w, r, send[0])
	}
	return s.multipart(w, r, send, len(send) < len(list))
}

// choose picks a representation for each instance; those that have none that the client takes are left out.
func choose(accept []mediatype.Range, list []archive.Instance, single bool) ([]chosen, error) {
	var send []chosen
	cache := map[string]int{}
	for _, i := range list {
		offers := offersOf(i, single)
		k, known := cache[i.TransferSyntax]
		if !known {
			var ok bool
			if k, ok = mediatype.Choose(accept, offers); !ok {
				k = -1
			}
			cache[i.TransferSyntax] = k
		}
		if k >= 0 {
			send = append(send, chosen{i, offers[k]})
		}
	}
	if len(send) == 0 {
		return nil, notAcceptable(offersOf(list[0], single))
	}
	return send, nil
}

func offersOf(i archive.Instance, single bool) []mediatype.Offer {
	offers := []mediatype.Offer{{
		Media: mediatype.DICOM, TransferSyntax: i.TransferSyntax, Default: i.TransferSyntax == uid.ExplicitVRLittleEndian,
	}}
	if !offers[0].Default && convertible(i.TransferSyntax) {
		offers = append(offers, mediatype.Offer{Media: mediatype.DICOM, TransferSyntax: uid.ExplicitVRLittleEndian, Default: true})
	}
	return both(single, offers...)
}

// single sends one instance as it is. Stored bytes can be had in ranges and by their entity tag.
func (s *Service) single(w http.ResponseWriter, r *http.Request, c chosen) error {
	w.Header().Set("Content-Type", typeOf(c.offer).String())
	w.Header().Set("Content-Location", s.cfg.BaseURL(r)+"/"+c.Path())
	if c.asStored() {
		o, err := s.cfg.Archive.Open(r.Context(), c.Instance)
		if err != nil {
			return err
		}
		defer o.Close()
		w.Header().Set("ETag", `"`+c.SHA256+`"`)
		w.Header().Set("Cache-Control", "private, no-cache")
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(o, 0, o.Size()))
		return nil
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

// multipart sends the instances one after the other.
func (s *Service) multipart(w http.ResponseWriter, r *http.Request, send []chosen, partial bool) error {
	base := s.cfg.BaseURL(r)
	whole := len(send) == 1
	first, err := s.part(r.Context(), &send[0], whole) // what fails here can still be answered with a status
	if err != nil {
		return err
	}
	header := func(c chosen) related.Header {
		return related.Header{Type: typeOf(c.offer), Location: base + "/" + c.Path()}
	}
	mw := related.NewWriter(w)
	headers, sizes, known := make([]related.Header, len(send)), make([]int64, len(send)), true
	for i, c := range send {
		headers[i], sizes[i] = header(c), c.Size
		known = known && c.asStored()
	}
	if sizes[0] = first.size; known || whole {
		w.Header().Set("Content-Length", strconv.FormatInt(mw.Size(headers, sizes), 10))
	}
	w.Header().Set("Content-Type", mw.ContentType(mediatype.New(mediatype.DICOM)))
	if partial {
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodHead {
		return first.close()
	}
	for i := range send {
		p := first
		if i > 0 {
			if p, err = s.part(r.Context(), &send[i], false); err != nil {
				return err
			}
		}
		if err := writePart(mw, header(send[i]), p); err != nil {
			return fmt.Errorf("wado: send instance %s: %w", send[i].Ref.Instance, err)
		}
	}
	return mw.Close()
}

// part is payload for one of several instances: one that cannot be converted is sent as it is stored, with the
// transfer syntax that it has, rather than at the cost of all that follow. Strict means that this is an error.
func (s *Service) part(ctx context.Context, c *chosen, strict bool) (*payload, error) {
	p, err := s.payload(ctx, *c)
	if err == nil || strict || c.asStored() {
		return p, err
	}
	s.cfg.Log.WarnContext(ctx, "instance sent as stored", "study", c.Study, "series", c.Series, "error", err)
	c.offer.TransferSyntax = c.TransferSyntax
	return s.payload(ctx, *c)
}

// writePart sends and closes p.
func writePart(mw *related.Writer, h related.Header, p *payload) error {
	defer p.close()
	w, err := mw.Part(h)
	if err != nil {
		return err
	}
	_, err = send(w, p.Reader)
	return err
}

// payload opens an instance in the form chosen.
func (s *Service) payload(ctx context.Context, c chosen) (*payload, error) {
	if c.asStored() {
		o, err := s.cfg.Archive.Open(ctx, c.Instance)
		if err != nil {
			return nil, err
		}
		return &payload{io.NewSectionReader(o, 0, o.Size()), o.Size(), o.Close}, nil
	}
	o, f, err := s.scan(ctx, c.Instance)
	if err != nil {
		return nil, err
	}
	body, size, err := explicit(f)
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("wado: convert instance %s to explicit VR little endian: %w", c.Ref.Instance, err)
	}
	return &payload{body, size, o.Close}, nil
}
