package render

import (
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/pixel"
)

// kind is a Resource Category of PS3.18 section 8.7.2, as far as it decides what an object is rendered to.
type kind int

const (
	nothing kind = iota // that a browser could show
	picture
	segments
	report
	document
	video
)

// kindOf tells what an instance is rendered to, and its media types, the default first.
func kindOf(i archive.Instance) (kind, []string) {
	switch {
	case i.Frames > 0 && strings.HasPrefix(i.TransferSyntax, "1.2.840.10008.1.2.4.10"):
		if media := videoMedia(i.TransferSyntax); media != "" {
			return video, []string{media}
		}
	case i.Frames > 0 && !decodable(i.TransferSyntax):
	case i.SOPClass == uid.SegmentationStorage || i.SOPClass == uid.LabelMapSegmentationStorage:
		return segments, imageMedia()
	case i.Frames > 0:
		return picture, imageMedia()
	case strings.HasPrefix(i.SOPClass, "1.2.840.10008.5.1.4.1.1.88."):
		return report, []string{mediaHTML, mediaPlain, mediaXML}
	}
	if media := documentMedia(i.SOPClass); media != "" {
		return document, []string{media}
	}
	return nothing, nil
}

// documentMedia is the media type of what a SOP Class encapsulates (PS3.3 A.45), "" for other classes. What the object
// itself says of its content does not count: nobody shall have a page of script served by the node.
func documentMedia(class string) string {
	switch class {
	case uid.EncapsulatedPDFStorage:
		return "application/pdf"
	case uid.EncapsulatedCDAStorage:
		return mediaXML
	case uid.EncapsulatedSTLStorage:
		return "model/stl"
	case uid.EncapsulatedOBJStorage:
		return "model/obj"
	}
	return ""
}

// videoMedia is the media type of the stream that a transfer syntax encapsulates, PS3.18 table 8.7.3-5.
func videoMedia(transferSyntax string) string {
	switch strings.TrimSuffix(transferSyntax, ".1") {
	case uid.MPEG2MPML, uid.MPEG2MPHL:
		return "video/mpeg"
	case uid.MPEG4HP41, uid.MPEG4HP41BD, uid.MPEG4HP422D, uid.MPEG4HP423D, uid.MPEG4HP42STEREO:
		return "video/mp4"
	case uid.HEVCMP51, uid.HEVCM10P51:
		return "video/H265"
	}
	return ""
}

// decodable reports whether there is a decoder for frames in the transfer syntax.
func decodable(transferSyntax string) bool {
	if transferSyntax == jpegBaseline || transferSyntax == jpegExtended {
		return true
	}
	one := pixel.Layout{Rows: 1, Columns: 1, SamplesPerPixel: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
	_, err := pixel.Native(one, transferSyntax, nil)
	return dicomweb.KindOf(err) != dicomweb.UnsupportedMedia
}

// offers returns media as single or multipart representations.
func offers(media []string, multipart bool) []mediatype.Offer {
	out := make([]mediatype.Offer, len(media))
	for i, m := range media {
		out[i] = mediatype.Offer{Media: m, Multipart: multipart}
	}
	return out
}

// notAcceptable lists what there is.
func notAcceptable(have []mediatype.Offer) error {
	return dicomweb.Errorf(dicomweb.NotAcceptable, "this can be had as: %s", mediatype.List(have))
}

// cannotRender says why an instance has no rendered form and where it can be had.
func cannotRender(i archive.Instance) error {
	why := "objects of SOP Class " + nameOf(i.SOPClass)
	if i.Frames > 0 {
		why = "images in transfer syntax " + nameOf(i.TransferSyntax)
	}
	return dicomweb.Errorf(dicomweb.NotAcceptable, "%s cannot be rendered; the object itself can be had as application/dicom from %s", why, i.Path())
}

func nameOf(u string) string {
	if e, ok := uid.Lookup(u); ok {
		return e.Name
	}
	return u
}
