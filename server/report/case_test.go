package report_test

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/report"
)

const (
	studyUID = "2.25.1001"
	frameUID = "2.25.1002"
)

// size is odd, so that frames begin inside bytes.
var size = [3]int{13, 11, 7}

func grid() volume.Grid {
	return volume.Grid{
		Size:             size,
		Origin:           volume.Vec{-60, -40, -20},
		Axis:             [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		SpacingMM:        [3]float64{0.8, 0.9, 2},
		FrameOfReference: frameUID,
	}
}

// box returns the mask of the voxels from lo up to, not including, hi.
func box(lo, hi [3]int) *volume.Mask {
	m := volume.NewMask(grid())
	for k := lo[2]; k < hi[2]; k++ {
		for j := lo[1]; j < hi[1]; j++ {
			for i := lo[0]; i < hi[0]; i++ {
				m.Data[m.Index(i, j, k)] = true
			}
		}
	}
	return m
}

func seriesUID(number int) string { return fmt.Sprintf("2.25.200%d", number) }

func instances(number, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s.%d", seriesUID(number), i+1)
	}
	return out
}

func use(number int, role experts.Role, detail string) experts.SeriesUse {
	return experts.SeriesUse{
		SeriesUID: seriesUID(number), Number: number, Description: "as sent", Modality: "MR", Role: role, Used: true,
		Detail: detail, Confidence: 0.9, FrameOfReference: frameUID, SOPClassUID: uid.MRImageStorage,
		Instances: instances(number, size[2]),
	}
}

func algorithm() fusion.Algorithm {
	return fusion.Algorithm{
		Name: "MOME", Version: "0.1.0", Manufacturer: "MOME project", DeviceUID: "2.25.3001",
		WeightsSHA256: strings.Repeat("9a", 32), OperatingPoint: 0.35,
		TrainedOn:  "digital phantoms, not patients",
		Parameters: map[string]string{"preprocessing": "none", "calibration": "temperature"},
	}
}

// withFindings is a study with everything: two lesions, both breasts, all modalities.
func withFindings() *fusion.Assessment {
	g := grid()
	a := &fusion.Assessment{
		StudyUID: studyUID, Outcome: fusion.WithFindings, Grid: g,
		Series: []experts.SeriesUse{
			use(2, experts.RoleDCE, "phases 1-6"), use(3, experts.RoleT2, ""), use(4, experts.RoleDWI, "b 50, 800 s/mm2"),
			{SeriesUID: seriesUID(1), Number: 1, Modality: "MR", Role: experts.RoleExcluded, Detail: "localizer"},
		},
		Reference: fusion.Reference{SeriesUID: seriesUID(2), SOPClassUID: uid.MRImageStorage},
		Present:   map[experts.Modality]bool{experts.DCE: true, experts.T2: true, experts.DWI: true},
		Notes:     []string{"The times of the phases are assumed: 90 s apart.", "한국어 메모"},
		Algorithm: algorithm(),
		Judgements: []fusion.Judgement{{
			Task:          fusion.Task{Name: fusion.Malignancy, Classes: []string{"benign", "malignant"}},
			Probabilities: []float64{0.2, 0.8}, WeightsSHA256: strings.Repeat("7c", 32), TrainedOn: "nothing",
			Contributions: []fusion.Contribution{{Modality: experts.DCE, LogOdds: 1.5, Share: 1}},
		}},
		Breasts: []experts.Breast{
			{Side: experts.Left, Mask: box([3]int{7, 0, 0}, [3]int{13, 11, 7}), Fibroglandular: box([3]int{8, 2, 2}, [3]int{12, 6, 5})},
			{Side: experts.Right, Mask: box([3]int{0, 0, 0}, [3]int{6, 11, 7}), Fibroglandular: box([3]int{1, 3, 1}, [3]int{4, 7, 4})},
		},
		Findings: []fusion.Finding{
			{
				Lesion: &experts.Lesion{
					Label: "Lesion 1", Side: experts.Left, Mask: box([3]int{9, 3, 2}, [3]int{11, 6, 4}),
					CentreMM: volume.Vec{-52.4, -36.4, -15}, Quadrant: "upper outer",
					VolumeCM3: 0.01728, LongAxisMM: 4.44, ShortAxisMM: 2.12, Sphericity: 0.812345, Suspicion: 2.718,
					TimesS: []float64{0, 90, 180}, Signal: []float64{100, 243, 220},
					PEEarly: experts.Known(143.02), PEPeak: experts.Known(143.2), SER: experts.Known(1.314),
					TimeToPeak: experts.Known(90), FTVCM3: experts.Known(0.0151),
					WorstCurve: experts.Washout,
					CurveShare: map[experts.Curve]float64{experts.Persistent: 0.333, experts.Plateau: 0.333, experts.Washout: 0.334},
					ADC:        experts.Known(905.2), T2Ratio: experts.Known(1.178),

					Clock: 2, Depth: experts.Middle, NippleMM: experts.Known(41.26), SkinMM: experts.Known(18.04), WallMM: experts.Known(0),
					LongLine:   experts.Line{From: volume.Vec{-53, -37, -16}, To: volume.Vec{-50, -34, -14.5}},
					ShortLine:  experts.Line{From: volume.Vec{-52, -36, -15}, To: volume.Vec{-51, -35, -16}},
					AxialLong:  experts.Line{From: volume.Vec{-52.8, -37.75, -16}, To: volume.Vec{-52, -35.05, -16}},
					AxialShort: experts.Line{From: volume.Vec{-53.2, -36, -16}, To: volume.Vec{-51.6, -36.5, -16}},
					Shape:      experts.IrregularShape, Solidity: experts.Known(0.9123), Elongation: experts.Known(0.71), Flatness: experts.Known(0.55),
					Margin: experts.Spiculated, Roughness: experts.Known(0.0712), Spiculation: experts.Known(0.2), Sharpness: experts.Known(0.31),
					RadialGradient: experts.Known(-0.125), Internal: experts.Rim, EnhancementCV: experts.Known(0.4), RimRatio: experts.Known(1.5),
					PEInitial: experts.Known(121.5), InitialPhase: experts.Fast, WashIn: experts.Known(80.04), WashOut: experts.Known(-6.25),
					DelayedChange: experts.Known(-12.5), MeanCurve: experts.Plateau,
					HotSpot: experts.HotSpot{CentreMM: volume.Vec{-52, -36, -14}, Voxels: 9, Kinetics: experts.Kinetics{
						Signal: []float64{100, 310.5, 250}, PEEarly: experts.Known(210.5), PEPeak: experts.Known(210.5), PEInitial: experts.Known(190),
						Initial: experts.Fast, SER: experts.Known(1.4), TimeToPeak: experts.Known(90), WashIn: experts.Known(140),
						WashOut: experts.Known(-13), DelayedChange: experts.Known(-19.5), Curve: experts.Washout,
					}},
					Uptake: experts.Uptake{Model: "extended Tofts", Ktrans: experts.Known(0.2345), Kep: experts.Known(0.9), Ve: experts.Known(0.26),
						Vp: experts.Known(0.04), IAUC60: experts.Known(11.5), IAUC90: experts.Known(20.25), T1S: 1.45},
					ADCMin: experts.Known(640), ADCP10: experts.Known(702), ADCVoxels: 37, Diffusion: experts.LowDiffusion,
					T2Reference: "fibroglandular tissue of the other breast", T2MuscleRatio: experts.Known(2.25),
				},
				TrackingUID: "2.25.4001", Probability: experts.Known(0.8734), Suspicion: 5,
				Contributions: []fusion.Contribution{
					{Modality: experts.DCE, LogOdds: 1.83, Share: 0.6100},
					{Modality: experts.T2, LogOdds: -0.42, Share: 0.14},
					{Modality: experts.DWI, LogOdds: 0.75, Share: 0.25},
				},
				Further: []fusion.Judgement{
					{Task: fusion.Tasks()[1], Probabilities: []float64{0.78, 0.22}, WeightsSHA256: strings.Repeat("7d", 32), TrainedOn: "nothing"},
					{Task: fusion.Tasks()[2], Probabilities: []float64{0.59, 0.41}, WeightsSHA256: strings.Repeat("7e", 32), TrainedOn: "nothing"},
					{Task: fusion.Tasks()[3], Probabilities: []float64{0.1, 0.2, 0.3, 0.4}, WeightsSHA256: strings.Repeat("7f", 32), TrainedOn: "nothing"},
				},
			},
			{
				Lesion: &experts.Lesion{
					Label: "Lesion 2", Side: experts.Right, Mask: box([3]int{2, 4, 2}, [3]int{3, 5, 3}),
					CentreMM: volume.Vec{-58.4, -36.4, -16}, Quadrant: "lower inner", VolumeCM3: 0.00144,
					LongAxisMM: 2.3, ShortAxisMM: 2.1, PEEarly: experts.Known(60), WorstCurve: experts.Plateau,
				},
				TrackingUID: "2.25.4002", Probability: experts.Known(0.41), Suspicion: 3,
			},
		},
	}
	left, right := &a.Breasts[0], &a.Breasts[1]
	left.FGT, left.Composition = experts.Known(4.8), experts.CompositionA
	left.BPE, left.BPEShare, left.Background = experts.Known(12.5), experts.Known(31), experts.Mild
	right.FGT, right.Composition = experts.Known(7.8), experts.CompositionA
	right.BPE, right.BPEShare, right.Background = experts.Known(14), experts.Known(77.5), experts.Marked
	a.Asymmetry = experts.Asymmetry{FGT: experts.Known(-47.6), BPE: experts.Known(-11.3)}
	a.Motion = []experts.Motion{
		{Name: "phase 3", MeanMM: 1.26, P95MM: 2.5, MaxMM: 4, Corrected: true}, {Name: "T2"},
	}
	a.Checks = []experts.Check{{Name: "ADC against the vendor's map", Agrees: true, Text: "The ADC agrees with the vendor's map."}}
	a.Settings = map[experts.Modality][]experts.Setting{
		experts.DCE: {{Name: "phase times", Text: "assumed"}, {Name: "early phase", Value: 2, Unit: "1"}, {Name: "FTV least early enhancement", Value: 70, Unit: "%"}},
		experts.DWI: {{Name: "ADC cut-off", Value: 1530, Unit: "um2/s"}},
	}
	a.Findings[0].Neighbours = []experts.Relation{{To: a.Findings[1].Lesion, GapMM: 3.25, DistanceMM: 6, Spread: experts.Multicentric}}
	for _, i := range instances(2, size[2]) {
		a.Reference.Slices = append(a.Reference.Slices, experts.Slice{SOPInstanceUID: i})
	}
	return a
}

// withoutFindings is a study without DWI in which nothing was found.
func withoutFindings() *fusion.Assessment {
	a := withFindings()
	a.Outcome, a.Findings = fusion.WithoutFindings, nil
	a.Present = map[experts.Modality]bool{experts.DCE: true, experts.T2: true}
	a.Series = a.Series[:2]
	a.Notes = nil
	return a
}

// notDone is a study without DCE.
func notDone() *fusion.Assessment {
	return &fusion.Assessment{
		StudyUID: studyUID, Outcome: fusion.NotDone,
		Reason:    fusion.NotDoneReason{Code: "NODCE", Text: "no dynamic contrast-enhanced series was found: two T1-weighted time points of one geometry are needed"},
		Series:    []experts.SeriesUse{use(3, experts.RoleT2, "")},
		Present:   map[experts.Modality]bool{experts.T2: true},
		Algorithm: algorithm(),
	}
}

// headers is an instance of the reference series.
func headers() *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	d.Set(tag.SOPInstanceUID, instances(2, 1)[0])
	d.Set(tag.Modality, "MR")
	d.Set(tag.StudyInstanceUID, studyUID)
	d.Set(tag.SeriesInstanceUID, seriesUID(2))
	d.Set(tag.StudyDate, "20250314")
	d.Set(tag.StudyTime, "101112")
	d.Set(tag.StudyID, "S1")
	d.Set(tag.StudyDescription, "MR BREAST BILATERAL")
	d.Set(tag.AccessionNumber, "A-77")
	d.Set(tag.ReferringPhysicianName, "Doe^Jane")
	d.Set(tag.PatientName, "Hong^Gildong=洪^吉洞=홍^길동")
	d.Set(tag.PatientID, "P-001")
	d.Set(tag.PatientBirthDate, "19700101")
	d.Set(tag.PatientSex, "F")
	d.Set(tag.PatientAge, "055Y")
	d.Set(tag.SliceThickness, 2.2)
	d.Set(tag.FrameOfReferenceUID, frameUID)
	d.Set(tag.PositionReferenceIndicator, "XY")
	return d
}

func source() report.Source {
	return report.Source{
		Headers: headers(),
		Node:    iod.Equipment{Manufacturer: "MOME project", Model: "MOME node", Serial: "NODE-1", SoftwareVersion: "0.1.0"},
		Now:     time.Date(2025, 3, 14, 12, 30, 45, 0, time.UTC),

		ViewerSR: true,
	}
}

type outcome struct {
	name string
	make func() *fusion.Assessment
}

var outcomes = []outcome{
	{"with-findings", withFindings}, {"without-findings", withoutFindings}, {"not-done", notDone},
}

func mustBuild(t *testing.T, a *fusion.Assessment, src report.Source) report.Objects {
	t.Helper()
	o, err := report.Build(a, src)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return o
}

// written returns the object as a Part 10 file.
func written(t *testing.T, d *dicom.Dataset) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatalf("write: %v", err)
	}
	return b.Bytes()
}

// scanned returns the object as another program reads it, with the value of its Pixel Data or Float
// Pixel Data.
func scanned(t *testing.T, file []byte) (*dicom.Dataset, []byte) {
	t.Helper()
	f, err := dicom.Scan(bytes.NewReader(file), int64(len(file)), dicom.Limits{})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	e := cmp.Or(f.Dataset.Get(tag.PixelData), f.Dataset.Get(tag.FloatPixelData))
	if e == nil {
		return f.Dataset, nil
	}
	pixels, err := f.Value(e)
	if err != nil {
		t.Fatalf("pixel data: %v", err)
	}
	return f.Dataset, pixels
}

// kind names an object of a result by what tells it from the others: "sr", "seg", "labelmap", "viewer", "pm-adc", "mr-adc-1",
// "sc-1".
func kind(d *dicom.Dataset) string {
	switch d.String(tag.SOPClassUID) {
	case uid.ComprehensiveSRStorage:
		return "viewer"
	case uid.LabelMapSegmentationStorage:
		return "labelmap"
	case uid.ParametricMapStorage:
		return "pm-" + strings.ToLower(d.String(tag.ContentLabel))
	case uid.SecondaryCaptureImageStorage, uid.MultiFrameTrueColorSecondaryCaptureImageStorage:
		return "sc-" + d.String(tag.InstanceNumber)
	case uid.MRImageStorage:
		if world := d.Item(tag.RealWorldValueMappingSequence); world != nil {
			return "mr-" + strings.ToLower(world.String(tag.LUTLabel)) + "-" + d.String(tag.InstanceNumber)
		}
	}
	return strings.ToLower(d.String(tag.Modality))
}

// withMaps is the study of withFindings with what is shown beside it: the explanation on the grid of the reference, SER
// on a part of it, the ADC on a grid of its own, pictures with and without planes.
func withMaps() report.Part {
	a := withFindings()
	heat := volume.New(a.Grid)
	for i, in := range a.Findings[0].Mask.Data {
		if in {
			heat.Data[i] = 0.001*float32(i%7) - 0.002
		}
	}
	part := a.Grid
	part.Size, part.Origin = [3]int{3, 4, 2}, a.Grid.Point(8, 2, 3)
	ser := volume.New(part)
	ser.Data[7], ser.Data[12], ser.Data[13] = 1.25, 0.75, float32(math.NaN())
	own := a.Grid
	own.Size, own.SpacingMM, own.Origin = [3]int{4, 3, 2}, [3]float64{3, 3, 5}, volume.Vec{-59, -39, -19}
	adc := volume.New(own)
	for i := range adc.Data {
		adc.Data[i] = 900 + float32(i)
	}
	plane := a.Grid
	plane.Size = [3]int{6, 4, 2}
	return report.Part{
		Assessment: a, Headers: headers(),
		Maps: []report.Map{{Kind: report.Explanation, Volume: heat}, {Kind: report.SER, Volume: ser}, {Kind: report.ADC, Volume: adc}},
		Pictures: []report.Picture{
			{Description: "Projection with lesions marked", Frames: []image.Image{drawnPicture(5, 4)}, Drawn: true},
			{Description: "Kinetic colours", Frames: []image.Image{drawnPicture(6, 4), drawnPicture(6, 4)}, Grid: &plane},
			{Description: "Two views", Frames: []image.Image{drawnPicture(3, 3), drawnPicture(3, 3)}},
		},
	}
}

func drawnPicture(columns, rows int) image.Image {
	i := image.NewRGBA(image.Rect(0, 0, columns, rows))
	for y := range rows {
		for x := range columns {
			i.SetRGBA(x, y, color.RGBA{uint8(40 * x), uint8(40 * y), 9, 255})
		}
	}
	return i
}

// inOrder lists the objects of one result.
func inOrder(o report.Objects) []*dicom.Dataset { return report.InOrder([]report.Objects{o}) }
