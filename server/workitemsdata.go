package main

import (
	"context"
	"errors"
	"math"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/ups"
	"mome/fusion"
	"mome/server/analysis"
	"mome/server/jobs"
)

// tasks are the Scheduled Workitem Codes (PS3.16 CID 9231) that ask for an analysis. The node's own workitems have the
// first: every run looks for lesions, and how suspicious they are is said only where there is a model.
var tasks = []code.Code{
	{Value: "110004", Scheme: "DCM", Meaning: "Computer Aided Detection"},
	{Value: "110003", Scheme: "DCM", Meaning: "Computer Aided Diagnosis"},
}

// reasonItem is the discontinuation reason (PS3.16 CID 9300) for why nothing could be said.
func reasonItem(notDone string) *dicom.Dataset {
	c := code.Code{Value: "110501", Scheme: "DCM", Meaning: "Equipment failure"}
	switch notDone {
	case "NODCE": // one or more objects associated with the object set are missing
		c = code.Code{Value: "110523", Scheme: "DCM", Meaning: "Object Set incomplete"}
	case "NOPIXEL":
		c = code.Code{Value: "110522", Scheme: "DCM", Meaning: "Object Types not supported"}
	case "GEOM":
		c = code.Code{Value: "110521", Scheme: "DCM", Meaning: "Objects incorrectly formatted"}
	case "TIMEOUT":
		c = code.Code{Value: "110527", Scheme: "DCM", Meaning: "Resource inadequate"}
	}
	return c.Item()
}

// notDone is why nothing could be said of a study, "" where something was said of one breast at least.
func notDone(r *analysis.Reading) string {
	for _, one := range r.All() {
		if one.Assessment.Outcome != fusion.NotDone {
			return ""
		}
	}
	return r.Assessment.Reason.Code
}

// station is the node as a coded station name.
func (p *performer) station() code.Code {
	return code.Code{Value: p.worklist.AETitle(), Scheme: code.LocalScheme, Meaning: analysis.Name + " node"}
}

// setProgress says how much of a workitem is done, in percent, and what is being done.
func setProgress(ds *dicom.Dataset, percent float64, description string) {
	progress := dicom.New()
	if item := ds.Item(tag.ProcedureStepProgressInformationSequence); item != nil {
		progress = item.Clone()
	}
	progress.Set(tag.ProcedureStepProgress, math.Round(min(max(percent, 0), 100)))
	progress.Set(tag.ProcedureStepProgressDescription, shortText(description))
	ds.SetItems(tag.ProcedureStepProgressInformationSequence, progress)
}

// shortText keeps text within a Short Text, 1024 characters.
func shortText(s string) string {
	if r := []rune(s); len(r) > 1000 {
		return string(r[:1000]) + "..."
	}
	return s
}

// own is the data set of a workitem for an analysis that nobody asked for by one.
func (p *performer) own(ctx context.Context, study string) (*dicom.Dataset, error) {
	instances, err := p.archive.Instances(ctx, dicomweb.Ref{Study: study})
	if err != nil {
		return nil, err
	}
	ds, ref := dicom.New(), dicomweb.Ref{}
	var sources []archive.Instance
	for _, i := range instances {
		if !i.Result {
			sources = append(sources, i)
			ref = i.Ref
		}
	}
	if len(sources) == 0 {
		return nil, errors.New("the study has no instances to read")
	}
	if err := p.archive.Headers(ctx, ref, func(_ archive.Instance, header *dicom.Dataset) error {
		ds.Copy(header, tag.PatientName, tag.PatientID, tag.IssuerOfPatientID, tag.PatientBirthDate, tag.PatientSex)
		request := dicom.New()
		request.Set(tag.StudyInstanceUID, study)
		request.Set(tag.AccessionNumber, header.String(tag.AccessionNumber))
		request.Set(tag.RequestedProcedureID)
		request.Set(tag.RequestedProcedureDescription)
		for _, t := range []tag.Tag{tag.IssuerOfAccessionNumberSequence, tag.OrderPlacerIdentifierSequence, tag.OrderFillerIdentifierSequence, tag.RequestedProcedureCodeSequence} {
			request.SetItems(t)
		}
		ds.SetItems(tag.ReferencedRequestSequence, request)
		return nil
	}); err != nil {
		return nil, err
	}
	ds.Set(tag.ProcedureStepState, string(ups.Scheduled))
	ds.Set(tag.ScheduledProcedureStepPriority, "MEDIUM")
	ds.Set(tag.ProcedureStepLabel, "Analysis of breast MRI")
	ds.Set(tag.ScheduledProcedureStepStartDateTime, ups.FormatDT(p.now()))
	ds.Set(tag.InputReadinessState, "READY")
	ds.Set(tag.StudyInstanceUID, study)
	ds.SetItems(tag.ScheduledStationNameCodeSequence, p.station().Item())
	ds.SetItems(tag.ScheduledWorkitemCodeSequence, tasks[0].Item())
	ds.SetItems(tag.InputInformationSequence, referenced(sources)...)
	return ds, nil
}

// referenced returns an item of the Referenced Instances and Access macro (PS3.3 table 10-3b) for each series, in the order of
// the instances. Retrieve URLs are paths below the service root, see package ups.
func referenced(instances []archive.Instance) (items []*dicom.Dataset) {
	var last dicomweb.Ref
	var refs []*dicom.Dataset
	add := func() {
		if len(refs) == 0 {
			return
		}
		item, wado := dicom.New(), dicom.New()
		wado.Set(tag.RetrieveURL, "/"+last.Path())
		item.Set(tag.TypeOfInstances, "DICOM")
		item.Set(tag.StudyInstanceUID, last.Study)
		item.Set(tag.SeriesInstanceUID, last.Series)
		item.SetItems(tag.ReferencedSOPSequence, refs...)
		item.SetItems(tag.WADORSRetrievalSequence, wado)
		items, refs = append(items, item), nil
	}
	for _, i := range instances {
		if series := (dicomweb.Ref{Study: i.Study, Series: i.Series}); series != last {
			add()
			last = series
		}
		refs = append(refs, iod.Instance{SOPClassUID: i.SOPClass, SOPInstanceUID: i.Instance}.Reference())
	}
	add()
	return items
}

// outputs are the objects that a run stored, as items of the Output Information Sequence.
func (p *performer) outputs(ctx context.Context, r jobs.Result) ([]*dicom.Dataset, error) {
	var stored []archive.Instance
	for _, refs := range [][]dicomweb.Ref{r.SR, r.SEG} {
		for _, ref := range refs {
			found, err := p.archive.Instances(ctx, ref)
			if dicomweb.KindOf(err) == dicomweb.NotFound && err != nil {
				continue // deleted since
			}
			if err != nil {
				return nil, err
			}
			stored = append(stored, found...)
		}
	}
	return referenced(stored), nil
}

// finished completes the Performed Procedure Sequence.
func (p *performer) finished(ds *dicom.Dataset, summary string, outputs []*dicom.Dataset) {
	performed := dicom.New()
	if item := ds.Item(tag.UnifiedProcedureStepPerformedProcedureSequence); item != nil {
		performed = item.Clone()
	}
	performed.Set(tag.PerformedProcedureStepEndDateTime, ups.FormatDT(p.now()))
	if summary != "" {
		performed.Set(tag.CommentsOnThePerformedProcedureStep, shortText(summary))
	}
	performed.Set(tag.PerformedProcedureStepDescription, "Analysis of breast MRI")
	performed.SetItems(tag.OutputInformationSequence, outputs...)
	ds.SetItems(tag.UnifiedProcedureStepPerformedProcedureSequence, performed)
}
