package ups

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/mediatype"
)

// readOne reads the one data set of a request: an array of one object, or the object (PS3.18 annex F).
func readOne(r *http.Request) (*dicom.Dataset, error) {
	ds, err := readOptional(r)
	if err == nil && ds.Len() == 0 {
		err = dicomweb.Errorf(dicomweb.BadRequest, "the body is empty: a data set as %s is expected", mediatype.DICOMJSON)
	}
	return ds, err
}

// readOptional is readOne for a request that may come without a body: the data set is empty then.
func readOptional(r *http.Request) (*dicom.Dataset, error) {
	body := io.Reader(r.Body)
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, dicomweb.Errorf(dicomweb.BadRequest, "the body is not gzip, as Content-Encoding says")
		}
		body = z
	default:
		return nil, dicomweb.Errorf(dicomweb.UnsupportedMedia, "Content-Encoding must be gzip or absent")
	}
	first := [1]byte{}
	if _, err := io.ReadFull(body, first[:]); errors.Is(err, io.EOF) {
		return dicom.New(), nil
	} else if err != nil {
		return nil, badBody(err)
	}
	media, err := mediatype.Parse(r.Header.Get("Content-Type"))
	if err != nil || media.Name != mediatype.DICOMJSON && media.Name != mediatype.JSON {
		return nil, dicomweb.Errorf(dicomweb.UnsupportedMedia, "the body must be %s, and Content-Type must say so", mediatype.DICOMJSON)
	}
	return parse(io.MultiReader(strings.NewReader(string(first[:])), body))
}

// parse reads one data set and never more than bodyLimits allow.
func parse(body io.Reader) (*dicom.Dataset, error) {
	read, err := dicom.ParseJSON(body, bodyLimits)
	if err != nil {
		return nil, badBody(err)
	}
	if len(read) != 1 {
		return nil, dicomweb.Errorf(dicomweb.BadRequest, "one data set is expected, the body holds %d", len(read))
	}
	return read[0], nil
}

// badBody words the error of a body that cannot be read.
func badBody(err error) error {
	var format *dicom.FormatError
	switch {
	case errors.As(err, &format) && format.Limit():
		return dicomweb.Errorf(dicomweb.TooLarge, "the data set is larger than a workitem may be: %s", format.Reason)
	case errors.As(err, &format):
		return dicomweb.Errorf(dicomweb.BadRequest, "the body cannot be read: %s", format.Error())
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF):
		return dicomweb.Errorf(dicomweb.BadRequest, "the body ends early or is damaged")
	}
	return err
}

// choose finds the representation that the client wants.
func choose(r *http.Request, _ bool) (mediatype.Offer, error) {
	n, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return mediatype.Offer{}, dicomweb.Errorf(dicomweb.NotAcceptable, "workitems are answered as %s", mediatype.DICOMJSON)
	}
	return offers[n], nil
}

// answer writes data sets.
func (c *call) answer(status int, form mediatype.Offer, list []*dicom.Dataset) error {
	body := []byte{}
	for n, ds := range list {
		body = append(body, "[,"[min(n, 1)])
		ds.Delete(tag.TransactionUID) // never there; the answer is where it must not be
		absolute(ds, c.base)
		var err error
		if body, err = dicom.AppendJSON(body, ds, dicom.JSONOptions{}); err != nil {
			return err
		}
	}
	body = append(body, ']')
	h := c.w.Header()
	h.Set("Content-Type", form.Media)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, err := c.w.Write(body)
	return err
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
