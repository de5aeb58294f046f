package qido

import (
	"bytes"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// encode returns the results and their Content-Type: one array in JSON, a part for each in XML (PS3.18 section 8.7.3.2).
func (s *Service) encode(results []*dicom.Dataset, offer mediatype.Offer) (body []byte, contentType string, err error) {
	if offer.Media == mediatype.DICOMXML {
		return s.xml(results)
	}
	for i, ds := range results {
		if body, err = dicom.AppendJSON(append(body, "[,"[min(i, 1)]), ds, dicom.JSONOptions{}); err != nil {
			return nil, "", err
		}
		if len(body) > s.cfg.MaxBytes {
			return nil, "", s.tooBroad()
		}
	}
	return append(body, ']'), offer.Media, nil
}

func (s *Service) xml(results []*dicom.Dataset) (body []byte, contentType string, err error) {
	var buf bytes.Buffer
	var one []byte
	media := mediatype.New(mediatype.DICOMXML)
	m := related.NewWriter(&buf)
	for _, ds := range results {
		if one, err = dicom.AppendXML(one[:0], ds, dicom.JSONOptions{}); err != nil {
			return nil, "", err
		}
		part, err := m.Part(related.Header{Type: media})
		if err != nil {
			return nil, "", err
		}
		part.Write(one) // a buffer: no error
		if buf.Len() > s.cfg.MaxBytes {
			return nil, "", s.tooBroad()
		}
	}
	err = m.Close()
	return buf.Bytes(), m.ContentType(media), err
}

func (s *Service) tooBroad() error {
	return dicomweb.Errorf(dicomweb.TooLarge, "the answer would have more than %d bytes: ask for fewer results with limit and offset, or for fewer attributes", s.cfg.MaxBytes)
}
