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
	Center                       Point
	Measurements                 []Measurement
	Evaluations                  []Quality
	Comments                     []string
}

// Point is a place in patient space, mm; zero when FrameOfReferenceUID is empty.
type Point struct {
	FrameOfReferenceUID string
	MM                  [3]float64
}

// Measurement is a NUM of TID 1419. Each needs a method or a derivation: some viewers fail on a NUM with nothing
// below it.
type Measurement struct {
	Name       code.Code
	Value      float64
	Unit       code.Code
	Modifiers  []Quality
	Derivation code.Code
	Method     code.Code
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
	if r.Center.FrameOfReferenceUID != "" {
		g.Add(r.Center.item())
	}
	for _, m := range r.Measurements {
		g.Add(m.Item())
	}
	for _, q := range r.Evaluations {
		g.Add(NewCode(Contains, q.Name, q.Value))
	}
	for _, c := range r.Comments {
		g.Add(NewText(Contains, code.Comment, c))
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

func (p Point) item() *Item {
	return &Item{Relation: Contains, Type: SCoord3D, Name: code.Center, Coord: Coord{
		Graphic:             "POINT",
		Points:              []float32{float32(p.MM[0]), float32(p.MM[1]), float32(p.MM[2])},
		FrameOfReferenceUID: p.FrameOfReferenceUID,
	}}
}

// Item returns the NUM with its modifiers.
func (m Measurement) Item() *Item {
	n := NewNum(Contains, m.Name, m.Value, m.Unit)
	for _, q := range m.Modifiers {
		n.Add(NewCode(HasConceptMod, q.Name, q.Value))
	}
	if !m.Derivation.Zero() {
		n.Add(NewCode(HasConceptMod, code.Derivation, m.Derivation))
	}
	if !m.Method.Zero() {
		n.Add(NewCode(HasConceptMod, code.Method, m.Method))
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

// Modifier returns the value of the modifier named name, zero if there is none.
func (m Measurement) Modifier(name code.Code) code.Code {
	for _, q := range m.Modifiers {
		if q.Name.Is(name) {
			return q.Value
		}
	}
	return code.Code{}
}
