package report_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/report"
	"mome/server/words"
)

// content returns the measurement report of an SR as another program reads it.
func content(t *testing.T, d *dicom.Dataset) sr.MeasurementReport {
	t.Helper()
	stored, _ := scanned(t, written(t, d))
	root, err := sr.Parse(stored)
	if err != nil {
		t.Fatal(err)
	}
	m, err := sr.ReadMeasurementReport(root)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// evaluation returns the coded statement named name.
func evaluation(m sr.MeasurementReport, name code.Code) code.Code {
	for _, i := range m.Evaluations {
		if i.Name.Is(name) {
			return i.Code
		}
	}
	return code.Code{}
}

// comments returns all remarks in one.
func comments(m sr.MeasurementReport) string {
	var texts []string
	for _, i := range m.Evaluations {
		if i.Name.Is(code.Comment) {
			texts = append(texts, i.Text)
		}
	}
	return strings.Join(texts, "\n")
}

func TestOutcomes(t *testing.T) {
	failed := func(reason string) func() *fusion.Assessment {
		return func() *fusion.Assessment {
			a := notDone()
			a.Reason = fusion.NotDoneReason{Code: reason, Text: "it did not work"}
			return a
		}
	}
	without := func() *fusion.Assessment {
		a := withFindings()
		a.Present = map[experts.Modality]bool{experts.DCE: true}
		return a
	}
	below := func() *fusion.Assessment {
		a := withFindings()
		a.Findings[1].Probability = experts.Known(0.1)
		return a
	}
	examined := func() *fusion.Assessment {
		a := withFindings()
		a.Findings[0].Probability, a.Findings[1].Probability = experts.Quantity{}, experts.Quantity{}
		return a
	}
	unjudged := func() *fusion.Assessment {
		a := examined()
		a.Judgements = nil
		return a
	}
	for _, c := range []struct {
		name              string
		a                 func() *fusion.Assessment
		findings, summary code.Code
		reason            code.Code
		groups            int
		seg               bool
		say               string
	}{
		{"with findings", withFindings, code.WithFindings, code.Succeeded, code.Code{}, 4, true, "Lesions reported: 2, of which 2 reach the operating point 0.35."},
		{"without a modality", without, code.WithFindings, code.PartlySucceeded, code.Code{}, 4, true, "DWI missing"},
		{"one below the operating point", below, code.WithFindings, code.Succeeded, code.Code{}, 4, true, "of which 1 reach the operating point 0.35."},
		{"without a model", unjudged, code.WithFindings, code.Succeeded, code.Code{}, 4, true, "none of them judged by a model."},
		{"judged as a whole", examined, code.WithFindings, code.Succeeded, code.Code{}, 4, true, "Whole examination: malignancy: benign 20.0 %, malignant 80.0 %"},
		{"without findings", withoutFindings, code.WithoutFindings, code.PartlySucceeded, code.Code{}, 2, true, "No lesion exceeded the operating point 0.35."},
		{"no DCE", notDone, code.NoneSucceeded, code.NotAttempted, code.NoDCE, 0, false, "two T1-weighted time points of one geometry are needed. This is not a negative result."},
		{"time-out", failed("TIMEOUT"), code.NoneSucceeded, code.Failed, code.Timeout, 0, false, "This is not a negative result."},
		{"error", failed("ERROR"), code.NoneSucceeded, code.Failed, code.Error, 0, false, "This is not a negative result."},
		{"geometry", failed("GEOM"), code.NoneSucceeded, code.NotAttempted, code.Geom, 0, false, "This is not a negative result."},
		{"unknown reason", failed("WHATEVER"), code.NoneSucceeded, code.Failed, code.Error, 0, false, "This is not a negative result."},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := mustBuild(t, c.a(), source())
			m := content(t, o.SR)
			if got := evaluation(m, code.FindingsSummary); got != c.findings {
				t.Errorf("findings %v, want %v", got, c.findings)
			}
			if got := evaluation(m, code.AnalysesSummary); got != c.summary {
				t.Errorf("analyses %v, want %v", got, c.summary)
			}
			if got := evaluation(m, code.NotDone); got != c.reason {
				t.Errorf("reason %v, want %v", got, c.reason)
			}
			if len(m.Groups) != c.groups || (o.SEG != nil) != c.seg {
				t.Errorf("%d groups, SEG %v, want %d, %v", len(m.Groups), o.SEG != nil, c.groups, c.seg)
			}
			for _, want := range []string{c.say, report.Disclaimer, "Trained on digital phantoms, not patients."} {
				if !strings.Contains(comments(m), want) {
					t.Errorf("the comments do not say %q:\n%s", want, comments(m))
				}
			}
			for _, d := range inOrder(o) {
				if s := d.String(tag.SeriesDescription); !strings.Contains(s, "[INVESTIGATIONAL]") {
					t.Errorf("series description %q", s)
				}
			}
			for modality, name := range map[experts.Modality]code.Code{experts.DCE: code.AvailDCE, experts.T2: code.AvailT2, experts.DWI: code.AvailDWI} {
				want := code.Absent
				if c.a().Present[modality] {
					want = code.Present
				}
				if got := evaluation(m, name); got != want {
					t.Errorf("%v is %v, want %v", name, got, want)
				}
			}
		})
	}
}

// TestOrder: what is referred to is stored before what refers to it, and the main SR last: one that is there means a
// complete result.
func TestOrder(t *testing.T) {
	one := mustBuild(t, withFindings(), source())
	var got []string
	for _, d := range report.InOrder([]report.Objects{one, mustBuild(t, withoutFindings(), source()), one}) {
		got = append(got, kind(d))
	}
	if want := []string{"seg", "seg", "seg", "viewer", "viewer", "sr", "sr", "sr"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestSameAnalysisSameBytes(t *testing.T) {
	first := mustBuild(t, withFindings(), source())
	for n := range 5 { // maps are walked in another order each time
		again := mustBuild(t, withFindings(), source())
		for i, d := range inOrder(again) {
			if !bytes.Equal(written(t, d), written(t, inOrder(first)[i])) {
				t.Fatalf("run %d: object %d differs", n, i)
			}
		}
	}
}

// TestIdentity: which changes make another result, and which do not.
func TestIdentity(t *testing.T) {
	base := mustBuild(t, withFindings(), source())
	for _, c := range []struct {
		name   string
		change func(*fusion.Assessment, *report.Source)
		same   bool
	}{
		{"another time", func(_ *fusion.Assessment, s *report.Source) { s.Now = s.Now.Add(time.Hour) }, true},
		{"another order of series", func(a *fusion.Assessment, _ *report.Source) { slices.Reverse(a.Series) }, true},
		{"another order of instances", func(a *fusion.Assessment, _ *report.Source) { slices.Reverse(a.Series[0].Instances) }, true},
		{"other measurements", func(a *fusion.Assessment, _ *report.Source) { a.Findings[0].VolumeCM3 *= 1.0001 }, true},
		{"an older document", func(_ *fusion.Assessment, s *report.Source) {
			s.Predecessors = []iod.Instance{{StudyUID: studyUID, SeriesUID: "1.2", SOPClassUID: uid.Comprehensive3DSRStorage, SOPInstanceUID: "1.2.3"}}
		}, true},
		{"another patient name", func(_ *fusion.Assessment, s *report.Source) { s.Headers.Set(tag.PatientName, "X") }, true},
		{"one more instance", func(a *fusion.Assessment, _ *report.Source) {
			a.Series[0].Instances = append(a.Series[0].Instances, "2.25.9")
		}, false},
		{"other content of an instance", func(a *fusion.Assessment, s *report.Source) {
			s.Digests = map[string]string{a.Series[1].Instances[0]: "abc"}
		}, false},
		{"other weights", func(a *fusion.Assessment, _ *report.Source) { a.Algorithm.WeightsSHA256 = strings.Repeat("00", 32) }, false},
		{"another device", func(a *fusion.Assessment, _ *report.Source) { a.Algorithm.DeviceUID = "2.25.3002" }, false},
		{"another software version", func(_ *fusion.Assessment, s *report.Source) { s.Node.SoftwareVersion = "0.1.1" }, false},
		{"another operating point", func(a *fusion.Assessment, _ *report.Source) { a.Algorithm.OperatingPoint = 0.5 }, false},
		{"another setting", func(a *fusion.Assessment, _ *report.Source) { a.Algorithm.Parameters["preprocessing"] = "n4" }, false},
		{"one expert less", func(a *fusion.Assessment, _ *report.Source) { delete(a.Present, experts.DWI) }, false},
		{"another outcome", func(a *fusion.Assessment, _ *report.Source) { a.Outcome, a.Findings = fusion.WithoutFindings, nil }, false},
		{"another language", func(_ *fusion.Assessment, s *report.Source) { s.Language = words.Korean }, false},
		{"no centres", func(_ *fusion.Assessment, s *report.Source) { s.NoCenter = true }, false},
		{"no report for viewers", func(_ *fusion.Assessment, s *report.Source) { s.ViewerSR = false }, true},
		{"a time-out", func(a *fusion.Assessment, _ *report.Source) {
			a.Outcome, a.Reason.Code, a.Findings = fusion.NotDone, "TIMEOUT", nil
		}, false},
	} {
		a, s := withFindings(), source()
		c.change(a, &s)
		o := mustBuild(t, a, s)
		got := o.SR.String(tag.SOPInstanceUID) == base.SR.String(tag.SOPInstanceUID)
		if got != c.same {
			t.Errorf("%s: same SR %v, want %v", c.name, got, c.same)
		}
		if o.SEG != nil && (o.SEG.String(tag.SOPInstanceUID) == base.SEG.String(tag.SOPInstanceUID)) != c.same {
			t.Errorf("%s: same SEG %v, want %v", c.name, !c.same, c.same)
		}
	}
	// A report on nothing speaks of the whole study.
	whole := source()
	before := mustBuild(t, notDone(), whole).SR.String(tag.SOPInstanceUID)
	whole.Digests = map[string]string{"2.25.9": "abc"}
	if mustBuild(t, notDone(), whole).SR.String(tag.SOPInstanceUID) == before {
		t.Error("not done: an instance more in the study made no new report")
	}
	if base.SR.String(tag.SeriesInstanceUID) == base.SEG.String(tag.SeriesInstanceUID) {
		t.Error("SR and SEG share a series")
	}
}

// TestAlgorithmIdentity: one identity in the four places that IHE AI Results 6.5.3.1 compares.
func TestAlgorithmIdentity(t *testing.T) {
	o := mustBuild(t, withFindings(), source())
	m := content(t, o.SR)
	want := [3]string{"MOME", "0.1.0", "MOME project"}
	for _, d := range inOrder(o) {
		c := d.Item(tag.ContributingEquipmentSequence)
		if got := [3]string{c.String(tag.ManufacturerModelName), c.String(tag.SoftwareVersions), c.String(tag.Manufacturer)}; got != want {
			t.Errorf("contributing equipment of the %s %v, want %v", d.String(tag.Modality), got, want)
		}
		if got := c.String(tag.DeviceUID); got != m.Observer.UID || got != "2.25.3001" {
			t.Errorf("device UID %s, observer's %s", got, m.Observer.UID)
		}
	}
	if got := [3]string{m.Observer.Model, m.Algorithm.Version, m.Observer.Manufacturer}; got != want {
		t.Errorf("device observer %v, want %v", got, want)
	}
	if got := [3]string{m.Algorithm.Name, m.Algorithm.Version, m.Algorithm.Manufacturer}; got != want {
		t.Errorf("TID 4019 %v, want %v", got, want)
	}
	for _, s := range o.SEG.Items(tag.SegmentSequence) {
		a := iod.ReadIdentification(s.Item(tag.SegmentationAlgorithmIdentificationSequence))
		if got := [3]string{a.Name, a.Version, a.Manufacturer}; got != want {
			t.Errorf("segment %q %v, want %v", s.String(tag.SegmentLabel), got, want)
		}
		if !slices.Equal(a.Parameters, m.Algorithm.Parameters[:len(a.Parameters)]) {
			t.Errorf("segment's parameters %q are not the first of the SR's %q", a.Parameters, m.Algorithm.Parameters)
		}
	}
	if p := "weights-sha256=" + strings.Repeat("9a", 32); !slices.Contains(m.Algorithm.Parameters, p) {
		t.Errorf("parameters %q lack %s", m.Algorithm.Parameters, p)
	}
	for _, d := range inOrder(o) {
		if got := d.String(tag.ManufacturerModelName); got != "MOME node" {
			t.Errorf("equipment of the %s is %q, want the node", d.String(tag.Modality), got)
		}
	}
}

// TestUnknownIsLeftOut: no NUM without a value, none for what was not measured, each with a method or derivation.
func TestUnknownIsLeftOut(t *testing.T) {
	a := withFindings()
	a.Findings = []fusion.Finding{{
		Lesion: &experts.Lesion{
			Label: "Lesion 1", Mask: a.Findings[0].Mask, SER: experts.Known(math.Inf(1)), PEEarly: experts.Known(math.NaN()),
			ADC: experts.Quantity{Value: 900},
		},
		Contributions: []fusion.Contribution{{Modality: experts.DCE, Share: math.NaN(), LogOdds: math.NaN()}},
	}}
	g := content(t, mustBuild(t, a, source()).SR).Groups[0]
	if len(g.Measurements) != 0 || len(g.Evaluations) != 0 {
		t.Errorf("measurements %v, evaluations %v, want none", g.Measurements, g.Evaluations)
	}
	if !g.Laterality.Zero() || !g.Topography.Zero() {
		t.Errorf("laterality %v, quadrant %v, want none", g.Laterality, g.Topography)
	}
	for _, c := range outcomes {
		for _, g := range content(t, mustBuild(t, c.make(), source()).SR).Groups {
			for _, m := range g.Measurements {
				if m.Method.Zero() && m.Derivation.Zero() {
					t.Errorf("%s, %s: %v has no method and no derivation", c.name, g.TrackingID, m.Name)
				}
			}
		}
	}
}

// TestShares: what rounding takes from a share is given to another.
func TestShares(t *testing.T) {
	for _, shares := range [][]float64{{1. / 3, 1. / 3, 1. / 3}, {0.61, 0.14, 0.25}, {1}, {0.9999, 0.0001}, {0.12345, 0.65432, 0.22223}} {
		a := withFindings()
		a.Findings[0].Contributions = nil
		for i, s := range shares {
			a.Findings[0].Contributions = append(a.Findings[0].Contributions, fusion.Contribution{Modality: experts.Modalities[i], Share: s})
		}
		sum, n := 0.0, 0
		for _, m := range content(t, mustBuild(t, a, source()).SR).Groups[0].Measurements {
			if m.Name.Is(code.Contribution) {
				sum += m.Value
				n++
				if !m.Method.Is(code.Shapley) || m.Modifier(code.ContribOf).Zero() {
					t.Errorf("shares %v: method %v of %v", shares, m.Method, m.Modifier(code.ContribOf))
				}
			}
		}
		if math.Abs(sum-100) > 1e-9 || n != len(shares) {
			t.Errorf("shares %v: %d parts that sum to %v, want %d and 100", shares, n, sum, len(shares))
		}
	}
}

func TestSEGLiesOnItsSource(t *testing.T) {
	a := withFindings()
	// Oblique, and left-handed: slices run against the normal.
	c, s := math.Cos(0.3), math.Sin(0.3)
	a.Grid.Axis = [3]volume.Vec{{c, s, 0}, {0, 0, -1}, {s, -c, 0}}
	for i := range a.Reference.Slices {
		a.Reference.Slices[i] = experts.Slice{SOPInstanceUID: "2.25.77", Frame: i + 1}
	}
	a.Reference.SOPClassUID = uid.EnhancedMRImageStorage
	d := mustBuild(t, a, source()).SEG
	shared := d.Item(tag.SharedFunctionalGroupsSequence)
	orientation := shared.Item(tag.PlaneOrientationSequence).Floats(tag.ImageOrientationPatient)
	for i, want := range []float64{c, s, 0, 0, 0, -1} {
		if math.Abs(orientation[i]-want) > 1e-9 {
			t.Errorf("orientation %v, component %d want %v", orientation, i, want)
		}
	}
	measures := shared.Item(tag.PixelMeasuresSequence)
	if got := measures.Floats(tag.PixelSpacing); got[0] != 0.9 || got[1] != 0.8 {
		t.Errorf("pixel spacing %v, want 0.9 between rows, 0.8 between columns", got)
	}
	if got, _ := measures.Float(tag.SliceThickness); got != 2.2 {
		t.Errorf("slice thickness %v, want 2.2 of the source", got)
	}
	for n, g := range d.Items(tag.PerFrameFunctionalGroupsSequence) {
		p := g.Item(tag.PlanePositionSequence).Floats(tag.ImagePositionPatient)
		k := g.Item(tag.DerivationImageSequence).Item(tag.SourceImageSequence).IntOr(tag.ReferencedFrameNumber, 0) - 1
		if got := (volume.Vec{p[0], p[1], p[2]}).Sub(a.Grid.Point(0, 0, float64(k))).Norm(); got > 1e-6 {
			t.Errorf("frame %d lies %g mm off slice %d", n+1, got, k)
		}
	}
	if refs := d.Item(tag.ReferencedSeriesSequence).Items(tag.ReferencedInstanceSequence); len(refs) != 1 {
		t.Errorf("%d referenced instances, want the one multi-frame image", len(refs))
	}
}

func TestHeaders(t *testing.T) {
	src := source()
	src.Headers.Set(tag.TimezoneOffsetFromUTC, "+0900")
	src.Headers.Set(tag.LossyImageCompression, "01")
	src.Headers.Set(tag.LossyImageCompressionRatio, 10.0)
	src.Headers.Set(tag.LossyImageCompressionMethod, "ISO_15444_1")
	older := iod.Instance{StudyUID: studyUID, SeriesUID: "2.25.61", SOPClassUID: uid.Comprehensive3DSRStorage, SOPInstanceUID: "2.25.62"}
	itself := mustBuild(t, withFindings(), src).SR.String(tag.SOPInstanceUID)
	src.Predecessors = []iod.Instance{older, {StudyUID: studyUID, SeriesUID: "1.2", SOPClassUID: older.SOPClassUID, SOPInstanceUID: itself}}
	o := mustBuild(t, withFindings(), src)
	for _, d := range inOrder(o) {
		stored, _ := scanned(t, written(t, d))
		for a, want := range map[tag.Tag]string{
			tag.PatientName: "Hong^Gildong=洪^吉洞=홍^길동", tag.PatientID: "P-001", tag.StudyInstanceUID: studyUID,
			tag.AccessionNumber: "A-77", tag.StudyDate: "20250314", tag.ContentDate: "20250314", tag.ContentTime: "213045",
			tag.TimezoneOffsetFromUTC: "+0900", tag.SpecificCharacterSet: "ISO_IR 192", tag.DeviceSerialNumber: "NODE-1",
		} {
			if got := stored.String(a); got != want {
				t.Errorf("%s of the %s is %q, want %q", a.Keyword(), d.String(tag.Modality), got, want)
			}
		}
	}
	if got := o.SEG.String(tag.LossyImageCompression); got != "01" {
		t.Errorf("lossy compression of the source's images is lost: %q", got)
	}
	for a, want := range map[tag.Tag]string{
		tag.CompletionFlag: "COMPLETE", tag.VerificationFlag: "UNVERIFIED", tag.PreliminaryFlag: "PRELIMINARY",
	} {
		if got := o.SR.String(a); got != want {
			t.Errorf("%s is %q, want %q", a.Keyword(), got, want)
		}
	}
	if got := iod.ReadHierarchical(o.SR.Items(tag.PredecessorDocumentsSequence)); len(got) != 1 || got[0] != older {
		t.Errorf("predecessors %v, want %v only", got, older)
	}
	if s := o.SR.Item(tag.CodingSchemeIdentificationSequence); s.String(tag.CodingSchemeDesignator) != code.LocalScheme || s.String(tag.CodingSchemeUID) != code.LocalSchemeUID {
		t.Error("the local coding scheme is not declared")
	}
}

// TestCharacterSets: the patient's name comes through, from a file in a national character set to the file of the
// result.
func TestCharacterSets(t *testing.T) {
	for _, c := range []struct{ name, charset, value, want string }{
		{"Korean", `\ISO 2022 IR 149`, "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf", "Hong^Gildong=洪^吉洞=홍^길동"},
		{"Chinese", "GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"},
		{"Latin 1", "ISO_IR 100", "M\xfcller^Anna", "Müller^Anna"},
	} {
		src := source()
		src.Headers.Put(&dicom.Element{Tag: tag.SpecificCharacterSet, VR: dicom.CS, Value: []byte(c.charset)})
		src.Headers.Put(&dicom.Element{Tag: tag.PatientName, VR: dicom.PN, Value: []byte(c.value)})
		src.Headers, _ = scanned(t, written(t, src.Headers))
		for _, d := range inOrder(mustBuild(t, withFindings(), src)) {
			stored, _ := scanned(t, written(t, d))
			if got := stored.String(tag.PatientName); got != c.want {
				t.Errorf("%s: the %s names %q, want %q", c.name, d.String(tag.Modality), got, c.want)
			}
		}
	}
}

func TestNoCenter(t *testing.T) {
	src := source()
	g := content(t, mustBuild(t, withFindings(), src).SR).Groups[0]
	if c, _ := g.Place(code.Center); c.FrameOfReferenceUID != frameUID || math.Abs(c.MM[0]+52.4) > 1e-4 || len(g.Places) != 2 {
		t.Errorf("places %+v, want a centre at -52.4 in %s and a hot spot", g.Places, frameUID)
	}
	src.NoCenter = true
	g = content(t, mustBuild(t, withFindings(), src).SR).Groups[0]
	if len(g.Places) != 0 || slices.ContainsFunc(g.Measurements, func(m sr.Measurement) bool { return m.Path.MM != nil }) {
		t.Errorf("places %+v or lines, want none", g.Places)
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*fusion.Assessment, *report.Source)
		want   string
	}{
		{"no headers", func(_ *fusion.Assessment, s *report.Source) { s.Headers = nil }, "source headers"},
		{"headers of another study", func(_ *fusion.Assessment, s *report.Source) { s.Headers.Set(tag.StudyInstanceUID, "1.2") }, "source headers"},
		{"no time", func(_ *fusion.Assessment, s *report.Source) { s.Now = time.Time{} }, "no time"},
		{"no serial number", func(_ *fusion.Assessment, s *report.Source) { s.Node.Serial = "" }, "node: serial"},
		{"no outcome", func(a *fusion.Assessment, _ *report.Source) { a.Outcome = "" }, "outcome"},
		{"findings without any", func(a *fusion.Assessment, _ *report.Source) { a.Findings = nil }, "there are none"},
		{"no algorithm version", func(a *fusion.Assessment, _ *report.Source) { a.Algorithm.Version = "" }, "algorithm version"},
		{"no device UID", func(a *fusion.Assessment, _ *report.Source) { a.Algorithm.DeviceUID = "" }, "device UID"},
		{"a finding without a lesion", func(a *fusion.Assessment, _ *report.Source) { a.Findings[0].Lesion = nil }, "no lesion"},
		{"a mask of another grid", func(a *fusion.Assessment, _ *report.Source) { a.Grid.Size[2]++ }, "mask of"},
		{"reference slices missing", func(a *fusion.Assessment, _ *report.Source) { a.Reference.Slices = nil }, "source slices"},
	} {
		a, s := withFindings(), source()
		c.change(a, &s)
		if _, err := report.Build(a, s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

// TestHostileText: sentences from elsewhere cannot break the objects.
func TestHostileText(t *testing.T) {
	a := withFindings()
	a.Notes = []string{"line\r\nend\x00\x1b$)C", "\xff\xfe not UTF-8", strings.Repeat("long ", 40000), "", `a\b`}
	a.Series[0].Detail = "x\x07\ny"
	m := content(t, mustBuild(t, a, source()).SR)
	if got := comments(m); !strings.Contains(got, `a\b`) || strings.ContainsAny(got, "\x00\x1b\x07\r") {
		t.Errorf("comments %.300q", got)
	}
}

// large is a study of n instances in 8 series.
func large(n int) *fusion.Assessment {
	a := withoutFindings()
	a.Series = nil
	for s := range 8 {
		u := use(s+2, experts.RoleDCE, "")
		u.Instances = u.Instances[:0]
		for i := range n / 8 {
			u.Instances = append(u.Instances, fmt.Sprintf("%s.%d", u.SeriesUID, i+1))
		}
		a.Series = append(a.Series, u)
	}
	return a
}

// TestLargeStudy: thousands of instances are all in the library and in the evidence, and the SR can still be read with
// the scanner's default limits.
func TestLargeStudy(t *testing.T) {
	o := mustBuild(t, large(8000), source())
	m := content(t, o.SR)
	images := 0
	for _, g := range m.Library {
		images += len(g.Images)
	}
	evidence := len(iod.ReadHierarchical(o.SR.Items(tag.CurrentRequestedProcedureEvidenceSequence)))
	if images != 8000 || evidence != 8001 { // and the SEG
		t.Errorf("%d images in the library, %d instances in the evidence, want 8000 and 8001", images, evidence)
	}
}

func BenchmarkBuildLargeStudy(b *testing.B) {
	a, src := large(8000), source()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := report.Build(a, src); err != nil {
			b.Fatal(err)
		}
	}
}
