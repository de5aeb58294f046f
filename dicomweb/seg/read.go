package seg

import (
	"fmt"
	"slices"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
)

// Read takes a Segmentation apart, a BINARY one or a LABELMAP. pixels is the value of its native Pixel Data
// (dicom.File.Value reads one that was left in the file). Grid.Positions are those that have a frame, in the direction of
// the slice normal; Source.Slices belong to them. What it allocates is bounded by the length of pixels and of the data
// set.
func Read(d *dicom.Dataset, pixels []byte) (*Segmentation, error) {
	class, kind := d.String(tag.SOPClassUID), d.String(tag.SegmentationType)
	labelMap := class == uid.LabelMapSegmentationStorage && kind == "LABELMAP"
	switch {
	case class != uid.SegmentationStorage && class != uid.LabelMapSegmentationStorage:
		return nil, fmt.Errorf("seg: read SOP class %s, want %s", class, uid.SegmentationStorage)
	case !labelMap && (kind != "BINARY" || d.IntOr(tag.BitsAllocated, 0) != 1):
		return nil, fmt.Errorf("seg: read type %q of %d bits: only BINARY of 1 bit and LABELMAP are known", kind, d.IntOr(tag.BitsAllocated, 0))
	}
	s := &Segmentation{
		Grid: multiframe.Grid{
			Rows:                d.IntOr(tag.Rows, 0),
			Columns:             d.IntOr(tag.Columns, 0),
			FrameOfReferenceUID: d.String(tag.FrameOfReferenceUID),
			PositionReference:   d.String(tag.PositionReferenceIndicator),
		},
		LabelMap:    labelMap,
		Label:       d.String(tag.ContentLabel),
		Description: d.String(tag.ContentDescription),
	}
	s.readSource(d)
	if err := s.readSegments(d); err != nil {
		return nil, err
	}
	read := s.readFrames
	if labelMap {
		read = s.readLabels
	}
	if err := read(d, pixels); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Segmentation) readSource(d *dicom.Dataset) {
	series := d.Item(tag.ReferencedSeriesSequence)
	s.Source.SeriesUID = series.String(tag.SeriesInstanceUID)
	s.Source.SOPClassUID = series.Item(tag.ReferencedInstanceSequence).String(tag.ReferencedSOPClassUID)
	s.Lossy = multiframe.ReadLossy(d)
	for _, item := range d.Items(tag.ContributingEquipmentSequence) {
		if code.Read(item.Item(tag.PurposeOfReferenceCodeSequence)).Is(code.Processing) {
			s.Algorithm.DeviceUID = item.String(tag.DeviceUID)
		}
	}
}

// readSegments puts each segment at the place of its number: numbers run from 1 without a gap, C.8.20.2.
func (s *Segmentation) readSegments(d *dicom.Dataset) error {
	items := slices.DeleteFunc(slices.Clone(d.Items(tag.SegmentSequence)), func(i *dicom.Dataset) bool {
		return s.LabelMap && i.IntOr(tag.SegmentNumber, -1) == 0 // the background
	})
	s.Segments = make([]Segment, len(items))
	for _, item := range items {
		number := item.IntOr(tag.SegmentNumber, 0)
		if number < 1 || number > len(items) || s.Segments[number-1].Planes != nil {
			return fmt.Errorf("seg: segment number %d of %d segments is out of range or not unique", number, len(items))
		}
		s.Segments[number-1] = readSegment(item)
		if a := item.Item(tag.SegmentationAlgorithmIdentificationSequence); a != nil {
			device := s.Algorithm.DeviceUID
			s.Algorithm = iod.ReadIdentification(a)
			s.Algorithm.DeviceUID = device
		}
	}
	return nil
}

func readSegment(d *dicom.Dataset) Segment {
	s := Segment{
		Label:       d.String(tag.SegmentLabel),
		Description: d.String(tag.SegmentDescription),
		Category:    code.Read(d.Item(tag.SegmentedPropertyCategoryCodeSequence)),
		TrackingID:  d.String(tag.TrackingID),
		TrackingUID: d.String(tag.TrackingUID),
		Planes:      map[int]Plane{},
	}
	kind := d.Item(tag.SegmentedPropertyTypeCodeSequence)
	s.Type = code.Read(kind)
	s.TypeModifiers = code.ReadAll(kind, tag.SegmentedPropertyTypeModifierCodeSequence)
	region := d.Item(tag.AnatomicRegionSequence)
	s.Region = code.Read(region)
	s.RegionModifiers = code.ReadAll(region, tag.AnatomicRegionModifierSequence)
	for i, f := range d.Floats(tag.RecommendedDisplayCIELabValue) {
		if i < len(s.Lab) {
			s.Lab[i] = uint16(f)
		}
	}
	return s
}

// placed is a frame with what its functional groups say.
type placed struct {
	frame, segment int // from 0
	position       [3]float64
	source         multiframe.Slice
}

func (s *Segmentation) readFrames(d *dicom.Dataset, pixels []byte) error {
	frames := d.IntOr(tag.NumberOfFrames, 0)
	groups := d.Items(tag.PerFrameFunctionalGroupsSequence)
	n := s.Grid.Rows * s.Grid.Columns
	switch {
	case frames < 1 || frames != len(groups):
		return fmt.Errorf("seg: %d frames with %d functional groups", frames, len(groups))
	case n < 1 || n > 65535*65535 || len(pixels) < (frames*n+7)/8:
		return fmt.Errorf("seg: %d bytes of pixel data for %d frames of %d x %d bits", len(pixels), frames, s.Grid.Rows, s.Grid.Columns)
	}
	shared := d.Item(tag.SharedFunctionalGroupsSequence)
	all := make([]placed, frames)
	for f, group := range groups {
		p, err := readPlaced(group, shared, len(s.Segments))
		if err != nil {
			return fmt.Errorf("seg: frame %d: %w", f+1, err)
		}
		p.frame = f
		all[f] = p
	}
	s.readGrid(groups[0], shared)
	slice := s.readPositions(all)
	for i, p := range all {
		planes := s.Segments[p.segment].Planes
		if planes[slice[i]] != nil {
			return fmt.Errorf("seg: frame %d: its segment has another frame at the same position", p.frame+1)
		}
		planes[slice[i]] = unpack(pixels, p.frame*n, n)
	}
	return nil
}

// group returns a functional group of a frame: its own or the shared one.
func group(frame, shared *dicom.Dataset, sequence tag.Tag) *dicom.Dataset {
	if item := frame.Item(sequence); item != nil {
		return item
	}
	return shared.Item(sequence)
}

func readPlaced(frame, shared *dicom.Dataset, segments int) (placed, error) {
	number := group(frame, shared, tag.SegmentIdentificationSequence).IntOr(tag.ReferencedSegmentNumber, 0)
	if number < 1 || number > segments {
		return placed{}, fmt.Errorf("segment number %d is not described", number)
	}
	p := placed{segment: number - 1}
	return p, p.place(frame, shared)
}

// place reads where a frame lies and what it was made from.
func (p *placed) place(frame, shared *dicom.Dataset) error {
	position := group(frame, shared, tag.PlanePositionSequence).Floats(tag.ImagePositionPatient)
	if len(position) != 3 || !finite(position) {
		return fmt.Errorf("has no position")
	}
	copy(p.position[:], position)
	source := group(frame, shared, tag.DerivationImageSequence).Item(tag.SourceImageSequence)
	p.source = multiframe.Slice{SOPInstanceUID: source.String(tag.ReferencedSOPInstanceUID), Frame: source.IntOr(tag.ReferencedFrameNumber, 0)}
	return nil
}

func (s *Segmentation) readGrid(frame, shared *dicom.Dataset) {
	measures := group(frame, shared, tag.PixelMeasuresSequence)
	copy(s.Grid.PixelSpacingMM[:], measures.Floats(tag.PixelSpacing))
	s.Grid.SliceThicknessMM, _ = measures.Float(tag.SliceThickness)
	s.Grid.SpacingBetweenSlicesMM, _ = measures.Float(tag.SpacingBetweenSlices)
	copy(s.Grid.Orientation[:], group(frame, shared, tag.PlaneOrientationSequence).Floats(tag.ImageOrientationPatient))
}

// readPositions fills Positions and Slices and returns the slice of each frame.
func (s *Segmentation) readPositions(all []placed) []int {
	o := s.Grid.Orientation
	normal := [3]float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
	depth := func(p [3]float64) float64 { return p[0]*normal[0] + p[1]*normal[1] + p[2]*normal[2] }
	first := map[[3]float64]placed{}
	var positions [][3]float64
	for _, p := range all {
		if _, ok := first[p.position]; !ok {
			first[p.position] = p
			positions = append(positions, p.position)
		}
	}
	slices.SortStableFunc(positions, func(a, b [3]float64) int {
		switch da, db := depth(a), depth(b); {
		case da < db:
			return -1
		case da > db:
			return 1
		}
		return 0
	})
	rank := make(map[[3]float64]int, len(positions))
	for k, p := range positions {
		rank[p] = k
		s.Source.Slices = append(s.Source.Slices, first[p].source)
	}
	s.Grid.Positions = positions
	out := make([]int, len(all))
	for i, p := range all {
		out[i] = rank[p.position]
	}
	return out
}

// unpack reads n bits from bit at.
func unpack(pixels []byte, at, n int) Plane {
	p := make(Plane, n)
	for i := range p {
		p[i] = pixels[(at+i)>>3]>>uint((at+i)&7)&1 == 1
	}
	return p
}

func finite(values []float64) bool {
	for _, v := range values {
		if v-v != 0 { // NaN and infinities
			return false
		}
	}
	return true
}
