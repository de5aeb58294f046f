package stow

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// answer writes the response in the form chosen.
func (s *Service) answer(w http.ResponseWriter, rep *report, base string, offer mediatype.Offer) error {
	body, contentType, err := encode(rep.dataset(base), offer)
	if err != nil {
		return fmt.Errorf("stow: write the response: %w", err)
	}
	status := rep.status()
	h := w.Header()
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(int(s.cfg.RetryAfter.Seconds())))
	}
	for _, text := range s.warnings(rep) {
		h.Add("Warning", "299 "+base+" "+strconv.Quote(text)) // PS3.18 section 10.5.3.2
	}
	if ref := rep.created(); ref != (dicomweb.Ref{}) {
		h.Set("Location", base+"/"+ref.Path())
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// encode returns the response and its Content-Type.
func encode(ds *dicom.Dataset, offer mediatype.Offer) (body []byte, contentType string, err error) {
	if offer.Media != mediatype.DICOMXML {
		body, err = dicom.AppendJSON(nil, ds, dicom.JSONOptions{})
		return body, offer.Media, err
	}
	if body, err = dicom.AppendXML(nil, ds, dicom.JSONOptions{}); err != nil || !offer.Multipart {
		return body, offer.Media, err
	}
	var buf bytes.Buffer
	media := mediatype.New(mediatype.DICOMXML)
	m := related.NewWriter(&buf)
	part, err := m.Part(related.Header{Type: media})
	if err == nil {
		part.Write(body) // a buffer: no error
		err = m.Close()
	}
	return buf.Bytes(), m.ContentType(media), err
}

// warnings are what a client should know that looks at no sequence, each with its DICOM status.
func (s *Service) warnings(rep *report) (texts []string) {
	t := rep.tally()
	warn := func(n int, format string) {
		if n > 0 {
			texts = append(texts, fmt.Sprintf(format, n, t.stored+t.failed))
		}
	}
	warn(t.kept, "B000: other content is stored under the SOP Instance UIDs of %d of %d instances and was kept")
	warn(t.replaced, "B000: %d of %d instances replaced other content under their SOP Instance UIDs")
	warn(t.failed, "%d of %d were not stored: see Failed SOP Sequence")
	if overLimit(rep.broken) {
		texts = append(texts, "A700: "+s.limit(rep.broken))
	}
	return texts
}

// created returns what the request made that was not there: an instance, or the study of several; nothing where they
// have no study in common.
func (r *report) created() (ref dicomweb.Ref) {
	n := 0
	for _, res := range r.results {
		if res.outcome != archive.Stored {
			continue
		}
		switch n++; {
		case n == 1:
			ref = res.ref
		case ref.Study != res.ref.Study:
			return dicomweb.Ref{}
		default:
			ref = dicomweb.Ref{Study: ref.Study}
		}
	}
	return ref
}

// errorComment is ErrorComment (0000,0902), PS3.7 annex C.1: a command element, which package tag does not list and
// which no data set holds; the Store Instances Response borrows it.
const errorComment tag.Tag = 0x00000902

// dataset returns the Store Instances Response Module, PS3.18 annex I.
func (r *report) dataset(base string) *dicom.Dataset {
	var stored, failed, other []*dicom.Dataset
	study, mixed := "", false
	for _, res := range r.results {
		item := res.item()
		if res.outcome == archive.Failed {
			failed = append(failed, item)
			if res.ref.Instance == "" {
				other = append(other, item)
			}
			continue
		}
		item.Set(tag.RetrieveURL, base+"/"+res.ref.Path())
		stored = append(stored, item)
		mixed = mixed || study != "" && study != res.ref.Study
		study = res.ref.Study
	}
	answer := dicom.New()
	if study != "" && !mixed {
		answer.Set(tag.RetrieveURL, base+"/"+dicomweb.Ref{Study: study}.Path())
	}
	for _, s := range []struct {
		t     tag.Tag
		items []*dicom.Dataset
	}{{tag.FailedSOPSequence, failed}, {tag.ReferencedSOPSequence, stored}, {tag.OtherFailuresSequence, other}} {
		if len(s.items) > 0 {
			answer.SetItems(s.t, s.items...)
		}
	}
	return answer
}

// item returns the part's item of ReferencedSOPSequence or FailedSOPSequence. A part whose UIDs could not be read
// belongs into OtherFailuresSequence and stands in FailedSOPSequence as well, without UIDs, since many clients look
// nowhere else.
func (r *result) item() *dicom.Dataset {
	item, comment := dicom.New(), r.comment
	if r.ref.Instance != "" {
		item.Set(tag.ReferencedSOPClassUID, r.class)
		item.Set(tag.ReferencedSOPInstanceUID, r.ref.Instance)
	}
	switch r.outcome {
	case archive.Failed:
		item.Set(tag.FailureReason, uint16(r.reason))
	case archive.Kept:
		comment = "other content is stored under this UID and was kept"
	case archive.Replaced:
		comment = "other content was stored under this UID and was replaced"
	}
	if w := r.warning(); w != 0 {
		item.Set(tag.WarningReason, uint16(w))
	}
	if comment != "" {
		item.SetVR(errorComment, dicom.LO, printable(comment))
	}
	return item
}
