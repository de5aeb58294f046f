package report

import (
	"fmt"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
	"mome/dicomweb/seg"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
)

// segments are the outlines of an assessment and where each is in the SEG.
type segments struct {
	list    []seg.Segment
	lesions []int                // segment number of each finding, 0 for one without a voxel
	breasts map[experts.Side]int // segment number of each breast
}

// sides lists the breasts in the order of the segments: as a reader sees them, the right one first.
var sides = [...]experts.Side{experts.Right, experts.Left}

// sideNames are their words.
func sideName(s experts.Side) string {
	switch s {
	case experts.Right:
		return "Right"
	case experts.Left:
		return "Left"
	}
	return ""
}

// sideCode returns the laterality, zero if it is not known.
func sideCode(s experts.Side) code.Code {
	switch s {
	case experts.Right:
		return code.Right
	case experts.Left:
		return code.Left
	}
	return code.Code{}
}

// breastCode returns the breast of a side, the breast as such if the side is not known.
func breastCode(s experts.Side) code.Code {
	switch s {
	case experts.Right:
		return code.RightBreast
	case experts.Left:
		return code.LeftBreast
	}
	return code.Breast
}

// modifiers returns the laterality as a list of modifiers.
func modifiers(s experts.Side) []code.Code {
	if c := sideCode(s); !c.Zero() {
		return []code.Code{c}
	}
	return nil
}

// collect lists what can be outlined: lesions, breasts, fibroglandular tissue. What has no voxel is left out.
func (b *build) collect() (segments, error) {
	out := segments{lesions: make([]int, len(b.a.Findings)), breasts: map[experts.Side]int{}}
	add := func(s seg.Segment, mask *volume.Mask) (int, error) {
		planes, err := b.cut(mask)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", s.Label, err)
		}
		if len(planes) == 0 {
			return 0, nil
		}
		s.Planes = planes
		s.Description = b.lang.Text("Automatic outline.") + " " + b.lang.Text(Disclaimer)
		out.list = append(out.list, s)
		return len(out.list), nil
	}
	var err error
	for i, f := range b.a.Findings {
		if f.Lesion == nil {
			return segments{}, fmt.Errorf("finding %d has no lesion", i+1)
		}
		s := seg.Segment{
			Label: b.label(f.Label), Category: code.Abnormal, Type: code.Lesion, TypeModifiers: modifiers(f.Side),
			Region: code.Breast, RegionModifiers: modifiers(f.Side), Lab: seg.Lab(230, 60, 50),
			TrackingID: f.Label, TrackingUID: b.tracking(f.TrackingUID, f.Label), Layer: 2,
		}
		if out.lesions[i], err = add(s, f.Mask); err != nil {
			return segments{}, err
		}
	}
	for _, side := range sides {
		label := sideName(side) + " breast"
		s := seg.Segment{
			Label: b.label(label), Category: code.Anatomical, Type: code.Breast, TypeModifiers: modifiers(side),
			Region: code.Breast, RegionModifiers: modifiers(side), Lab: breastColour(side),
			TrackingID: label, TrackingUID: b.tracking("", label),
		}
		if out.breasts[side], err = add(s, b.breast(side).Mask); err != nil {
			return segments{}, err
		}
	}
	tissue, known := b.tissue()
	s := seg.Segment{
		Label: b.label("Fibroglandular tissue"), Category: code.Tissue, Type: code.Fibroglandular, TypeModifiers: modifiers(known),
		Region: code.Breast, RegionModifiers: modifiers(known), Lab: seg.Lab(240, 200, 90),
		TrackingID: "Fibroglandular tissue", TrackingUID: b.tracking("", "Fibroglandular tissue"), Layer: 1,
	}
	if _, err = add(s, tissue); err != nil {
		return segments{}, err
	}
	return out, nil
}

func breastColour(s experts.Side) [3]uint16 {
	if s == experts.Right {
		return seg.Lab(90, 150, 230)
	}
	return seg.Lab(100, 200, 140)
}

// breast returns the region of a side, without masks if there is none.
func (b *build) breast(side experts.Side) experts.Breast {
	for _, br := range b.a.Breasts {
		if br.Side == side {
			return br
		}
	}
	return experts.Breast{Side: side}
}

// tissue returns the fibroglandular tissue of both breasts in one mask, nil if it is not known of either, and the
// side if it is known of one only.
func (b *build) tissue() (*volume.Mask, experts.Side) {
	var union *volume.Mask
	var side experts.Side
	for _, s := range sides {
		m := b.breast(s).Fibroglandular
		switch {
		case m == nil || m.Count() == 0:
		case union == nil:
			union, side = m, s
		default:
			sum := volume.NewMask(m.Grid)
			for i := range sum.Data {
				sum.Data[i] = m.Data[i] || i < len(union.Data) && union.Data[i]
			}
			union, side = sum, ""
		}
	}
	return union, side
}

// cut takes a mask apart into slices; nil or empty masks have none.
func (b *build) cut(m *volume.Mask) (map[int]seg.Plane, error) {
	if m == nil {
		return nil, nil
	}
	if m.Size != b.a.Grid.Size || len(m.Data) != b.a.Grid.Len() {
		return nil, fmt.Errorf("mask of %v voxels (%d values) on a grid of %v", m.Size, len(m.Data), b.a.Grid.Size)
	}
	return seg.Planes(m.Data, m.Size[1], m.Size[0]), nil
}

// object returns the Segmentation on the reference series.
func (s *segments) object(b *build) *seg.Segmentation {
	return &seg.Segmentation{
		Grid:        b.grid(),
		Source:      b.reference(),
		Segments:    s.list,
		Label:       "BREAST_AI",
		Description: "AI breast MRI outlines, not for clinical use",
		Algorithm:   b.algorithm,
		Lossy:       b.lossy(),
		LabelMap:    b.src.LabelMap,
	}
}

// planes describes a grid plane by plane.
func planes(g *volume.Grid) multiframe.Grid {
	out := multiframe.Grid{
		Rows: g.Size[1], Columns: g.Size[0],
		PixelSpacingMM:      [2]float64{g.SpacingMM[1], g.SpacingMM[0]},
		SliceThicknessMM:    g.SpacingMM[2],
		FrameOfReferenceUID: g.FrameOfReference,
	}
	copy(out.Orientation[:3], g.Axis[0][:])
	copy(out.Orientation[3:], g.Axis[1][:])
	if g.Size[2] > 1 {
		out.SpacingBetweenSlicesMM = g.SpacingMM[2]
	}
	for k := range g.Size[2] {
		out.Positions = append(out.Positions, [3]float64(g.Point(0, 0, float64(k))))
	}
	return out
}

// grid describes the reference phase's grid, with what its headers know better.
func (b *build) grid() multiframe.Grid {
	out, h := planes(&b.a.Grid), b.src.Headers
	if h.String(tag.SeriesInstanceUID) == b.part.Assessment.Reference.SeriesUID {
		if t, ok := h.Float(tag.SliceThickness); ok && t > 0 {
			out.SliceThicknessMM = t
		}
	}
	if h.String(tag.FrameOfReferenceUID) == b.a.Grid.FrameOfReference {
		out.PositionReference = h.String(tag.PositionReferenceIndicator)
	}
	return out
}

func (b *build) reference() multiframe.Source { return sourceOf(b.a.Reference) }

func sourceOf(r fusion.Reference) multiframe.Source {
	out := multiframe.Source{SeriesUID: r.SeriesUID, SOPClassUID: r.SOPClassUID}
	for _, s := range r.Slices {
		out.Slices = append(out.Slices, multiframe.Slice{SOPInstanceUID: s.SOPInstanceUID, Frame: s.Frame})
	}
	return out
}

// lossy passes on that the images went through lossy compression, which a derived object must say too.
func (b *build) lossy() multiframe.Lossy {
	h := b.src.Headers
	if h.String(tag.LossyImageCompression) != "01" {
		return multiframe.Lossy{}
	}
	return multiframe.Lossy{
		Compressed: true,
		Ratios:     h.Floats(tag.LossyImageCompressionRatio),
		Methods:    h.Strings(tag.LossyImageCompressionMethod),
	}
}
