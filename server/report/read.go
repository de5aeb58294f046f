package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/seg"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
)

// Read takes a result apart: the assessment as far as its objects hold it, with the decimals that were written. The
// SEG (nil if the result has none) gives the masks, on a grid from its first to its last slice with a voxel; pixels is
// the value of its Pixel Data. Time-signal curves and the reasons of each series' role are not in a result.
func Read(report, segmentation *dicom.Dataset, pixels []byte) (*fusion.Assessment, error) {
	root, err := sr.Parse(report)
	if err != nil {
		return nil, err
	}
	m, err := sr.ReadMeasurementReport(root)
	if err != nil {
		return nil, err
	}
	a := &fusion.Assessment{StudyUID: report.String(tag.StudyInstanceUID), Present: map[experts.Modality]bool{}}
	readAlgorithm(a, m)
	if err := readEvaluations(a, m.Evaluations); err != nil {
		return nil, err
	}
	for _, g := range m.Library {
		a.Series = append(a.Series, readSeries(g))
	}
	var outlines []seg.Segment
	var masks []*volume.Mask // of each
	if segmentation != nil {
		if outlines, masks, err = readMasks(a, segmentation, pixels); err != nil {
			return nil, err
		}
	}
	maskOf := func(g sr.ROI) *volume.Mask {
		if s := g.Segment.Segments; len(s) == 1 && s[0] >= 1 && s[0] <= len(masks) {
			return masks[s[0]-1]
		}
		return nil
	}
	for _, g := range m.Groups {
		switch {
		case g.Finding.Is(code.Lesion):
			f := readFinding(g)
			f.Mask = maskOf(g)
			a.Findings = append(a.Findings, f)
		case g.Finding.Is(code.Breast):
			br := experts.Breast{Side: readSide(g.Laterality), Mask: maskOf(g)}
			for _, q := range breastQuantities(&br) {
				if m, ok := g.Measured(q.name); ok {
					*q.q = experts.Known(m.Value)
				}
			}
			readQualities(breastQualities(), g, &br)
			a.Breasts = append(a.Breasts, br)
		}
	}
	readNeighbours(a.Findings, m.Groups)
	for i, s := range outlines {
		if s.Type.Is(code.Fibroglandular) {
			readTissue(a.Breasts, s, masks[i])
		}
	}
	return a, nil
}

func readAlgorithm(a *fusion.Assessment, m sr.MeasurementReport) {
	a.Algorithm = fusion.Algorithm{
		Name: m.Algorithm.Name, Version: m.Algorithm.Version,
		Manufacturer: m.Algorithm.Manufacturer, DeviceUID: m.Algorithm.DeviceUID,
		Parameters: map[string]string{},
	}
	for _, p := range m.Algorithm.Parameters {
		switch name, value, _ := strings.Cut(p, "="); name {
		case "weights-sha256":
			a.Algorithm.WeightsSHA256 = value
		case "operating-point":
			a.Algorithm.OperatingPoint, _ = strconv.ParseFloat(value, 64)
		case "modalities": // said by AVAIL-* too
		default:
			if !readSetting(a, name, value) {
				a.Algorithm.Parameters[name] = value
			}
		}
	}
}

// readSetting takes a parameter that begins with a modality as what that expert's numbers rest on; ok is false for others.
func readSetting(a *fusion.Assessment, parameter, value string) (ok bool) {
	modality, name, ok := strings.Cut(parameter, " ")
	if !ok || !slices.Contains(experts.Modalities[:], experts.Modality(modality)) {
		return false
	}
	s := experts.Setting{Name: name, Text: value}
	digits, unit, _ := strings.Cut(value, " ")
	if v, err := strconv.ParseFloat(digits, 64); err == nil {
		s = experts.Setting{Name: name, Value: v, Unit: cmp.Or(unit, code.Dimensionless.Value)}
	}
	if a.Settings == nil {
		a.Settings = map[experts.Modality][]experts.Setting{}
	}
	a.Settings[experts.Modality(modality)] = append(a.Settings[experts.Modality(modality)], s)
	return true
}

func readEvaluations(a *fusion.Assessment, items []*sr.Item) error {
	for _, i := range items {
		switch {
		case i.Name.Is(code.FindingsSummary) && i.Code.Is(code.WithFindings):
			a.Outcome = fusion.WithFindings
		case i.Name.Is(code.FindingsSummary) && i.Code.Is(code.WithoutFindings):
			a.Outcome = fusion.WithoutFindings
		case i.Name.Is(code.FindingsSummary) && i.Code.Is(code.NoneSucceeded):
			a.Outcome = fusion.NotDone
		case i.Name.Is(code.NotDone):
			a.Reason = fusion.NotDoneReason{Code: i.Code.Value, Text: i.Code.Meaning}
		case i.Name.Is(code.Comment):
			a.Notes = append(a.Notes, i.Text)
		}
		for _, m := range experts.Modalities {
			if i.Name.Is(availability(m)) && i.Code.Is(code.Present) {
				a.Present[m] = true
			}
		}
	}
	if a.Outcome == "" {
		return fmt.Errorf("report: the SR does not say how the analysis ended")
	}
	return nil
}

func readSeries(g sr.LibraryGroup) experts.SeriesUse {
	s := experts.SeriesUse{Modality: g.Modality.Value, Role: experts.RoleUncertain, Used: true, FrameOfReference: g.FrameOfReferenceUID}
	for _, r := range []experts.Role{experts.RoleDCE, experts.RoleT2, experts.RoleDWI, experts.RoleADC} {
		if g.Role.Is(roleCode(r)) {
			s.Role = r
		}
	}
	for _, i := range g.Images {
		s.SeriesUID, s.SOPClassUID = i.SeriesUID, i.SOPClassUID
		s.Instances = append(s.Instances, i.SOPInstanceUID)
	}
	return s
}

func readSide(c code.Code) experts.Side {
	for _, s := range sides {
		if c.Is(sideCode(s)) {
			return s
		}
	}
	return ""
}
