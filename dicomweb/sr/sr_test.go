package sr_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
)

func instance(n string) iod.Instance {
	return iod.Instance{StudyUID: "1.2", SeriesUID: "1.2." + n, SOPClassUID: uid.MRImageStorage, SOPInstanceUID: "1.2." + n + ".1"}
}

func measurementReport() sr.MeasurementReport {
	segmentation := instance("9")
	segmentation.SOPClassUID = uid.SegmentationStorage
	return sr.MeasurementReport{
		Language:  code.Code{Value: "ko-KR", Scheme: "RFC5646", Meaning: "Korean (Korea)"},
		Observer:  sr.DeviceObserver{UID: "1.2.3", Name: "A 1", Manufacturer: "M", Model: "A", Serial: "7"},
		Procedure: code.MRIOfBreast,
		Library: []sr.LibraryGroup{
			{Modality: code.MR, Region: code.Breast, FrameOfReferenceUID: "1.5", Role: code.DCE, Images: []iod.Instance{instance("1"), instance("2")}},
			{Modality: code.MR, Images: []iod.Instance{instance("3")}},
		},
		Algorithm: iod.Algorithm{Name: "A", Version: "1", Manufacturer: "M", DeviceUID: "1.2.3", Parameters: []string{"a=1", "b=2"}},
		Groups: []sr.ROI{
			{
				TrackingID: "Lesion 1", TrackingUID: "1.7", Category: code.Abnormal, Finding: code.Lesion,
				Segment: sr.Ref{Instance: segmentation, Segments: []int{3}}, SourceSeriesUID: "1.2.1",
				Site: code.Breast, Laterality: code.Left, Topography: code.UpperOuter,
				Places: []sr.Place{{Name: code.Center, FrameOfReferenceUID: "1.5", MM: [3]float64{1.5, -2.25, 3}}},
				Images: []sr.Picture{{Name: code.ExplanationMap, Ref: sr.Ref{Instance: instance("5"), Frames: []int{4}}}},
				Measurements: []sr.Measurement{
					{Name: code.Volume, Value: 1.25, Unit: code.CM3, Method: code.VoxelSum},
					{Name: code.Contribution, Value: 61, Unit: code.Percent, Method: code.Shapley,
						Modifiers: []sr.Quality{{Name: code.ContribOf, Value: code.DCE}}},
					{Name: code.LongAxis, Value: 3, Unit: code.MM, Method: code.Max3D,
						Path: sr.Path{FrameOfReferenceUID: "1.5", MM: [][3]float64{{0, 0, 1}, {0, 3, 1}}}},
					{Name: code.Gap, Value: 12, Unit: code.MM, Other: "Lesion 2", Method: code.NearestEdge},
					{Name: code.T2Signal, Value: 1.18, Unit: code.Ratio, Derivation: code.Mean, Method: code.T2Norm},
				},
				Evaluations: []sr.Quality{{Name: code.EnhancementPattern, Value: code.Curve3}},
				Texts:       []sr.Statement{{Name: code.Comment, Text: "Größe geschätzt, 한국어"}},
			},
			{TrackingID: "Left breast", TrackingUID: "1.8", Category: code.Anatomical, Finding: code.Breast},
		},
		Evaluations: []*sr.Item{sr.Evaluation(code.FindingsSummary, code.WithFindings), sr.Remark("A remark; with \\ in it.")},
	}
}

// stored writes the tree into an SR, and returns what another program reads.
func stored(t testing.TB, doc sr.Document) *dicom.Dataset {
	t.Helper()
	d := dicom.New()
	iod.SOPCommon(d, uid.Comprehensive3DSRStorage, "1.2.99", time.Unix(0, 0).UTC())
	d.Set(tag.StudyInstanceUID, "1.2")
	d.Set(tag.SeriesInstanceUID, "1.2.98")
	if err := doc.Fill(d, time.Unix(0, 0).UTC()); err != nil {
		t.Fatalf("Fill: %v", err)
	}
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatalf("Write: %v", err)
	}
	f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
	if err != nil {
		t.Fatalf("Scan: %v", err)
	}
	return f.Dataset
}

func TestTreeSurvivesStorage(t *testing.T) {
	want := measurementReport().Item()
	want.Add(
		&sr.Item{Relation: sr.Contains, Type: sr.SCoord, Name: code.Center, Coord: sr.Coord{Graphic: "POLYLINE", Points: []float32{1, 2, 3.5, 4}},
			Items: []*sr.Item{sr.NewImage(sr.SelectedFrom, code.Code{}, sr.Ref{Instance: instance("1"), Frames: []int{2, 5}})}},
		&sr.Item{Relation: sr.InferredFrom, Target: []int{1, 10, 2}},
		&sr.Item{Relation: sr.HasObsContext, Type: sr.DateTime, Name: code.Comment, Text: "20250314101112"},
		&sr.Item{Relation: sr.HasObsContext, Type: sr.PName, Name: code.Comment, Text: "Hong^Gildong=洪^吉洞=홍^길동"},
		sr.NewCode(sr.Contains, code.Finding, code.Code{Value: "a-code-value-of-over-16", Scheme: "99X", Meaning: "Long"}),
	)
	got, err := sr.Parse(stored(t, sr.Document{Root: want}))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the tree changed in storage\n got\n%s\nwant\n%s", dump(t, got), dump(t, want))
	}
}

func TestMeasurementReportReadsBack(t *testing.T) {
	want := measurementReport()
	root, err := sr.Parse(stored(t, sr.Document{Root: want.Item()}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := sr.ReadMeasurementReport(root)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	drawn := want
	drawn.Groups, drawn.Drawings = nil, []sr.Drawing{{
		TrackingID: "T:Lesion 1", TrackingUID: "1.7", Category: code.Abnormal, Finding: code.Lesion, Site: code.LeftBreast,
		Segment: want.Groups[0].Segment, Comment: "Lesion 1",
		Lines: []sr.Line{
			{Name: code.LongAxis, Value: 12.5, Unit: code.MM, Points: []float32{1, 2.5, 9, 4}, Image: sr.Ref{Instance: instance("1")}},
			{Name: code.ShortAxis, Value: 7, Unit: code.MM, Points: []float32{4, 1, 5, 7.25}, Image: sr.Ref{Instance: instance("2"), Frames: []int{7}}},
		},
		Measurements: []sr.Measurement{{Name: code.Volume, Value: 1.25, Unit: code.CM3}},
	}}
	if root, err = sr.Parse(stored(t, sr.Document{Root: drawn.Item()})); err != nil {
		t.Fatal(err)
	}
	if read, err := sr.ReadMeasurementReport(root); err != nil || !reflect.DeepEqual(read, drawn) {
		t.Errorf("got  %+v, %v\nwant %+v", read, err, drawn)
	}
	if m, ok := got.Groups[0].Measured(code.Volume); !ok || m.Value != 1.25 {
		t.Errorf("Measured(volume) = %v, %v, want 1.25, true", m.Value, ok)
	}
	if _, ok := got.Groups[0].Measured(code.ADC); ok {
		t.Error("Measured(ADC) is there, want none")
	}
	if c := got.Groups[0].Evaluated(code.EnhancementPattern); !c.Is(code.Curve3) {
		t.Errorf("Evaluated(pattern) = %v, want %v", c, code.Curve3)
	}
}

// TestEmptyReport: the three containers that viewers look into are there even when there is nothing to say.
func TestEmptyReport(t *testing.T) {
	root := sr.MeasurementReport{Procedure: code.MRIOfBreast}.Item()
	for _, name := range []code.Code{code.ImageLibrary, code.ImagingMeasurements, code.Evaluations} {
		if i := root.Find(name); i == nil || i.Type != sr.Container {
			t.Errorf("no container %v", name)
		}
	}
}

func TestEvidenceNamesEveryReference(t *testing.T) {
	extra := instance("77")
	older := instance("55")
	root := measurementReport().Item()
	d := stored(t, sr.Document{Root: root, Evidence: []iod.Instance{extra}, Predecessors: []iod.Instance{older}})
	in := map[iod.Instance]int{}
	for _, i := range iod.ReadHierarchical(d.Items(tag.CurrentRequestedProcedureEvidenceSequence)) {
		in[i]++
	}
	for _, i := range append(root.Instances(), extra) {
		if in[i] != 1 {
			t.Errorf("instance %v is %d times in the evidence, want once", i, in[i])
		}
	}
	if got := iod.ReadHierarchical(d.Items(tag.PredecessorDocumentsSequence)); len(got) != 1 || got[0] != older {
		t.Errorf("predecessors %v, want %v", got, older)
	}
}

func TestEncodeRefuses(t *testing.T) {
	nan := sr.NewNum(sr.Contains, code.Volume, math.NaN(), code.CM3)
	unknown := sr.NewNum(sr.Contains, code.Volume, 0, code.CM3)
	unknown.Value.Known = false
	for _, c := range []struct {
		name string
		item *sr.Item
		want string
	}{
		{"a number that is none", nan, "no finite value"},
		{"a number that is not known", unknown, "no finite value"},
		{"a number without a unit", sr.NewNum(sr.Contains, code.Volume, 1, code.Code{}), "no finite value"},
		{"a code without a value", sr.NewCode(sr.Contains, code.Finding, code.Code{}), "no code"},
		{"an empty text", sr.NewText(sr.Contains, code.Comment, ""), "no text"},
		{"an image without a series", sr.NewImage(sr.Contains, code.Code{}, sr.Ref{Instance: iod.Instance{SOPInstanceUID: "1.2"}}), "does not name"},
		{"a child without a relation", sr.NewText("", code.Comment, "x"), "no relation"},
		{"half a point", &sr.Item{Relation: sr.Contains, Type: sr.SCoord3D, Coord: sr.Coord{Graphic: "POINT", Points: []float32{1}, FrameOfReferenceUID: "1.2"}}, "1 coordinates"},
		{"a point nowhere", &sr.Item{Relation: sr.Contains, Type: sr.SCoord3D, Coord: sr.Coord{Points: []float32{1, 2, 3}}}, "frame of reference"},
		{"an unknown type", &sr.Item{Relation: sr.Contains, Type: "WAVEFORM"}, "cannot be written"},
	} {
		err := sr.Encode(dicom.New(), sr.NewContainer("", code.MeasurementReport, c.item))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
	if err := sr.Encode(dicom.New(), sr.NewText("", code.Comment, "x")); err == nil {
		t.Error("a text as root was written")
	}
}

func TestParseForeign(t *testing.T) {
	d := dicom.New()
	if _, err := sr.Parse(d); err == nil {
		t.Error("a data set without a value type was read as an SR")
	}
	// A NUM whose value is missing, as other programs write it.
	d.Set(tag.ValueType, "CONTAINER")
	num := dicom.New()
	num.Set(tag.RelationshipType, "CONTAINS")
	num.Set(tag.ValueType, "NUM")
	num.SetItems(tag.MeasuredValueSequence)
	num.SetItems(tag.NumericValueQualifierCodeSequence, code.Code{Value: "114006", Scheme: "DCM", Meaning: "Measurement failure"}.Item())
	d.SetItems(tag.ContentSequence, num)
	root, err := sr.Parse(d)
	if err != nil {
		t.Fatal(err)
	}
	if v := root.Items[0].Value; v.Known || v.Modifier.Value != "114006" {
		t.Errorf("value %+v, want unknown for 114006", v)
	}
	if _, err := sr.ReadMeasurementReport(root); err == nil {
		t.Error("a tree without a title was read as a measurement report")
	}
}

func TestRound(t *testing.T) {
	for _, c := range []struct {
		v        float64
		decimals int
		want     float64
	}{{87.34, 1, 87.3}, {0.0151, 3, 0.015}, {-0.04, 1, 0}, {905.2, 0, 905}, {1e300, 1, 1e300}} {
		got := sr.Round(c.v, c.decimals)
		if got != c.want || math.Signbit(got) != math.Signbit(c.want) {
			t.Errorf("Round(%v, %d) = %v, want %v", c.v, c.decimals, got, c.want)
		}
	}
	if !math.IsNaN(sr.Round(math.NaN(), 1)) || !math.IsInf(sr.Round(math.Inf(1), 1), 1) {
		t.Error("Round changed what is no number")
	}
}

func dump(t testing.TB, root *sr.Item) string {
	t.Helper()
	var b strings.Builder
	if err := sr.Dump(&b, root); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// FuzzParse: any data set that the scanner lets through is read without a panic, and what is read can be dumped, read
// as a report and, where it can be written, reads back as the same tree.
func FuzzParse(f *testing.F) {
	var b bytes.Buffer
	if err := dicom.Write(&b, stored(f, sr.Document{Root: measurementReport().Item()}), uid.ExplicitVRLittleEndian); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		in, err := dicom.Scan(bytes.NewReader(file), int64(len(file)), dicom.Limits{})
		if err != nil {
			return
		}
		root, err := sr.Parse(in.Dataset)
		if err != nil {
			return
		}
		text := dump(t, root)
		if m, err := sr.ReadMeasurementReport(root); err == nil {
			m.Item()
		}
		if strings.ContainsRune(text, '\uFFFD') {
			return // bytes that are no text in their character set do not come back as they were
		}
		d := dicom.New()
		iod.SOPCommon(d, uid.Comprehensive3DSRStorage, "1.2.99", time.Unix(0, 0).UTC())
		d.Set(tag.StudyInstanceUID, "1.2")
		d.Set(tag.SeriesInstanceUID, "1.2.98")
		if (sr.Document{Root: root}).Fill(d, time.Unix(0, 0).UTC()) != nil {
			return
		}
		var out bytes.Buffer
		if dicom.Write(&out, d, uid.ExplicitVRLittleEndian) != nil {
			return // such as a code value that does not fit its VR
		}
		stored, err := dicom.Scan(bytes.NewReader(out.Bytes()), int64(out.Len()), dicom.Limits{})
		if err != nil {
			t.Fatalf("scan what was written: %v", err)
		}
		again, err := sr.Parse(stored.Dataset)
		if err != nil {
			t.Fatalf("parse what was written: %v", err)
		}
		if got := dump(t, again); got != text {
			t.Errorf("the tree changed\n got\n%s\nwant\n%s", got, text)
		}
	})
}
