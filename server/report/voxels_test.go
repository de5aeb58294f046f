package report_test

import (
	"math"
	"math/bits"
	"slices"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
	"mome/experts/volume"
	"mome/server/report"
)

// segmentVolumes returns the volume of each segment number in cm3 as another program takes it from the object alone: set
// bits, times the pixel spacing, times the distance between neighbouring frames. pixels is the Pixel Data of a BINARY one.
func segmentVolumes(t *testing.T, d *dicom.Dataset, pixels []byte) map[int]float64 {
	t.Helper()
	shared := d.Item(tag.SharedFunctionalGroupsSequence)
	o := shared.Item(tag.PlaneOrientationSequence).Floats(tag.ImageOrientationPatient)
	normal := volume.Vec(o[:3]).Cross(volume.Vec(o[3:]))
	n := d.IntOr(tag.Rows, 0) * d.IntOr(tag.Columns, 0)
	voxels, depths := map[int]int{}, []float64{}
	for f, groups := range d.Items(tag.PerFrameFunctionalGroupsSequence) {
		number := groups.Item(tag.SegmentIdentificationSequence).IntOr(tag.ReferencedSegmentNumber, 0)
		for at := f * n; at < (f+1)*n; at++ {
			voxels[number] += bits.OnesCount8(pixels[at/8] & (1 << (at % 8)))
		}
		depths = append(depths, volume.Vec(groups.Item(tag.PlanePositionSequence).Floats(tag.ImagePositionPatient)).Dot(normal))
	}
	slices.Sort(depths)
	distance := math.Inf(1)
	for i := 1; i < len(depths); i++ {
		if step := depths[i] - depths[i-1]; step > 1e-3 { // mm, of the positions' decimals
			distance = min(distance, step)
		}
	}
	spacing := shared.Item(tag.PixelMeasuresSequence).Floats(tag.PixelSpacing)
	out := map[int]float64{}
	for number, count := range voxels {
		out[number] = float64(count) * spacing[0] * spacing[1] * distance / 1000
	}
	return out
}

// volumesAreVoxels: the volume that the SR states of each lesion and breast is that of the segment that it points to, within
// half of the last decimal written and what the decimals of positions make of the distance of slices.
func volumesAreVoxels(t *testing.T, o report.Objects) {
	t.Helper()
	segmentation, pixels := scanned(t, written(t, o.SEG))
	volumes := segmentVolumes(t, segmentation, pixels)
	lesions, breasts := 0, 0
	for _, g := range content(t, o.SR).Groups {
		v, ok := g.Measured(code.Volume)
		if len(g.Segment.Segments) != 1 || !ok || v.Value <= 0 || !v.Unit.Is(code.CM3) || g.Segment.SOPInstanceUID != segmentation.String(tag.SOPInstanceUID) {
			t.Fatalf("%s has volume %v and points to %v", g.TrackingID, v.Value, g.Segment)
		}
		if got := volumes[g.Segment.Segments[0]]; math.Abs(v.Value-got) > 0.0005+1e-7*got {
			t.Errorf("%s: %v cm3 in the SR, %.5f in the SEG", g.TrackingID, v.Value, got)
		}
		if g.Finding.Is(code.Lesion) {
			lesions++
		} else {
			breasts++
		}
	}
	if lesions == 0 || breasts == 0 {
		t.Errorf("volumes of %d lesions and %d breasts were held against voxels", lesions, breasts)
	}
}
