package report_test

import (
	"bytes"
	"fmt"
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
		TrainedOn:  "Trained on digital phantoms only.",
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
					VolumeCM3: 0.01728, LongAxisMM: 4.44, ShortAxisMM: 2.12, Sphericity: 0.812345,
					TimesS: []float64{0, 90, 180}, Signal: []float64{100, 243, 220},
					PEEarly: experts.Known(143.02), PEPeak: experts.Known(143.2), SER: experts.Known(1.314),
					TimeToPeak: experts.Known(90), FTVCM3: experts.Known(0.0151),
					WorstCurve: experts.Washout,
					CurveShare: map[experts.Curve]float64{experts.Persistent: 0.333, experts.Plateau: 0.333, experts.Washout: 0.334},
					ADC:        experts.Known(905.2), T2Ratio: experts.Known(1.178),
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
		Reason:    fusion.NotDoneReason{Code: "NODCE", Text: "no dynamic series was found"},
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

// scanned returns the object as another program reads it, with the value of its Pixel Data.
func scanned(t *testing.T, file []byte) (*dicom.Dataset, []byte) {
	t.Helper()
	f, err := dicom.Scan(bytes.NewReader(file), int64(len(file)), dicom.Limits{})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	e := f.Dataset.Get(tag.PixelData)
	if e == nil {
		return f.Dataset, nil
	}
	pixels, err := f.Value(e)
	if err != nil {
		t.Fatalf("pixel data: %v", err)
	}
	return f.Dataset, pixels
}

// inOrder lists the objects of one result.
func inOrder(o report.Objects) []*dicom.Dataset { return report.InOrder([]report.Objects{o}) }
