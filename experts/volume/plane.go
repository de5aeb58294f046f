package volume

import (
	"fmt"
	"math"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// GeometryError says why slices do not make a volume. Its text names the attribute or the gap, never the patient.
type GeometryError struct{ Text string }

func (e *GeometryError) Error() string { return e.Text }

func geometryErrorf(format string, args ...any) error {
	return &GeometryError{Text: fmt.Sprintf(format, args...)}
}

// maxSide bounds the rows and columns of an image; the attribute itself ends at 65535.
const maxSide = 1 << 14

// Plane is the geometry of one image plane, PS3.3 C.7.6.2.1.1.
type Plane struct {
	Columns, Rows    int
	Position         Vec        // mm, the centre of the first pixel
	Axis             [2]Vec     // unit directions along a row (i, over the columns) and down a column (j, over the rows)
	SpacingMM        [2]float64 // mm between pixel centres along i and j
	ThicknessMM      float64    // Slice Thickness, 0 if absent
	FrameOfReference string     // Frame of Reference UID, "" if absent
}

// Normal returns the unit direction of i x j. Slices are counted along it, so that every volume is right-handed.
func (p *Plane) Normal() Vec { return p.Axis[0].Cross(p.Axis[1]) }

// FunctionalGroup returns the item of a functional group sequence that holds for a frame (counted from 1) of an
// enhanced object: the frame's own, else the shared one (PS3.3 C.7.6.16.1); nil where there is neither.
func FunctionalGroup(header *dicom.Dataset, frame int, sequence tag.Tag) *dicom.Dataset {
	if frames := header.Items(tag.PerFrameFunctionalGroupsSequence); frame >= 1 && frame <= len(frames) {
		if g := frames[frame-1].Item(sequence); g != nil {
			return g
		}
	}
	return header.Item(tag.SharedFunctionalGroupsSequence).Item(sequence)
}

// grouped returns the data set that holds t for a frame: the functional group where it has t, else the header.
func grouped(header *dicom.Dataset, frame int, sequence, t tag.Tag) *dicom.Dataset {
	if g := FunctionalGroup(header, frame, sequence); g.Has(t) {
		return g
	}
	return header
}

// PlaneOf reads the plane of a frame: frame counts from 1, 0 means the image of a single-frame object. The error is
// a GeometryError that names what is missing or malformed.
func PlaneOf(header *dicom.Dataset, frame int) (Plane, error) {
	p := Plane{
		Columns:          header.IntOr(tag.Columns, 0),
		Rows:             header.IntOr(tag.Rows, 0),
		FrameOfReference: header.String(tag.FrameOfReferenceUID),
	}
	if p.Columns < 1 || p.Rows < 1 || p.Columns > maxSide || p.Rows > maxSide {
		return Plane{}, geometryErrorf("Rows and Columns are missing or out of range: %d x %d", p.Rows, p.Columns)
	}
	position := grouped(header, frame, tag.PlanePositionSequence, tag.ImagePositionPatient).Floats(tag.ImagePositionPatient)
	if len(position) != 3 || !finite(position...) {
		return Plane{}, geometryErrorf("Image Position (Patient) is missing or malformed")
	}
	p.Position = Vec(position)
	if err := p.orient(grouped(header, frame, tag.PlaneOrientationSequence, tag.ImageOrientationPatient)); err != nil {
		return Plane{}, err
	}
	spacing := grouped(header, frame, tag.PixelMeasuresSequence, tag.PixelSpacing).Floats(tag.PixelSpacing)
	if len(spacing) != 2 || !finite(spacing...) || spacing[0] <= 0 || spacing[1] <= 0 {
		return Plane{}, geometryErrorf("Pixel Spacing is missing or malformed")
	}
	p.SpacingMM = [2]float64{spacing[1], spacing[0]} // the attribute gives the distance of rows first
	measures := grouped(header, frame, tag.PixelMeasuresSequence, tag.SliceThickness)
	if mm, ok := measures.Float(tag.SliceThickness); ok && mm > 0 {
		p.ThicknessMM = mm
	}
	return p, nil
}

// orient sets the axes, made exactly orthonormal. Cosines are written with few digits: up to a thousandth is rounding.
func (p *Plane) orient(d *dicom.Dataset) error {
	v := d.Floats(tag.ImageOrientationPatient)
	if len(v) != 6 || !finite(v...) {
		return geometryErrorf("Image Orientation (Patient) is missing or malformed")
	}
	row, column := Vec(v[:3]), Vec(v[3:])
	const tol = 5e-3
	if math.Abs(row.Norm()-1) > tol || math.Abs(column.Norm()-1) > tol || math.Abs(row.Dot(column)) > tol {
		return geometryErrorf("Image Orientation (Patient) is not orthonormal")
	}
	row = row.Scale(1 / row.Norm())
	column = column.Sub(row.Scale(row.Dot(column)))
	p.Axis = [2]Vec{row, column.Scale(1 / column.Norm())}
	return nil
}

// Rescale returns slope and intercept of a frame, output = slope * stored + intercept (PS3.3 C.11.1, C.7.6.16.2.9); 1 and 0
// where they are absent or senseless. Vendors' private scales are left aside.
func Rescale(header *dicom.Dataset, frame int) (slope, intercept float64) {
	d := grouped(header, frame, tag.PixelValueTransformationSequence, tag.RescaleSlope)
	slope, ok := d.Float(tag.RescaleSlope)
	if !ok || slope == 0 {
		slope = 1
	}
	intercept, _ = d.Float(tag.RescaleIntercept)
	return slope, intercept
}

func finite(v ...float64) bool {
	for _, f := range v {
		if math.IsNaN(f) || math.Abs(f) > 1e6 {
			return false
		}
	}
	return true
}
