package ups

import (
	"bufio"
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

// answer writes one data set with status 200.
func (c *call) answer(form mediatype.Offer, ds *dicom.Dataset) error {
	document, err := c.document(form, ds)
	if err != nil {
		return err
	}
	if form.Multipart {
		return c.parts(http.StatusOK, form, []string{c.id}, func(string) ([]byte, error) { return document, nil })
	}
	if form.Media != mediatype.DICOMXML {
		document = append(append([]byte("["), document...), ']')
	}
	c.w.Header().Set("Content-Length", strconv.Itoa(len(document)))
	c.head(http.StatusOK, form.Media)
	_, err = c.w.Write(document)
	return err
}

// answers writes the documents of workitems, each when it has been read, so that many take no more memory than one. Read
// returns nil for one that is to be left out.
func (c *call) answers(status int, form mediatype.Offer, ids []string, read func(id string) ([]byte, error)) error {
	if form.Multipart {
		return c.parts(status, form, ids, read)
	}
	c.head(status, form.Media)
	out := bufio.NewWriter(c.w) // which keeps its first error
	out.WriteString("[")
	separator := ""
	for _, id := range ids {
		document, err := read(id)
		if err != nil {
			return err
		}
		if document == nil {
			continue
		}
		out.WriteString(separator)
		out.Write(document)
		separator = ","
	}
	out.WriteString("]")
	return out.Flush()
}

// parts is answers for XML, a part for each.
func (c *call) parts(status int, form mediatype.Offer, ids []string, read func(id string) ([]byte, error)) error {
	parts := related.NewWriter(c.w)
	c.head(status, parts.ContentType(mediatype.New(form.Media)))
	for _, id := range ids {
		document, err := read(id)
		if err != nil {
			return err
		}
		if document == nil {
			continue
		}
		part, err := parts.Part(related.Header{Type: mediatype.New(form.Media)})
		if err != nil {
			return err
		}
		if _, err := part.Write(document); err != nil {
			return err
		}
	}
	return parts.Close()
}

func (c *call) head(status int, contentType string) {
	c.w.Header().Set("Content-Type", contentType)
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
}

// document writes a data set down as a client may see it.
func (c *call) document(form mediatype.Offer, ds *dicom.Dataset) ([]byte, error) {
	ds.Delete(tag.TransactionUID) // never there; the answer is where it must not be
	absolute(ds, c.base)
	if form.Media == mediatype.DICOMXML {
		return dicom.AppendXML(nil, ds, dicom.JSONOptions{})
	}
	return dicom.AppendJSON(nil, ds, dicom.JSONOptions{})
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
