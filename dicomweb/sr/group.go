package sr

import (
	"mome/dicomweb/iod/code"
)

// ROI is TID 1411 "Volumetric ROI Measurements and Qualitative Evaluations": what was measured inside a segment.
type ROI struct {
	TrackingID, TrackingUID      string    // UID equal to the segment's
	Category, Finding            code.Code // CID 7150; CID 6104 and others
	Segment                      Ref       // the Segmentation with one segment number; zero if there is none
	SourceSeriesUID              string    // the series that the segment was drawn on
	Site, Laterality, Topography code.Code // TID 1419
	Places                       []Place
	Images                       []Picture
	Measurements                 []Measurement
	Evaluations                  []Quality
	Texts                        []Statement
}

// Place is a point in patient space, mm.
type Place struct {
	Name                code.Code
	FrameOfReferenceUID string
	MM                  [3]float64
}

// Picture is another object that shows something of the region.
type Picture struct {
	Name code.Code
	Ref  Ref
}

// Statement is a text with its name, such as a Comment.
type Statement struct {
	Name code.Code
	Text string
}

// Path is a line through places in patient space, mm; none without places.
type Path struct {
	FrameOfReferenceUID string
	MM                  [][3]float64
}

// Measurement is a NUM of TID 1419. Each needs a method or a derivation: some viewers fail on a NUM with nothing
// below it.
type Measurement struct {
	Name       code.Code
	Value      float64
	Unit       code.Code
	Modifiers  []Quality
	Other      string // Tracking Identifier of another group that it is measured against; "" if there is none
	Derivation code.Code
	Method     code.Code
	Path       Path // along which it was measured
}

// Quality is a coded value with its name.
type Quality struct{ Name, Value code.Code }

// Item returns the measurement group.
func (r ROI) Item() *Item {
	g := group("1411", r.TrackingID, r.TrackingUID, r.Category, r.Finding)
	if r.Segment.SOPInstanceUID != "" {
		g.Add(NewImage(Contains, code.ReferencedSegment, r.Segment))
		g.Add(NewUID(Contains, code.SourceSeries, r.SourceSeriesUID))
	}
	if !r.Site.Zero() {
		g.Add(findingSite(r.Site, r.Laterality, r.Topography))
	}
	for _, p := range r.Places {
		g.Add(spatial(Contains, p.Name, "POINT", Path{p.FrameOfReferenceUID, [][3]float64{p.MM}}))
	}
	for _, p := range r.Images {
		g.Add(NewImage(Contains, p.Name, p.Ref))
	}
	for _, m := range r.Measurements {
		g.Add(m.Item())
	}
	for _, q := range r.Evaluations {
		g.Add(NewCode(Contains, q.Name, q.Value))
	}
	for _, t := range r.Texts {
		g.Add(NewText(Contains, t.Name, t.Text))
	}
	return g
}

// group returns a measurement group with what all of them begin with.
func group(template, trackingID, trackingUID string, category, finding code.Code) *Item {
	g := NewContainer(Contains, code.MeasurementGroup,
		NewText(HasObsContext, code.TrackingID, trackingID),
		NewUID(HasObsContext, code.TrackingUID, trackingUID),
		NewCode(Contains, code.FindingCategory, category),
		NewCode(Contains, code.Finding, finding))
	g.Template = template
	return g
}

// findingSite returns the site with its modifiers, those that are not zero.
func findingSite(site, laterality, topography code.Code) *Item {
	i := NewCode(HasConceptMod, code.FindingSite, site)
	if !laterality.Zero() {
		i.Add(NewCode(HasConceptMod, code.Laterality, laterality))
	}
	if !topography.Zero() {
		i.Add(NewCode(HasConceptMod, code.Topography, topography))
	}
	return i
}

// spatial returns places in patient space.
func spatial(rel Relation, name code.Code, graphic string, p Path) *Item {
	c := Coord{Graphic: graphic, FrameOfReferenceUID: p.FrameOfReferenceUID}
	for _, mm := range p.MM {
		c.Points = append(c.Points, float32(mm[0]), float32(mm[1]), float32(mm[2]))
	}
	return &Item{Relation: rel, Type: SCoord3D, Name: name, Coord: c}
}

// places is the inverse of spatial.
func (c Coord) places() (mm [][3]float64) {
	for n := 0; n+2 < len(c.Points); n += 3 {
		mm = append(mm, [3]float64{float64(c.Points[n]), float64(c.Points[n+1]), float64(c.Points[n+2])})
	}
	return mm
}

// Item returns the NUM with its modifiers.
func (m Measurement) Item() *Item {
	n := NewNum(Contains, m.Name, m.Value, m.Unit)
	for _, q := range m.Modifiers {
		n.Add(NewCode(HasConceptMod, q.Name, q.Value))
	}
	if m.Other != "" {
		n.Add(NewText(HasConceptMod, code.TrackingID, m.Other))
	}
	if !m.Derivation.Zero() {
		n.Add(NewCode(HasConceptMod, code.Derivation, m.Derivation))
	}
	if !m.Method.Zero() {
		n.Add(NewCode(HasConceptMod, code.Method, m.Method))
	}
	if len(m.Path.MM) > 0 {
		n.Add(spatial(InferredFrom, code.Code{}, "POLYLINE", m.Path))
	}
	return n
}

// Measured returns the first measurement named name, and whether there is one.
func (r ROI) Measured(name code.Code) (Measurement, bool) {
	for _, m := range r.Measurements {
		if m.Name.Is(name) {
			return m, true
		}
	}
	return Measurement{}, false
}

// Evaluated returns the first coded value named name, zero if there is none.
func (r ROI) Evaluated(name code.Code) code.Code {
	for _, q := range r.Evaluations {
		if q.Name.Is(name) {
			return q.Value
		}
	}
	return code.Code{}
}

// Place returns the first place named name, and whether there is one.
func (r ROI) Place(name code.Code) (Place, bool) {
	for _, p := range r.Places {
		if p.Name.Is(name) {
			return p, true
		}
	}
	return Place{}, false
}

// Text returns the first text named name, "" if there is none.
func (r ROI) Text(name code.Code) string {
	for _, t := range r.Texts {
		if t.Name.Is(name) {
			return t.Text
		}
	}
	return ""
}

// Modifier returns the value of the modifier named name, zero if there is none.
func (m Measurement) Modifier(name code.Code) code.Code {
	for _, q := range m.Modifiers {
		if q.Name.Is(name) {
			return q.Value
		}
	}
	return code.Code{}
}
