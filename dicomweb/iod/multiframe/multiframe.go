// Package multiframe holds what objects have in common whose frames lie on the slices of a source series: where the pixels
// are, which image each slice was made from, and the functional groups and dimensions that say so (PS3.3 C.7.6.16 and
// C.7.6.17). Segmentations, Parametric Maps and derived images are written from it.
package multiframe

import (
	"fmt"
	"slices"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
)

// Grid is where the pixels lie: patient space, mm, +x left, +y posterior, +z head.
type Grid struct {
	Rows, Columns          int
	Orientation            [6]float64   // unit vectors along a row and down a column, Image Orientation (Patient)
	PixelSpacingMM         [2]float64   // mm between rows, mm between columns, as Pixel Spacing orders them
	SliceThicknessMM       float64      // mm
	SpacingBetweenSlicesMM float64      // mm between slice centres; 0 if unknown, as for a single slice
	Positions              [][3]float64 // mm, the centre of the first pixel of each slice
	FrameOfReferenceUID    string
	PositionReference      string // Position Reference Indicator, often empty
}

// Validate returns an error that names what cannot be written.
func (g *Grid) Validate() error {
	switch {
	case g.Rows < 1 || g.Columns < 1 || g.Rows > 65535 || g.Columns > 65535:
		return fmt.Errorf("%d rows of %d columns", g.Rows, g.Columns)
	case !(g.PixelSpacingMM[0] > 0 && g.PixelSpacingMM[1] > 0 && g.SliceThicknessMM > 0):
		return fmt.Errorf("spacing %v mm, thickness %v mm", g.PixelSpacingMM, g.SliceThicknessMM)
	}
	return nil
}

// Source is the series that a derived object was made from.
type Source struct {
	SeriesUID   string
	SOPClassUID string
	Slices      []Slice // of each slice of the Grid
}

// Slice is a slice's image; zero for a slice that was made from several.
type Slice struct {
	SOPInstanceUID string
	Frame          int // from 1; 0 for a single-frame image
}

// Lossy tells of lossy compression that the source images went through, PS3.3 C.7.6.1.1.5.
type Lossy struct {
	Compressed bool
	Ratios     []float64
	Methods    []string // CS
}

// Fill writes it: an object that was derived from images which lost something has lost it too.
func (l Lossy) Fill(d *dicom.Dataset) {
	if !l.Compressed {
		d.Set(tag.LossyImageCompression, "00")
		return
	}
	d.Set(tag.LossyImageCompression, "01")
	d.Set(tag.LossyImageCompressionRatio, anys(l.Ratios)...)
	d.Set(tag.LossyImageCompressionMethod, anys(l.Methods)...)
}

// ReadLossy is the inverse of Fill.
func ReadLossy(d *dicom.Dataset) Lossy {
	if d.String(tag.LossyImageCompression) != "01" {
		return Lossy{}
	}
	return Lossy{true, d.Floats(tag.LossyImageCompressionRatio), d.Strings(tag.LossyImageCompressionMethod)}
}

// Shared returns what all frames have in common: Pixel Measures and Plane Orientation, C.7.6.16.2.1 and .4.
func (g *Grid) Shared() *dicom.Dataset {
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

// Frame returns the functional groups of a frame on slice k: its indices along the dimensions, its position, and the image
// that it was derived from.
func (g *Grid) Frame(s *Source, k int, derivation code.Code, indices ...int) *dicom.Dataset {
	content := dicom.New()
	content.Set(tag.DimensionIndexValues, anys(indices)...)
	p := g.Positions[k]
	position := dicom.New()
	position.Set(tag.ImagePositionPatient, p[0], p[1], p[2])
	d := dicom.New()
	d.SetItems(tag.FrameContentSequence, content)
	d.SetItems(tag.PlanePositionSequence, position)
	if image := s.Image(k); image != nil {
		item := dicom.New()
		item.SetItems(tag.SourceImageSequence, image)
		item.SetItems(tag.DerivationCodeSequence, derivation.Item())
		d.SetItems(tag.DerivationImageSequence, item)
	} else {
		d.SetItems(tag.DerivationImageSequence)
	}
	return d
}

// Image returns an item of Source Image Sequence for slice k, nil for a slice without a source image.
func (s *Source) Image(k int) *dicom.Dataset {
	slice := s.Slices[k]
	if slice.SOPInstanceUID == "" {
		return nil
	}
	d := dicom.New()
	d.Set(tag.ReferencedSOPClassUID, s.SOPClassUID)
	d.Set(tag.ReferencedSOPInstanceUID, slice.SOPInstanceUID)
	if slice.Frame > 0 {
		d.Set(tag.ReferencedFrameNumber, slice.Frame)
	}
	d.SetItems(tag.PurposeOfReferenceCodeSequence, code.SourceImage.Item())
	d.Set(tag.SpatialLocationsPreserved, "YES")
	return d
}

// References fills the Common Instance Reference module with all slices of the source: viewers open the source series
// from it.
func (s *Source) References(d *dicom.Dataset) {
	var instances []iod.Instance
	for _, slice := range s.Slices {
		if slice.SOPInstanceUID != "" {
			instances = append(instances, iod.Instance{
				StudyUID:       d.String(tag.StudyInstanceUID),
				SeriesUID:      s.SeriesUID,
				SOPClassUID:    s.SOPClassUID,
				SOPInstanceUID: slice.SOPInstanceUID,
			})
		}
	}
	iod.CommonInstanceReference(d, instances)
}

// Dimension is an attribute that frames are indexed by.
type Dimension struct {
	Pointer, Group tag.Tag // the attribute and the functional group that it stands in
	Label          string
}

// ByPosition is the dimension of slices.
func ByPosition() Dimension {
	return Dimension{tag.ImagePositionPatient, tag.PlanePositionSequence, "Image Position Patient"}
}

// Dimensions fills the Multi-frame Dimension module, C.7.6.17, of an object that has its SOP Instance UID.
func Dimensions(d *dicom.Dataset, dimensions ...Dimension) {
	organization := uid.From("dimension organization", d.String(tag.SOPInstanceUID))
	item := dicom.New()
	item.Set(tag.DimensionOrganizationUID, organization)
	d.SetItems(tag.DimensionOrganizationSequence, item)
	items := make([]*dicom.Dataset, len(dimensions))
	for n, dim := range dimensions {
		items[n] = dicom.New()
		items[n].Set(tag.DimensionOrganizationUID, organization)
		items[n].Set(tag.DimensionIndexPointer, dim.Pointer)
		items[n].Set(tag.FunctionalGroupPointer, dim.Group)
		items[n].Set(tag.DimensionDescriptionLabel, dim.Label)
	}
	d.SetItems(tag.DimensionIndexSequence, items...)
}

// Ranks numbers slices by their rank among those that have a frame: index values run from 1 without a gap.
func Ranks(ks []int) map[int]int {
	ks = slices.Compact(slices.Sorted(slices.Values(ks)))
	rank := make(map[int]int, len(ks))
	for n, k := range ks {
		rank[k] = n + 1
	}
	return rank
}

func anys[T any](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
