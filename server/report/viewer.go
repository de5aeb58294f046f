package report

import (
	"slices"

	"mome/dicomweb/dicom"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
	"mome/fusion"
)

// Tracking identifiers begin with what tells viewers built on Cornerstone which tool draws a group.
const (
	bidirectionalTool = "Cornerstone3DTools@^0.1.0:Bidirectional:"
	freehandTool      = "Cornerstone3DTools@^0.1.0:PlanarFreehandROI:"
)

// viewerReport makes the second SR: the lesions as drawings on the images of their largest sections, which viewers list
// and draw. They pass over the groups of the main report, which point to segments; that one stays the result, and this one
// names it. nil if there is no section to draw on.
func (b *build) viewerReport() (*dicom.Dataset, error) {
	if b.a.Outcome == fusion.NotDone {
		return nil, nil
	}
	// Diameters first, the most suspicious lesion's in front, and outlines the other way round: OHIF lists them in this order
	// and begins with the image of the last.
	var drawings, outlines []sr.Drawing
	for i, f := range b.a.Findings {
		if of := b.drawings(f, b.segments.lesions[i]); len(of) > 0 {
			drawings, outlines = append(drawings, of[0]), append(outlines, of[1:]...)
		}
	}
	slices.Reverse(outlines)
	drawings = append(drawings, outlines...)
	if len(drawings) == 0 {
		return nil, nil
	}
	d := b.header(b.viewer, iod.Series{
		Modality: "SR", UID: b.viewer.SeriesUID, Number: viewerSeriesNumber, Description: viewerDescription, Code: code.MeasurementReport,
	})
	b.declareScheme(d)
	content := b.frame()
	content.Library = []sr.LibraryGroup{b.drawnOn(drawings)}
	content.Drawings = drawings
	content.Evaluations = []*sr.Item{
		sr.Remark(b.warning() + " " + b.lang.Text("Output of an automated algorithm, not verified by a physician.")),
		sr.Remark(b.lang.Text("Measurements for viewers. The whole result is in the other report of this study: %s.", srDescription)),
	}
	doc := sr.Document{Root: b.tree(content), Predecessors: b.predecessors(b.viewer.SOPClassUID), Pertinent: []iod.Instance{b.sr}}
	return d, doc.Fill(d, b.now)
}

// drawings are the diameters of a finding's largest section in the plane of the images, and its outline there.
func (b *build) drawings(f fusion.Finding, segment int) []sr.Drawing {
	if segment == 0 {
		return nil
	}
	slice, long, short := lesion.Calipers(f.Mask)
	if slice < 0 || slice >= len(b.a.Reference.Slices) || b.a.Reference.Slices[slice].SOPInstanceUID == "" {
		return nil
	}
	image := b.imageOf(slice)
	label := b.label(f.Label)
	if f.Probability.Known {
		label = b.lang.Text("%s AI p=%.2f", label, f.Probability.Value)
	}
	all := sr.Drawing{
		Category: code.Abnormal, Finding: code.Lesion, Site: breastCode(f.Side), Laterality: sideCode(f.Side),
		Segment: sr.Ref{Instance: b.seg, Segments: []int{segment}}, Comment: label,
	}
	axes, outline := all, all
	axes.TrackingID, axes.TrackingUID = bidirectionalTool+f.Label, b.tracking(f.TrackingUID, f.Label)
	axes.Lines = []sr.Line{b.axis(code.LongAxis, long, image), b.axis(code.ShortAxis, short, image)}
	var m measurements
	m.add(code.ProbabilityOfCancer, percent(f.Probability), 1, code.Percent, how{})
	m.add(code.Volume, positive(f.VolumeCM3), 3, code.CM3, how{})
	axes.Measurements = m.list

	// Viewers merge groups of one Tracking UID: the outline has its own.
	outline.TrackingID, outline.TrackingUID = freehandTool+f.Label, b.tracking("", f.Label+" outline")
	size := &b.a.Grid.Size
	n := size[0] * size[1]
	points, pixels := contour(f.Mask.Data[slice*n:(slice+1)*n], size[0])
	area := pixels * b.a.Grid.SpacingMM[0] * b.a.Grid.SpacingMM[1]
	outline.Lines = []sr.Line{{Name: code.Area, Value: sr.Round(area, 1), Unit: code.MM2, Points: points, Image: image}}
	return []sr.Drawing{axes, outline}
}

// axis returns a diameter as it is drawn.
func (b *build) axis(name code.Code, l experts.Line, image sr.Ref) sr.Line {
	return sr.Line{Name: name, Value: sr.Round(l.LengthMM(), 1), Unit: code.MM, Points: b.onImage(l.From, l.To), Image: image}
}

// onImage returns places in patient space, mm, as column and row of the images that the grid was read from, in pixels from
// the upper left corner of the first pixel: PS3.3 C.18.6.1.2.
func (b *build) onImage(places ...volume.Vec) []float32 {
	var points []float32
	for _, p := range places {
		column, row, _ := b.a.Grid.At(p)
		points = append(points, float32(column+0.5), float32(row+0.5))
	}
	return points
}

// imageOf returns the image that a slice was read from.
func (b *build) imageOf(slice int) sr.Ref {
	r := b.a.Reference
	s := r.Slices[slice]
	ref := sr.Ref{Instance: iod.Instance{
		StudyUID: b.a.StudyUID, SeriesUID: r.SeriesUID, SOPClassUID: r.SOPClassUID, SOPInstanceUID: s.SOPInstanceUID,
	}}
	if s.Frame > 0 {
		ref.Frames = []int{s.Frame}
	}
	return ref
}

// drawnOn lists the images of the drawings, each once.
func (b *build) drawnOn(drawings []sr.Drawing) sr.LibraryGroup {
	g := sr.LibraryGroup{Modality: code.MR, Region: code.Breast, FrameOfReferenceUID: b.a.Grid.FrameOfReference, Role: code.DCE}
	seen := map[string]bool{}
	for _, d := range drawings {
		if image := d.Lines[0].Image.Instance; !seen[image.SOPInstanceUID] {
			seen[image.SOPInstanceUID] = true
			g.Images = append(g.Images, image)
		}
	}
	return g
}
