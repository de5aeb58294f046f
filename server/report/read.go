package report

import (
	"fmt"
	"math"
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

// maxVoxels bounds the grid that a SEG is laid out on: a BINARY object omits empty frames, so few bytes can span many
// slices.
const maxVoxels = 1 << 28

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
			a.Breasts = append(a.Breasts, experts.Breast{Side: readSide(g.Laterality), Mask: maskOf(g)})
		}
	}
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
			a.Algorithm.Parameters[name] = value
		}
	}
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

func readFinding(g sr.ROI) fusion.Finding {
	f := fusion.Finding{Lesion: &experts.Lesion{Label: g.TrackingID, Side: readSide(g.Laterality)}, TrackingUID: g.TrackingUID}
	f.CentreMM = volume.Vec(g.Center.MM)
	for _, q := range [...]string{"upper outer", "upper inner", "lower outer", "lower inner"} {
		if g.Topography.Is(quadrantCode(q)) {
			f.Quadrant = q
		}
	}
	quantity := func(name code.Code) experts.Quantity {
		m, ok := g.Measured(name)
		return experts.Quantity{Value: m.Value, Known: ok}
	}
	f.Probability = quantity(code.ProbabilityOfCancer)
	f.Probability.Value /= 100
	f.VolumeCM3 = quantity(code.Volume).Value
	f.LongAxisMM = quantity(code.LongAxis).Value
	f.ShortAxisMM = quantity(code.ShortAxis).Value
	f.Sphericity = quantity(code.Sphericity).Value
	f.FTVCM3 = quantity(code.FTV)
	f.PEEarly, f.PEPeak = quantity(code.PEEarly), quantity(code.PEPeak)
	f.SER, f.TimeToPeak = quantity(code.SER), quantity(code.TimeToPeak)
	f.ADC, f.T2Ratio = quantity(code.ADC), quantity(code.T2Signal)
	curves := [...]experts.Curve{experts.Persistent, experts.Plateau, experts.Washout}
	for _, c := range curves {
		if g.Evaluated(code.EnhancementPattern).Is(curveCode(c)) {
			f.WorstCurve = c
		}
	}
	for n := 1; n <= 5; n++ {
		if level, _ := code.SuspicionLevel(n); g.Evaluated(code.Suspicion).Is(level) {
			f.Suspicion = n
		}
	}
	for _, m := range g.Measurements {
		for _, c := range curves {
			if m.Name.Is(code.CurveShare) && m.Modifier(code.EnhancementPattern).Is(curveCode(c)) {
				if f.CurveShare == nil {
					f.CurveShare = map[experts.Curve]float64{}
				}
				f.CurveShare[c] = m.Value / 100
			}
		}
	}
	f.Contributions = readContributions(g)
	return f
}

func readContributions(g sr.ROI) []fusion.Contribution {
	var out []fusion.Contribution
	for _, modality := range experts.Modalities {
		c, found := fusion.Contribution{Modality: modality}, false
		for _, m := range g.Measurements {
			switch {
			case !m.Modifier(code.ContribOf).Is(modalityCode(modality)):
			case m.Name.Is(code.Contribution):
				c.Share, found = m.Value/100, true
			case m.Name.Is(code.ContribLogOdd):
				c.LogOdds, found = m.Value, true
			}
		}
		if found {
			out = append(out, c)
		}
	}
	return out
}

// readMasks sets the assessment's grid and reference and returns the segments with the mask of each.
func readMasks(a *fusion.Assessment, d *dicom.Dataset, pixels []byte) ([]seg.Segment, []*volume.Mask, error) {
	s, err := seg.Read(d, pixels)
	if err != nil {
		return nil, nil, err
	}
	g := volume.Grid{
		Origin:           s.Grid.Positions[0],
		SpacingMM:        [3]float64{s.Grid.PixelSpacingMM[1], s.Grid.PixelSpacingMM[0], s.Grid.SpacingBetweenSlicesMM},
		FrameOfReference: s.Grid.FrameOfReferenceUID,
	}
	copy(g.Axis[0][:], s.Grid.Orientation[:3])
	copy(g.Axis[1][:], s.Grid.Orientation[3:])
	g.Axis[2] = g.Axis[0].Cross(g.Axis[1])
	if g.SpacingMM[2] <= 0 {
		g.SpacingMM[2] = s.Grid.SliceThicknessMM
	}
	place := make([]int, len(s.Grid.Positions)) // of each of the SEG's slices on the grid
	for n, p := range s.Grid.Positions {
		k := volume.Vec(p).Sub(g.Origin).Dot(g.Axis[2]) / g.SpacingMM[2]
		if !(k >= 0 && k < maxVoxels) {
			return nil, nil, fmt.Errorf("report: the SEG's slices have no regular spacing")
		}
		place[n] = int(math.Round(k))
	}
	g.Size = [3]int{s.Grid.Columns, s.Grid.Rows, place[len(place)-1] + 1}
	if n := g.Size[0] * g.Size[1]; g.Size[2] > maxVoxels/n || len(s.Segments) > maxVoxels/(n*g.Size[2]) {
		return nil, nil, fmt.Errorf("report: %d segments of %v voxels are more than this reader lays out", len(s.Segments), g.Size)
	}
	a.Grid = g
	a.Reference = fusion.Reference{
		SeriesUID: s.Source.SeriesUID, SOPClassUID: s.Source.SOPClassUID, Slices: make([]experts.Slice, g.Size[2]),
	}
	for n, slice := range s.Source.Slices {
		a.Reference.Slices[place[n]] = experts.Slice{SOPInstanceUID: slice.SOPInstanceUID, Frame: slice.Frame}
	}
	masks := make([]*volume.Mask, len(s.Segments))
	for i := range s.Segments {
		masks[i] = volume.NewMask(g)
		for n, plane := range s.Segments[i].Planes {
			copy(masks[i].Data[g.Index(0, 0, place[n]):], plane)
		}
	}
	return s.Segments, masks, nil
}

// readTissue gives each breast its part of the fibroglandular tissue, or the one breast that it is known of.
func readTissue(breasts []experts.Breast, s seg.Segment, tissue *volume.Mask) {
	for n := range breasts {
		br := &breasts[n]
		known := len(s.TypeModifiers) == 0 || s.TypeModifiers[0].Is(sideCode(br.Side))
		if br.Mask == nil || !known {
			continue
		}
		br.Fibroglandular = volume.NewMask(tissue.Grid)
		for v, in := range tissue.Data {
			br.Fibroglandular.Data[v] = in && br.Mask.Data[v]
		}
	}
}
