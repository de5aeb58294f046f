package report_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/words"
)

// sagittal is the study of withFindings on an oblique grid whose images are near to sagittal, from a multi-frame image.
func sagittal() *fusion.Assessment {
	a := withFindings()
	c, s := math.Cos(0.2), math.Sin(0.2)
	a.Grid.Axis = [3]volume.Vec{{s, c, 0}, {0, 0, -1}, {c, -s, 0}}
	for _, f := range a.Findings {
		f.Mask.Grid = a.Grid
	}
	a.Reference.SOPClassUID = uid.EnhancedMRImageStorage
	a.Series[0].SOPClassUID = uid.EnhancedMRImageStorage
	a.Series[0].Instances = a.Series[0].Instances[:1]
	for i := range a.Reference.Slices {
		a.Reference.Slices[i] = experts.Slice{SOPInstanceUID: a.Series[0].Instances[0], Frame: i + 1}
	}
	return a
}

// TestViewerReport: what is drawn lies where the lesion is, on the image that holds its largest section.
func TestViewerReport(t *testing.T) {
	for _, c := range []struct {
		name  string
		make  func() *fusion.Assessment
		frame bool
	}{{"axial", withFindings, false}, {"sagittal multi-frame", sagittal, true}} {
		t.Run(c.name, func(t *testing.T) {
			a := c.make()
			o := mustBuild(t, a, source())
			m := content(t, o.ViewerSR)
			if len(m.Drawings) != 2*len(a.Findings) || len(m.Groups) != 0 {
				t.Fatalf("%d drawings, %d other groups, want %d and 0", len(m.Drawings), len(m.Groups), 2*len(a.Findings))
			}
			seen := map[string]bool{}
			for n, d := range m.Drawings {
				// Diameters in the order of the findings, then outlines the other way round.
				at, diameters := n, n < len(a.Findings)
				if !diameters {
					at = 2*len(a.Findings) - 1 - n
				}
				f := a.Findings[at]
				if seen[d.TrackingUID] {
					t.Errorf("two groups have the Tracking UID %s: viewers would merge them", d.TrackingUID)
				}
				seen[d.TrackingUID] = true
				if !slices.Equal(d.Segment.Segments, []int{at + 1}) || d.Segment.SOPInstanceUID != o.SEG.String(tag.SOPInstanceUID) {
					t.Errorf("%s points to segment %v of %s", d.TrackingID, d.Segment.Segments, d.Segment.SOPInstanceUID)
				}
				if want := fmt.Sprintf("%s AI p=%.2f", f.Label, f.Probability.Value); d.Comment != want {
					t.Errorf("label %q, want %q", d.Comment, want)
				}
				slice, long, short := lesion.Calipers(f.Mask)
				for _, l := range d.Lines {
					want := sr.Ref{Instance: iod.Instance{StudyUID: studyUID, SeriesUID: a.Reference.SeriesUID,
						SOPClassUID: a.Reference.SOPClassUID, SOPInstanceUID: a.Reference.Slices[slice].SOPInstanceUID}}
					if c.frame {
						want.Frames = []int{slice + 1}
					}
					if fmt.Sprint(l.Image) != fmt.Sprint(want) {
						t.Errorf("%s lies on %v, want %v", l.Name, l.Image, want)
					}
				}
				if diameters {
					ends := []volume.Vec{long.From, long.To, short.From, short.To}
					for i, p := range append(onGrid(&a.Grid, slice, d.Lines[0].Points), onGrid(&a.Grid, slice, d.Lines[1].Points)...) {
						if p.Sub(ends[i]).Norm() > 1e-4 { // mm, of float32
							t.Errorf("%s: an end is drawn at %v, want %v", d.TrackingID, p, ends[i])
						}
					}
					if math.Abs(d.Lines[0].Value-long.LengthMM()) > 0.05 || math.Abs(d.Lines[1].Value-short.LengthMM()) > 0.05 {
						t.Errorf("%v and %v mm, want %.2f and %.2f", d.Lines[0].Value, d.Lines[1].Value, long.LengthMM(), short.LengthMM())
					}
				}
			}
		})
	}
}

// onGrid is the place in patient space of points on an image: 0.5, 0.5 is the centre of its first pixel.
func onGrid(g *volume.Grid, slice int, points []float32) (out []volume.Vec) {
	for n := 0; n+1 < len(points); n += 2 {
		out = append(out, g.Point(float64(points[n])-0.5, float64(points[n+1])-0.5, float64(slice)))
	}
	return out
}

// TestViewerOutline: the first lesion's box of 2 x 3 pixels at column 9, row 3 is outlined along the pixels' edges.
func TestViewerOutline(t *testing.T) {
	all := content(t, mustBuild(t, withFindings(), source()).ViewerSR).Drawings
	d := all[len(all)-1]
	l := d.Lines[0]
	if want := []float32{11, 3, 11, 6, 9, 6, 9, 3, 11, 3}; !slices.Equal(l.Points, want) {
		t.Errorf("outline %v, want %v", l.Points, want)
	}
	if want := 2 * 3 * 0.8 * 0.9; math.Abs(l.Value-want) > 0.05 || !l.Name.Is(code.Area) {
		t.Errorf("%v %v mm2, want area %v", l.Name, l.Value, want)
	}
	if !strings.HasPrefix(d.TrackingID, "Cornerstone3DTools@^0.1.0:PlanarFreehandROI:") {
		t.Errorf("tracking identifier %q", d.TrackingID)
	}
}

// TestViewerReportNamesTheMain: one tells where the whole result is, and each replaces the older one of its own class.
func TestViewerReportNamesTheMain(t *testing.T) {
	src := source()
	older := iod.Instance{StudyUID: studyUID, SeriesUID: "2.25.61", SOPClassUID: uid.Comprehensive3DSRStorage, SOPInstanceUID: "2.25.62"}
	drawn := iod.Instance{StudyUID: studyUID, SeriesUID: "2.25.63", SOPClassUID: uid.ComprehensiveSRStorage, SOPInstanceUID: "2.25.64"}
	src.Predecessors = []iod.Instance{drawn, older}
	o := mustBuild(t, withFindings(), src)
	named := iod.ReadHierarchical(o.ViewerSR.Items(tag.PertinentOtherEvidenceSequence))
	if len(named) != 1 || named[0].SOPInstanceUID != o.SR.String(tag.SOPInstanceUID) || named[0].SeriesUID != o.SR.String(tag.SeriesInstanceUID) {
		t.Errorf("names %v, want the main report", named)
	}
	for _, c := range []struct {
		kind string
		got  []iod.Instance
		want iod.Instance
	}{
		{"main", iod.ReadHierarchical(o.SR.Items(tag.PredecessorDocumentsSequence)), older},
		{"viewer", iod.ReadHierarchical(o.ViewerSR.Items(tag.PredecessorDocumentsSequence)), drawn},
	} {
		if len(c.got) != 1 || c.got[0] != c.want {
			t.Errorf("the %s report replaces %v, want %v", c.kind, c.got, c.want)
		}
	}
}

// TestNothingToDraw: without a lesion, or without an image below it, there is no report for viewers.
func TestNothingToDraw(t *testing.T) {
	made := func() *fusion.Assessment { // slices that come from no one image
		a := withFindings()
		for i := range a.Reference.Slices {
			a.Reference.Slices[i] = experts.Slice{}
		}
		return a
	}
	for name, make := range map[string]func() *fusion.Assessment{"no findings": withoutFindings, "not done": notDone, "no image": made} {
		if o := mustBuild(t, make(), source()); o.ViewerSR != nil {
			t.Errorf("%s: there is a report for viewers", name)
		}
	}
	src := source()
	src.ViewerSR = false
	if o := mustBuild(t, withFindings(), src); o.ViewerSR != nil {
		t.Error("there is a report for viewers that was not asked for")
	}
}

// TestViewerLabelInLanguage: the label that viewers show is in the language of the report.
func TestViewerLabelInLanguage(t *testing.T) {
	src := source()
	src.Language = words.Korean
	m := content(t, mustBuild(t, withFindings(), src).ViewerSR)
	if got, want := m.Drawings[0].Comment, "병변 1 AI p=0.87"; got != want || !m.Language.Is(code.KoreanKR) {
		t.Errorf("label %q in %v, want %q in Korean", got, m.Language, want)
	}
}
