package report_test

import (
	"image"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/pm"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/report"
)

func mustBuildPart(t testing.TB, p report.Part, src report.Source) report.Objects {
	t.Helper()
	all, err := report.BuildAll([]report.Part{p}, src)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// TestMaps: each map comes back with its quantity and unit, at its place in the patient; the lesions point to what
// explains them.
func TestMaps(t *testing.T) {
	p := withMaps()
	o := mustBuildPart(t, p, source())
	if len(o.Maps) != len(p.Maps) || len(o.Pictures) != len(p.Pictures) {
		t.Fatalf("%d maps, %d pictures, want %d and %d", len(o.Maps), len(o.Pictures), len(p.Maps), len(p.Pictures))
	}
	for n, want := range []struct{ quantity, unit code.Code }{{code.Saliency, code.Dimensionless}, {code.SER, code.Ratio}, {code.ADC, code.UM2PerS}} {
		stored, _ := scanned(t, written(t, o.Maps[n]))
		got, err := pm.Read(stored, o.Maps[n].Get(tag.FloatPixelData).Value)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Quantity.Is(want.quantity) || !got.Unit.Is(want.unit) {
			t.Errorf("%s is %v in %v, want %v in %v", p.Maps[n].Kind, got.Quantity, got.Unit, want.quantity, want.unit)
		}
		sameValues(t, got, p.Maps[n].Volume)
	}
	// The part of the grid that SER lies on begins at slice 3: its values are on slices 3 and 4 of the reference.
	frames := o.Maps[1].Items(tag.PerFrameFunctionalGroupsSequence)
	for n, k := range []int{3, 4} {
		image := frames[n].Item(tag.DerivationImageSequence).Item(tag.SourceImageSequence).String(tag.ReferencedSOPInstanceUID)
		if want := p.Assessment.Reference.Slices[k].SOPInstanceUID; image != want {
			t.Errorf("frame %d of SER points to %s, want %s", n+1, image, want)
		}
	}
	src := source()
	src.WholeMaps, p.Maps = true, p.Maps[:2]
	whole := mustBuildPart(t, p, src).Maps[1]
	got, err := pm.Read(whole, whole.Get(tag.FloatPixelData).Value)
	if err != nil || got.Grid.Rows != size[1] || len(got.Grid.Positions) != size[2] {
		t.Fatalf("a whole map of %d rows, %d slices: %v", got.Grid.Rows, len(got.Grid.Positions), err)
	}
	sameValues(t, got, p.Maps[1].Volume)
	heat := iod.Instance{StudyUID: studyUID, SeriesUID: o.Maps[0].String(tag.SeriesInstanceUID), SOPClassUID: uid.ParametricMapStorage, SOPInstanceUID: o.Maps[0].String(tag.SOPInstanceUID)}
	m := content(t, o.SR)
	for _, g := range m.Groups[:2] {
		if len(g.Images) != 1 || g.Images[0].Ref.Instance != heat || !g.Images[0].Name.Is(code.ExplanationMap) {
			t.Errorf("%s points to %v, want the explanation", g.TrackingID, g.Images)
		}
	}
}

// sameValues compares what was read with the volume, place by place.
func sameValues(t *testing.T, got *pm.Map, want *volume.Volume) {
	t.Helper()
	values := 0
	for i, v := range got.Data {
		if v == 0 {
			continue
		}
		values++
		k, row, column := i/(got.Grid.Rows*got.Grid.Columns), i/got.Grid.Columns%got.Grid.Rows, i%got.Grid.Columns
		at := volume.Vec(got.Grid.Positions[k]).
			Add(volume.Vec(got.Grid.Orientation[:3]).Scale(float64(column) * got.Grid.PixelSpacingMM[1])).
			Add(volume.Vec(got.Grid.Orientation[3:]).Scale(float64(row) * got.Grid.PixelSpacingMM[0]))
		x, y, z := want.At(at)
		if w := want.Data[want.Index(int(math.Round(x)), int(math.Round(y)), int(math.Round(z)))]; w != v {
			t.Fatalf("%s: %v at %v, want %v", got.Name, v, at, w)
		}
	}
	n := 0
	for _, v := range want.Data {
		if v != 0 && v == v {
			n++
		}
	}
	if values != n {
		t.Errorf("%s: %d values, want %d", got.Name, values, n)
	}
}

// TestVolumesAreVoxels holds it for the made-up result, by the reader of results too; TestSources for studies of phantoms.
func TestVolumesAreVoxels(t *testing.T) {
	a := withFindings()
	for n := range a.Findings {
		a.Findings[n].VolumeCM3 = a.Findings[n].Mask.VolumeCM3()
	}
	volumesAreVoxels(t, mustBuild(t, a, source()))
	for _, f := range readBack(t, a).Findings {
		if math.Abs(f.VolumeCM3-f.Mask.VolumeCM3()) > 0.0005 {
			t.Errorf("%s: %v cm3 in the SR, %v in the SEG", f.Label, f.VolumeCM3, f.Mask.VolumeCM3())
		}
	}
}

// TestLabelMap: lesions come back as they were; what they cover belongs to them alone.
func TestLabelMap(t *testing.T) {
	a, src := withFindings(), source()
	src.LabelMap = true
	o := mustBuild(t, a, src)
	structured, _ := scanned(t, written(t, o.SR))
	segmentation, pixels := scanned(t, written(t, o.SEG))
	got, err := report.Read(structured, segmentation, pixels)
	if err != nil {
		t.Fatal(err)
	}
	for n, f := range a.Findings {
		sameMask(t, f.Label, got.Findings[n].Mask, f.Mask)
	}
	covered := got.Findings[0].Mask
	for _, br := range got.Breasts {
		for i, in := range br.Mask.Data {
			if in && covered.Data[i] {
				t.Fatal("a voxel is in the breast and in the lesion")
			}
		}
	}
}

// TestEmptyMap: a map without a value is left out, and nothing points to it.
func TestEmptyMap(t *testing.T) {
	p := withMaps()
	for i := range p.Maps[0].Volume.Data {
		p.Maps[0].Volume.Data[i] = float32(math.NaN())
	}
	o := mustBuildPart(t, p, source())
	if len(o.Maps) != len(p.Maps)-1 {
		t.Errorf("%d maps, want %d", len(o.Maps), len(p.Maps)-1)
	}
	if images := content(t, o.SR).Groups[0].Images; len(images) != 0 {
		t.Errorf("a lesion points to %v", images)
	}
}

func TestMapsIdentity(t *testing.T) {
	plain := mustBuild(t, withFindings(), source())
	with := mustBuildPart(t, withMaps(), source())
	if plain.SR.String(tag.SOPInstanceUID) == with.SR.String(tag.SOPInstanceUID) {
		t.Error("a report that points to maps has the UID of one that does not")
	}
	src := source()
	src.LabelMap = true
	if mustBuild(t, withFindings(), src).SEG.String(tag.SOPInstanceUID) == plain.SEG.String(tag.SOPInstanceUID) {
		t.Error("a label map has the UID of a binary segmentation")
	}
}

func TestBuildRefusesMaps(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*report.Part, *report.Source)
		want   string
	}{
		{"an unknown kind", func(p *report.Part, _ *report.Source) { p.Maps[0].Kind = "x" }, `map "x"`},
		{"no volume", func(p *report.Part, _ *report.Source) { p.Maps[0].Volume = nil }, "no volume"},
		{"two of a kind", func(p *report.Part, _ *report.Source) { p.Maps[1].Kind = p.Maps[0].Kind }, "two maps"},
		{"a whole map on another grid", func(_ *report.Part, s *report.Source) { s.WholeMaps = true }, "grid of its own"},
		{"no picture", func(p *report.Part, _ *report.Source) { p.Pictures[0].Frames = []image.Image{} }, "no picture"},
	} {
		p, s := withMaps(), source()
		c.change(&p, &s)
		if _, err := report.BuildAll([]report.Part{p}, s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

// fullSize is a study of 352 x 352 x 160 with 3 lesions of 20 mm explained in boxes of 48 mm, breasts and tissue.
func fullSize() report.Part {
	g := volume.Grid{
		Size: [3]int{352, 352, 160}, Axis: [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		SpacingMM: [3]float64{0.98, 0.98, 1}, FrameOfReference: frameUID,
	}
	ball := func(x, y, z, radius int) *volume.Mask {
		m := volume.NewMask(g)
		for k := max(z-radius, 0); k < min(z+radius, g.Size[2]); k++ {
			for j := max(y-radius, 0); j < min(y+radius, g.Size[1]); j++ {
				for i := max(x-radius, 0); i < min(x+radius, g.Size[0]); i++ {
					m.Data[m.Index(i, j, k)] = (i-x)*(i-x)+(j-y)*(j-y)+(k-z)*(k-z) < radius*radius
				}
			}
		}
		return m
	}
	a := withFindings()
	a.Grid = g
	a.Reference.Slices = make([]experts.Slice, g.Size[2])
	for k := range a.Reference.Slices {
		a.Reference.Slices[k].SOPInstanceUID = seriesUID(2) + "." + strconv.Itoa(k+1)
	}
	a.Series[0].Instances = instances(2, g.Size[2])
	a.Breasts[0].Mask, a.Breasts[0].Fibroglandular = ball(260, 120, 80, 75), ball(260, 120, 80, 40)
	a.Breasts[1].Mask, a.Breasts[1].Fibroglandular = ball(90, 120, 80, 75), ball(90, 120, 80, 40)
	heat := volume.New(g)
	a.Findings = slices.Clone(a.Findings[:1])
	first := *a.Findings[0].Lesion
	first.Neighbours = nil
	a.Findings = nil
	for n, c := range [][3]int{{250, 110, 70}, {270, 130, 95}, {95, 100, 85}} {
		l := first
		l.Label, l.Mask = "Lesion "+strconv.Itoa(n+1), ball(c[0], c[1], c[2], 10)
		a.Findings = append(a.Findings, fusion.Finding{Lesion: &l, Probability: experts.Known(0.7)})
		for i, in := range ball(c[0], c[1], c[2], 24).Data {
			if in {
				heat.Data[i] = float32(i%11) * 1e-4
			}
		}
	}
	return report.Part{Assessment: a, Headers: headers(), Maps: []report.Map{{Kind: report.Explanation, Volume: heat}}}
}

// TestFullSize: SEG and explanation of a large study stay below 20 MB.
func TestFullSize(t *testing.T) {
	if testing.Short() {
		t.Skip("masks of 20 million voxels: left out of the short run")
	}
	o := mustBuildPart(t, fullSize(), source())
	total := 0
	for _, d := range inOrder(o) {
		n := len(written(t, d))
		total += n
		t.Logf("%s: %.2f MB", kind(d), float64(n)/1e6)
	}
	if total > 20e6 {
		t.Errorf("%.1f MB, want at most 20", float64(total)/1e6)
	}
}

// BenchmarkFullSize writes all objects of a large study.
func BenchmarkFullSize(b *testing.B) {
	p, src := fullSize(), source()
	b.ReportAllocs()
	for b.Loop() {
		for _, d := range inOrder(mustBuildPart(b, p, src)) {
			if err := dicom.Write(io.Discard, d, uid.ExplicitVRLittleEndian); err != nil {
				b.Fatal(err)
			}
		}
	}
}
