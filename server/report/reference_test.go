package report_test

import (
	"encoding/binary"
	"math"
	"testing"

	"mome/dicomweb/dicom/tag"
	"mome/experts/volume"
	"mome/server/report"
)

// TestReferencePhase: with a copy of the reference phase every reference of SEG and drawings points to an image of it, which
// has the phase's place and signal and names the image that it was made from.
func TestReferencePhase(t *testing.T) {
	a := withFindings()
	phase := volume.New(a.Grid)
	for at := range phase.Data {
		phase.Data[at] = float32(at % 731)
	}
	src := source()
	all, err := report.BuildAll([]report.Part{{Assessment: a, Headers: src.Headers, ReferencePhase: phase}}, src)
	if err != nil {
		t.Fatal(err)
	}
	o := all[0]
	if len(o.Reference) != a.Grid.Size[2] {
		t.Fatalf("%d images of the copy, want %d", len(o.Reference), a.Grid.Size[2])
	}
	copies := map[string]int{}
	for k, d := range o.Reference {
		copies[d.String(tag.SOPInstanceUID)] = k
		world, _ := d.Item(tag.RealWorldValueMappingSequence).Float(tag.RealWorldValueSlope)
		pixels := d.Get(tag.PixelData).Value
		for i, want := range phase.Data[k*len(pixels)/2 : (k+1)*len(pixels)/2] {
			if got := world * float64(int16(binary.LittleEndian.Uint16(pixels[2*i:]))); math.Abs(got-float64(want)) > world/2*(1+1e-9) {
				t.Fatalf("image %d, pixel %d: %g, want %g", k, i, got, want)
			}
		}
		if p := d.Floats(tag.ImagePositionPatient); volume.Vec(p).Sub(a.Grid.Point(0, 0, float64(k))).Norm() > 1e-3 {
			t.Errorf("image %d lies at %v", k, p)
		}
		if from := d.Item(tag.SourceImageSequence).String(tag.ReferencedSOPInstanceUID); from != a.Reference.Slices[k].SOPInstanceUID {
			t.Errorf("image %d is made from %q, want %q", k, from, a.Reference.Slices[k].SOPInstanceUID)
		}
	}
	series := o.Reference[0].String(tag.SeriesInstanceUID)
	if got := o.SEG.Item(tag.ReferencedSeriesSequence).String(tag.SeriesInstanceUID); got != series {
		t.Errorf("the SEG refers to series %s, want the copy's %s", got, series)
	}
	frames := 0
	for _, f := range o.SEG.Items(tag.PerFrameFunctionalGroupsSequence) {
		ref := f.Item(tag.DerivationImageSequence).Item(tag.SourceImageSequence).String(tag.ReferencedSOPInstanceUID)
		if _, ok := copies[ref]; !ok {
			t.Errorf("a frame of the SEG refers to %q, which is no image of the copy", ref)
		}
		frames++
	}
	drawn := content(t, o.ViewerSR).Drawings
	for _, d := range drawn {
		if _, ok := copies[d.Lines[0].Image.SOPInstanceUID]; !ok {
			t.Errorf("%s is drawn on %q, which is no image of the copy", d.TrackingID, d.Lines[0].Image.SOPInstanceUID)
		}
	}
	if frames == 0 || len(drawn) == 0 || a.Reference.SeriesUID == series {
		t.Errorf("%d frames, %d drawings; the assessment itself must not change", frames, len(drawn))
	}
	if plain := mustBuild(t, a, src); plain.SR.String(tag.SOPInstanceUID) == o.SR.String(tag.SOPInstanceUID) {
		t.Error("the result with the copy has the UID of the one without")
	}
}
