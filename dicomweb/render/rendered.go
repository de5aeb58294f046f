package render

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/mediatype"
)

// part is what one picture or document is made of.
type part struct {
	archive.Instance
	frame int // from 1; 0 for the one that represents the instance
	kind  kind
	media []string // that it can be had as, the default first
}

func newPart(i archive.Instance, frame int) part {
	p := part{Instance: i, frame: frame}
	p.kind, p.media = kindOf(i)
	return p
}

// location is the path of the part's resource.
func (p part) location(resource string) string {
	if p.frame > 0 {
		return p.Path() + "/frames/" + strconv.Itoa(p.frame) + "/" + resource
	}
	return p.Path() + "/" + resource
}

// Rendered answers GET of .../rendered of a study, series, instance or of the frames that the request's path value "frames"
// lists (PS3.18 section 10.4.1.1.3). One instance or frame is a single part unless multipart is asked for; a study, series or
// several frames are multipart/related, and a study or series can be had as one image too, that of its thumbnail.
// Of a multi-frame image without a frame number the representative frame is rendered, else the middle one, as GIF all of them.
func (s *Service) Rendered(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	p, err := parse(r.URL.RawQuery, false)
	if err != nil {
		return err
	}
	parts, err := s.parts(r, ref)
	if err != nil {
		return err
	}
	parts, p.base = p.suit(parts), s.cfg.BaseURL(r)
	s.warn(w, r, p)
	if len(parts) == 1 && ref.Instance != "" {
		return s.one(w, r, parts[0], p)
	}
	return s.many(w, r, parts, ref.Instance == "", p)
}

// parts lists what a request asks for, in order.
func (s *Service) parts(r *http.Request, ref dicomweb.Ref) ([]part, error) {
	frames, err := parseFrames(r.PathValue("frames"))
	if err != nil {
		return nil, err
	}
	list, err := s.cfg.Archive.Instances(r.Context(), ref)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, i := range list {
		parts = append(parts, newPart(i, 0))
	}
	if frames == nil {
		return parts, nil
	}
	p, i := parts[0], list[0]
	parts = nil
	for _, n := range frames {
		if n > i.Frames {
			return nil, dicomweb.Errorf(dicomweb.NotFound, "frame %d does not exist: the object has %d", n, i.Frames)
		}
		p.frame = n
		parts = append(parts, p)
	}
	return parts, nil
}

// suit leaves out the media types that cannot be made as the parameters want them: a GIF has no place for a profile.
func (p parameters) suit(parts []part) []part {
	for i := range parts {
		if p.profile != "" { // parts of one object share their list
			parts[i].media = slices.DeleteFunc(slices.Clone(parts[i].media), func(m string) bool { return m == mediaGIF })
		}
	}
	return parts
}

// maxFrames bounds how many frames one request may name.
const maxFrames = 10_000

// parseFrames reads a list of frames such as "1,3,2"; they count from 1. An absent list is nil.
func parseFrames(s string) (frames []int, err error) {
	if s == "" {
		return nil, nil
	}
	for field := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || len(frames) == maxFrames {
			return nil, dicomweb.Errorf(dicomweb.BadRequest, "up to %d frame numbers from 1 on are expected, as frames/1,2/rendered", maxFrames)
		}
		frames = append(frames, n)
	}
	return frames, nil
}

// warn tells what was asked for and is not done (PS3.18 section 8.3.5.1).
func (s *Service) warn(w http.ResponseWriter, r *http.Request, p parameters) {
	if p.annotation != "" {
		w.Header().Add("Warning", "299 "+s.cfg.BaseURL(r)+` "annotation is not supported: nothing is burned into images"`)
	}
}

// one answers with one part.
func (s *Service) one(w http.ResponseWriter, r *http.Request, p part, params parameters) error {
	if p.kind == nothing {
		return cannotRender(p.Instance)
	}
	if p.frame > 0 && p.kind == video {
		return dicomweb.Errorf(dicomweb.NotAcceptable, "single frames of a video cannot be rendered; the video can be had from %s/rendered", p.Path())
	}
	have := append(offers(p.media, false), offers(p.media, true)...)
	k, ok := mediatype.Choose(mediatype.Accept(r), have)
	if !ok {
		return notAcceptable(have)
	}
	if have[k].Multipart {
		return s.send(w, r, []chosen{{p, have[k].Media}}, false, params)
	}
	return s.single(w, r, chosen{p, have[k].Media}, "rendered", params)
}

// chosen is a part with the media type that it is sent as.
type chosen struct {
	part
	as string
}

// single sends one part as it is, with an entity tag.
func (s *Service) single(w http.ResponseWriter, r *http.Request, c chosen, resource string, params parameters) error {
	tag, err := s.entityTag(r.Context(), c, params)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Location", s.cfg.BaseURL(r)+"/"+c.location(resource))
	if dicomweb.NotModified(w, r, tag) {
		return nil
	}
	body, err := s.made(r.Context(), tag, c, resource, params)
	if err != nil {
		return err
	}
	defer body.close()
	h.Set("Content-Type", contentType(c.as).String())
	if strings.HasPrefix(c.as, "text/") { // nothing in it runs, whoever wrote it
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors *")
	}
	http.ServeContent(w, r, "", time.Time{}, body)
	return nil
}

// contentType names the character set of texts.
func contentType(media string) mediatype.Type {
	if media == mediaHTML || media == mediaPlain {
		return mediatype.New(media, "charset", "utf-8")
	}
	return mediatype.New(media)
}

// entityTag changes with the stored bytes, what is asked of them, the image below segments, and where a report's links go.
func (s *Service) entityTag(ctx context.Context, c chosen, params parameters) (string, error) {
	other := ""
	switch c.kind {
	case report:
		other = params.base
	case segments:
		o, err := s.open(ctx, c.Instance)
		if err != nil {
			return "", err
		}
		defer o.Close()
		d, err := s.plan(ctx, c.Instance, o, c.frame)
		if err != nil {
			return "", err
		}
		other = d.source.SHA256
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "1 %s %d %s %s %s", c.SHA256, c.frame, other, c.as, params.key()))
	return `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}

// body is what is sent of a part.
type body struct {
	io.ReadSeeker
	size  int64
	close func() error
}

func inMemory(b []byte) *body {
	return &body{bytes.NewReader(b), int64(len(b)), func() error { return nil }}
}

// body renders a part.
func (s *Service) body(ctx context.Context, c chosen, params parameters) (*body, error) {
	if c.kind == document || c.kind == video {
		return s.asIs(ctx, c)
	}
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if c.kind == report {
		text, err := s.report(ctx, c, params.base)
		return inMemory(text), err
	}
	if c.kind == picture && c.as == mediaGIF && c.frame == 0 && c.Frames > 1 && !params.thumbnail {
		moving, err := s.animation(ctx, c, params)
		return inMemory(moving), err
	}
	img, profile, err := s.image(ctx, c, params)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := encode(&buf, img, c.as, params.quality); err != nil {
		return nil, fmt.Errorf("render: encode %s: %w", c.as, err)
	}
	if profile != nil {
		return inMemory(withProfile(buf.Bytes(), c.as, profile)), nil
	}
	return inMemory(buf.Bytes()), nil
}

// image returns the picture of a part as the viewport shows it, with the ICC profile that was asked for.
func (s *Service) image(ctx context.Context, c chosen, params parameters) (img image.Image, profile []byte, err error) {
	o, err := s.open(ctx, c.Instance)
	if err != nil {
		return nil, nil, err
	}
	defer o.Close()
	var h frameHeader
	if c.kind == segments {
		img, h, err = s.segmentation(ctx, c.Instance, o, c.frame, params.window)
	} else {
		n := c.frame
		if n == 0 {
			n = representative(o)
		}
		h = headerOf(o.file, n-1)
		img, err = Frame(o.file, o.frames, n-1, params.window)
	}
	if err != nil {
		return nil, nil, err
	}
	x, y := h.squeeze()
	if img, err = params.view.show(img, x, y); err != nil || params.profile == "" {
		return img, nil, err
	}
	_, grey := img.(*image.Gray)
	if own := o.file.Dataset.Get(tag.ICCProfile); own != nil && c.kind == picture && !grey {
		if params.profile == "srgb" {
			return nil, nil, dicomweb.Errorf(dicomweb.NotAcceptable, "the image has an ICC profile of its own, to which its colours are not converted: iccprofile=yes gives it")
		}
		profile, err = o.file.Value(own)
		return img, profile, err
	}
	return img, srgb(grey), nil
}

// representative returns the number of the frame that stands for an object: Representative Frame Number (PS3.3 C.7.6.6), else
// the middle one.
func representative(o opened) int {
	count := o.frames.Count()
	if n, ok := o.file.Dataset.Int(tag.RepresentativeFrameNumber); ok && n >= 1 && n <= count {
		return n
	}
	return count/2 + 1
}

// made renders a part, a thumbnail by way of the cache.
func (s *Service) made(ctx context.Context, tag string, c chosen, resource string, params parameters) (*body, error) {
	if resource == "thumbnail" {
		return s.thumbnail(ctx, tag, c, params)
	}
	return s.body(ctx, c, params)
}
