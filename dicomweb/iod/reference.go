package iod

import (
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// Instance names a SOP Instance and where it lies.
type Instance struct{ StudyUID, SeriesUID, SOPClassUID, SOPInstanceUID string }

// Reference returns the SOP Instance Reference macro, table 10-11.
func (i Instance) Reference() *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.ReferencedSOPClassUID, i.SOPClassUID)
	d.Set(tag.ReferencedSOPInstanceUID, i.SOPInstanceUID)
	return d
}

// Hierarchical returns the items of the Hierarchical SOP Instance Reference macro (table C.17-3) for instances, each
// once, studies and series in order of first appearance.
func Hierarchical(instances []Instance) []*dicom.Dataset {
	type series struct {
		uid   string
		items []*dicom.Dataset
	}
	type study struct {
		uid    string
		series []*series
	}
	var studies []*study
	studyOf, seriesOf := map[string]*study{}, map[[2]string]*series{}
	seen := make(map[Instance]bool, len(instances))
	for _, i := range instances {
		if seen[i] {
			continue
		}
		seen[i] = true
		st := studyOf[i.StudyUID]
		if st == nil {
			st = &study{uid: i.StudyUID}
			studyOf[i.StudyUID] = st
			studies = append(studies, st)
		}
		key := [2]string{i.StudyUID, i.SeriesUID}
		se := seriesOf[key]
		if se == nil {
			se = &series{uid: i.SeriesUID}
			seriesOf[key] = se
			st.series = append(st.series, se)
		}
		se.items = append(se.items, i.Reference())
	}
	out := make([]*dicom.Dataset, len(studies))
	for n, st := range studies {
		items := make([]*dicom.Dataset, len(st.series))
		for m, se := range st.series {
			items[m] = dicom.New()
			items[m].Set(tag.SeriesInstanceUID, se.uid)
			items[m].SetItems(tag.ReferencedSOPSequence, se.items...)
		}
		out[n] = dicom.New()
		out[n].Set(tag.StudyInstanceUID, st.uid)
		out[n].SetItems(tag.ReferencedSeriesSequence, items...)
	}
	return out
}

// ReadHierarchical returns the instances that a sequence of that macro names.
func ReadHierarchical(items []*dicom.Dataset) []Instance {
	var out []Instance
	for _, st := range items {
		for _, se := range st.Items(tag.ReferencedSeriesSequence) {
			for _, i := range se.Items(tag.ReferencedSOPSequence) {
				out = append(out, Instance{
					StudyUID:       st.String(tag.StudyInstanceUID),
					SeriesUID:      se.String(tag.SeriesInstanceUID),
					SOPClassUID:    i.String(tag.ReferencedSOPClassUID),
					SOPInstanceUID: i.String(tag.ReferencedSOPInstanceUID),
				})
			}
		}
	}
	return out
}

// CommonInstanceReference fills the Common Instance Reference module (C.12.2) for instances of the object's own
// study: one item per series, in order of first appearance.
func CommonInstanceReference(d *dicom.Dataset, instances []Instance) {
	var items []*dicom.Dataset
	for _, study := range Hierarchical(instances) {
		for _, series := range study.Items(tag.ReferencedSeriesSequence) {
			item := dicom.New()
			item.Copy(series, tag.SeriesInstanceUID)
			item.SetItems(tag.ReferencedInstanceSequence, series.Items(tag.ReferencedSOPSequence)...)
			items = append(items, item)
		}
	}
	if len(items) > 0 {
		d.SetItems(tag.ReferencedSeriesSequence, items...)
	}
}
