package commitment

import (
	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// maxReferences bounds how many instances one request names; a large breast study has 20,000.
const maxReferences = 100_000

// request is a Storage Commitment Request Module: instances on their own (Referenced SOP Sequence), by study (Referenced
// Study Sequence), or both. JSON is how it is remembered.
type request struct {
	Instances []reference `json:"i,omitempty"`
	Studies   []reference `json:"s,omitempty"` // with Study and Series
}

type reference struct {
	Class    string `json:"c"`
	Instance string `json:"i"`
	Study    string `json:"s,omitempty"`
	Series   string `json:"e,omitempty"`
}

// parse reads the module. What it names is a reference as a whole or an error: half a reference can not be answered.
func parse(ds *dicom.Dataset) (q request, err error) {
	n := 0
	add := func(list *[]reference, item *dicom.Dataset, class, study, series string) error {
		r := reference{Class: class, Instance: item.String(tag.ReferencedSOPInstanceUID), Study: study, Series: series}
		if class == "" {
			r.Class = item.String(tag.ReferencedSOPClassUID)
		}
		if !uid.Valid(r.Instance) || !uid.Valid(r.Class) {
			return dicomweb.Errorf(dicomweb.BadRequest, "reference %d lacks a valid ReferencedSOPClassUID or ReferencedSOPInstanceUID", n+1)
		}
		if n++; n > maxReferences {
			return dicomweb.Errorf(dicomweb.TooLarge, "one request for storage commitment takes %d instances: ask in parts", maxReferences)
		}
		*list = append(*list, r)
		return nil
	}
	for _, item := range ds.Items(tag.ReferencedSOPSequence) {
		if err := add(&q.Instances, item, "", "", ""); err != nil {
			return q, err
		}
	}
	for _, study := range ds.Items(tag.ReferencedStudySequence) {
		for _, series := range study.Items(tag.ReferencedSeriesSequence) {
			s, e := study.String(tag.StudyInstanceUID), series.String(tag.SeriesInstanceUID)
			if !uid.Valid(s) || !uid.Valid(e) {
				return q, dicomweb.Errorf(dicomweb.BadRequest, "the ReferencedStudySequence lacks a valid StudyInstanceUID or SeriesInstanceUID")
			}
			for _, group := range series.Items(tag.ReferencedInstancesBySOPClassSequence) {
				class := group.String(tag.ReferencedSOPClassUID)
				for _, item := range group.Items(tag.ReferencedInstanceSequence) {
					if err := add(&q.Studies, item, class, s, e); err != nil {
						return q, err
					}
				}
			}
		}
	}
	if n == 0 {
		return q, dicomweb.Errorf(dicomweb.BadRequest, "the request names no instance: ReferencedSOPSequence or ReferencedStudySequence is expected")
	}
	return q, nil
}
