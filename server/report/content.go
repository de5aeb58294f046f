package report

import (
	"fmt"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/fusion"
)

// report makes the SR.
func (b *build) report() (*dicom.Dataset, error) {
	d := b.header(b.sr, iod.Series{
		Modality: "SR", UID: b.sr.SeriesUID, Number: srSeriesNumber, Description: srDescription, Code: code.MeasurementReport,
	})
	d.SetItems(tag.CodingSchemeIdentificationSequence, iod.CodingScheme(b.src.Node.Manufacturer))
	content := b.frame()
	content.Library = b.library()
	content.Evaluations = b.evaluations()
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
	doc := sr.Document{Root: b.tree(content), Predecessors: b.predecessors(b.sr.SOPClassUID)}
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
	for _, text := range b.remarks() {
		items = append(items, sr.Remark(text))
	}
	return items
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

// warning is the sentence that goes with everything that is shown.
func (b *build) warning() string {
	return strings.TrimSpace(sentence(Disclaimer) + " " + sentence(clean(b.a.Algorithm.TrainedOn)))
}

// remarks are the comments of the report: how it ended, what it is, what was missing, notes, what each series was.
func (b *build) remarks() []string {
	out := []string{b.headline() + " " + b.warning() + " Output of an automated algorithm, not verified by a physician."}
	if b.a.Outcome != fusion.NotDone {
		for _, m := range experts.Modalities {
			if !b.a.Present[m] {
				out = append(out, string(m)+" missing: no series of this kind was used; what needs it is left out.")
			}
		}
	}
	for _, j := range b.a.Judgements {
		out = append(out, "Whole examination: "+judgement(j))
	}
	for _, f := range b.a.Findings {
		for _, j := range f.Further {
			out = append(out, clean(f.Label)+": "+judgement(j))
		}
	}
	for _, n := range b.a.Notes {
		if n = clean(n); n != "" {
			out = append(out, n)
		}
	}
	if s := b.sorted(); s != "" {
		out = append(out, s)
	}
	return out
}

// judgement says a model's answer in words.
func judgement(j fusion.Judgement) string {
	var parts []string
	for i, p := range j.Probabilities {
		parts = append(parts, fmt.Sprintf("%s %.1f %%", clean(j.Task.Classes[i]), 100*p))
	}
	text := fmt.Sprintf("%s: %s (weights %.12s, trained on %s)", clean(j.Task.Name), strings.Join(parts, ", "), j.WeightsSHA256, clean(j.TrainedOn))
	if len(j.Contributions) == 0 {
		return sentence(text)
	}
	parts = nil
	for _, c := range j.Contributions {
		parts = append(parts, fmt.Sprintf("%s %+.2f", c.Modality, c.LogOdds))
	}
	return sentence(text + "; contributions in log-odds: " + strings.Join(parts, ", "))
}

// headline says in words how the analysis ended.
func (b *build) headline() string {
	point := b.a.Algorithm.OperatingPoint
	switch {
	case b.a.Outcome == fusion.NotDone:
		return "Analysis not performed: " + sentence(clean(b.a.Reason.Text)) + " This is not a negative result."
	case b.a.Outcome == fusion.WithoutFindings && point > 0:
		return "No lesion exceeded the operating point " + number(point) + "."
	case b.a.Outcome == fusion.WithoutFindings:
		return "No lesion was found."
	}
	judged, above := 0, 0
	for _, f := range b.a.Findings {
		if f.Probability.Known {
			judged++
			if f.Probability.Value >= point {
				above++
			}
		}
	}
	text := fmt.Sprintf("Lesions reported: %d", len(b.a.Findings))
	switch {
	case judged == 0 && len(b.a.Judgements) > 0:
		text += ", none of them judged apart from the whole examination"
	case judged == 0:
		text += ", none of them judged by a model"
	case point > 0:
		text += fmt.Sprintf(", of which %d reach the operating point %s", above, number(point))
	}
	return text + "."
}

// sorted tells what was made of each series.
func (b *build) sorted() string {
	var parts []string
	for _, s := range b.a.Series {
		name := "a series without a number"
		if s.Number != 0 {
			name = fmt.Sprintf("series %d", s.Number)
		}
		part := name + " as " + string(s.Role)
		if !s.Used {
			part = name + " not used, " + string(s.Role)
		}
		if detail := clean(s.Detail); detail != "" && detail != "not used" {
			part += " (" + detail + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	return "Series of the study: " + strings.Join(parts, "; ") + "."
}

// sentence ends s with a full stop, if it says anything.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}
