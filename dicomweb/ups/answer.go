package ups

import (
	"net/http"
	"strconv"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// choose finds the representation that the client wants, of one workitem or of many: XML has one document for each, which
// many are parts of a multipart body for.
func choose(r *http.Request, many bool) (mediatype.Offer, error) {
	offers := []mediatype.Offer{{Media: mediatype.DICOMJSON}, {Media: mediatype.JSON}, {Media: mediatype.DICOMXML, Multipart: true}}
	if !many {
		offers = append(offers, mediatype.Offer{Media: mediatype.DICOMXML})
	}
	n, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return mediatype.Offer{}, dicomweb.Errorf(dicomweb.NotAcceptable, "workitems are answered as %s, or %s with parts of %s", mediatype.DICOMJSON, mediatype.Related, mediatype.DICOMXML)
	}
	return offers[n], nil
}

// answer writes data sets.
func (c *call) answer(status int, form mediatype.Offer, list []*dicom.Dataset) error {
	for _, ds := range list {
		ds.Delete(tag.TransactionUID) // never there; the answer is where it must not be
		absolute(ds, c.base)
	}
	c.w.Header().Set("Cache-Control", "no-store")
	if form.Media == mediatype.DICOMXML {
		return c.documents(status, form, list)
	}
	body := []byte{}
	for n, ds := range list {
		var err error
		if body, err = dicom.AppendJSON(append(body, "[,"[min(n, 1)]), ds, dicom.JSONOptions{}); err != nil {
			return err
		}
	}
	return c.write(status, form.Media, append(body, ']'))
}

func (c *call) write(status int, contentType string, body []byte) error {
	c.w.Header().Set("Content-Type", contentType)
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, err := c.w.Write(body)
	return err
}

// documents writes data sets as XML: the one, or a part for each.
func (c *call) documents(status int, form mediatype.Offer, list []*dicom.Dataset) error {
	documents := make([][]byte, len(list))
	headers, sizes := make([]related.Header, len(list)), make([]int64, len(list))
	for n, ds := range list {
		var err error
		if documents[n], err = dicom.AppendXML(nil, ds, dicom.JSONOptions{}); err != nil {
			return err
		}
		headers[n], sizes[n] = related.Header{Type: mediatype.New(mediatype.DICOMXML)}, int64(len(documents[n]))
	}
	if !form.Multipart {
		return c.write(status, mediatype.DICOMXML, documents[0])
	}
	parts := related.NewWriter(c.w)
	c.w.Header().Set("Content-Type", parts.ContentType(mediatype.New(mediatype.DICOMXML)))
	c.w.Header().Set("Content-Length", strconv.FormatInt(parts.Size(headers, sizes), 10))
	c.w.WriteHeader(status)
	for n, document := range documents {
		part, err := parts.Part(headers[n])
		if err != nil {
			return err
		}
		if _, err := part.Write(document); err != nil {
			return err
		}
	}
	return parts.Close()
}

// absolute makes the node's own Retrieve URLs those that the client can reach: a node writes them as paths below its root,
// for it is reached under several names.
func absolute(ds *dicom.Dataset, base string) {
	for e := range ds.All() {
		if e.Tag == tag.RetrieveURL && len(e.Value) > 0 && e.Value[0] == '/' {
			ds.Set(tag.RetrieveURL, base+strings.TrimRight(string(e.Value), " \x00"))
		}
		for _, item := range e.Items {
			absolute(item, base)
		}
	}
}
