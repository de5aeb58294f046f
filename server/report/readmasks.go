package report

import (
	"fmt"
	"math"

	"mome/dicomweb/dicom"
	"mome/dicomweb/seg"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
)

// maxVoxels bounds the grid that a SEG is laid out on: a BINARY object omits empty frames, so few bytes can span many
// slices.
const maxVoxels = 1 << 28

// readMasks sets the assessment's grid and reference and returns the segments with the mask of each.
func readMasks(a *fusion.Assessment, d *dicom.Dataset, pixels []byte) ([]seg.Segment, []*volume.Mask, error) {
	s, err := seg.Read(d, pixels)
	if err != nil {
		return nil, nil, err
	}
	g := volume.Grid{
		Origin:           s.Grid.Positions[0],
		SpacingMM:        [3]float64{s.Grid.PixelSpacingMM[1], s.Grid.PixelSpacingMM[0], s.Grid.SpacingBetweenSlicesMM},
		FrameOfReference: s.Grid.FrameOfReferenceUID,
	}
	copy(g.Axis[0][:], s.Grid.Orientation[:3])
	copy(g.Axis[1][:], s.Grid.Orientation[3:])
	g.Axis[2] = g.Axis[0].Cross(g.Axis[1])
	if g.SpacingMM[2] <= 0 {
		g.SpacingMM[2] = s.Grid.SliceThicknessMM
	}
	place := make([]int, len(s.Grid.Positions)) // of each of the SEG's slices on the grid
	for n, p := range s.Grid.Positions {
		k := volume.Vec(p).Sub(g.Origin).Dot(g.Axis[2]) / g.SpacingMM[2]
		if !(k >= 0 && k < maxVoxels) {
			return nil, nil, fmt.Errorf("report: the SEG's slices have no regular spacing")
		}
		place[n] = int(math.Round(k))
	}
	g.Size = [3]int{s.Grid.Columns, s.Grid.Rows, place[len(place)-1] + 1}
	if n := g.Size[0] * g.Size[1]; g.Size[2] > maxVoxels/n || len(s.Segments) > maxVoxels/(n*g.Size[2]) {
		return nil, nil, fmt.Errorf("report: %d segments of %v voxels are more than this reader lays out", len(s.Segments), g.Size)
	}
	a.Grid = g
	a.Reference = fusion.Reference{
		SeriesUID: s.Source.SeriesUID, SOPClassUID: s.Source.SOPClassUID, Slices: make([]experts.Slice, g.Size[2]),
	}
	for n, slice := range s.Source.Slices {
		a.Reference.Slices[place[n]] = experts.Slice{SOPInstanceUID: slice.SOPInstanceUID, Frame: slice.Frame}
	}
	masks := make([]*volume.Mask, len(s.Segments))
	for i := range s.Segments {
		masks[i] = volume.NewMask(g)
		for n, plane := range s.Segments[i].Planes {
			copy(masks[i].Data[g.Index(0, 0, place[n]):], plane)
		}
	}
	return s.Segments, masks, nil
}

// readTissue gives each breast its part of the fibroglandular tissue, or the one breast that it is known of.
func readTissue(breasts []experts.Breast, s seg.Segment, tissue *volume.Mask) {
	for n := range breasts {
		br := &breasts[n]
		known := len(s.TypeModifiers) == 0 || s.TypeModifiers[0].Is(sideCode(br.Side))
		if br.Mask == nil || !known {
			continue
		}
		br.Fibroglandular = volume.NewMask(tissue.Grid)
		for v, in := range tissue.Data {
			br.Fibroglandular.Data[v] = in && br.Mask.Data[v]
		}
	}
}
