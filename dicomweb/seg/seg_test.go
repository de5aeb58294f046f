package seg_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
	"mome/dicomweb/seg"
)

// segmentation returns n segments on a grid of the given size, filled with noise: the k-th slice of segment s is
// empty where (k+s) is a multiple of 3.
func segmentation(rows, columns, slices, n int) *seg.Segmentation {
	s := &seg.Segmentation{
		Grid: multiframe.Grid{
			Rows: rows, Columns: columns, Orientation: [6]float64{0, 1, 0, 0, 0, -1},
			PixelSpacingMM: [2]float64{0.7, 0.6}, SliceThicknessMM: 2.5, SpacingBetweenSlicesMM: 2,
			FrameOfReferenceUID: "1.2.5", PositionReference: "XY",
		},
		Source:      multiframe.Source{SeriesUID: "1.2.3", SOPClassUID: uid.MRImageStorage},
		Label:       "TEST",
		Description: "a test",
		Algorithm:   iod.Algorithm{Name: "A", Version: "1", Manufacturer: "M", DeviceUID: "1.2.9", Parameters: []string{"a=1", "b=2"}},
	}
	// Image Orientation (Patient) as above has its normal towards -x.
	for k := range slices {
		s.Grid.Positions = append(s.Grid.Positions, [3]float64{50 - 2*float64(k), -30.5, 12})
		s.Source.Slices = append(s.Source.Slices, multiframe.Slice{SOPInstanceUID: fmt.Sprintf("1.2.3.%d", k+1)})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		mask := make([]bool, rows*columns*slices)
		for v := range mask {
			mask[v] = (v/(rows*columns)+i)%3 != 0 && random.IntN(2) == 0
		}
		for k := range slices { // never empty by chance
			if (k+i)%3 != 0 {
				mask[k*rows*columns] = true
			}
		}
		s.Segments = append(s.Segments, seg.Segment{
			Label: fmt.Sprintf("Segment %d", i+1), Description: "noise", Category: code.Abnormal, Type: code.Lesion,
			TypeModifiers: []code.Code{code.Left}, Region: code.Breast, RegionModifiers: []code.Code{code.Left},
			TrackingID: "T", TrackingUID: fmt.Sprintf("1.2.7.%d", i+1), Lab: seg.Lab(200, 50, 50),
			Planes: seg.Planes(mask, rows, columns),
		})
	}
	return s
}

// written returns the SEG as a Part 10 file.
func written(t testing.TB, s *seg.Segmentation) []byte {
	t.Helper()
	d := dicom.New()
	now := time.Date(2025, 3, 14, 1, 2, 3, 0, time.UTC)
	iod.SOPCommon(d, s.Class(), "1.2.99", now)
	d.Set(tag.StudyInstanceUID, "1.2")
	d.Set(tag.SeriesInstanceUID, "1.2.98")
	if err := s.Fill(d, now); err != nil {
		t.Fatalf("Fill: %v", err)
	}
	s.Algorithm.Contributing(d, "test", now)
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatalf("Write: %v", err)
	}
	return b.Bytes()
}

// stored returns the SEG as another program reads it, with its pixels.
func stored(t testing.TB, s *seg.Segmentation) (*dicom.Dataset, []byte) {
	t.Helper()
	file := written(t, s)
	f, err := dicom.Scan(bytes.NewReader(file), int64(len(file)), dicom.Limits{})
	if err != nil {
		t.Fatalf("Scan: %v", err)
	}
	pixels, err := f.Value(f.Dataset.Get(tag.PixelData))
	if err != nil {
		t.Fatalf("pixel data: %v", err)
	}
	return f.Dataset, pixels
}

func TestReadBack(t *testing.T) {
	for _, c := range []struct {
		name                     string
		rows, columns, slices, n int
		frame                    int // of each slice's source, 0 for single-frame images
	}{
		{"whole bytes", 8, 16, 6, 2, 0},
		{"frames begin inside bytes", 7, 5, 6, 3, 0},
		{"a frame is one pixel", 1, 1, 5, 2, 0},
		{"a frame is less than a byte", 1, 3, 7, 1, 0},
		{"multi-frame source", 9, 11, 4, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := segmentation(c.rows, c.columns, c.slices, c.n)
			for k := range want.Source.Slices {
				if c.frame > 0 {
					want.Source.Slices[k] = multiframe.Slice{SOPInstanceUID: "1.2.3.1", Frame: k + 1}
				}
			}
			d, pixels := stored(t, want)
			got, err := seg.Read(d, pixels)
			if err != nil {
				t.Fatal(err)
			}
			used := slicesWithFrames(want)
			if len(got.Grid.Positions) != len(used) {
				t.Fatalf("%d positions, want %d", len(got.Grid.Positions), len(used))
			}
			for n, k := range used {
				if got.Grid.Positions[n] != want.Grid.Positions[k] || got.Source.Slices[n] != want.Source.Slices[k] {
					t.Errorf("slice %d is at %v from %v, want %v from %v", n,
						got.Grid.Positions[n], got.Source.Slices[n], want.Grid.Positions[k], want.Source.Slices[k])
				}
			}
			for i := range want.Segments {
				for n, k := range used {
					if !reflect.DeepEqual(got.Segments[i].Planes[n], want.Segments[i].Planes[k]) {
						t.Errorf("segment %d slice %d:\n got %v\nwant %v", i+1, k, got.Segments[i].Planes[n], want.Segments[i].Planes[k])
					}
				}
			}
			sameDescription(t, got, want)
		})
	}
}

// sameDescription compares all but the pixels and where they lie.
func sameDescription(t *testing.T, got, want *seg.Segmentation) {
	t.Helper()
	g, w := *got, *want
	g.Grid.Positions, w.Grid.Positions = nil, nil
	g.Source.Slices, w.Source.Slices = nil, nil
	g.Segments, w.Segments = nil, nil
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %+v\nwant %+v", g, w)
	}
	for i := range want.Segments {
		g, w := got.Segments[i], want.Segments[i]
		g.Planes, w.Planes = nil, nil
		if !reflect.DeepEqual(g, w) {
			t.Errorf("segment %d: got  %+v\nwant %+v", i+1, g, w)
		}
	}
}

func slicesWithFrames(s *seg.Segmentation) []int {
	var used []int
	for k := range s.Grid.Positions {
		for i := range s.Segments {
			if s.Segments[i].Planes[k] != nil {
				used = append(used, k)
				break
			}
		}
	}
	return used
}

// TestPacking spells the bits out: two frames of 3 x 3 pixels, the second of which begins at the second byte's
// second bit; the first pixel of a byte is its lowest bit.
func TestPacking(t *testing.T) {
	s := segmentation(3, 3, 2, 1)
	s.Segments[0].Planes = map[int]seg.Plane{
		0: {true, false, true, false, false, false, false, true, true},
		1: {true, true, false, false, false, false, false, false, true},
	}
	_, pixels := stored(t, s)
	if want := []byte{0b1000_0101, 0b0000_0111, 0b0000_0010, 0}; !bytes.Equal(pixels, want) {
		t.Errorf("pixel data %08b, want %08b", pixels, want)
	}
}

func TestFramesAndIndices(t *testing.T) {
	s := segmentation(4, 4, 7, 2)
	d, _ := stored(t, s)
	groups := d.Items(tag.PerFrameFunctionalGroupsSequence)
	// Slices 1, 2, 4, 5 of the first segment and 0, 1, 3, 4, 6 of the second have voxels.
	if n := d.IntOr(tag.NumberOfFrames, 0); n != 9 || len(groups) != 9 {
		t.Fatalf("%d frames with %d groups, want 9", n, len(groups))
	}
	seen := map[float64]bool{}
	last := []float64{0, 0}
	for f, g := range groups {
		index := g.Item(tag.FrameContentSequence).Floats(tag.DimensionIndexValues)
		if len(index) != 2 || index[0] < last[0] || index[0] == last[0] && index[1] <= last[1] {
			t.Errorf("frame %d has index %v after %v", f+1, index, last)
		}
		if number := g.Item(tag.SegmentIdentificationSequence).IntOr(tag.ReferencedSegmentNumber, 0); float64(number) != index[0] {
			t.Errorf("frame %d is of segment %d, its index says %v", f+1, number, index[0])
		}
		seen[index[1]] = true
		last = index
	}
	for i := 1; i <= len(seen); i++ {
		if !seen[float64(i)] {
			t.Errorf("no frame has position index %d of %d: there is a gap", i, len(seen))
		}
	}
}

func TestFillRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*seg.Segmentation)
		want   string
	}{
		{"no segments", func(s *seg.Segmentation) { s.Segments = nil }, "0 segments"},
		{"an empty segment", func(s *seg.Segmentation) { s.Segments[0].Planes = nil }, "no voxel"},
		{"an all-false plane only", func(s *seg.Segmentation) { s.Segments[0].Planes = map[int]seg.Plane{0: make(seg.Plane, 16)} }, "no voxel"},
		{"a plane of another size", func(s *seg.Segmentation) { s.Segments[0].Planes[1] = make(seg.Plane, 15) }, "15 pixels"},
		{"a plane beyond the grid", func(s *seg.Segmentation) { s.Segments[0].Planes[9] = make(seg.Plane, 16) }, "slice 9"},
		{"a missing source slice", func(s *seg.Segmentation) { s.Source.Slices = s.Source.Slices[1:] }, "source slices"},
		{"no rows", func(s *seg.Segmentation) { s.Grid.Rows = 0 }, "0 rows"},
		{"too many rows", func(s *seg.Segmentation) { s.Grid.Rows = 70000 }, "70000 rows"},
		{"no spacing", func(s *seg.Segmentation) { s.Grid.PixelSpacingMM = [2]float64{} }, "spacing"},
		{"no label", func(s *seg.Segmentation) { s.Segments[0].Label = "" }, "label is empty"},
		{"no algorithm", func(s *seg.Segmentation) { s.Algorithm.Name = "" }, "algorithm name"},
	} {
		s := segmentation(4, 4, 3, 1)
		c.change(s)
		if err := s.Fill(dicom.New(), time.Unix(0, 0)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	group := func(d *dicom.Dataset, frame int) *dicom.Dataset {
		return d.Items(tag.PerFrameFunctionalGroupsSequence)[frame]
	}
	for _, c := range []struct {
		name   string
		change func(*dicom.Dataset)
		want   string
	}{
		{"another SOP class", func(d *dicom.Dataset) { d.Set(tag.SOPClassUID, uid.MRImageStorage) }, "SOP class"},
		{"FRACTIONAL", func(d *dicom.Dataset) { d.Set(tag.SegmentationType, "FRACTIONAL") }, "FRACTIONAL"},
		{"eight bits", func(d *dicom.Dataset) { d.Set(tag.BitsAllocated, 8) }, "8 bits"},
		{"more frames than groups", func(d *dicom.Dataset) { d.Set(tag.NumberOfFrames, 99) }, "99 frames"},
		{"more pixels than data", func(d *dicom.Dataset) { d.Set(tag.Rows, 60000) }, "bytes of pixel data"},
		{"no rows", func(d *dicom.Dataset) { d.Delete(tag.Rows) }, "bytes of pixel data"},
		{"a segment twice", func(d *dicom.Dataset) {
			d.SetItems(tag.SegmentSequence, d.Items(tag.SegmentSequence)[0], d.Items(tag.SegmentSequence)[0])
		}, "not unique"},
		{"an unknown segment", func(d *dicom.Dataset) {
			group(d, 0).Item(tag.SegmentIdentificationSequence).Set(tag.ReferencedSegmentNumber, 77)
		}, "segment number 77"},
		{"no position", func(d *dicom.Dataset) { group(d, 0).Delete(tag.PlanePositionSequence) }, "no position"},
		{"two frames at one place", func(d *dicom.Dataset) {
			group(d, 1).SetItems(tag.PlanePositionSequence, group(d, 0).Items(tag.PlanePositionSequence)...)
		}, "same position"},
	} {
		d, pixels := stored(t, segmentation(4, 4, 5, 2))
		c.change(d)
		if _, err := seg.Read(d, pixels); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

// TestLabelMap: a pixel goes to the segment of the highest layer, of equal ones to the first; frames are slices.
func TestLabelMap(t *testing.T) {
	for _, segments := range []int{3, 300} {
		s := segmentation(2, 3, 2, segments)
		s.LabelMap = true
		for n := range s.Segments {
			s.Segments[n].Planes = map[int]seg.Plane{1: {false, false, false, false, false, true}}
		}
		s.Segments[0].Planes = map[int]seg.Plane{0: {true, true, true, false, false, false}}
		s.Segments[1].Planes = map[int]seg.Plane{0: {false, true, true, true, false, false}}
		s.Segments[2].Planes = map[int]seg.Plane{0: {false, false, true, true, false, false}, 1: {true, false, false, false, false, false}}
		s.Segments[2].Layer = 1
		d, pixels := stored(t, s)
		if d.String(tag.SegmentationType) != "LABELMAP" || d.IntOr(tag.NumberOfFrames, 0) != 2 {
			t.Fatalf("%s of %d frames, want a LABELMAP of 2", d.String(tag.SegmentationType), d.IntOr(tag.NumberOfFrames, 0))
		}
		if want := []byte{1, 1, 3, 3, 0, 0}; segments == 3 && !bytes.Equal(pixels[:6], want) {
			t.Errorf("labels %v, want %v", pixels[:6], want)
		}
		got, err := seg.Read(d, pixels)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Segments) != segments || !got.LabelMap {
			t.Fatalf("%d segments, want %d", len(got.Segments), segments)
		}
		if want := (seg.Plane{true, true, false, false, false, false}); !reflect.DeepEqual(got.Segments[0].Planes[0], want) {
			t.Errorf("first segment %v, want %v", got.Segments[0].Planes[0], want)
		}
		if segments == 300 && !got.Segments[3].Planes[1][5] {
			t.Error("of segments in one layer the first does not have the pixel")
		}
	}
}

// TestLab: white, black, mid-grey and pure red by CIE's formulae under D50 (white is L 100 a 0 b 0; sRGB red is
// L 54.29 a 80.81 b 69.89, B. Lindbloom's calculator).
func TestLab(t *testing.T) {
	for _, c := range []struct {
		r, g, b uint8
		want    [3]float64
	}{
		{255, 255, 255, [3]float64{100, 0, 0}}, {0, 0, 0, [3]float64{0, 0, 0}}, {255, 0, 0, [3]float64{54.29, 80.81, 69.89}},
	} {
		got := seg.Lab(c.r, c.g, c.b)
		l, a, b := float64(got[0])/65535*100, float64(got[1])/65535*255-128, float64(got[2])/65535*255-128
		for i, d := range []float64{l - c.want[0], a - c.want[1], b - c.want[2]} {
			if d > 0.05 || d < -0.05 {
				t.Errorf("Lab(%d,%d,%d) = %.2f %.2f %.2f, want %v (component %d)", c.r, c.g, c.b, l, a, b, c.want, i)
			}
		}
	}
}

func TestMask(t *testing.T) {
	mask := make([]bool, 2*3*4)
	mask[0], mask[23] = true, true
	s := seg.Segment{Planes: seg.Planes(mask, 2, 3)}
	if len(s.Planes) != 2 {
		t.Errorf("%d planes, want the first and the last", len(s.Planes))
	}
	if got := s.Mask(4, 2, 3); !reflect.DeepEqual(got, mask) {
		t.Errorf("got %v, want %v", got, mask)
	}
}

// FuzzRead: whatever the scanner lets through is read without a panic, and the planes that come out are bounded by the
// pixel data that went in.
func FuzzRead(f *testing.F) {
	f.Add(written(f, segmentation(3, 5, 4, 2)))
	labels := segmentation(3, 5, 4, 2)
	labels.LabelMap = true
	f.Add(written(f, labels))
	f.Fuzz(func(t *testing.T, file []byte) {
		in, err := dicom.Scan(bytes.NewReader(file), int64(len(file)), dicom.Limits{})
		if err != nil {
			return
		}
		e := in.Dataset.Get(tag.PixelData)
		if e == nil {
			return
		}
		pixels, err := in.Value(e)
		if err != nil {
			return
		}
		s, err := seg.Read(in.Dataset, pixels)
		if err != nil {
			return
		}
		voxels := 0
		for _, segment := range s.Segments {
			for _, p := range segment.Planes {
				voxels += len(p)
			}
		}
		if voxels > 64*len(pixels) {
			t.Errorf("%d voxels out of %d bytes", voxels, len(pixels))
		}
	})
}

func BenchmarkFill(b *testing.B) {
	s := segmentation(512, 512, 60, 4)
	b.ReportAllocs()
	b.SetBytes(512 * 512 * 160) // about 160 frames have voxels
	for b.Loop() {
		d := dicom.New()
		d.Set(tag.StudyInstanceUID, "1.2")
		d.Set(tag.SOPInstanceUID, "1.3")
		if err := s.Fill(d, time.Unix(0, 0)); err != nil {
			b.Fatal(err)
		}
	}
}
