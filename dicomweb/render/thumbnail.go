package render

import (
	"context"
	"io"
	"net/http"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
)

// thumbnailSize is the width and height that a thumbnail fits into where no viewport is asked for, in pixels.
const thumbnailSize = 256

// Thumbnail answers GET of .../thumbnail of a study, series, instance or frame (PS3.18 section 10.4.1.1.4): one image that
// represents it. What holds no image is an error of kind NotFound. Thumbnails are kept in memory.
func (s *Service) Thumbnail(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	p, err := parse(r.URL.RawQuery, true)
	if err != nil {
		return err
	}
	if p.view.width == 0 {
		p.view = viewport{width: thumbnailSize, height: thumbnailSize, only: true}
	}
	parts, err := s.parts(r, ref)
	if err != nil {
		return err
	}
	best, ok := represent(p.suit(parts))
	switch {
	case !ok && len(parts) == 1 && parts[0].Frames > 0:
		return cannotRender(parts[0].Instance)
	case !ok:
		return dicomweb.Errorf(dicomweb.NotFound, "there is no image under %s to make a thumbnail of", ref.Path())
	}
	have := offers(best.media, false)
	k, ok := mediatype.Choose(mediatype.Accept(r), have)
	if !ok {
		return notAcceptable(have)
	}
	s.warn(w, r, p)
	return s.single(w, r, chosen{best, have[k].Media}, "thumbnail", p)
}

// represent returns the part that stands for all: the middle image of the middle series of images; segmentations and what
// this node made count only where there is nothing else. ok is false when no part is an image.
func represent(parts []part) (best part, ok bool) {
	for _, suits := range []func(part) bool{
		func(p part) bool { return p.kind == picture && !p.Result },
		func(p part) bool { return p.kind == picture },
		func(p part) bool { return p.kind == segments },
	} {
		var series [][]part
		for _, p := range parts {
			if !suits(p) {
				continue
			}
			if n := len(series); n > 0 && series[n-1][0].Series == p.Series {
				series[n-1] = append(series[n-1], p)
			} else {
				series = append(series, []part{p})
			}
		}
		if len(series) > 0 {
			middle := series[len(series)/2]
			return middle[len(middle)/2], true
		}
	}
	return part{}, false
}

// thumbnail is body by way of the cache.
func (s *Service) thumbnail(ctx context.Context, tag string, c chosen, params parameters) (*body, error) {
	if b, ok := s.thumbnails.get(tag); ok {
		return inMemory(b), nil
	}
	made, err := s.body(ctx, c, params)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(made)
	if err != nil {
		return nil, err
	}
	s.thumbnails.put(tag, b, int64(len(b)+len(tag)))
	return inMemory(b), nil
}
