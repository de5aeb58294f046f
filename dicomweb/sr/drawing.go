package sr

import "mome/dicomweb/iod/code"

// Drawing is a measurement with the lines that show it on an image: TID 1501 "Measurement and Qualitative Evaluation
// Group", whose NUMs are inferred from coordinates (TID 300 with TID 320). Viewers list and draw such groups, while they
// pass over a group that points to a segment. A document has either these or ROIs: validators refuse templates of groups
// that are mixed.
type Drawing struct {
	TrackingID, TrackingUID string
	Category, Finding       code.Code
	Site, Laterality        code.Code
	Segment                 Ref // of a Segmentation, what the drawing is a section of; may be zero
	Lines                   []Line
	Measurements            []Measurement // beside those of the lines; each a NUM with nothing below it
	Comment                 string        // viewers show it as the label
}

// Line is a measurement along or inside a line on an image.
type Line struct {
	Name   code.Code
	Value  float64
	Unit   code.Code
	Points []float32 // column, row pairs: 0, 0 is the upper left corner of the first pixel, whose centre is 0.5, 0.5 (PS3.3 C.18.6)
	Image  Ref       // with its frame, of a multi-frame image
}

// Item returns the measurement group.
func (d Drawing) Item() *Item {
	g := group("1501", d.TrackingID, d.TrackingUID, d.Category, d.Finding)
	if d.Segment.SOPInstanceUID != "" {
		g.Add(NewImage(Contains, code.ReferencedSegment, d.Segment))
	}
	if !d.Site.Zero() {
		g.Add(findingSite(d.Site, d.Laterality, code.Code{}))
	}
	for _, l := range d.Lines {
		// Viewers tell a drawn NUM by the coordinates being all that is below it.
		g.Add(NewNum(Contains, l.Name, l.Value, l.Unit, &Item{
			Relation: InferredFrom, Type: SCoord, Coord: Coord{Graphic: "POLYLINE", Points: l.Points},
			Items: []*Item{NewImage(SelectedFrom, code.Code{}, l.Image)},
		}))
	}
	for _, m := range d.Measurements {
		g.Add(NewNum(Contains, m.Name, m.Value, m.Unit))
	}
	if d.Comment != "" {
		g.Add(NewText(Contains, code.Comment, d.Comment))
	}
	return g
}

// readDrawing is the inverse of Item.
func readDrawing(i *Item) Drawing {
	d := Drawing{
		TrackingID:  i.TextOf(code.TrackingID),
		TrackingUID: i.TextOf(code.TrackingUID),
		Category:    i.CodeOf(code.FindingCategory),
		Finding:     i.CodeOf(code.Finding),
		Comment:     i.TextOf(code.Comment),
	}
	if s := i.Find(code.ReferencedSegment); s != nil {
		d.Segment = s.Ref
	}
	if site := i.Find(code.FindingSite); site != nil {
		d.Site, d.Laterality = site.Code, site.CodeOf(code.Laterality)
	}
	for _, child := range i.Items {
		if child.Type != Num || !child.Value.Known {
			continue
		}
		m := readMeasurement(child)
		l := Line{Name: m.Name, Value: m.Value, Unit: m.Unit}
		for _, c := range child.Items {
			if c.Type == SCoord && len(c.Items) == 1 {
				l.Points, l.Image = c.Coord.Points, c.Items[0].Ref
			}
		}
		if l.Points == nil {
			d.Measurements = append(d.Measurements, m)
			continue
		}
		d.Lines = append(d.Lines, l)
	}
	return d
}
