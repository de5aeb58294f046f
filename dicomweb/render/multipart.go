package render

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// many answers with several parts. Those that cannot be rendered as what the client takes are left out, with 206 and a
// warning. Whole says that the parts are a study or series, which has an image that represents it.
func (s *Service) many(w http.ResponseWriter, r *http.Request, parts []part, whole bool, params parameters) error {
	accept := mediatype.Accept(r)
	have := union(parts)
	best, isImage := represent(parts)
	if whole && isImage {
		have = append(have, offers(best.media, false)...)
	}
	if len(have) == 0 {
		return cannotRender(parts[0].Instance)
	}
	k, ok := mediatype.Choose(accept, have)
	if !ok {
		return notAcceptable(have)
	}
	if !have[k].Multipart {
		return s.single(w, r, chosen{best, have[k].Media}, "rendered", params)
	}
	var list []chosen
	for _, p := range parts {
		if k, ok := mediatype.Choose(accept, offers(p.media, true)); ok && (p.kind != video || p.frame == 0) {
			list = append(list, chosen{p, p.media[k]})
		}
	}
	if len(list) == 0 {
		return cannotRender(parts[0].Instance)
	}
	if n := len(parts) - len(list); n > 0 {
		text := fmt.Sprintf("%d of %d parts cannot be rendered as what was asked for", n, len(parts))
		w.Header().Add("Warning", "299 "+s.cfg.BaseURL(r)+" "+strconv.Quote(text))
	}
	return s.send(w, r, list, len(list) < len(parts), params)
}

// union returns the multipart offers of all parts, each once.
func union(parts []part) []mediatype.Offer {
	var media []string
	for _, p := range parts {
		for _, m := range p.media {
			if !slices.Contains(media, m) {
				media = append(media, m)
			}
		}
	}
	return offers(media, true)
}

// send sends the parts one after the other, each rendered when its turn comes. Those that turn out not to be renderable are
// left out: one broken image shall not cost all that follow.
func (s *Service) send(w http.ResponseWriter, r *http.Request, list []chosen, partial bool, params parameters) error {
	first, err := s.body(r.Context(), list[0], params) // what fails here can still be answered with a status
	for refused(err) && len(list) > 1 {
		s.leftOut(r, list[0], err)
		list, partial = list[1:], true
		first, err = s.body(r.Context(), list[0], params)
	}
	if err != nil {
		return err
	}
	mw := related.NewWriter(w)
	header := func(c chosen) related.Header {
		return related.Header{Type: contentType(c.as), Location: s.cfg.BaseURL(r) + "/" + c.location("rendered")}
	}
	w.Header().Set("Content-Type", mw.ContentType(mediatype.New(list[0].as)))
	if len(list) == 1 {
		w.Header().Set("Content-Length", strconv.FormatInt(mw.Size([]related.Header{header(list[0])}, []int64{first.size}), 10))
	}
	if partial {
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodHead {
		return first.close()
	}
	for k, c := range list {
		b := first
		if k > 0 {
			if b, err = s.body(r.Context(), c, params); refused(err) {
				s.leftOut(r, c, err)
				continue
			} else if err != nil {
				return err
			}
		}
		if err := write(mw, header(c), b); err != nil {
			return fmt.Errorf("render: send instance %s: %w", c.Ref.Instance, err)
		}
	}
	return mw.Close()
}

// refused reports whether err says that an object cannot be rendered.
func refused(err error) bool { return err != nil && dicomweb.KindOf(err) == dicomweb.NotAcceptable }

func (s *Service) leftOut(r *http.Request, c chosen, err error) {
	s.cfg.Log.WarnContext(r.Context(), "part left out", "study", c.Study, "series", c.Series, "error", err)
}

// write sends and closes b.
func write(mw *related.Writer, h related.Header, b *body) error {
	defer b.close()
	w, err := mw.Part(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, b)
	return err
}
