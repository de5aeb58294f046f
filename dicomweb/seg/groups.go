package seg

import (
	"slices"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
)

// shared returns what all frames have in common: Pixel Measures and Plane Orientation, C.7.6.16.2.1 and .4.
func (s *Segmentation) shared() *dicom.Dataset {
	g := &s.Grid
	measures := dicom.New()
	measures.Set(tag.SliceThickness, g.SliceThicknessMM)
	if g.SpacingBetweenSlicesMM > 0 {
		measures.Set(tag.SpacingBetweenSlices, g.SpacingBetweenSlicesMM)
	}
	measures.Set(tag.PixelSpacing, g.PixelSpacingMM[0], g.PixelSpacingMM[1])
	orientation := dicom.New()
	orientation.Set(tag.ImageOrientationPatient, anys(g.Orientation[:])...)
	d := dicom.New()
	d.SetItems(tag.PixelMeasuresSequence, measures)
	d.SetItems(tag.PlaneOrientationSequence, orientation)
	return d
}

// perFrame returns the functional groups of each frame.
func (s *Segmentation) perFrame(frames []frame) []*dicom.Dataset {
	// The index of a position is its rank among those that have a frame: values run from 1 without a gap.
	var ks []int
	for _, f := range frames {
		ks = append(ks, f.slice)
	}
	slices.Sort(ks)
	ks = slices.Compact(ks)
	rank := make(map[int]int, len(ks))
	for n, k := range ks {
		rank[k] = n + 1
	}
	items := make([]*dicom.Dataset, len(frames))
	for n, f := range frames {
		content := dicom.New()
		content.Set(tag.DimensionIndexValues, f.segment+1, rank[f.slice])
		p := s.Grid.Positions[f.slice]
		position := dicom.New()
		position.Set(tag.ImagePositionPatient, p[0], p[1], p[2])
		identification := dicom.New()
		identification.Set(tag.ReferencedSegmentNumber, f.segment+1)
		items[n] = dicom.New()
		items[n].SetItems(tag.FrameContentSequence, content)
		items[n].SetItems(tag.PlanePositionSequence, position)
		items[n].SetItems(tag.SegmentIdentificationSequence, identification)
		items[n].SetItems(tag.DerivationImageSequence, s.derivation(f.slice)...)
	}
	return items
}

// derivation returns the Derivation Image macro (C.7.6.16.2.6) of slice k: none for a slice without a source image.
func (s *Segmentation) derivation(k int) []*dicom.Dataset {
	slice := s.Source.Slices[k]
	if slice.SOPInstanceUID == "" {
		return nil
	}
	source := dicom.New()
	source.Set(tag.ReferencedSOPClassUID, s.Source.SOPClassUID)
	source.Set(tag.ReferencedSOPInstanceUID, slice.SOPInstanceUID)
	if slice.Frame > 0 {
		source.Set(tag.ReferencedFrameNumber, slice.Frame)
	}
	source.SetItems(tag.PurposeOfReferenceCodeSequence, code.SourceImage.Item())
	source.Set(tag.SpatialLocationsPreserved, "YES")
	d := dicom.New()
	d.SetItems(tag.SourceImageSequence, source)
	d.SetItems(tag.DerivationCodeSequence, code.Segmentation.Item())
	return []*dicom.Dataset{d}
}
