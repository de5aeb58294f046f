package render_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/render"
	"mome/dicomweb/sr"
)

// document is an SR with every value type that has a value of its own.
func document(t testing.TB) *dicom.Dataset {
	t.Helper()
	name := func(s string) code.Code { return code.Code{Value: "1", Scheme: "99T", Meaning: s} }
	image := sr.Ref{Instance: iod.Instance{StudyUID: "1.2", SeriesUID: "1.3", SOPClassUID: uid.MRImageStorage, SOPInstanceUID: "1.4.7"}, Frames: []int{2, 3}}
	item := func(kind sr.ValueType, what, text string) *sr.Item {
		return &sr.Item{Relation: sr.Contains, Type: kind, Name: name(what), Text: text}
	}
	one := image
	one.Frames = []int{2}
	many := sr.NewContainer(sr.Contains, name("Library"))
	for range 9 {
		many.Add(sr.NewImage(sr.Contains, code.Code{}, image))
	}
	root := sr.NewContainer("", name("Test <Report>"),
		sr.NewContainer(sr.Contains, name("Findings"),
			sr.NewNum(sr.Contains, name("Volume"), 1.25, code.CM3, sr.NewCode(sr.HasConceptMod, name("Method"), name("by hand"))),
			sr.NewNum(sr.Contains, name("Number"), 7, code.Code{Value: "1", Scheme: "UCUM", Meaning: "no units"}),
			sr.NewText(sr.Contains, name("Comment"), "<script>alert(1)</script> & größer\nzweite Zeile"),
			&sr.Item{Relation: sr.Contains, Type: sr.Num, Name: name("Missing"), Value: sr.Quantity{Known: true, Unit: code.MM}},
			sr.NewImage(sr.Contains, name("Source"), image), sr.NewImage(sr.Contains, name("Frame"), one),
			&sr.Item{Relation: sr.Contains, Type: sr.SCoord3D, Name: name("Place"), Coord: sr.Coord{Graphic: "POINT", Points: []float32{1.5, -2, 3}, FrameOfReferenceUID: "1.5"}},
			item(sr.PName, "Reader", "Doe^Jane"), item(sr.Date, "When", "20240131"), item(sr.UIDRef, "Unique", "1.2.3.4"),
		), many)
	d := dicom.New()
	iod.SOPCommon(d, uid.ComprehensiveSRStorage, srRef.Instance, time.Date(2025, 3, 14, 1, 2, 3, 0, time.UTC))
	d.Set(tag.StudyInstanceUID, srRef.Study)
	d.Set(tag.SeriesInstanceUID, srRef.Series)
	d.Set(tag.PatientName, "Müller^Jörg")
	d.Set(tag.StudyDate, "20240130")
	d.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	if err := sr.Encode(d, root); err != nil {
		t.Fatal(err)
	}
	d.SetItems(tag.CurrentRequestedProcedureEvidenceSequence, iod.Hierarchical([]iod.Instance{image.Instance})...)
	missing := d.Items(tag.ContentSequence)[0].Items(tag.ContentSequence)[3] // Encode writes no NUM without a value; others do
	missing.SetItems(tag.MeasuredValueSequence)
	missing.SetItems(tag.NumericValueQualifierCodeSequence, name("not measured").Item())
	return d
}

// TestReport: all of the tree is there in words, and nothing is markup.
func TestReport(t *testing.T) {
	d := document(t)
	html, err := render.Report(d, true, "http://node/dicom-web")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<title>Test &lt;Report&gt;</title>", "<h2>Findings</h2>", "<b>Volume</b>: <span class=\"v\">1.25 cm3</span>", "<b>Method</b>: ", "by hand",
		"&lt;script&gt;alert(1)&lt;/script&gt; &amp; größer\nzweite Zeile", "no value: not measured", "MR Image 1.4.7, frame 2, 3",
		`<a href="http://node/dicom-web/studies/1.2/series/1.3/instances/1.4.7/rendered">`,
		`<a href="http://node/dicom-web/studies/1.2/series/1.3/instances/1.4.7/frames/2/rendered">MR Image 1.4.7, frame 2</a>`,
		"point 1.5, -2, 3 (mm)", "Doe Jane", "2024-01-31", "Müller Jörg", "<summary>9 references</summary>",
	} {
		if !strings.Contains(string(html), want) {
			t.Errorf("%q is not in the page:\n%s", want, html)
		}
	}
	if strings.Contains(string(html), "<script") {
		t.Error("text of the report came out as markup")
	}
	plain, err := render.Report(d, false, "")
	if err != nil {
		t.Fatal(err)
	}
	want := `Test <Report>

Patient: Müller Jörg
Study date: 2024-01-30

Findings
  Volume: 1.25 cm3
    Method: by hand
  Number: 7
  Comment: <script>alert(1)</script> & größer
    zweite Zeile
  Missing: no value: not measured
  Source: MR Image 1.4.7, frame 2, 3
  Frame: MR Image 1.4.7, frame 2
  Place: point 1.5, -2, 3 (mm)
  Reader: Doe Jane
  When: 2024-01-31
  Unique: 1.2.3.4
Library
  9 references
`
	if got, _, _ := strings.Cut(string(plain), "    MR Image"); got != want {
		t.Errorf("text:\n%s\nwant:\n%s", got, want)
	}
	if n := bytes.Count(plain, []byte("MR Image 1.4.7")); n != 11 {
		t.Errorf("%d references in the text, want 11", n)
	}
}

func TestReportWithoutATree(t *testing.T) {
	if _, err := render.Report(dicom.New(), true, ""); dicomweb.KindOf(err) != dicomweb.NotAcceptable {
		t.Errorf("got %v, want an error of kind not acceptable", err)
	}
}

// TestReportsRunNothing: markup of the node's origin, whoever stored it, runs no script.
func TestReportsRunNothing(t *testing.T) {
	cdaRef := inSeries("cda", "cda")
	s := service(t, document(t), study()[5], without(cdaRef, uid.EncapsulatedCDAStorage, func(d *dicom.Dataset) {
		d.SetVR(tag.EncapsulatedDocument, dicom.OB, []byte("<ClinicalDocument/>\x00"))
		d.Set(tag.MIMETypeOfEncapsulatedDocument, "text/html")
	}))
	for _, ref := range []dicomweb.Ref{srRef, cdaRef} {
		w, _, err := call("GET", s.Rendered, ref, "")
		if policy := w.Header().Get("Content-Security-Policy"); err != nil || !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: %v, Content-Security-Policy %q", ref.Path(), err, policy)
		}
	}
	w, _, _ := call("GET", s.Rendered, pdfRef, "")
	if !bytes.Equal(w.Body.Bytes(), pdf) {
		t.Errorf("PDF: %q, want %q without padding", w.Body, pdf)
	}
}
