package wado

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/pixel"
	"mome/dicomweb/related"
)

// BulkData answers GET .../instances/{instance}/bulkdata/{path} (PS3.18 section 10.4.1.1.5): the value that a
// BulkDataURI of Metadata names, in little endian. The path is the request's path value "path". Compressed pixel data are
// answered frame by frame.
func (s *Service) BulkData(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	i, err := s.one(r.Context(), ref)
	if err != nil {
		return err
	}
	o, f, err := s.scan(r.Context(), i)
	if err != nil {
		return err
	}
	defer o.Close()
	path := r.PathValue("path")
	_, e := f.Dataset.Find(strings.TrimSuffix(path, "/"))
	if e == nil || !e.VR.Opaque() || len(e.Value) == 0 && e.Span.Length == 0 {
		return dicomweb.Errorf(dicomweb.NotFound, "the object has no bulk data of this name")
	}
	location := s.cfg.BaseURL(r) + "/" + ref.Path() + "/bulkdata/" + path
	if e.Fragments != nil {
		return allFrames(w, r, i.SHA256, f, location)
	}
	return sendValue(w, r, f, e, location)
}

// allFrames sends every frame of compressed pixel data.
func allFrames(w http.ResponseWriter, r *http.Request, sha256 string, f *dicom.File, location string) error {
	frames, err := pixel.Frames(f)
	if err != nil {
		return err
	}
	if frames.Count() > maxFrameList {
		return dicomweb.Errorf(dicomweb.NotAcceptable, "%d frames are too many for one answer", frames.Count())
	}
	list := make([]int, frames.Count())
	for k := range list {
		list[k] = k + 1
	}
	return sendFrames(w, r, sha256, f, frames, list, func(int) string { return location })
}

// sendValue sends a value as one part. As single part it can be had in ranges.
func sendValue(w http.ResponseWriter, r *http.Request, f *dicom.File, e *dicom.Element, location string) error {
	offers := both(true, mediatype.Offer{Media: mediatype.OctetStream, TransferSyntax: uid.ExplicitVRLittleEndian, Default: true})
	k, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return notAcceptable(offers)
	}
	body := io.NewSectionReader(bytes.NewReader(e.Value), 0, int64(len(e.Value)))
	if e.Deferred() {
		body = f.Open(e.Span)
	}
	if f.TransferSyntax == explicitVRBigEndian {
		raw, err := f.Value(e)
		if err != nil {
			return err
		}
		body = io.NewSectionReader(bytes.NewReader(swap(raw, word(e.VR))), 0, int64(len(raw)))
	}
	part := related.Header{Type: typeOf(offers[k]), Location: location}
	if !offers[k].Multipart {
		w.Header().Set("Content-Type", part.Type.String())
		w.Header().Set("Content-Location", location)
		http.ServeContent(w, r, "", time.Time{}, body)
		return nil
	}
	mw := related.NewWriter(w)
	w.Header().Set("Content-Type", mw.ContentType(part.Type))
	w.Header().Set("Content-Length", strconv.FormatInt(mw.Size([]related.Header{part}, []int64{body.Size()}), 10))
	if r.Method == http.MethodHead {
		return nil
	}
	pw, err := mw.Part(part)
	if err != nil {
		return err
	}
	if _, err := send(pw, body); err != nil {
		return err
	}
	return mw.Close()
}
