package wado

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/mediatype"
)

// Metadata answers GET of .../metadata at study, series and instance level (PS3.18 section 10.4.1.1.2) as DICOM JSON:
// every attribute of the data set, long binary values by their BulkDataURI. It has an entity tag, so that a viewer that
// comes again gets 304.
func (s *Service) Metadata(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	offers := []mediatype.Offer{{Media: mediatype.DICOMJSON}, {Media: mediatype.JSON}}
	answer, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return notAcceptable(offers)
	}
	list, err := s.cfg.Archive.Instances(r.Context(), ref)
	if err != nil {
		return err
	}
	base := s.cfg.BaseURL(r)
	if notModified(w, r, etagOf(list, base)) {
		return nil
	}
	body, err := s.metadata(r.Context(), ref, base)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", offers[answer].Media)
	http.ServeContent(w, withoutRange(r), "", time.Time{}, bytes.NewReader(body))
	return nil
}

// metadata writes the array of data sets.
func (s *Service) metadata(ctx context.Context, ref dicomweb.Ref, base string) ([]byte, error) {
	body := []byte{}
	err := s.cfg.Archive.Headers(ctx, ref, func(i archive.Instance, header *dicom.Dataset) (err error) {
		body = append(body, "[,"[min(len(body), 1)])
		if err := ctx.Err(); err != nil {
			return err
		}
		body, err = s.appendInstance(ctx, body, i, header, base)
		return err
	})
	return append(body, ']'), err
}

// appendInstance writes one data set. The archive's header is enough unless something that JSON holds as a value was
// too long for it: then the file is read.
func (s *Service) appendInstance(ctx context.Context, dst []byte, i archive.Instance, header *dicom.Dataset, base string) ([]byte, error) {
	prefix := base + "/" + i.Path() + "/bulkdata/"
	opt := dicom.JSONOptions{BulkDataURI: func(path string, _ *dicom.Element) string { return prefix + path }}
	if complete(header) {
		return dicom.AppendJSON(dst, header, opt)
	}
	o, f, err := s.scan(ctx, i)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return f.AppendJSON(dst, opt)
}

// complete reports whether only opaque values were left out of a header.
func complete(header *dicom.Dataset) bool {
	for e := range header.All() {
		if e.Deferred() && !opaque(e.VR) {
			return false
		}
	}
	return true
}

// opaque reports whether JSON may hold values of vr by a BulkDataURI.
func opaque(vr dicom.VR) bool {
	switch vr {
	case dicom.OB, dicom.OD, dicom.OF, dicom.OL, dicom.OV, dicom.OW, dicom.UN:
		return true
	}
	return false
}

// etagOf returns a weak entity tag: it changes with the stored bytes and with the address that the URIs hold.
func etagOf(list []archive.Instance, base string) string {
	h := sha256.New()
	io.WriteString(h, base)
	for _, i := range list {
		fmt.Fprintf(h, "\n%s %s", i.Ref.Path(), i.SHA256)
	}
	return `W/"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}

// withoutRange returns the request without its Range: a stretch of JSON is of no use.
func withoutRange(r *http.Request) *http.Request {
	c := r.Clone(r.Context())
	c.Header.Del("Range")
	return c
}
