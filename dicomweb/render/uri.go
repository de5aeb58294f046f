package render

import (
	"net/http"
	"net/url"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
)

// URI answers WADO-URI, GET of ?requestType=WADO with the UIDs and what is wanted in the query (PS3.18 section 9): a rendered
// image, an image/jpeg unless contentType tells otherwise, a report, a document, or the object as application/dicom.
// Parameters that would change what is shown and are not supported (a presentation state, anonymize) are refused.
func (s *Service) URI(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	q, err := parseURI(r.URL.RawQuery)
	if err != nil {
		return err
	}
	accept := mediatype.ParseAccept(r.Header.Values("Accept"))
	if q.contentType != "" {
		accept = mediatype.ParseAccept([]string{q.contentType})
	}
	list, err := s.cfg.Archive.Instances(r.Context(), q.ref)
	if err != nil {
		return err
	}
	p := newPart(list[0], q.frame)
	have := offers(p.media, false)
	if s.cfg.Retrieve != nil {
		have = append(have, mediatype.Offer{Media: mediatype.DICOM})
	}
	k, ok := mediatype.Choose(accept, have)
	switch {
	case !ok && len(p.media) == 0:
		return cannotRender(p.Instance)
	case !ok:
		return notAcceptable(have)
	case have[k].Media == mediatype.DICOM:
		return s.retrieve(w, r, q)
	case q.frame > p.Frames || q.frame > 0 && p.kind == video:
		return dicomweb.Errorf(dicomweb.NotFound, "frameNumber: the object has %d frames that can be rendered", p.Frames)
	}
	q.base = s.cfg.BaseURL(r)
	s.warn(w, r, q.parameters)
	return s.single(w, r, chosen{p, have[k].Media}, "rendered", q.parameters)
}

// retrieve answers with the object itself, in the transfer syntax that the query names, else explicit VR little endian.
func (s *Service) retrieve(w http.ResponseWriter, r *http.Request, q uriQuery) error {
	if q.frame > 0 || q.view != (viewport{}) || q.window != nil {
		return dicomweb.Errorf(dicomweb.BadRequest, "frameNumber, rows, columns, region and the window go with rendered images only, not with contentType=application/dicom")
	}
	t := mediatype.New(mediatype.DICOM)
	if q.transferSyntax != "" {
		t = mediatype.New(mediatype.DICOM, "transfer-syntax", q.transferSyntax)
	}
	c := r.Clone(r.Context())
	c.URL.RawQuery = ""
	c.Header.Set("Accept", t.String())
	return s.cfg.Retrieve.Instances(w, c, q.ref)
}

// uriQuery is what a WADO-URI asks for.
type uriQuery struct {
	parameters
	ref            dicomweb.Ref
	contentType    string // list of media types, "" for what Accept says
	transferSyntax string
	frame          int // from 1, 0 for none
}

// parseURI reads the parameters of PS3.18 sections 9.1.2 and 9.4.1. Names count regardless of case, empty values as absent.
func parseURI(rawQuery string) (q uriQuery, err error) {
	values := map[string]string{}
	for field := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(field, "=")
		name = strings.ToLower(name)
		unescape := url.QueryUnescape
		if name == "contenttype" {
			unescape = url.PathUnescape // the plus of a media type is no space
		}
		if value, err = unescape(value); err != nil {
			return q, dicomweb.Errorf(dicomweb.BadRequest, "the query is not percent-encoded as it should be")
		}
		if _, have := values[name]; !have && value != "" {
			values[name] = value
		}
	}
	q.ref = dicomweb.Ref{Study: values["studyuid"], Series: values["seriesuid"], Instance: values["objectuid"]}
	q.contentType, q.transferSyntax, q.quality, q.annotation = values["contenttype"], values["transfersyntax"], defaultQuality, values["annotation"]
	switch {
	case !strings.EqualFold(values["requesttype"], "WADO"):
		return q, dicomweb.Errorf(dicomweb.BadRequest, "requestType=WADO is expected")
	case q.ref.Study == "" || q.ref.Series == "" || q.ref.Instance == "":
		return q, dicomweb.Errorf(dicomweb.BadRequest, "studyUID, seriesUID and objectUID are all needed")
	case values["presentationuid"] != "":
		return q, dicomweb.Errorf(dicomweb.BadRequest, "presentationUID: presentation states are not applied; ask without it")
	case values["anonymize"] != "":
		return q, dicomweb.Errorf(dicomweb.BadRequest, "anonymize: objects are given as they are stored; ask without it")
	}
	if err := q.ref.Validate(); err != nil {
		return q, err
	}
	return q, q.rendering(values)
}

// rendering reads the parameters that tell what an image looks like.
func (q *uriQuery) rendering(values map[string]string) (err error) {
	if s := values["framenumber"]; s != "" {
		frames, err := parseFrames(s)
		if err != nil || len(frames) != 1 {
			return dicomweb.Errorf(dicomweb.BadRequest, "frameNumber: one number from 1 on is expected")
		}
		q.frame = frames[0]
	}
	for _, size := range []struct {
		name string
		to   *int
	}{{"columns", &q.view.width}, {"rows", &q.view.height}} {
		if s := values[size.name]; s != "" {
			if *size.to, err = parseSize(size.name, s); err != nil {
				return err
			}
		}
	}
	if s := values["region"]; s != "" {
		if err := q.view.region(s); err != nil {
			return err
		}
	}
	centre, width := values["windowcenter"], values["windowwidth"]
	if centre != "" || width != "" {
		if q.window, err = parseWindow(centre + "," + width); err != nil {
			return dicomweb.Errorf(dicomweb.BadRequest, "windowCenter and windowWidth are numbers that go together; the width is at least 1")
		}
	}
	if s := values["imagequality"]; s != "" {
		q.quality, err = parseQuality("imageQuality", s)
	}
	return err
}

// region reads the corners xmin,ymin,xmax,ymax as shares of the image's width and height, 0.0 to 1.0.
func (v *viewport) region(s string) error {
	fields := strings.Split(s, ",")
	var corner [4]float64
	for i := range corner {
		var err error
		if len(fields) == 4 {
			corner[i], err = parseNumber(fields[i])
		}
		if len(fields) != 4 || err != nil || corner[i] < 0 || corner[i] > 1 {
			return dicomweb.Errorf(dicomweb.BadRequest, "region: xmin,ymin,xmax,ymax from 0.0 to 1.0 are expected, as region=0.25,0.25,0.75,0.75")
		}
	}
	if corner[0] >= corner[2] || corner[1] >= corner[3] {
		return dicomweb.Errorf(dicomweb.BadRequest, "region: xmin and ymin are smaller than xmax and ymax")
	}
	v.relative, v.x, v.y, v.w, v.h = true, corner[0], corner[1], corner[2]-corner[0], corner[3]-corner[1]
	return nil
}
