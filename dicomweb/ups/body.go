package ups

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/mediatype"
)

// readOne reads the one data set of a request: as JSON an array of one object, or the object (PS3.18 annex F), or a document of
// the Native DICOM Model.
func readOne(r *http.Request) (*dicom.Dataset, error) {
	ds, err := readOptional(r)
	if err == nil && ds.Len() == 0 {
		err = dicomweb.Errorf(dicomweb.BadRequest, "the body is empty: a data set as %s or %s is expected", mediatype.DICOMJSON, mediatype.DICOMXML)
	}
	return ds, err
}

// readOptional is readOne for a request that may come without a body: the data set is empty then.
func readOptional(r *http.Request) (*dicom.Dataset, error) {
	body := io.Reader(r.Body)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
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
	media, _ := mediatype.Parse(r.Header.Get("Content-Type")) // what cannot be read is none of the types
	return parse(media.Name, io.MultiReader(bytes.NewReader(first[:]), body))
}

// parse reads one data set and never more than bodyLimits allow.
func parse(media string, body io.Reader) (*dicom.Dataset, error) {
	switch media {
	case mediatype.DICOMXML:
		ds, err := dicom.ParseXML(body, bodyLimits)
		if err != nil {
			return nil, badBody(err)
		}
		return ds, nil
	case mediatype.DICOMJSON, mediatype.JSON:
	default:
		return nil, dicomweb.Errorf(dicomweb.UnsupportedMedia, "the body must be %s or %s, and Content-Type must say so", mediatype.DICOMJSON, mediatype.DICOMXML)
	}
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
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &format) && format.Limit():
		return dicomweb.Errorf(dicomweb.TooLarge, "the data set is larger than a workitem may be: %s", format.Reason)
	case errors.As(err, &format):
		return dicomweb.Errorf(dicomweb.BadRequest, "the body cannot be read: %s", format.Error())
	case errors.As(err, &corrupt), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF):
		return dicomweb.Errorf(dicomweb.BadRequest, "the body ends early or is damaged")
	}
	return err
}
