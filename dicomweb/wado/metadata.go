package wado

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/prepared"
)

// Metadata answers GET of .../metadata at study, series and instance level (PS3.18 section 10.4.1.1.2) as DICOM JSON
// or XML: every attribute of the data set, long binary values by their BulkDataURI. It has an entity tag, so that a viewer that
// comes again gets 304. What was prepared when the instances were stored is only put together.
func (s *Service) Metadata(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	offers := []mediatype.Offer{{Media: mediatype.DICOMJSON}, {Media: mediatype.JSON}, {Media: mediatype.DICOMXML, Multipart: true}}
	if ref.Instance != "" {
		offers = append(offers, mediatype.Offer{Media: mediatype.DICOMXML})
	}
	answer, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return notAcceptable(offers)
	}
	members, err := s.cfg.Archive.Members(r.Context(), ref)
	if err != nil {
		return err
	}
	base := s.cfg.BaseURL(r)
	etag := etagOf(members, ref, base)
	if offers[answer].Media == mediatype.DICOMXML {
		if dicomweb.NotModified(w, r, entityTag(true, etag, offers[answer])) {
			return nil
		}
		return s.metadataXML(w, r, members, base, offers[answer].Multipart)
	}
	if dicomweb.NotModified(w, r, etag) {
		return nil
	}
	return s.metadata(w, r, members, base, offers[answer].Media)
}

// What is in memory at once, so that neither a study of thousands of instances nor a client that reads slowly holds more.
const (
	batch  = 256     // instances that the index is asked for
	enough = 4 << 20 // bytes after which what is there is sent
)

// metadata sends the array of data sets. What fails before the first byte is out can still be answered with a status.
func (s *Service) metadata(w http.ResponseWriter, r *http.Request, members []index.Member, base, media string) error {
	var buf bytes.Buffer
	zipped := mediatype.TakesGzip(r)
	a := prepared.NewAnswer(&buf, base, zipped)
	whole := true
	for len(members) > 0 {
		n, err := s.add(r.Context(), a, &buf, members[:min(len(members), batch)], base)
		if err != nil {
			return fmt.Errorf("wado: metadata: %w", err)
		}
		if members = members[n:]; len(members) > 0 && buf.Len() >= enough {
			whole = false
			if err := sendText(w, r, &buf, media, zipped); err != nil {
				return err
			}
		}
	}
	if err := a.Close(); err != nil {
		return err
	}
	if whole {
		w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	}
	return sendText(w, r, &buf, media, zipped)
}

// errStop ends a reading of the index.
var errStop = errors.New("enough was read")

// add gives a, which writes to buf, the metadata of the first of some members and returns of how many: up to one that is
// not prepared, or until there is enough. The one not prepared is made when the index is through: it has few connections,
// and requests that wait for a second one while each holds its first would wait for ever.
func (s *Service) add(ctx context.Context, a *prepared.Answer, buf *bytes.Buffer, members []index.Member, base string) (n int, err error) {
	missing := false
	err = s.cfg.Archive.Prepared(ctx, members, func(_ index.Member, metadata []byte) error {
		if missing = metadata == nil; missing || buf.Len() >= enough {
			return errStop
		}
		n++
		return a.Add(metadata)
	})
	switch {
	case err != nil && !errors.Is(err, errStop):
		return n, err
	case !missing:
		return n, nil
	}
	text, err := s.unprepared(ctx, members[n], base)
	if err != nil {
		return n, err
	}
	return n + 1, a.AddText(text)
}

// sendText sends what is in buf, and before it the header.
func sendText(w http.ResponseWriter, r *http.Request, buf *bytes.Buffer, media string, zipped bool) error {
	w.Header().Set("Content-Type", media)
	if zipped {
		w.Header().Set("Content-Encoding", "gzip")
	}
	if r.Method == http.MethodHead {
		buf.Reset()
		return nil
	}
	_, err := buf.WriteTo(w)
	return err
}

// unprepared makes the metadata of an instance from its file.
func (s *Service) unprepared(ctx context.Context, m index.Member, base string) ([]byte, error) {
	i, err := s.one(ctx, instanceRef(m))
	if err != nil {
		return nil, err
	}
	var text []byte
	err = s.cfg.Archive.Headers(ctx, i.Ref, func(_ archive.Instance, header *dicom.Dataset) error {
		o, f, err := s.scan(ctx, i)
		if err != nil {
			return err
		}
		defer o.Close()
		text, err = index.AppendMetadata(nil, f, header, base, i.Ref)
		return err
	})
	return text, err
}

// instanceRef names an instance by its UID, which is unique.
func instanceRef(m index.Member) dicomweb.Ref { return dicomweb.Ref{Instance: m.UID} }

// etagOf returns a weak entity tag: it changes with the stored bytes and with the address that the URIs hold.
func etagOf(members []index.Member, ref dicomweb.Ref, base string) string {
	h := sha256.New()
	io.WriteString(h, base+"\n"+ref.Path())
	for _, m := range members {
		io.WriteString(h, "\n")
		io.WriteString(h, m.SHA256)
	}
	return `W/"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}
