package seg

import (
	"fmt"
	"slices"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
)

// frame is a slice of a segment that has voxels.
type frame struct {
	segment, slice int // both from 0
}

// Class returns the SOP Class of the object.
func (s *Segmentation) Class() string {
	if s.LabelMap {
		return uid.LabelMapSegmentationStorage
	}
	return uid.SegmentationStorage
}

// Fill writes the modules of the Segmentation into d, which must have its Study and SOP Instance UIDs already:
// Segmentation Image, Multi-frame Functional Groups and Dimension, Common Instance Reference, Frame of Reference, the
// Pixel Data. Frames are ordered by segment, then by slice.
func (s *Segmentation) Fill(d *dicom.Dataset, now time.Time) error {
	if err := s.validate(); err != nil {
		return fmt.Errorf("seg: %w", err)
	}
	iod.FrameOfReference(d, s.Grid.FrameOfReferenceUID, s.Grid.PositionReference)
	d.SetItems(tag.SharedFunctionalGroupsSequence, s.Grid.Shared())
	s.Source.References(d)
	if s.LabelMap {
		s.labelMap(d, now)
		return nil
	}
	frames := s.frames()
	s.image(d, len(frames), now)
	s.segments(d)
	multiframe.Dimensions(d,
		multiframe.Dimension{Pointer: tag.ReferencedSegmentNumber, Group: tag.SegmentIdentificationSequence, Label: "Segment Number"},
		multiframe.ByPosition())
	d.SetItems(tag.PerFrameFunctionalGroupsSequence, s.perFrame(frames)...)
	d.SetVR(tag.PixelData, dicom.OB, s.pack(frames))
	return nil
}

func (s *Segmentation) frames() []frame {
	var frames []frame
	for n := range s.Segments {
		var ks []int
		for k, p := range s.Segments[n].Planes {
			if p.any() {
				ks = append(ks, k)
			}
		}
		slices.Sort(ks)
		for _, k := range ks {
			frames = append(frames, frame{n, k})
		}
	}
	return frames
}

// image fills the Segmentation Image module, C.8.20.2, without its segments.
func (s *Segmentation) image(d *dicom.Dataset, frames int, now time.Time) {
	d.Set(tag.ImageType, "DERIVED", "PRIMARY")
	d.Set(tag.InstanceNumber, 1)
	d.Set(tag.ContentDate, iod.Date(now))
	d.Set(tag.ContentTime, iod.Time(now))
	d.Set(tag.ContentLabel, s.Label)
	d.Set(tag.ContentDescription, s.Description)
	d.Set(tag.ContentCreatorName, s.Algorithm.Name+"^")
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	d.Set(tag.NumberOfFrames, frames)
	d.Set(tag.Rows, s.Grid.Rows)
	d.Set(tag.Columns, s.Grid.Columns)
	d.Set(tag.BitsAllocated, 1)
	d.Set(tag.BitsStored, 1)
	d.Set(tag.HighBit, 0)
	d.Set(tag.PixelRepresentation, 0)
	s.Lossy.Fill(d)
	d.Set(tag.SegmentationType, "BINARY")
	d.Set(tag.SegmentsOverlap, "YES")
}

func (s *Segmentation) segments(d *dicom.Dataset) {
	items := make([]*dicom.Dataset, len(s.Segments))
	for n := range s.Segments {
		items[n] = s.Segments[n].item(n+1, s.Algorithm)
	}
	d.SetItems(tag.SegmentSequence, items...)
}

// item returns the segment's description, table C.8.20-4.
func (s *Segment) item(number int, a iod.Algorithm) *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.SegmentNumber, number)
	d.Set(tag.SegmentLabel, s.Label)
	if s.Description != "" {
		d.Set(tag.SegmentDescription, s.Description)
	}
	d.Set(tag.SegmentAlgorithmType, "AUTOMATIC")
	d.Set(tag.SegmentAlgorithmName, a.Name)
	d.SetItems(tag.SegmentationAlgorithmIdentificationSequence, a.Identification())
	d.SetItems(tag.SegmentedPropertyCategoryCodeSequence, s.Category.Item())
	d.SetItems(tag.SegmentedPropertyTypeCodeSequence, s.Type.Item())
	if len(s.TypeModifiers) > 0 {
		d.Item(tag.SegmentedPropertyTypeCodeSequence).
			SetItems(tag.SegmentedPropertyTypeModifierCodeSequence, code.Items(s.TypeModifiers...)...)
	}
	if !s.Region.Zero() {
		d.SetItems(tag.AnatomicRegionSequence, s.Region.Item())
		if len(s.RegionModifiers) > 0 {
			d.Item(tag.AnatomicRegionSequence).
				SetItems(tag.AnatomicRegionModifierSequence, code.Items(s.RegionModifiers...)...)
		}
	}
	if s.TrackingUID != "" {
		d.Set(tag.TrackingID, s.TrackingID)
		d.Set(tag.TrackingUID, s.TrackingUID)
	}
	if s.Lab != [3]uint16{} {
		d.Set(tag.RecommendedDisplayCIELabValue, s.Lab[0], s.Lab[1], s.Lab[2])
	}
	return d
}

// pack writes the frames one bit per pixel, the first pixel in the lowest bit, without a gap between frames: a frame
// may begin inside a byte, PS3.5 section 8.1.1 and annex D.
func (s *Segmentation) pack(frames []frame) []byte {
	n := s.Grid.Rows * s.Grid.Columns
	out := make([]byte, (len(frames)*n+15)/16*2) // even length
	for f, fr := range frames {
		at := f * n
		for i, in := range s.Segments[fr.segment].Planes[fr.slice] {
			if in {
				out[(at+i)>>3] |= 1 << uint((at+i)&7)
			}
		}
	}
	return out
}
