package report_test

import (
	"fmt"
	"image"
	"math"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/dce"
	"mome/experts/lesion"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/server/analysis"
	"mome/server/report"
	"mome/server/words"
)

// readPhantom analyses a phantom of one lesion with the dynamic expert alone. It also returns the study's images.
func readPhantom(t testing.TB, c phantom.Config) (r *analysis.Reading, images []*dicom.Dataset) {
	t.Helper()
	c.Seed, c.Phases, c.Without = 3, 3, []string{"T2", "DWI", "ADC"}
	s, err := phantom.New(c)
	if err != nil {
		t.Fatal(err)
	}
	expert, err := dce.New(dce.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := analysis.New(analysis.Config{Panel: []experts.Expert{expert}, Version: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := analysis.FromDatasets(t.Context(), s.Instances())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range s.Instances() {
		images = append(images, d)
	}
	r, err = a.Read(t.Context(), objects, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Assessment.Findings) == 0 {
		t.Fatalf("no lesion was found: %s", r.Assessment.Reason.Text)
	}
	return r, images
}

// TestSources: from images as scanners store them, single and multi-frame, in any plane and tilted, to objects whose
// frames lie on the images that they point to, and whose lines lie where the lesion is. The whole result points to nothing
// that does not exist, its volumes are its voxels, and other programs read all of it.
func TestSources(t *testing.T) {
	if testing.Short() {
		t.Skip("analyses of five phantoms: left out of the short run")
	}
	for _, c := range []phantom.Config{
		{Vendor: phantom.Siemens},
		{Vendor: phantom.GE, Acquisition: phantom.Acquisition{Plane: phantom.Sagittal}},
		{Vendor: phantom.Philips, Acquisition: phantom.Acquisition{Plane: phantom.Coronal}},
		{Vendor: phantom.SiemensXA, ObliqueDeg: -15, Acquisition: phantom.Acquisition{Plane: phantom.Sagittal}},
		{Vendor: phantom.Canon},
	} {
		t.Run(fmt.Sprintf("%s %s %g deg", c.Vendor, c.Plane, c.ObliqueDeg), func(t *testing.T) {
			r, acquired := readPhantom(t, c)
			src := source()
			heat := volume.New(r.Assessment.Grid)
			for i, in := range r.Assessment.Findings[0].Mask.Data {
				if in {
					heat.Data[i] = 1
				}
			}
			p := report.Part{Assessment: r.Assessment, Headers: r.SourceHeader(), Maps: []report.Map{{Kind: report.Explanation, Volume: heat}}}
			o := mustBuildPart(t, p, src)
			images := map[string]*dicom.Dataset{}
			for _, h := range r.Headers {
				images[h.String(tag.SOPInstanceUID)] = h
			}
			for _, d := range []*dicom.Dataset{o.SEG, o.Maps[0]} {
				framesLieOnSources(t, d, images)
			}
			linesLieOnLesions(t, r, o, images)
			for _, n := range r.Assessment.Notes {
				if _, ok := words.Korean.Translate(n); !ok {
					t.Errorf("no translation of %q", n)
				}
			}
			wholeResult(t, p, r, acquired)
		})
	}
}

// wholeResult holds all that a node writes of a study against its images, with the segmentation in either form, and with a
// copy of the reference phase and without.
func wholeResult(t *testing.T, p report.Part, r *analysis.Reading, acquired []*dicom.Dataset) {
	t.Helper()
	p.Pictures = []report.Picture{{Description: "Projection", Frames: []image.Image{drawnPicture(5, 4)}, Drawn: true}}
	var sources []target
	for _, d := range acquired {
		sources = append(sources, targetOf(d))
	}
	src := source()
	src.MapsAsMR, src.LabelMap, src.Language = true, true, words.Korean
	everyReferenceExists(t, mustBuildPart(t, p, src), sources)
	p.ReferencePhase, src.LabelMap, src.Language = r.Study.DCE[r.Study.Reference].Volume, false, words.English
	o := mustBuildPart(t, p, src)
	everyReferenceExists(t, o, sources)
	volumesAreVoxels(t, o)
	stored := inFiles(t, t.TempDir(), o, acquired)
	for _, program := range programs {
		t.Run(program.name, func(t *testing.T) { program.read(t, []filed{stored}) })
	}
}

// framesLieOnSources: each frame has the plane of the image that it points to; a cut one begins inside it.
func framesLieOnSources(t *testing.T, d *dicom.Dataset, images map[string]*dicom.Dataset) {
	t.Helper()
	frames := d.Items(tag.PerFrameFunctionalGroupsSequence)
	shared := d.Item(tag.SharedFunctionalGroupsSequence).Item(tag.PlaneOrientationSequence).Floats(tag.ImageOrientationPatient)
	for n, f := range frames {
		source := f.Item(tag.DerivationImageSequence).Item(tag.SourceImageSequence)
		image, frame := images[source.String(tag.ReferencedSOPInstanceUID)], source.IntOr(tag.ReferencedFrameNumber, 0)
		if image == nil || (image.IntOr(tag.NumberOfFrames, 1) > 1) != (frame > 0) {
			t.Fatalf("%s frame %d points to frame %d of %v", kind(d), n+1, frame, image != nil)
		}
		plane, err := volume.PlaneOf(image, frame)
		if err != nil {
			t.Fatal(err)
		}
		for a := range 3 {
			if math.Abs(shared[a]-plane.Axis[0][a]) > 1e-5 || math.Abs(shared[3+a]-plane.Axis[1][a]) > 1e-5 {
				t.Fatalf("%s: orientation %v, the image's %v", kind(d), shared, plane.Axis)
			}
		}
		p := volume.Vec(f.Item(tag.PlanePositionSequence).Floats(tag.ImagePositionPatient)).Sub(plane.Position)
		column, row := p.Dot(plane.Axis[0])/plane.SpacingMM[0], p.Dot(plane.Axis[1])/plane.SpacingMM[1]
		if math.Abs(p.Dot(plane.Normal())) > 1e-3 || math.Abs(column-math.Round(column)) > 1e-3 || math.Abs(row-math.Round(row)) > 1e-3 {
			t.Errorf("%s frame %d lies %.4f mm off its image, at column %.4f, row %.4f", kind(d), n+1, p.Dot(plane.Normal()), column, row)
		}
		whole := kind(d) == "seg"
		if whole && (math.Abs(column) > 1e-3 || math.Abs(row) > 1e-3 || d.IntOr(tag.Rows, 0) != plane.Rows || d.IntOr(tag.Columns, 0) != plane.Columns) {
			t.Errorf("%s frame %d begins at column %.4f, row %.4f of its image", kind(d), n+1, column, row)
		}
	}
}

// linesLieOnLesions: what is drawn on an image is where the lesion was measured, by the image's own header.
func linesLieOnLesions(t *testing.T, r *analysis.Reading, o report.Objects, images map[string]*dicom.Dataset) {
	t.Helper()
	m := content(t, o.ViewerSR)
	if len(m.Drawings) != 2*len(r.Assessment.Findings) {
		t.Fatalf("%d drawings of %d lesions", len(m.Drawings), len(r.Assessment.Findings))
	}
	for n, f := range r.Assessment.Findings {
		_, long, _ := lesion.Calipers(f.Mask)
		l := m.Drawings[n].Lines[0]
		frame := 0
		if len(l.Image.Frames) == 1 {
			frame = l.Image.Frames[0]
		}
		plane, err := volume.PlaneOf(images[l.Image.SOPInstanceUID], frame)
		if err != nil {
			t.Fatal(err)
		}
		for end, want := range []volume.Vec{long.From, long.To} {
			// The centre of the first pixel is at 0.5, 0.5: PS3.3 C.18.6.1.2.
			got := plane.Position.Add(plane.Axis[0].Scale((float64(l.Points[2*end]) - 0.5) * plane.SpacingMM[0])).
				Add(plane.Axis[1].Scale((float64(l.Points[2*end+1]) - 0.5) * plane.SpacingMM[1]))
			if got.Sub(want).Norm() > 0.01 { // mm, of the headers' decimals
				t.Errorf("%s: an end is drawn at %.3f, measured at %.3f", f.Label, got, want)
			}
		}
	}
}
