package derived_test

import (
	"encoding/binary"
	"math"
	"testing"

	"mome/dicomweb/derived"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
	"mome/dicomweb/pm"
)

// TestSeries: rescaled grey values are the map's within half a step, zero is zero, and each image lies where its slice is.
func TestSeries(t *testing.T) {
	m := &pm.Map{
		Grid: multiframe.Grid{
			Rows: 3, Columns: 4, Orientation: [6]float64{1, 0, 0, 0, 1, 0}, PixelSpacingMM: [2]float64{0.5, 2},
			SliceThicknessMM: 3, SpacingBetweenSlicesMM: 3, FrameOfReferenceUID: "1.2.5",
			Positions: [][3]float64{{0, 0, 0}, {0, 0, 3}, {0, 0, 6}},
		},
		Source:   multiframe.Source{SeriesUID: "1.2.3", SOPClassUID: uid.MRImageStorage, Slices: []multiframe.Slice{{SOPInstanceUID: "1.1"}, {SOPInstanceUID: "1.2"}, {}}},
		Data:     make([]float32, 36),
		Quantity: code.PEEarly, Unit: code.Percent, Derivation: code.PerfusionImage, Name: "PE", Label: "PE", Description: "a test",
	}
	m.Data[12+4+1], m.Data[12+8+3], m.Data[24+4+2] = 143.7, -20, 0.01
	images, fill, err := derived.Series(m, "HFP")
	if err != nil || images != 2 {
		t.Fatalf("%d images, %v, want 2", images, err)
	}
	want := [][]float32{{143.7, 0, 0, 0, 0, -20}, {0, 0.01, 0, 0, 0, 0}} // cut to rows 1 to 2, columns 1 to 3
	for n := range images {
		d := dicom.New()
		fill(d, n)
		slope, _ := d.Float(tag.RescaleSlope)
		pixels := d.Get(tag.PixelData).Value
		if d.IntOr(tag.Rows, 0) != 2 || d.IntOr(tag.Columns, 0) != 3 || len(pixels) != 12 {
			t.Fatalf("image %d is %d x %d of %d bytes", n, d.IntOr(tag.Rows, 0), d.IntOr(tag.Columns, 0), len(pixels))
		}
		for i, w := range want[n] {
			grey := int16(binary.LittleEndian.Uint16(pixels[2*i:]))
			if got := slope * float64(grey); math.Abs(got-float64(w)) > slope/2*(1+1e-9) || w == 0 && grey != 0 {
				t.Errorf("image %d pixel %d is %v, want %v within %v", n, i, got, w, slope/2)
			}
		}
		p := d.Floats(tag.ImagePositionPatient)
		if p[0] != 2 || p[1] != 0.5 || p[2] != float64(3*(n+1)) {
			t.Errorf("image %d lies at %v, want 2, 0.5, %d", n, p, 3*(n+1))
		}
	}
	for i := range m.Data { // log-odds per voxel: their window would be narrower than a linear one can be
		m.Data[i] /= 1e4
	}
	if _, fill, err = derived.Series(m, "HFP"); err != nil {
		t.Fatal(err)
	}
	d := dicom.New()
	fill(d, 0)
	slope, _ := d.Float(tag.RescaleSlope)
	world, _ := d.Item(tag.RealWorldValueMappingSequence).Float(tag.RealWorldValueSlope)
	width, _ := d.Float(tag.WindowWidth)
	if math.Abs(slope/world-1e4) > 1 || math.Abs(width-163.7) > 0.1 || d.Has(tag.VOILUTFunction) {
		t.Errorf("slopes %v and %v, window %v wide, VOI LUT Function %v", slope, world, width, d.Has(tag.VOILUTFunction))
	}
	clear(m.Data)
	if _, _, err := derived.Series(m, ""); err == nil {
		t.Error("a map without a value made a series")
	}
}
