package report

import (
	"slices"

	"mome/dicomweb/dicom"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/fusion"
)

// report makes the SR. shown are the objects beside the SEG that belong to the result.
func (b *build) report(shown []iod.Instance) (*dicom.Dataset, error) {
	d := b.header(b.sr, iod.Series{
		Modality: "SR", UID: b.sr.SeriesUID, Number: srSeriesNumber, Description: srDescription, Code: code.MeasurementReport,
	})
	b.declareScheme(d)
	content := b.frame()
	content.Library = b.library()
	content.Evaluations = b.evaluations()
	content.Algorithm.Parameters = append(slices.Clone(content.Algorithm.Parameters), expertSettings(b.a)...)
	if b.a.Outcome != fusion.NotDone {
		for i, f := range b.a.Findings {
			content.Groups = append(content.Groups, b.lesion(f, b.segments.lesions[i]))
		}
		for _, side := range sides {
			if n := b.segments.breasts[side]; n > 0 {
				content.Groups = append(content.Groups, b.breastGroup(b.breast(side), n))
			}
		}
	}
	doc := sr.Document{Root: b.tree(content), Predecessors: b.predecessors(b.sr.SOPClassUID), Evidence: shown}
	return d, doc.Fill(d, b.now)
}

// frame is what all reports begin with.
func (b *build) frame() sr.MeasurementReport {
	return sr.MeasurementReport{
		Language: languageCode(b.lang),
		Observer: sr.DeviceObserver{
			UID:          b.algorithm.DeviceUID,
			Name:         b.algorithm.Name + " " + b.algorithm.Version,
			Manufacturer: b.algorithm.Manufacturer,
			Model:        b.algorithm.Name,
			Serial:       b.src.Node.Serial,
		},
		Procedure: code.MRIOfBreast,
		Algorithm: b.algorithm,
	}
}

// library lists the series that were read, each with its images.
func (b *build) library() []sr.LibraryGroup {
	var groups []sr.LibraryGroup
	for _, s := range b.a.Series {
		if len(s.Instances) == 0 || s.SOPClassUID == "" {
			continue
		}
		g := sr.LibraryGroup{
			Modality: code.MR, Region: code.Breast, FrameOfReferenceUID: s.FrameOfReference, Role: roleCode(s.Role),
		}
		for _, i := range s.Instances {
			g.Images = append(g.Images, iod.Instance{
				StudyUID: b.a.StudyUID, SeriesUID: s.SeriesUID, SOPClassUID: s.SOPClassUID, SOPInstanceUID: i,
			})
		}
		groups = append(groups, g)
	}
	return groups
}

func roleCode(r experts.Role) code.Code {
	switch r {
	case experts.RoleDCE:
		return code.DCE
	case experts.RoleT2:
		return code.T2Signal
	case experts.RoleDWI:
		return code.DiffusionWeight
	case experts.RoleADC:
		return code.ADC
	}
	return code.Code{}
}

// evaluations are the statements about the whole examination.
func (b *build) evaluations() []*sr.Item {
	summary, analyses := b.summary()
	items := []*sr.Item{
		sr.Evaluation(code.FindingsSummary, summary),
		sr.Evaluation(code.AnalysesSummary, analyses),
	}
	if b.a.Outcome == fusion.NotDone {
		reason := code.NotDoneReason(b.a.Reason.Code)
		if reason.Is(code.NoDCE) {
			items = append(items, sr.Evaluation(code.StudyQuality, code.Incomplete))
		}
		items = append(items, sr.Evaluation(code.NotDone, reason))
	}
	for _, m := range experts.Modalities {
		value := code.Absent
		if b.a.Present[m] {
			value = code.Present
		}
		items = append(items, sr.Evaluation(availability(m), value))
	}
	if len(b.a.Motion) > 0 {
		value := code.NoneFound
		if slices.ContainsFunc(b.a.Motion, func(m experts.Motion) bool { return m.Corrected }) {
			value = code.Corrected
		}
		items = append(items, sr.Evaluation(code.MotionFound, value))
	}
	if len(b.a.Checks) > 0 {
		value := code.Agrees
		if slices.ContainsFunc(b.a.Checks, func(c experts.Check) bool { return !c.Agrees }) {
			value = code.Differs
		}
		items = append(items, sr.Evaluation(code.VendorCheck, value))
	}
	return append(items, b.remarks()...)
}

// summary returns the values of CAD Processing and Findings Summary (CID 6047) and Summary of Analyses (CID 6042).
func (b *build) summary() (findings, analyses code.Code) {
	analyses = code.Succeeded
	if len(present(b.a)) < len(experts.Modalities) {
		analyses = code.PartlySucceeded
	}
	switch b.a.Outcome {
	case fusion.WithFindings:
		return code.WithFindings, analyses
	case fusion.WithoutFindings:
		return code.WithoutFindings, analyses
	}
	if reason := code.NotDoneReason(b.a.Reason.Code); reason.Is(code.Error) || reason.Is(code.Timeout) {
		return code.NoneSucceeded, code.Failed
	}
	return code.NoneSucceeded, code.NotAttempted
}

func availability(m experts.Modality) code.Code {
	switch m {
	case experts.T2:
		return code.AvailT2
	case experts.DWI:
		return code.AvailDWI
	}
	return code.AvailDCE
}
