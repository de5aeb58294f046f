package seg

import (
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
)

// perFrame returns the functional groups of each frame.
func (s *Segmentation) perFrame(frames []frame) []*dicom.Dataset {
	var ks []int
	for _, f := range frames {
		ks = append(ks, f.slice)
	}
	rank := multiframe.Ranks(ks)
	items := make([]*dicom.Dataset, len(frames))
	for n, f := range frames {
		identification := dicom.New()
		identification.Set(tag.ReferencedSegmentNumber, f.segment+1)
		items[n] = s.Grid.Frame(&s.Source, f.slice, code.Segmentation, f.segment+1, rank[f.slice])
		items[n].SetItems(tag.SegmentIdentificationSequence, identification)
	}
	return items
}
