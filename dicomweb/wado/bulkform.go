package wado

import (
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
)

// form is a way to send a value.
type form struct {
	mediatype.Offer
	frames bool // a part for each frame; otherwise the whole value is one part
}

// formsOf returns the forms of the value that path names, what is stored first. The header may be without long values.
func formsOf(header *dicom.Dataset, syntax, path string, e *dicom.Element) []form {
	octets := form{Offer: mediatype.Offer{Media: mediatype.OctetStream, TransferSyntax: uid.ExplicitVRLittleEndian, Default: true}}
	switch {
	case path == "00420011":
		if media := documentType(header); media != "" {
			return []form{{Offer: mediatype.Offer{Media: media, Default: true}}, octets}
		}
	case e.Tag == tag.PixelData && !uncompressed(syntax):
		if path != "7FE00010" { // an icon: how many frames it has is of no interest
			return []form{{Offer: mediatype.Offer{Media: mediatype.OctetStream, TransferSyntax: syntax, Default: true}}}
		}
		return compressedForms(header, syntax, octets)
	case path == "7FE00010":
		return append([]form{octets}, frameForms(compressedOffers(header, syntax))...)
	}
	return []form{octets}
}

// compressedForms returns the forms of compressed pixel data: frame by frame as stored, decoded as a whole, compressed
// otherwise. A video is one stream.
func compressedForms(header *dicom.Dataset, syntax string, octets form) []form {
	stored := storedOffers(syntax)
	if video(syntax) {
		forms := frameForms(stored)
		for i := range forms {
			forms[i].frames = false
		}
		return forms
	}
	forms := frameForms(stored)
	if decodable(header, syntax) {
		forms = append(forms, octets)
	}
	return append(forms, frameForms(compressedOffers(header, syntax))...)
}

func frameForms(offers []mediatype.Offer) []form {
	forms := make([]form, 0, len(offers))
	for _, o := range offers {
		forms = append(forms, form{o, true})
	}
	return forms
}

// chooseForm picks the form of one part of many.
func chooseForm(accept []mediatype.Range, forms []form) (form, bool) {
	offers := make([]mediatype.Offer, len(forms))
	for k, f := range forms {
		offers[k] = f.Offer
		offers[k].Multipart = true
	}
	k, ok := mediatype.Choose(accept, offers)
	if !ok {
		return form{}, false
	}
	return forms[k], true
}

// documentType returns the media type of an Encapsulated Document (PS3.3 C.24.2), "" for one that is sent as bytes only.
// A browser may run what is in HTML or XML as if this node had said it.
func documentType(header *dicom.Dataset) string {
	t, err := mediatype.Parse(header.String(tag.MIMETypeOfEncapsulatedDocument))
	if err == nil && (t.Name == "application/pdf" || strings.HasPrefix(t.Name, "model/")) {
		return t.Name
	}
	return ""
}

// uncompressed reports whether pixel data of a transfer syntax are native.
func uncompressed(syntax string) bool {
	switch syntax {
	case uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, explicitVRBigEndian:
		return true
	}
	return false
}

// video reports whether the fragments of a transfer syntax are one stream, PS3.5 sections 8.2.5 to 8.2.8.
func video(syntax string) bool { return videoType(syntax) != "" }

// videoType returns the media type of a video, PS3.18 table 8.7.3-5, "" for what is none.
func videoType(syntax string) string {
	switch syntax {
	case uid.MPEG2MPML, uid.MPEG2MPMLF, uid.MPEG2MPHL, uid.MPEG2MPHLF:
		return "video/mpeg2"
	case uid.MPEG4HP41, uid.MPEG4HP41F, uid.MPEG4HP41BD, uid.MPEG4HP41BDF, uid.MPEG4HP422D, uid.MPEG4HP422DF, uid.MPEG4HP423D,
		uid.MPEG4HP423DF, uid.MPEG4HP42STEREO, uid.MPEG4HP42STEREOF, uid.HEVCMP51, uid.HEVCM10P51:
		return "video/mp4"
	}
	return ""
}
