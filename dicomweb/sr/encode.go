package sr

import (
	"fmt"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
)

// Encode writes the tree below root into d, whose top level becomes the root content item (SR Document Content
// module, PS3.3 C.17.3). It is an error when an item lacks its value: an SR never says nothing.
func Encode(d *dicom.Dataset, root *Item) error {
	if root.Type != Container || root.Relation != "" {
		return fmt.Errorf("sr: the root must be a container without a relation, got %s %q", root.Type, root.Relation)
	}
	return encode(d, root)
}

func encode(d *dicom.Dataset, i *Item) error {
	if i.Relation != "" {
		d.Set(tag.RelationshipType, string(i.Relation))
	}
	if i.Target != nil {
		path := make([]any, len(i.Target))
		for n, p := range i.Target {
			path[n] = p
		}
		d.Set(tag.ReferencedContentItemIdentifier, path...)
		return nil
	}
	d.Set(tag.ValueType, string(i.Type))
	if !i.Name.Zero() {
		d.SetItems(tag.ConceptNameCodeSequence, i.Name.Item())
	}
	if err := encodeValue(d, i); err != nil {
		return fmt.Errorf("%s %v: %w", i.Type, i.Name, err)
	}
	if len(i.Items) == 0 {
		return nil
	}
	items := make([]*dicom.Dataset, len(i.Items))
	for n, child := range i.Items {
		if child.Relation == "" {
			return fmt.Errorf("sr: %s %v has no relation to its parent", child.Type, child.Name)
		}
		items[n] = dicom.New()
		if err := encode(items[n], child); err != nil {
			return err
		}
	}
	d.SetItems(tag.ContentSequence, items...)
	return nil
}

func encodeValue(d *dicom.Dataset, i *Item) error {
	switch i.Type {
	case Container:
		encodeContainer(d, i.Template)
		return nil
	case Code:
		if i.Code.Zero() {
			return fmt.Errorf("has no code")
		}
		d.SetItems(tag.ConceptCodeSequence, i.Code.Item())
		return nil
	case Num:
		return encodeNumber(d, i.Value)
	case Image, Composite:
		return encodeRef(d, i.Ref)
	case SCoord, SCoord3D:
		return encodeCoord(d, i)
	}
	t, ok := textTag(i.Type)
	if !ok {
		return fmt.Errorf("cannot be written")
	}
	if i.Text == "" {
		return fmt.Errorf("has no text")
	}
	d.Set(t, i.Text)
	return nil
}

// textTag returns the attribute that holds the value of a type which is text.
func textTag(v ValueType) (tag.Tag, bool) {
	switch v {
	case Text:
		return tag.TextValue, true
	case UIDRef:
		return tag.UID, true
	case DateTime:
		return tag.DateTime, true
	case Date:
		return tag.Date, true
	case Time:
		return tag.Time, true
	case PName:
		return tag.PersonName, true
	}
	return 0, false
}

func encodeContainer(d *dicom.Dataset, template string) {
	d.Set(tag.ContinuityOfContent, "SEPARATE")
	if template == "" {
		return
	}
	t := dicom.New()
	t.Set(tag.MappingResource, "DCMR")
	t.Set(tag.TemplateIdentifier, template)
	d.SetItems(tag.ContentTemplateSequence, t)
}

func encodeNumber(d *dicom.Dataset, q Quantity) error {
	// A NUM without a value is allowed, but common readers fall over it: what is unknown is left out of the tree.
	if !q.Known || !finite(q.Number) || q.Unit.Zero() {
		return fmt.Errorf("has no finite value with a unit")
	}
	m := dicom.New()
	m.Set(tag.NumericValue, q.Number)
	m.SetItems(tag.MeasurementUnitsCodeSequence, q.Unit.Item())
	d.SetItems(tag.MeasuredValueSequence, m)
	if !q.Modifier.Zero() {
		d.SetItems(tag.NumericValueQualifierCodeSequence, q.Modifier.Item())
	}
	return nil
}

func encodeRef(d *dicom.Dataset, r Ref) error {
	if r.SOPClassUID == "" || r.SOPInstanceUID == "" || r.SeriesUID == "" || r.StudyUID == "" {
		return fmt.Errorf("does not name its instance, series and study")
	}
	item := r.Reference()
	if len(r.Frames) > 0 {
		item.Set(tag.ReferencedFrameNumber, anys(r.Frames)...)
	}
	if len(r.Segments) > 0 {
		item.Set(tag.ReferencedSegmentNumber, anys(r.Segments)...)
	}
	d.SetItems(tag.ReferencedSOPSequence, item)
	return nil
}

func encodeCoord(d *dicom.Dataset, i *Item) error {
	width := 2
	if i.Type == SCoord3D {
		width = 3
		if i.Coord.FrameOfReferenceUID == "" {
			return fmt.Errorf("has no frame of reference")
		}
		d.Set(tag.ReferencedFrameOfReferenceUID, i.Coord.FrameOfReferenceUID)
	}
	if len(i.Coord.Points) == 0 || len(i.Coord.Points)%width != 0 {
		return fmt.Errorf("has %d coordinates", len(i.Coord.Points))
	}
	d.Set(tag.GraphicType, i.Coord.Graphic)
	d.Set(tag.GraphicData, anys(i.Coord.Points)...)
	return nil
}

func anys[T any](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// conceptName reads the concept name of a content item.
func conceptName(d *dicom.Dataset) code.Code { return code.Read(d.Item(tag.ConceptNameCodeSequence)) }
