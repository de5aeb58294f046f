// Package derived writes a quantity per voxel as a series of derived MR images (MR Image Storage, PS3.3 A.4 and C.8.3), for
// viewers that know no Parametric Map: grey values of 16 bits with a rescale, in the place and the frame of reference of
// the source.
package derived

import (
	"encoding/binary"
	"fmt"
	"math"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
	"mome/dicomweb/pm"
)

// Fill writes the modules of slice n of the map, from 0 in the order of Slices, into d, which must have what all images of
// the series share and its SOP Instance UID.
type Fill func(d *dicom.Dataset, n int)

// Series prepares a map as a series: how many images it has, those of slices with a value, cut to the rectangle of all
// values unless m.Whole, and what writes each. patientPosition is the source's (0018,5100), "" if it is not known. It is an
// error if no voxel has a value.
func Series(m *pm.Map, patientPosition string) (images int, fill Fill, err error) {
	if err := m.Validate(); err != nil {
		return 0, nil, fmt.Errorf("derived: %w", err)
	}
	data := pm.Finite(m.Data)
	box := multiframe.Content(data, m.Grid.Rows, m.Grid.Columns)
	if len(box.Slices) == 0 {
		return 0, nil, fmt.Errorf("derived: no voxel has a value")
	}
	if m.Whole {
		box = multiframe.Whole(len(m.Grid.Positions), m.Grid.Rows, m.Grid.Columns)
	}
	s := &series{m: m, values: box.Values(data, m.Grid.Rows, m.Grid.Columns), patientPosition: patientPosition}
	s.grid, s.source = box.Cut(m.Grid, m.Source)
	s.scale()
	return len(box.Slices), s.fill, nil
}

// series is a map on its way.
type series struct {
	m               *pm.Map
	grid            multiframe.Grid
	source          multiframe.Source
	values          []float32
	slope           float64 // quantity per grey value; 0 stays 0
	shown           float64 // power of ten that viewers' values are the quantity times, see scale
	low, high       float64
	patientPosition string
}

// leastWindow is the least width of the window in the values that viewers show: a linear window (C.11.2.1.2) of less than
// one is none, and VOI LUT Function, by which a narrower one could be said, makes OHIF 3.13.2 fail.
const leastWindow = 100

// scale chooses the slope so that the greatest value has the greatest grey value. It is rounded to what a Decimal String
// holds before anything is divided by it. Small quantities are shown times a power of ten; the Real World Value Mapping
// says them as they are.
func (s *series) scale() {
	most := 0.0
	for _, v := range s.values {
		s.low, s.high = min(s.low, float64(v)), max(s.high, float64(v))
		most = max(most, math.Abs(float64(v)))
	}
	d := dicom.New()
	d.Set(tag.RescaleSlope, most/math.MaxInt16)
	s.slope, _ = d.Float(tag.RescaleSlope)
	s.shown = 1
	for (s.high-s.low)*s.shown < leastWindow && s.shown < 1e12 {
		s.shown *= 10
	}
}

func (s *series) fill(d *dicom.Dataset, n int) {
	s.image(d, n)
	s.plane(d, n)
	iod.FrameOfReference(d, s.grid.FrameOfReferenceUID, s.grid.PositionReference)
	s.m.Lossy.Fill(d)
	// Rescale is not of the MR Image IOD, yet all viewers apply it; the Real World Value Mapping says it by the standard.
	d.Set(tag.RescaleIntercept, 0)
	d.Set(tag.RescaleSlope, s.slope*s.shown)
	d.Set(tag.RescaleType, "US")
	d.Set(tag.WindowCenter, (s.low+s.high)/2*s.shown)
	d.Set(tag.WindowWidth, max((s.high-s.low)*s.shown, 1))
	world := dicom.New()
	world.Set(tag.LUTExplanation, s.m.Description)
	world.Set(tag.LUTLabel, s.m.Name)
	world.SetItems(tag.MeasurementUnitsCodeSequence, s.m.Unit.Item())
	world.SetVR(tag.RealWorldValueFirstValueMapped, dicom.SS, -math.MaxInt16)
	world.SetVR(tag.RealWorldValueLastValueMapped, dicom.SS, math.MaxInt16)
	world.Set(tag.RealWorldValueIntercept, 0)
	world.Set(tag.RealWorldValueSlope, s.slope)
	world.SetItems(tag.QuantityDefinitionSequence, pm.Quantity(s.m.Quantity))
	d.SetItems(tag.RealWorldValueMappingSequence, world)
	d.SetVR(tag.PixelData, dicom.OW, s.pixels(n))
}

// image fills the General Image, Image Pixel and MR Image modules: a computed image has no sequence of its own.
func (s *series) image(d *dicom.Dataset, n int) {
	d.Set(tag.ImageType, "DERIVED", "SECONDARY", "OTHER")
	d.Set(tag.InstanceNumber, n+1)
	d.Set(tag.DerivationDescription, s.m.Description)
	d.SetItems(tag.DerivationCodeSequence, s.m.Derivation.Item())
	if image := s.source.Image(n); image != nil {
		d.SetItems(tag.SourceImageSequence, image)
	}
	d.Set(tag.BurnedInAnnotation, "NO")
	d.SetItems(tag.AnatomicRegionSequence, code.Breast.Item())
	d.Set(tag.ImageLaterality, s.m.Side())
	d.Set(tag.PatientPosition, s.patientPosition)
	d.Set(tag.ScanningSequence, "RM")
	d.Set(tag.SequenceVariant, "NONE")
	d.Set(tag.ScanOptions)
	d.Set(tag.MRAcquisitionType)
	d.Set(tag.RepetitionTime)
	d.Set(tag.EchoTime)
	d.Set(tag.EchoTrainLength)
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	d.Set(tag.Rows, s.grid.Rows)
	d.Set(tag.Columns, s.grid.Columns)
	d.Set(tag.BitsAllocated, 16)
	d.Set(tag.BitsStored, 16)
	d.Set(tag.HighBit, 15)
	d.Set(tag.PixelRepresentation, 1)
}

// plane fills the Image Plane module, C.7.6.2.
func (s *series) plane(d *dicom.Dataset, n int) {
	g, p := &s.grid, s.grid.Positions[n]
	d.Set(tag.SliceThickness, g.SliceThicknessMM)
	if g.SpacingBetweenSlicesMM > 0 {
		d.Set(tag.SpacingBetweenSlices, g.SpacingBetweenSlicesMM)
	}
	d.Set(tag.PixelSpacing, g.PixelSpacingMM[0], g.PixelSpacingMM[1])
	o := g.Orientation
	d.Set(tag.ImageOrientationPatient, o[0], o[1], o[2], o[3], o[4], o[5])
	d.Set(tag.ImagePositionPatient, p[0], p[1], p[2])
}

// pixels returns the grey values of an image.
func (s *series) pixels(n int) []byte {
	size := s.grid.Rows * s.grid.Columns
	out := make([]byte, 0, 2*size)
	for _, v := range s.values[n*size : (n+1)*size] {
		grey := math.Round(float64(v) / s.slope)
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(min(max(grey, -math.MaxInt16), math.MaxInt16))))
	}
	return out
}
