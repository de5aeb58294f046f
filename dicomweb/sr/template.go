package sr

import (
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
)

// MeasurementReport is the content of TID 1500 "Imaging Measurement Report".
type MeasurementReport struct {
	Language    code.Code // of its texts, RFC 5646; zero is English (United States)
	Observer    DeviceObserver
	Procedure   code.Code // CID 100 baseline
	Library     []LibraryGroup
	Algorithm   iod.Algorithm // Device UID and Manufacturer are the observer's
	Groups      []ROI
	Drawings    []Drawing // instead of Groups
	Evaluations []*Item   // CODE and TEXT only, see Evaluation and Remark
}

// Item returns the root of the tree. Image Library, Imaging Measurements and Qualitative Evaluations are always there,
// with nothing in them where there is nothing to say, since some viewers look into them unasked.
func (r MeasurementReport) Item() *Item {
	root := NewContainer("", code.MeasurementReport, Language(r.Language))
	root.Template = "1500"
	root.Add(r.Observer.Items()...)
	root.Add(NewCode(HasConceptMod, code.ProcedureReported, r.Procedure))
	root.Add(ImageLibrary(r.Library))
	measurements := NewContainer(Contains, code.ImagingMeasurements, AlgorithmIdentification(r.Algorithm)...)
	for _, g := range r.Groups {
		measurements.Add(g.Item())
	}
	for _, g := range r.Drawings {
		measurements.Add(g.Item())
	}
	root.Add(measurements)
	return root.Add(NewContainer(Contains, code.Evaluations, r.Evaluations...))
}

// Language returns TID 1204; a zero code says English (United States).
func Language(l code.Code) *Item {
	if l.Zero() {
		l = code.EnglishUS
	}
	return NewCode(HasConceptMod, code.Language, l)
}

// DeviceObserver is TID 1004: the algorithm as the observer. Serial is that of the machine it ran on.
type DeviceObserver struct{ UID, Name, Manufacturer, Model, Serial string }

// Items returns TID 1002 with TID 1004.
func (o DeviceObserver) Items() []*Item {
	items := []*Item{
		NewCode(HasObsContext, code.ObserverType, code.Device),
		NewUID(HasObsContext, code.DeviceUID, o.UID),
	}
	for _, f := range []struct {
		name  code.Code
		value string
	}{
		{code.DeviceName, o.Name}, {code.DeviceManufacturer, o.Manufacturer},
		{code.DeviceModel, o.Model}, {code.DeviceSerial, o.Serial},
	} {
		if f.value != "" {
			items = append(items, NewText(HasObsContext, f.name, f.value))
		}
	}
	return items
}

// AlgorithmIdentification returns TID 4019 for the head of Imaging Measurements.
func AlgorithmIdentification(a iod.Algorithm) []*Item {
	items := []*Item{
		NewText(HasConceptMod, code.AlgorithmName, a.Name),
		NewText(HasConceptMod, code.AlgorithmVersion, a.Version),
	}
	for _, p := range a.Parameters {
		items = append(items, NewText(HasConceptMod, code.AlgorithmParameters, p))
	}
	return append(items, NewCode(HasConceptMod, code.AlgorithmFamily, code.AI))
}

// Evaluation returns a coded statement about the whole examination, TID 1500 row 12.
func Evaluation(name, value code.Code) *Item { return NewCode(Contains, name, value) }

// Remark returns a sentence about the whole examination.
func Remark(text string) *Item { return NewText(Contains, code.Comment, text) }

// LibraryGroup is TID 1602 with its images: one series that was read.
type LibraryGroup struct {
	Modality            code.Code // CID 29
	Region              code.Code
	FrameOfReferenceUID string
	Role                code.Code // CID 6311
	Images              []iod.Instance
}

// ImageLibrary returns TID 1600.
func ImageLibrary(groups []LibraryGroup) *Item {
	library := NewContainer(Contains, code.ImageLibrary)
	for _, g := range groups {
		item := NewContainer(Contains, code.ImageLibraryGroup, NewCode(HasAcqContext, code.Modality, g.Modality))
		if !g.Region.Zero() {
			item.Add(NewCode(HasAcqContext, code.TargetRegion, g.Region))
		}
		if g.FrameOfReferenceUID != "" {
			item.Add(NewUID(HasAcqContext, code.FrameOfReference, g.FrameOfReferenceUID))
		}
		if !g.Role.Zero() {
			item.Add(NewCode(HasAcqContext, code.SeriesRole, g.Role))
		}
		for _, image := range g.Images {
			item.Add(NewImage(Contains, code.Code{}, Ref{Instance: image}))
		}
		library.Add(item)
	}
	return library
}
