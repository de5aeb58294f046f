package wado

import (
	"context"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/pixel"
)

// chosen is an instance with the representation that it will be sent in.
type chosen struct {
	archive.Instance
	offer mediatype.Offer
}

// asStored reports whether the stored bytes are sent.
func (c chosen) asStored() bool { return c.offer.TransferSyntax == c.TransferSyntax }

// compressed reports whether the pixels are compressed on the way.
func (c chosen) compressed() bool {
	return !c.asStored() && c.offer.TransferSyntax != uid.ExplicitVRLittleEndian
}

// choose picks a representation for each instance below ref, all in the container of the first; those that have none
// that the client takes are left out. What can be compressed is looked up in the headers where the client asks for it.
func (s *Service) choose(ctx context.Context, accept []mediatype.Range, ref dicomweb.Ref, list []archive.Instance) ([]chosen, error) {
	send, err := chooseEach(accept, list, ref.Instance != "", nil)
	if err != nil {
		return nil, err
	}
	unsuited := map[string]bool{}
	for _, c := range send {
		if c.compressed() {
			unsuited[c.Instance.Ref.Instance] = true // until its header tells otherwise
		}
	}
	if len(unsuited) == 0 {
		return send, nil
	}
	syntaxes := map[string]string{}
	for _, c := range send {
		syntaxes[c.Instance.Ref.Instance] = c.offer.TransferSyntax
	}
	err = s.cfg.Archive.Headers(ctx, ref, func(i archive.Instance, header *dicom.Dataset) error {
		if unsuited[i.Ref.Instance] && compressible(header, i.TransferSyntax, syntaxes[i.Ref.Instance]) {
			delete(unsuited, i.Ref.Instance)
		}
		return ctx.Err()
	})
	if err != nil || len(unsuited) == 0 {
		return send, err
	}
	return chooseEach(accept, list, ref.Instance != "", unsuited)
}

// chooseEach is choose by what the index knows. The instances in plain have pixels that cannot be compressed.
func chooseEach(accept []mediatype.Range, list []archive.Instance, single bool, plain map[string]bool) ([]chosen, error) {
	type form struct {
		syntax string
		plain  bool
	}
	type choice struct {
		mediatype.Offer
		ok bool
	}
	var send []chosen
	known := map[form]choice{}
	for _, i := range list {
		f := form{i.TransferSyntax, i.Frames == 0 || plain[i.Ref.Instance]}
		c, ok := known[f]
		if !ok {
			offers := offersOf(f.syntax, f.plain, single)
			if len(send) > 0 {
				offers = sameContainer(offers, send[0].offer)
			}
			var k int
			if k, c.ok = mediatype.Choose(accept, offers); c.ok {
				c.Offer = offers[k]
			}
			known[f] = c
		}
		if c.ok {
			send = append(send, chosen{i, c.Offer})
		}
	}
	if len(send) == 0 {
		return nil, notAcceptable(offersOf(list[0].TransferSyntax, list[0].Frames == 0 || plain[list[0].Ref.Instance], single))
	}
	return send, nil
}

// sameContainer returns the offers that go into one answer with have.
func sameContainer(offers []mediatype.Offer, have mediatype.Offer) []mediatype.Offer {
	var same []mediatype.Offer
	for _, o := range offers {
		if o.Media == have.Media && o.Multipart == have.Multipart {
			same = append(same, o)
		}
	}
	return same
}

// offersOf returns the forms of an instance: as stored, in explicit VR little endian, and compressed without loss
// unless it is plain; first as multipart, then as single part where single says so, then in a ZIP file.
func offersOf(transferSyntax string, plain, single bool) []mediatype.Offer {
	offers := []mediatype.Offer{{
		Media: mediatype.DICOM, TransferSyntax: transferSyntax,
		Default: transferSyntax == uid.ExplicitVRLittleEndian || lossyOnly(transferSyntax),
	}}
	if convertible(transferSyntax) && transferSyntax != uid.ExplicitVRLittleEndian {
		offers = append(offers, mediatype.Offer{Media: mediatype.DICOM, TransferSyntax: uid.ExplicitVRLittleEndian, Default: true})
	}
	for _, syntax := range pixel.EncodedSyntaxes() {
		if !plain && convertible(transferSyntax) && syntax != transferSyntax {
			offers = append(offers, mediatype.Offer{Media: mediatype.DICOM, TransferSyntax: syntax})
		}
	}
	return append(both(single, offers...), zipOffers(offers)...)
}

// lossyOnly reports whether pixels can be had in a lossy form only: then that is meant where the client names no transfer
// syntax (PS3.18 section 8.7.3).
func lossyOnly(transferSyntax string) bool {
	switch transferSyntax {
	case uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.JPEG2000MC, uid.HTJ2K,
		uid.JPEGXLJPEGRecompression, uid.JPEGXL:
		return !convertible(transferSyntax)
	}
	return video(transferSyntax)
}

// compressible reports whether the pixels of an object can be compressed in a transfer syntax. Float pixels cannot, nor
// bits, nor colours that share chrominances (PS3.3 C.7.6.3.1.2), whose layout is no Layout.
func compressible(header *dicom.Dataset, transferSyntax, target string) bool {
	layout, err := pixel.LayoutOf(header)
	return err == nil && header.Has(tag.PixelData) && convertible(transferSyntax) && pixel.Encodable(layout, target) &&
		header.String(tag.PhotometricInterpretation) != "YBR_FULL_422"
}
