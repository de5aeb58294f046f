package report

import (
	"cmp"
	"fmt"
	"math"
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

func readFinding(g sr.ROI) fusion.Finding {
	f := fusion.Finding{Lesion: &experts.Lesion{Label: g.TrackingID, Side: readSide(g.Laterality)}, TrackingUID: g.TrackingUID}
	if p, ok := g.Place(code.Center); ok {
		f.CentreMM = p.MM
	}
	l := f.Lesion
	l.Quadrant = wordOf(quadrants(), g.Topography)
	quantity := func(name code.Code) experts.Quantity {
		m, ok := g.Measured(name)
		return experts.Quantity{Value: m.Value, Known: ok}
	}
	f.Probability = quantity(code.ProbabilityOfCancer)
	f.Probability.Value /= 100
	l.VolumeCM3 = quantity(code.Volume).Value
	l.Sphericity = quantity(code.Sphericity).Value
	l.LongAxisMM, l.LongLine = readAxis(g, code.Max3D)
	l.ShortAxisMM, l.ShortLine = readAxis(g, code.Ortho3D)
	_, l.AxialLong = readAxis(g, code.AxialLongest)
	_, l.AxialShort = readAxis(g, code.AxialAcross)
	for _, q := range quantities() {
		*q.of(l) = q.read(g)
	}
	l.Uptake = readUptake(g)
	readQualities(lesionQualities(), g, l)
	l.TimesS, l.Signal = readCourse(g.Text(code.TimeCourse))
	_, l.HotSpot.Signal = readCourse(g.Text(code.HotSpotCourse))
	if p, ok := g.Place(code.HotSpot); ok {
		l.HotSpot.CentreMM = p.MM
	}
	for _, m := range g.Measurements {
		reference := wordOf(t2References(), m.Method)
		switch {
		case m.Name.Is(code.VoxelCount) && sameModifiers(m.Modifiers, inHotSpot()):
			l.HotSpot.Voxels = int(m.Value)
		case m.Name.Is(code.VoxelCount) && sameModifiers(m.Modifiers, ofDiffusion()):
			l.ADCVoxels = int(m.Value)
		case m.Name.Is(code.T2Signal) && reference != "":
			l.T2Ratio, l.T2Reference = experts.Known(m.Value), reference
		}
	}
	for n := 1; n <= 5; n++ {
		if level, _ := code.SuspicionLevel(n); g.Evaluated(code.Suspicion).Is(level) {
			f.Suspicion = n
		}
	}
	for _, m := range g.Measurements {
		c := wordOf(curves(), m.Modifier(code.EnhancementPattern))
		if !m.Name.Is(code.CurveShare) || c == "" {
			continue
		}
		if f.CurveShare == nil {
			f.CurveShare = map[experts.Curve]float64{}
		}
		f.CurveShare[c] = m.Value / 100
	}
	f.Contributions = readContributions(g)
	return f
}

// readAxis returns the diameter that was measured by a method, mm, and the line that shows it.
func readAxis(g sr.ROI, by code.Code) (mm float64, line experts.Line) {
	for _, m := range g.Measurements {
		if !m.Method.Is(by) {
			continue
		}
		if p := m.Path.MM; len(p) == 2 {
			line = experts.Line{From: p[0], To: p[1]}
		}
		return m.Value, line
	}
	return 0, line
}

// readNeighbours sets how the findings lie to each other.
func readNeighbours(findings []fusion.Finding, groups []sr.ROI) {
	byLabel := map[string]*experts.Lesion{}
	for _, f := range findings {
		byLabel[f.Label] = f.Lesion
	}
	for _, g := range groups {
		l := byLabel[g.TrackingID]
		for _, m := range g.Measurements {
			to := byLabel[m.Other]
			switch {
			case l == nil || to == nil:
			case m.Name.Is(code.Gap):
				l.Neighbours = append(l.Neighbours, experts.Relation{To: to, GapMM: m.Value, Spread: wordOf(spreads(), m.Modifier(code.Spread))})
			case m.Name.Is(code.CentreDistance) && len(l.Neighbours) > 0:
				l.Neighbours[len(l.Neighbours)-1].DistanceMM = m.Value
			}
		}
	}
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
