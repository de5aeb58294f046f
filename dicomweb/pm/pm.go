// Package pm writes and reads Parametric Maps of 32-bit floats (PS3.3 A.75, C.8.32): a quantity per voxel on the slices of
// a source series. What has no value holds 0. It knows neither what is mapped nor how it is shown.
package pm

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
)

// Map is a quantity on a grid.
type Map struct {
	Grid        multiframe.Grid
	Source      multiframe.Source
	Data        []float32 // [slice, row, column], column fastest; values that are not finite are written as 0
	Quantity    code.Code
	Unit        code.Code // UCUM
	Derivation  code.Code // how it was made of the source images, CID 7203
	Name        string    // LUT Label, at most 16 characters
	Label       string    // Content Label, at most 16 upper-case letters, digits, spaces and underscores
	Description string    // Content Description, at most 64 characters
	Creator     string    // who computed it, for Content Creator's Name
	Laterality  string    // of the breasts that are shown: "L", "R" or "B", also when it is empty
	Lossy       multiframe.Lossy
	// Whole writes every slice in full, with Rows and Columns of the source, as one common viewer needs it, and takes the
	// space of the whole volume. Otherwise slices without a value are left out, and the others are cut to the rectangle
	// that holds all values.
	Whole bool
}

// Fill writes the modules of a Parametric Map into d, which must have its Study and SOP Instance UIDs already. It is an
// error if no voxel has a value.
func (m *Map) Fill(d *dicom.Dataset, now time.Time) error {
	if err := m.Validate(); err != nil {
		return fmt.Errorf("pm: %w", err)
	}
	data := Finite(m.Data)
	box := multiframe.Content(data, m.Grid.Rows, m.Grid.Columns)
	if len(box.Slices) == 0 {
		return fmt.Errorf("pm: no voxel has a value")
	}
	if m.Whole {
		box = multiframe.Whole(len(m.Grid.Positions), m.Grid.Rows, m.Grid.Columns)
	}
	values := box.Values(data, m.Grid.Rows, m.Grid.Columns)
	grid, source := box.Cut(m.Grid, m.Source)
	m.image(d, &grid, values, now)
	iod.FrameOfReference(d, grid.FrameOfReferenceUID, grid.PositionReference)
	multiframe.Dimensions(d, multiframe.ByPosition())
	d.SetItems(tag.SharedFunctionalGroupsSequence, m.shared(&grid, values))
	frames := make([]*dicom.Dataset, len(grid.Positions))
	for k := range frames {
		frames[k] = grid.Frame(&source, k, m.Derivation, k+1)
	}
	d.SetItems(tag.PerFrameFunctionalGroupsSequence, frames...)
	m.Source.References(d)
	pixels := make([]byte, 0, 4*len(values))
	for _, v := range values {
		pixels = binary.LittleEndian.AppendUint32(pixels, math.Float32bits(v))
	}
	d.SetVR(tag.FloatPixelData, dicom.OF, pixels)
	return nil
}

// Validate returns an error that names what cannot be written.
func (m *Map) Validate() error {
	if err := m.Grid.Validate(); err != nil {
		return err
	}
	switch slices := len(m.Grid.Positions); {
	case len(m.Source.Slices) != slices:
		return fmt.Errorf("%d source slices for %d positions", len(m.Source.Slices), slices)
	case len(m.Data) != slices*m.Grid.Rows*m.Grid.Columns:
		return fmt.Errorf("%d values for %d slices of %d x %d", len(m.Data), slices, m.Grid.Rows, m.Grid.Columns)
	case m.Quantity.Zero() || m.Unit.Zero() || m.Derivation.Zero():
		return fmt.Errorf("no quantity, unit or derivation")
	case m.Name == "" || len(m.Name) > 16:
		return fmt.Errorf("name %q is empty or has more than 16 characters", m.Name)
	}
	return nil
}

// Side returns the laterality of what is shown.
func (m *Map) Side() string { return cmp.Or(m.Laterality, "B") }

// Finite returns data with 0 in the place of what is no number.
func Finite(data []float32) []float32 {
	out := make([]float32, len(data))
	for i, v := range data {
		if v-v == 0 { // neither NaN nor infinite
			out[i] = v
		}
	}
	return out
}

// image fills the Parametric Map Image and Floating Point Image Pixel modules, C.8.32.2 and C.7.6.24.
func (m *Map) image(d *dicom.Dataset, grid *multiframe.Grid, values []float32, now time.Time) {
	d.Set(tag.ImageType, "DERIVED", "PRIMARY", "VOLUME", "QUANTITY")
	d.Set(tag.InstanceNumber, 1)
	d.Set(tag.ContentDate, iod.Date(now))
	d.Set(tag.ContentTime, iod.Time(now))
	d.Set(tag.ContentLabel, m.Label)
	d.Set(tag.ContentDescription, m.Description)
	d.Set(tag.ContentCreatorName, m.Creator+"^")
	d.Set(tag.ContentQualification, "RESEARCH")
	d.Set(tag.BurnedInAnnotation, "NO")
	d.Set(tag.RecognizableVisualFeatures, "NO")
	d.Set(tag.PresentationLUTShape, "IDENTITY")
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	d.Set(tag.NumberOfFrames, len(grid.Positions))
	d.Set(tag.Rows, grid.Rows)
	d.Set(tag.Columns, grid.Columns)
	d.Set(tag.BitsAllocated, 32)
	d.SetItems(tag.AcquisitionContextSequence)
	m.Lossy.Fill(d)
}

// shared returns the functional groups of all frames: where they lie, what they show, in which unit, and a window over
// the values.
func (m *Map) shared(grid *multiframe.Grid, values []float32) *dicom.Dataset {
	low, high := values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	d := grid.Shared()
	kind := dicom.New()
	kind.Set(tag.FrameType, "DERIVED", "PRIMARY", "VOLUME", "QUANTITY")
	d.SetItems(tag.ParametricMapFrameTypeSequence, kind)
	anatomy := dicom.New()
	anatomy.Set(tag.FrameLaterality, m.Side())
	anatomy.SetItems(tag.AnatomicRegionSequence, code.Breast.Item())
	d.SetItems(tag.FrameAnatomySequence, anatomy)
	identity := dicom.New()
	identity.Set(tag.RescaleIntercept, 0)
	identity.Set(tag.RescaleSlope, 1)
	identity.Set(tag.RescaleType, "US") // unspecified
	d.SetItems(tag.PixelValueTransformationSequence, identity)
	window := dicom.New()
	window.Set(tag.WindowCenter, float64(low+high)/2)
	window.Set(tag.WindowWidth, float64(high-low))
	if low == high {
		window.Set(tag.WindowWidth, 1)
	}
	window.Set(tag.VOILUTFunction, "LINEAR_EXACT") // LINEAR needs a width of 1 or more, C.11.2.1.3
	d.SetItems(tag.FrameVOILUTSequence, window)
	d.SetItems(tag.RealWorldValueMappingSequence, m.realWorld(low, high))
	return d
}

// realWorld maps stored values to the quantity: they are the same, C.7.6.16.2.11.
func (m *Map) realWorld(low, high float32) *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.LUTExplanation, m.Description)
	d.Set(tag.LUTLabel, m.Name)
	d.SetItems(tag.MeasurementUnitsCodeSequence, m.Unit.Item())
	d.Set(tag.DoubleFloatRealWorldValueFirstValueMapped, float64(low))
	d.Set(tag.DoubleFloatRealWorldValueLastValueMapped, float64(high))
	d.Set(tag.RealWorldValueIntercept, 0)
	d.Set(tag.RealWorldValueSlope, 1)
	d.SetItems(tag.QuantityDefinitionSequence, Quantity(m.Quantity))
	return d
}

// Quantity returns the item of Quantity Definition Sequence that names a quantity, C.7.6.16.2.11.1.
func Quantity(c code.Code) *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.ValueType, "CODE")
	d.SetItems(tag.ConceptNameCodeSequence, code.Quantity.Item())
	d.SetItems(tag.ConceptCodeSequence, c.Item())
	return d
}
