package pm

import (
	"encoding/binary"
	"fmt"
	"math"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
)

// Read takes a Parametric Map of floats apart. pixels is the value of its Float Pixel Data. The grid holds the frames
// that are there, in the direction of the slice normal if they were written so.
func Read(d *dicom.Dataset, pixels []byte) (*Map, error) {
	if class := d.String(tag.SOPClassUID); class != uid.ParametricMapStorage {
		return nil, fmt.Errorf("pm: read SOP class %s, want %s", class, uid.ParametricMapStorage)
	}
	m := &Map{
		Grid: multiframe.Grid{
			Rows: d.IntOr(tag.Rows, 0), Columns: d.IntOr(tag.Columns, 0),
			FrameOfReferenceUID: d.String(tag.FrameOfReferenceUID), PositionReference: d.String(tag.PositionReferenceIndicator),
		},
		Label: d.String(tag.ContentLabel), Description: d.String(tag.ContentDescription), Lossy: multiframe.ReadLossy(d),
	}
	frames := d.Items(tag.PerFrameFunctionalGroupsSequence)
	n := m.Grid.Rows * m.Grid.Columns
	if d.IntOr(tag.BitsAllocated, 0) != 32 || n < 1 || len(frames) < 1 || len(pixels)/4/n < len(frames) {
		return nil, fmt.Errorf("pm: %d bytes for %d frames of %d x %d floats", len(pixels), len(frames), m.Grid.Rows, m.Grid.Columns)
	}
	shared := d.Item(tag.SharedFunctionalGroupsSequence)
	m.readShared(shared)
	m.Source.SeriesUID = d.Item(tag.ReferencedSeriesSequence).String(tag.SeriesInstanceUID)
	for k, f := range frames {
		p := f.Item(tag.PlanePositionSequence).Floats(tag.ImagePositionPatient)
		if len(p) != 3 {
			return nil, fmt.Errorf("pm: frame %d has no position", k+1)
		}
		m.Grid.Positions = append(m.Grid.Positions, [3]float64(p))
		image := f.Item(tag.DerivationImageSequence).Item(tag.SourceImageSequence)
		m.Source.SOPClassUID = image.String(tag.ReferencedSOPClassUID)
		m.Derivation = code.Read(f.Item(tag.DerivationImageSequence).Item(tag.DerivationCodeSequence))
		m.Source.Slices = append(m.Source.Slices, multiframe.Slice{
			SOPInstanceUID: image.String(tag.ReferencedSOPInstanceUID), Frame: image.IntOr(tag.ReferencedFrameNumber, 0),
		})
	}
	m.Data = make([]float32, len(frames)*n)
	for i := range m.Data {
		m.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(pixels[4*i:]))
	}
	return m, nil
}

func (m *Map) readShared(shared *dicom.Dataset) {
	measures := shared.Item(tag.PixelMeasuresSequence)
	copy(m.Grid.PixelSpacingMM[:], measures.Floats(tag.PixelSpacing))
	m.Grid.SliceThicknessMM, _ = measures.Float(tag.SliceThickness)
	m.Grid.SpacingBetweenSlicesMM, _ = measures.Float(tag.SpacingBetweenSlices)
	copy(m.Grid.Orientation[:], shared.Item(tag.PlaneOrientationSequence).Floats(tag.ImageOrientationPatient))
	world := shared.Item(tag.RealWorldValueMappingSequence)
	m.Name = world.String(tag.LUTLabel)
	m.Unit = code.Read(world.Item(tag.MeasurementUnitsCodeSequence))
	m.Quantity = code.Read(world.Item(tag.QuantityDefinitionSequence).Item(tag.ConceptCodeSequence))
}
