package wado

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/pixel"
	"mome/dicomweb/related"
)

// maxFrameList bounds how many frames one request may name.
const maxFrameList = 100_000

// Frames answers GET .../instances/{instance}/frames/{frames} (PS3.18 section 10.4.1.1.6): the frames in the order
// asked, as stored or decoded. The list is the request's path value "frames", decoded.
func (s *Service) Frames(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	list, err := parseFrames(r.PathValue("frames"))
	if err != nil {
		return err
	}
	i, err := s.one(r.Context(), ref)
	if err != nil {
		return err
	}
	o, f, frames, err := s.frames(r.Context(), i)
	if err != nil {
		return err
	}
	defer o.Close()
	for _, n := range list {
		if n > frames.Count() {
			return dicomweb.Errorf(dicomweb.NotFound, "frame %d does not exist: the object has %d", n, frames.Count())
		}
	}
	location := func(n int) string { return s.cfg.BaseURL(r) + "/" + ref.Path() + "/frames/" + strconv.Itoa(n) }
	return sendFrames(w, r, i.SHA256, f, frames, list, location)
}

// parseFrames reads a list such as "1,3,2"; frames count from 1.
func parseFrames(s string) ([]int, error) {
	var list []int
	for field := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 {
			return nil, dicomweb.Errorf(dicomweb.BadRequest, "the frame list holds what is no number from 1 on")
		}
		if list = append(list, n); len(list) > maxFrameList {
			return nil, dicomweb.Errorf(dicomweb.BadRequest, "more than %d frames in one request", maxFrameList)
		}
	}
	return list, nil
}

// sendFrames answers with the frames of f that list names, each with its location. A single part can be had in ranges.
func sendFrames(w http.ResponseWriter, r *http.Request, sha256 string, f *dicom.File, frames *pixel.FrameSet, list []int, location func(n int) string) error {
	offers := both(len(list) == 1, frameOffers(f, frames)...)
	k, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return notAcceptable(offers)
	}
	src, err := newFrameSource(f, frames, offers[k])
	if err != nil {
		return err
	}
	if dicomweb.NotModified(w, r, entityTag(offers[k].Multipart || src.made(), sha256, offers[k], list)) {
		return nil
	}
	first, err := src.open(list[0] - 1) // what fails here can still be answered with a status
	if err != nil {
		return err
	}
	if !offers[k].Multipart {
		w.Header().Set("Content-Type", offers[k].PartType().String())
		w.Header().Set("Content-Location", location(list[0]))
		return serve(w, r, first)
	}
	headers, sizes, known := make([]related.Header, len(list)), make([]int64, len(list)), true
	for i, n := range list {
		headers[i] = related.Header{Type: offers[k].PartType(), Location: location(n)}
		if sizes[i] = first.Size(); i == 0 {
			continue
		}
		var ok bool
		if sizes[i], ok, err = src.size(n - 1); err != nil {
			return err
		}
		known = known && ok
	}
	mw := related.NewWriter(w)
	w.Header().Set("Content-Type", mw.ContentType(headers[0].Type))
	if known {
		w.Header().Set("Content-Length", strconv.FormatInt(mw.Size(headers, sizes), 10))
	}
	if r.Method == http.MethodHead {
		return nil
	}
	for i, n := range list {
		body := first
		if i > 0 {
			if body, err = src.open(n - 1); err != nil {
				return err
			}
		}
		if err := writePart(mw, headers[i], body); err != nil {
			return fmt.Errorf("wado: send frame %d: %w", n, err)
		}
	}
	return mw.Close()
}

// frameOffers returns the forms in which the frames can be had. Native ones are named explicit VR little endian,
// whatever VRs their data set was written with: bytes of pixels know no VR.
func frameOffers(f *dicom.File, frames *pixel.FrameSet) []mediatype.Offer {
	decoded := mediatype.Offer{Media: mediatype.OctetStream, TransferSyntax: uid.ExplicitVRLittleEndian, Default: true}
	if !frames.Encapsulated() {
		offers := []mediatype.Offer{decoded}
		if f.TransferSyntax == uid.ImplicitVRLittleEndian {
			offers = append(offers, mediatype.Offer{Media: mediatype.OctetStream, TransferSyntax: f.TransferSyntax})
		}
		return append(offers, compressedOffers(f.Dataset, f.TransferSyntax)...)
	}
	offers := storedOffers(f.TransferSyntax)
	if decodable(f.Dataset, f.TransferSyntax) {
		offers = append(offers, decoded)
	}
	return append(offers, compressedOffers(f.Dataset, f.TransferSyntax)...)
}

// storedOffers returns the forms of compressed pixel data as they are stored.
func storedOffers(syntax string) []mediatype.Offer {
	var offers []mediatype.Offer
	for _, media := range imageTypes(syntax) {
		offers = append(offers, mediatype.Offer{Media: media, TransferSyntax: syntax, Default: true})
	}
	return append(offers, mediatype.Offer{Media: mediatype.OctetStream, TransferSyntax: syntax, Default: lossyOnly(syntax)})
}

// compressedOffers returns the forms in which the frames can be had compressed though they are not stored so.
func compressedOffers(header *dicom.Dataset, stored string) []mediatype.Offer {
	var offers []mediatype.Offer
	for _, syntax := range pixel.EncodedSyntaxes() {
		if syntax == stored || !compressible(header, stored, syntax) {
			continue
		}
		offers = append(offers, mediatype.Offer{Media: imageTypes(syntax)[0], TransferSyntax: syntax, Default: true},
			mediatype.Offer{Media: mediatype.OctetStream, TransferSyntax: syntax})
	}
	return offers
}

// decodable reports whether there is a decoder for the frames of an object.
func decodable(header *dicom.Dataset, syntax string) bool {
	layout, err := pixel.LayoutOf(header)
	if err != nil {
		return false
	}
	_, err = pixel.Native(layout, syntax, nil)
	return dicomweb.KindOf(err) != dicomweb.UnsupportedMedia
}

// imageTypes returns the media types of compressed frames, PS3.18 table 8.7.3-5; the standard's first, then what older
// editions called it.
func imageTypes(transferSyntax string) []string {
	switch transferSyntax {
	case uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1:
		return []string{"image/jpeg"}
	case uid.RLELossless:
		return []string{"image/dicom-rle", "image/x-dicom-rle"}
	case uid.JPEGLSLossless, uid.JPEGLSNearLossless:
		return []string{"image/jls", "image/x-jls"}
	case uid.JPEG2000Lossless, uid.JPEG2000:
		return []string{"image/jp2"}
	case uid.JPEG2000MCLossless, uid.JPEG2000MC:
		return []string{"image/jpx"}
	case uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K:
		return []string{"image/jphc"}
	case uid.JPEGXLLossless, uid.JPEGXLJPEGRecompression, uid.JPEGXL:
		return []string{"image/jxl"}
	}
	if media := videoType(transferSyntax); media != "" {
		return []string{media}
	}
	return nil
}
