package sr

import (
	"fmt"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
)

// Parse reads the content tree of an SR that was stored. It takes what is there: templates are not checked, values
// that are missing stay zero. Study and series of referenced instances are taken from the evidence sequences.
func Parse(d *dicom.Dataset) (*Item, error) {
	if v := d.String(tag.ValueType); v != string(Container) {
		return nil, fmt.Errorf("sr: the root's value type is %q, want %q", v, Container)
	}
	evidence := map[string]iod.Instance{}
	for _, sequence := range []tag.Tag{
		tag.PertinentOtherEvidenceSequence, tag.CurrentRequestedProcedureEvidenceSequence,
	} {
		for _, i := range iod.ReadHierarchical(d.Items(sequence)) {
			evidence[i.SOPInstanceUID] = i
		}
	}
	root := parse(d, evidence)
	root.Relation = ""
	return root, nil
}

// parse recurses as deep as the data set does, which the scanner bounds.
func parse(d *dicom.Dataset, evidence map[string]iod.Instance) *Item {
	i := &Item{
		Relation: Relation(d.String(tag.RelationshipType)),
		Type:     ValueType(d.String(tag.ValueType)),
		Name:     conceptName(d),
	}
	for _, f := range d.Floats(tag.ReferencedContentItemIdentifier) {
		i.Target = append(i.Target, int(f))
	}
	switch i.Type {
	case Container:
		i.Template = d.Item(tag.ContentTemplateSequence).String(tag.TemplateIdentifier)
	case Code:
		i.Code = code.Read(d.Item(tag.ConceptCodeSequence))
	case Num:
		i.Value = parseNumber(d)
	case Image, Composite:
		i.Ref = parseRef(d.Item(tag.ReferencedSOPSequence), evidence)
	case SCoord, SCoord3D:
		i.Coord = Coord{Graphic: d.String(tag.GraphicType), FrameOfReferenceUID: d.String(tag.ReferencedFrameOfReferenceUID)}
		for _, f := range d.Floats(tag.GraphicData) {
			i.Coord.Points = append(i.Coord.Points, float32(f))
		}
	default:
		if t, ok := textTag(i.Type); ok {
			i.Text = d.String(t)
		}
	}
	for _, child := range d.Items(tag.ContentSequence) {
		i.Items = append(i.Items, parse(child, evidence))
	}
	return i
}

func parseNumber(d *dicom.Dataset) Quantity {
	m := d.Item(tag.MeasuredValueSequence)
	q := Quantity{
		Unit:     code.Read(m.Item(tag.MeasurementUnitsCodeSequence)),
		Modifier: code.Read(d.Item(tag.NumericValueQualifierCodeSequence)),
	}
	q.Number, q.Known = m.Float(tag.NumericValue)
	return q
}

func parseRef(d *dicom.Dataset, evidence map[string]iod.Instance) Ref {
	r := Ref{Instance: evidence[d.String(tag.ReferencedSOPInstanceUID)]}
	r.SOPInstanceUID = d.String(tag.ReferencedSOPInstanceUID)
	r.SOPClassUID = d.String(tag.ReferencedSOPClassUID)
	for _, f := range d.Floats(tag.ReferencedFrameNumber) {
		r.Frames = append(r.Frames, int(f))
	}
	for _, f := range d.Floats(tag.ReferencedSegmentNumber) {
		r.Segments = append(r.Segments, int(f))
	}
	return r
}
