// Package seg writes and reads Segmentations (PS3.3 A.51, C.8.20): masks on the slices of one source series, frames
// without a voxel left out. BINARY ones have one bit per pixel, and their segments may overlap; in a LABELMAP a pixel
// belongs to one segment. FRACTIONAL objects are refused by the reader, for no mask can be taken from them without a
// decision that is not this package's.
package seg

import (
	"fmt"

	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
)

// Segmentation is a set of segments on the slices of a source series.
type Segmentation struct {
	Grid        multiframe.Grid
	Source      multiframe.Source
	Segments    []Segment // Segment Number is the place in this list, from 1
	Label       string    // Content Label, at most 16 upper-case letters, digits, spaces and underscores
	Description string    // Content Description
	Algorithm   iod.Algorithm
	Lossy       multiframe.Lossy
	// LabelMap asks for a LABELMAP, of SOP Class Label Map Segmentation Storage. Where segments overlap, the one of the
	// highest Layer has the pixel, of equal ones the first.
	LabelMap bool
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
	Layer                   int       // of a LABELMAP
	Planes                  map[int]Plane
}

// Plane holds the pixels of one slice, [row, column], column fastest.
type Plane []bool

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
	case len(s.Source.Slices) != len(g.Positions):
		return fmt.Errorf("%d source slices for %d positions", len(s.Source.Slices), len(g.Positions))
	case len(s.Segments) == 0 || len(s.Segments) > 65535:
		return fmt.Errorf("%d segments", len(s.Segments))
	}
	if err := g.Validate(); err != nil {
		return err
	}
	for n := range s.Segments {
		if err := s.Segments[n].validate(g); err != nil {
			return fmt.Errorf("segment %d: %w", n+1, err)
		}
	}
	return s.Algorithm.Validate()
}

func (s *Segment) validate(g *multiframe.Grid) error {
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
