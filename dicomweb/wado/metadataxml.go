package wado

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"

	"mome/dicomweb/archive"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// metadataXML sends metadata as documents of the Native DICOM Model (PS3.19 annex A), a part for each instance: PS3.18
// section 8.7.3.2. The one of an instance can be had as single part.
func (s *Service) metadataXML(w http.ResponseWriter, r *http.Request, members []index.Member, base string, multipart bool) error {
	first, ref, err := s.document(r.Context(), members[0], base) // what fails here can still be answered with a status
	if err != nil {
		return err
	}
	xml := mediatype.New(mediatype.DICOMXML)
	if !multipart {
		w.Header().Set("Content-Type", xml.String())
		w.Header().Set("Content-Length", strconv.Itoa(len(first)))
		if r.Method != http.MethodHead {
			_, err = w.Write(first)
		}
		return err
	}
	header := func(i archive.Instance) related.Header {
		return related.Header{Type: xml, Location: base + "/" + i.Path() + "/metadata"}
	}
	mw := related.NewWriter(w)
	w.Header().Set("Content-Type", mw.ContentType(xml))
	if len(members) == 1 {
		w.Header().Set("Content-Length", strconv.FormatInt(mw.Size([]related.Header{header(ref)}, []int64{int64(len(first))}), 10))
	}
	if r.Method == http.MethodHead {
		return nil
	}
	for k, m := range members {
		text, i := first, ref
		if k > 0 {
			if text, i, err = s.document(r.Context(), m, base); err != nil {
				return err
			}
		}
		if err := writePart(mw, header(i), bytes.NewReader(text)); err != nil {
			return fmt.Errorf("wado: send metadata: %w", err)
		}
	}
	return mw.Close()
}

// document makes the metadata of an instance: from its header, or from its file where a long text was left there.
func (s *Service) document(ctx context.Context, m index.Member, base string) (text []byte, i archive.Instance, err error) {
	if i, err = s.one(ctx, instanceRef(m)); err != nil {
		return nil, i, err
	}
	prefix := base + "/" + i.Path() + "/bulkdata/"
	opt := dicom.JSONOptions{BulkDataURI: func(path string, _ *dicom.Element) string { return prefix + path }}
	err = s.cfg.Archive.Headers(ctx, i.Ref, func(_ archive.Instance, header *dicom.Dataset) error {
		if text, err = dicom.AppendXML(nil, header, opt); err == nil {
			return nil
		}
		o, f, err := s.scan(ctx, i)
		if err != nil {
			return err
		}
		defer o.Close()
		text, err = f.AppendXML(nil, opt)
		return err
	})
	return text, i, err
}
