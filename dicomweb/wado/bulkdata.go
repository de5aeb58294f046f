package wado

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// BulkData answers GET .../instances/{instance}/bulkdata/{path} (PS3.18 section 10.4.1.1.5): the value that a
// BulkDataURI of Metadata names. The path is the request's path value "path". As one part it can be had in ranges.
func (s *Service) BulkData(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	i, err := s.one(r.Context(), ref)
	if err != nil {
		return err
	}
	return s.value(w, r, i, strings.ToUpper(strings.TrimSuffix(r.PathValue("path"), "/")))
}

// value answers with one value of an instance.
func (s *Service) value(w http.ResponseWriter, r *http.Request, i archive.Instance, path string) error {
	o, f, err := s.scan(r.Context(), i)
	if err != nil {
		return err
	}
	defer o.Close()
	_, e := f.Dataset.Find(path)
	if e == nil || !e.VR.Opaque() || len(e.Value) == 0 && e.Span.Length == 0 && e.Fragments == nil {
		return dicomweb.Errorf(dicomweb.NotFound, "the object has no bulk data of this name")
	}
	forms := formsOf(f.Dataset, f.TransferSyntax, path, e)
	offers := make([]mediatype.Offer, 0, 2*len(forms))
	for _, form := range forms {
		form.Multipart = true
		offers = append(offers, form.Offer)
	}
	single := []form{}
	for _, form := range forms {
		if !form.frames || f.Dataset.IntOr(tag.NumberOfFrames, 1) == 1 {
			offers, single = append(offers, form.Offer), append(single, form)
		}
	}
	k, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return notAcceptable(offers)
	}
	forms = append(forms, single...)
	v, err := newValue(f, e, forms[k])
	if err != nil {
		return err
	}
	location := s.bulkDataURI(r, i, path)
	if dicomweb.NotModified(w, r, entityTag(offers[k].Multipart || v.made(), i.SHA256, path, offers[k])) {
		return nil
	}
	if !offers[k].Multipart {
		w.Header().Set("Content-Type", offers[k].PartType().String())
		w.Header().Set("Content-Location", location)
		return v.serve(w, r)
	}
	mw := related.NewWriter(w)
	header := related.Header{Type: offers[k].PartType(), Location: location}
	w.Header().Set("Content-Type", mw.ContentType(header.Type))
	if sizes, known := v.sizes(); known {
		headers := make([]related.Header, len(sizes))
		for n := range headers {
			headers[n] = header
		}
		w.Header().Set("Content-Length", strconv.FormatInt(mw.Size(headers, sizes), 10))
	}
	if r.Method == http.MethodHead {
		return nil
	}
	if err := v.write(mw, header); err != nil {
		return err
	}
	return mw.Close()
}

func (s *Service) bulkDataURI(r *http.Request, i archive.Instance, path string) string {
	return s.cfg.BaseURL(r) + "/" + i.Path() + "/bulkdata/" + path
}

// AllBulkData answers GET of .../bulkdata at study, series and instance level (PS3.18 section 10.4.1.1.5): a part for
// each value that has a BulkDataURI in the metadata, whose Content-Location it is (section 10.4.3.3.5).
func (s *Service) AllBulkData(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	return s.values(w, r, ref, "bulkdata", func(string) bool { return true })
}

// PixelData answers GET of .../pixeldata at study, series and instance level (PS3.18 section 10.4.1.1.6): the pixel data
// at the top of each data set, not those of icons (section 10.4.3.3.6).
func (s *Service) PixelData(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	return s.values(w, r, ref, "pixeldata", topPixels)
}

// values sends the values that want picks, instance after instance. Those that cannot be had in a form that the client
// takes are left out, with 206 and a warning. The only value of an instance can be had as a single part.
func (s *Service) values(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref, name string, want func(path string) bool) error {
	accept := mediatype.Accept(r)
	p, err := s.plan(r.Context(), accept, ref, want)
	if err != nil {
		return err
	}
	if ref.Instance != "" && p.all == 1 {
		return s.value(w, r, p.list[0], p.path)
	}
	switch {
	case p.all == 0:
		return dicomweb.Errorf(dicomweb.NotFound, "nothing under %s has %s", ref.Path(), name)
	case p.have == 0:
		return notAcceptable(p.offers)
	}
	w.Header().Set("Content-Location", s.cfg.BaseURL(r)+"/"+ref.Path()+"/"+name)
	if dicomweb.NotModified(w, r, p.tag(s.cfg.BaseURL(r), accept)) {
		return nil
	}
	status := s.warnOfPart(w, r, p.all-p.have, p.all, "values")
	mw := related.NewWriter(w)
	w.Header().Set("Content-Type", mw.ContentType(mediatype.New(p.media)))
	if status != http.StatusOK {
		w.WriteHeader(status)
	}
	if r.Method == http.MethodHead {
		return nil
	}
	for _, i := range p.list {
		if err := s.valuesOf(r, mw, accept, i, want); err != nil {
			return fmt.Errorf("wado: send bulk data of instance %s: %w", i.Ref.Instance, err)
		}
	}
	return mw.Close()
}

// valuesOf sends the values of one instance. Pixel data that cannot be decoded are sent as they are stored, as Instances
// does it; those whose frames cannot be taken apart are left out, rather than at the cost of all that follow.
func (s *Service) valuesOf(r *http.Request, mw *related.Writer, accept []mediatype.Range, i archive.Instance, want func(path string) bool) error {
	o, f, err := s.scan(r.Context(), i)
	if err != nil {
		return err
	}
	defer o.Close()
	list, err := bulkOf(f.AppendJSON, want)
	if err != nil {
		return err
	}
	for _, b := range list {
		forms := formsOf(f.Dataset, f.TransferSyntax, b.path, b.e)
		form, ok := chooseForm(accept, forms)
		if !ok {
			continue
		}
		v, err := newValue(f, b.e, form)
		if err != nil && form != forms[0] {
			s.cfg.Log.WarnContext(r.Context(), "pixel data sent as stored", "study", i.Study, "series", i.Series, "error", err)
			form = forms[0]
			v, err = newValue(f, b.e, form)
		}
		if dicomweb.KindOf(err) == dicomweb.NotAcceptable {
			s.cfg.Log.WarnContext(r.Context(), "pixel data left out", "study", i.Study, "series", i.Series, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if err := v.write(mw, related.Header{Type: form.Offer.PartType(), Location: s.bulkDataURI(r, i, b.path)}); err != nil {
			return err
		}
	}
	return r.Context().Err()
}

// bulk is a value that metadata have by its BulkDataURI.
type bulk struct {
	path string
	e    *dicom.Element
}

// bulkOf lists the values that metadata have by a BulkDataURI, which is what writing metadata asks for.
func bulkOf(appendJSON func([]byte, dicom.JSONOptions) ([]byte, error), want func(path string) bool) ([]bulk, error) {
	var list []bulk
	_, err := appendJSON(nil, dicom.JSONOptions{BulkDataURI: func(path string, e *dicom.Element) string {
		if want(path) {
			list = append(list, bulk{path, e})
		}
		return path
	}})
	return list, err
}

// plan tells what an answer will hold, from the headers alone.
type plan struct {
	list      []archive.Instance // those that have a value to be sent
	all, have int                // values that there are, and that can be had
	path      string             // of the first
	media     string             // of the first that can be had
	offers    []mediatype.Offer  // of the first
}

func (s *Service) plan(ctx context.Context, accept []mediatype.Range, ref dicomweb.Ref, want func(path string) bool) (*plan, error) {
	p := &plan{}
	return p, s.cfg.Archive.Headers(ctx, ref, func(i archive.Instance, header *dicom.Dataset) error {
		values, err := bulkOf(func(dst []byte, opt dicom.JSONOptions) ([]byte, error) { return dicom.AppendJSON(dst, header, opt) }, want)
		if err != nil { // a long text was left in the file
			o, f, err := s.scan(ctx, i)
			if err != nil {
				return err
			}
			defer o.Close()
			if values, err = bulkOf(f.AppendJSON, want); err != nil {
				return err
			}
		}
		for k, v := range values {
			forms := formsOf(header, i.TransferSyntax, v.path, v.e)
			if p.all++; p.all == 1 {
				p.path = v.path
				for _, form := range forms {
					form.Multipart = true
					p.offers = append(p.offers, form.Offer)
				}
			}
			if form, ok := chooseForm(accept, forms); ok {
				if p.have++; p.have == 1 {
					p.media = form.Media
				}
			}
			if k == 0 {
				p.list = append(p.list, i)
			}
		}
		return ctx.Err()
	})
}

// tag is the entity tag of the answer.
func (p *plan) tag(base string, accept []mediatype.Range) string {
	parts := []any{base, p.all, p.have, accept}
	for _, i := range p.list {
		parts = append(parts, i.Path(), i.SHA256)
	}
	return entityTag(true, parts...)
}

// topPixels reports whether path names pixel data at the top of a data set.
func topPixels(path string) bool {
	switch path {
	case "7FE00008", "7FE00009", "7FE00010":
		return true
	}
	return false
}
