package sr

import (
	"fmt"

	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
)

// ReadMeasurementReport takes a TID 1500 tree apart, the inverse of MeasurementReport.Item: of this node's own
// reports nothing is lost, of others' what these types can hold is kept.
func ReadMeasurementReport(root *Item) (MeasurementReport, error) {
	if !root.Name.Is(code.MeasurementReport) {
		return MeasurementReport{}, fmt.Errorf("sr: the root is %v, want %v", root.Name, code.MeasurementReport)
	}
	r := MeasurementReport{
		Language: root.CodeOf(code.Language),
		Observer: DeviceObserver{
			UID:          root.TextOf(code.DeviceUID),
			Name:         root.TextOf(code.DeviceName),
			Manufacturer: root.TextOf(code.DeviceManufacturer),
			Model:        root.TextOf(code.DeviceModel),
			Serial:       root.TextOf(code.DeviceSerial),
		},
		Procedure: root.CodeOf(code.ProcedureReported),
	}
	for _, g := range itemsOf(root.Find(code.ImageLibrary)) {
		if g.Name.Is(code.ImageLibraryGroup) {
			r.Library = append(r.Library, readLibraryGroup(g))
		}
	}
	measurements := root.Find(code.ImagingMeasurements)
	r.Algorithm = iod.Algorithm{
		Name:         measurements.TextOf(code.AlgorithmName),
		Version:      measurements.TextOf(code.AlgorithmVersion),
		Manufacturer: r.Observer.Manufacturer,
		DeviceUID:    r.Observer.UID,
	}
	for _, p := range measurements.FindAll(code.AlgorithmParameters) {
		r.Algorithm.Parameters = append(r.Algorithm.Parameters, p.Text)
	}
	for _, g := range measurements.FindAll(code.MeasurementGroup) {
		if g.Template == "1501" {
			r.Drawings = append(r.Drawings, readDrawing(g))
		} else {
			r.Groups = append(r.Groups, readROI(g))
		}
	}
	r.Evaluations = itemsOf(root.Find(code.Evaluations))
	return r, nil
}

func itemsOf(i *Item) []*Item {
	if i == nil {
		return nil
	}
	return i.Items
}

func readLibraryGroup(i *Item) LibraryGroup {
	g := LibraryGroup{
		Modality:            i.CodeOf(code.Modality),
		Region:              i.CodeOf(code.TargetRegion),
		FrameOfReferenceUID: i.TextOf(code.FrameOfReference),
		Role:                i.CodeOf(code.SeriesRole),
	}
	for _, child := range i.Items {
		if child.Type == Image {
			g.Images = append(g.Images, child.Ref.Instance)
		}
	}
	return g
}

func readROI(i *Item) ROI {
	r := ROI{
		TrackingID:      i.TextOf(code.TrackingID),
		TrackingUID:     i.TextOf(code.TrackingUID),
		Category:        i.CodeOf(code.FindingCategory),
		Finding:         i.CodeOf(code.Finding),
		SourceSeriesUID: i.TextOf(code.SourceSeries),
	}
	if s := i.Find(code.ReferencedSegment); s != nil {
		r.Segment = s.Ref
	}
	if site := i.Find(code.FindingSite); site != nil {
		r.Site, r.Laterality, r.Topography = site.Code, site.CodeOf(code.Laterality), site.CodeOf(code.Topography)
	}
	for _, child := range i.Items {
		switch {
		case child.Type == Num && child.Value.Known:
			r.Measurements = append(r.Measurements, readMeasurement(child))
		case child.Type == SCoord3D && len(child.Coord.Points) == 3:
			r.Places = append(r.Places, Place{child.Name, child.Coord.FrameOfReferenceUID, child.Coord.places()[0]})
		case child.Type == Image && !child.Name.Is(code.ReferencedSegment):
			r.Images = append(r.Images, Picture{child.Name, child.Ref})
		case child.Type == Text && child.Relation == Contains:
			r.Texts = append(r.Texts, Statement{child.Name, child.Text})
		case child.Type == Code && child.Relation == Contains &&
			!child.Name.Is(code.Finding) && !child.Name.Is(code.FindingCategory):
			r.Evaluations = append(r.Evaluations, Quality{child.Name, child.Code})
		}
	}
	return r
}

func readMeasurement(i *Item) Measurement {
	m := Measurement{Name: i.Name, Value: i.Value.Number, Unit: i.Value.Unit}
	for _, child := range i.Items {
		switch {
		case child.Type == SCoord3D:
			m.Path = Path{child.Coord.FrameOfReferenceUID, child.Coord.places()}
		case child.Type == Text && child.Name.Is(code.TrackingID):
			m.Other = child.Text
		case child.Type != Code:
		case child.Name.Is(code.Derivation):
			m.Derivation = child.Code
		case child.Name.Is(code.Method):
			m.Method = child.Code
		default:
			m.Modifiers = append(m.Modifiers, Quality{child.Name, child.Code})
		}
	}
	return m
}
