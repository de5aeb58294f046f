// Package seg writes and reads Segmentations of type BINARY (PS3.3 A.51, C.8.20): masks on the slices of one source
// series, one bit per pixel, frames without a voxel left out. Segments may overlap. FRACTIONAL and LABELMAP objects
// are refused by the reader, for no mask can be taken from them without a decision that is not this package's.
package seg

import (
	"fmt"

	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
)

// Segmentation is a set of segments on the slices of a source series.
type Segmentation struct {
	Grid        Grid
	Source      Source
	Segments    []Segment // Segment Number is the place in this list, from 1
	Label       string    // Content Label, at most 16 upper-case letters, digits, spaces and underscores
	Description string    // Content Description
	Algorithm   iod.Algorithm
	Lossy       Lossy
}

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

// Source is the series that the masks were drawn on.
type Source struct {
	SeriesUID   string
	SOPClassUID string
	Slices      []SourceSlice // of each slice of the Grid
}

// SourceSlice is a slice's image; zero for a slice that was made from several.
type SourceSlice struct {
	SOPInstanceUID string
	Frame          int // from 1; 0 for a single-frame image
}

// Segment is one structure.
type Segment struct {
	Label, Description      string // LO; ST
	Category, Type          code.Code
	TypeModifiers           []code.Code
	Region                  code.Code // anatomic region; may be zero
	RegionModifiers         []code.Code
	TrackingID, TrackingUID string
	Lab                     [3]uint16 // Recommended Display CIELab Value, see Lab
	Planes                  map[int]Plane
}

// Plane holds the pixels of one slice, [row, column], column fastest.
type Plane []bool

// Lossy tells of lossy compression that the source images went through, PS3.3 C.7.6.1.1.5.
type Lossy struct {
	Compressed bool
	Ratios     []float64
	Methods    []string // CS
}

// Planes cuts a mask ([slice, row, column], column fastest) into slices and keeps those with a voxel. It shares the
// mask's memory.
func Planes(mask []bool, rows, columns int) map[int]Plane {
	planes, n := map[int]Plane{}, rows*columns
	for k := 0; n > 0 && (k+1)*n <= len(mask); k++ {
		if p := Plane(mask[k*n : (k+1)*n]); p.any() {
			planes[k] = p
		}
	}
	return planes
}

func (p Plane) any() bool {
	for _, in := range p {
		if in {
			return true
		}
	}
	return false
}

// Mask puts the planes of slices 0 to slices-1 together: [slice, row, column], column fastest.
func (s *Segment) Mask(slices, rows, columns int) []bool {
	n := rows * columns
	mask := make([]bool, slices*n)
	for k, p := range s.Planes {
		if k >= 0 && k < slices {
			copy(mask[k*n:(k+1)*n], p)
		}
	}
	return mask
}

// validate returns an error that names what cannot be written.
func (s *Segmentation) validate() error {
	g := &s.Grid
	switch {
	case g.Rows < 1 || g.Columns < 1 || g.Rows > 65535 || g.Columns > 65535:
		return fmt.Errorf("%d rows of %d columns", g.Rows, g.Columns)
	case len(s.Source.Slices) != len(g.Positions):
		return fmt.Errorf("%d source slices for %d positions", len(s.Source.Slices), len(g.Positions))
	case len(s.Segments) == 0 || len(s.Segments) > 65535:
		return fmt.Errorf("%d segments", len(s.Segments))
	case !(g.PixelSpacingMM[0] > 0 && g.PixelSpacingMM[1] > 0 && g.SliceThicknessMM > 0):
		return fmt.Errorf("spacing %v mm, thickness %v mm", g.PixelSpacingMM, g.SliceThicknessMM)
	}
	for n := range s.Segments {
		if err := s.Segments[n].validate(g); err != nil {
			return fmt.Errorf("segment %d: %w", n+1, err)
		}
	}
	return s.Algorithm.Validate()
}

func (s *Segment) validate(g *Grid) error {
	if err := iod.LO("label", s.Label); err != nil {
		return err
	}
	voxels := false
	for k, p := range s.Planes {
		if k < 0 || k >= len(g.Positions) {
			return fmt.Errorf("has slice %d of %d", k, len(g.Positions))
		}
		if len(p) != g.Rows*g.Columns {
			return fmt.Errorf("slice %d has %d pixels, want %d x %d", k, len(p), g.Rows, g.Columns)
		}
		voxels = voxels || p.any()
	}
	if !voxels {
		return fmt.Errorf("has no voxel")
	}
	return nil
}
