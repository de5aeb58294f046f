package seg

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
)

// labelMap fills what a LABELMAP (DICOM Supplement 243) has other than a BINARY object: one frame per slice, whose pixels
// are segment numbers, 0 where there is none.
func (s *Segmentation) labelMap(d *dicom.Dataset, now time.Time) {
	var ks []int
	for _, f := range s.frames() {
		ks = append(ks, f.slice)
	}
	ks = slices.Compact(slices.Sorted(slices.Values(ks)))
	s.image(d, len(ks), now)
	bits := 8
	if len(s.Segments) > 255 {
		bits = 16
	}
	d.Set(tag.BitsAllocated, bits)
	d.Set(tag.BitsStored, bits)
	d.Set(tag.HighBit, bits-1)
	d.SetVR(tag.PixelPaddingValue, dicom.US, 0)
	d.Set(tag.SegmentationType, "LABELMAP")
	d.Set(tag.SegmentsOverlap, "NO")
	s.segments(d)
	background := dicom.New()
	background.Set(tag.SegmentNumber, 0)
	background.Set(tag.SegmentLabel, "Background")
	background.Set(tag.SegmentAlgorithmType, "AUTOMATIC")
	background.Set(tag.SegmentAlgorithmName, s.Algorithm.Name)
	background.SetItems(tag.SegmentedPropertyCategoryCodeSequence, code.Background.Item())
	background.SetItems(tag.SegmentedPropertyTypeCodeSequence, code.Background.Item())
	d.SetItems(tag.SegmentSequence, append([]*dicom.Dataset{background}, d.Items(tag.SegmentSequence)...)...)
	multiframe.Dimensions(d, multiframe.ByPosition())
	frames := make([]*dicom.Dataset, len(ks))
	for n, k := range ks {
		frames[n] = s.Grid.Frame(&s.Source, k, code.Segmentation, n+1)
	}
	d.SetItems(tag.PerFrameFunctionalGroupsSequence, frames...)
	vr := dicom.OB
	if bits == 16 {
		vr = dicom.OW
	}
	d.SetVR(tag.PixelData, vr, s.labels(ks, bits))
}

// labels returns the pixels of the slices ks.
func (s *Segmentation) labels(ks []int, bits int) []byte {
	order := make([]int, len(s.Segments)) // as painted, the last on top
	for n := range order {
		order[n] = len(order) - 1 - n
	}
	slices.SortStableFunc(order, func(a, b int) int { return s.Segments[a].Layer - s.Segments[b].Layer })
	size := s.Grid.Rows * s.Grid.Columns
	out := make([]byte, len(ks)*size*bits/8)
	for n, k := range ks {
		for _, segment := range order {
			for i, in := range s.Segments[segment].Planes[k] {
				switch at := n*size + i; {
				case !in:
				case bits == 8:
					out[at] = byte(segment + 1)
				default:
					binary.LittleEndian.PutUint16(out[2*at:], uint16(segment+1))
				}
			}
		}
	}
	return out
}

// labelsPerSlice bounds, on average over the slices, what a LABELMAP is unfolded to: each segment's mask takes as much as
// the frame.
const labelsPerSlice = 64

// readLabels reads the frames of a LABELMAP.
func (s *Segmentation) readLabels(d *dicom.Dataset, pixels []byte) error {
	bytes := d.IntOr(tag.BitsAllocated, 0) / 8
	groups, n := d.Items(tag.PerFrameFunctionalGroupsSequence), s.Grid.Rows*s.Grid.Columns
	if bytes != 1 && bytes != 2 || n < 1 || len(groups) < 1 || len(pixels)/bytes/n < len(groups) {
		return fmt.Errorf("seg: %d bytes of pixel data for %d frames of %d x %d labels", len(pixels), len(groups), s.Grid.Rows, s.Grid.Columns)
	}
	shared := d.Item(tag.SharedFunctionalGroupsSequence)
	all := make([]placed, len(groups))
	for f, g := range groups {
		if err := all[f].place(g, shared); err != nil {
			return fmt.Errorf("seg: frame %d: %w", f+1, err)
		}
	}
	s.readGrid(groups[0], shared)
	planesLeft := labelsPerSlice * len(groups)
	for f, slice := range s.readPositions(all) {
		for i := range n {
			at := (f*n + i) * bytes
			label := int(pixels[at])
			if bytes == 2 {
				label |= int(pixels[at+1]) << 8
			}
			if label < 1 || label > len(s.Segments) {
				continue // background, or nothing that is described
			}
			planes := s.Segments[label-1].Planes
			if planes[slice] == nil {
				if planesLeft--; planesLeft < 0 {
					return fmt.Errorf("seg: more than %d segments on a slice", labelsPerSlice)
				}
				planes[slice] = make(Plane, n)
			}
			planes[slice][i] = true
		}
	}
	return nil
}
