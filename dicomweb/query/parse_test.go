package query_test

import (
	"reflect"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

func equal(values ...string) []query.Term {
	var out []query.Term
	for _, v := range values {
		out = append(out, query.Term{Op: query.Equal, Lo: v})
	}
	return out
}

func wild(pattern string) []query.Term { return []query.Term{{Op: query.Wild, Lo: pattern}} }

func between(lo, hi string) []query.Term { return []query.Term{{Op: query.Between, Lo: lo, Hi: hi}} }

func TestParseKeys(t *testing.T) {
	for _, tc := range []struct {
		raw  string
		path []tag.Tag
		vr   dicom.VR
		want []query.Term
	}{
		{"PatientID=P1", []tag.Tag{tag.PatientID}, dicom.LO, equal("P1")},
		{"00100020=P1", []tag.Tag{tag.PatientID}, dicom.LO, equal("P1")},
		{"0020000d=1.2", []tag.Tag{tag.StudyInstanceUID}, dicom.UI, equal("1.2")},
		{"patientid=P1", []tag.Tag{tag.PatientID}, dicom.LO, equal("P1")},
		{"PatientID=", []tag.Tag{tag.PatientID}, dicom.LO, nil},
		{"PatientID", []tag.Tag{tag.PatientID}, dicom.LO, nil},
		{"PatientID=*", []tag.Tag{tag.PatientID}, dicom.LO, nil},
		{"PatientID=%2A", []tag.Tag{tag.PatientID}, dicom.LO, nil},
		{"?&PatientID=P1", []tag.Tag{tag.PatientID}, dicom.LO, equal("P1")},
		{"PatientID=a;b", []tag.Tag{tag.PatientID}, dicom.LO, equal("a;b")},
		{"PatientID=%2aID%2A", []tag.Tag{tag.PatientID}, dicom.LO, wild("*ID*")},
		{"PatientID=a%3Fc", []tag.Tag{tag.PatientID}, dicom.LO, wild("a?c")},
		{"PatientName=DOE%5EJane", []tag.Tag{tag.PatientName}, dicom.PN, equal("doe^jane")},
		{"PatientName=Doe%2C+Jane", []tag.Tag{tag.PatientName}, dicom.PN, equal("doe, jane")},
		{"PatientName=M%C3%BCller%5E%5E", []tag.Tag{tag.PatientName}, dicom.PN, equal("muller")},
		{"StudyDescription=MR, breast", []tag.Tag{tag.StudyDescription}, dicom.LO, equal("MR, breast")},
		{"StudyInstanceUID=1.2,1.3", []tag.Tag{tag.StudyInstanceUID}, dicom.UI, equal("1.2", "1.3")},
		{"StudyInstanceUID=1.2%2C1.3", []tag.Tag{tag.StudyInstanceUID}, dicom.UI, equal("1.2", "1.3")},
		{`StudyInstanceUID=1.2\1.3`, []tag.Tag{tag.StudyInstanceUID}, dicom.UI, equal("1.2", "1.3")},
		{"StudyInstanceUID=1.2%5C1.3%5C", []tag.Tag{tag.StudyInstanceUID}, dicom.UI, equal("1.2", "1.3")},
		{"StudyInstanceUID=1.2&StudyInstanceUID=1.3", []tag.Tag{tag.StudyInstanceUID}, dicom.UI, equal("1.2", "1.3")},
		{"ModalitiesInStudy=MR,CT", []tag.Tag{tag.ModalitiesInStudy}, dicom.CS, equal("MR", "CT")},
		{`PatientID=a\b`, []tag.Tag{tag.PatientID}, dicom.LO, equal("a", "b")},
		{"StudyDate=20240105", []tag.Tag{tag.StudyDate}, dicom.DA, equal("20240105")},
		{"StudyDate=20240105-20240203", []tag.Tag{tag.StudyDate}, dicom.DA, between("20240105", "20240203")},
		{"StudyDate=20240105-", []tag.Tag{tag.StudyDate}, dicom.DA, between("20240105", "")},
		{"StudyDate=-20240105", []tag.Tag{tag.StudyDate}, dicom.DA, between("", "20240105")},
		{"StudyTime=1015", []tag.Tag{tag.StudyTime}, dicom.TM, equal("101500000000")},
		{"StudyTime=10-1130", []tag.Tag{tag.StudyTime}, dicom.TM, between("100000000000", "113059999999")},
		{"SeriesNumber=%2B07", []tag.Tag{tag.SeriesNumber}, dicom.IS, equal("7")},
		{"Rows=512", []tag.Tag{tag.Rows}, dicom.US, equal("512")},
		{"EchoTime=1.50", []tag.Tag{tag.EchoTime}, dicom.DS, equal("1.5")},
		{"AcquisitionDateTime=20240105-0500", []tag.Tag{tag.AcquisitionDateTime}, dicom.DT, equal("20240105-0500")},
		{"AcquisitionDateTime=20240105-20240106", []tag.Tag{tag.AcquisitionDateTime}, dicom.DT, between("20240105", "20240106")},
		{"AcquisitionDateTime=2024010510-0500-2024010512-0500", []tag.Tag{tag.AcquisitionDateTime}, dicom.DT, between("2024010510-0500", "2024010512-0500")},
		{"RequestAttributesSequence.RequestedProcedureID=R1", []tag.Tag{tag.RequestAttributesSequence, tag.RequestedProcedureID}, dicom.SH, equal("R1")},
		{"00400275.00401001=R1", []tag.Tag{tag.RequestAttributesSequence, tag.RequestedProcedureID}, dicom.SH, equal("R1")},
		{"RequestAttributesSequence=", []tag.Tag{tag.RequestAttributesSequence}, dicom.SQ, nil},
		{`emptyvaluematching=true&PatientID=""`, []tag.Tag{tag.PatientID}, dicom.LO, []query.Term{{Op: query.Empty}}},
		{`PatientID=""&emptyvaluematching=true`, []tag.Tag{tag.PatientID}, dicom.LO, []query.Term{{Op: query.Empty}}},
		{`PatientID=""`, []tag.Tag{tag.PatientID}, dicom.LO, equal(`""`)},
	} {
		t.Run(tc.raw, func(t *testing.T) {
			q, warnings, err := query.Parse(tc.raw, query.Study, dicomweb.Ref{})
			if err != nil || len(warnings) > 0 {
				t.Fatalf("got %v, %v", warnings, err)
			}
			if len(q.Match) != 1 {
				t.Fatalf("got %d conditions, want 1: %+v", len(q.Match), q.Match)
			}
			c := q.Match[0]
			if !reflect.DeepEqual(c.Path, tc.path) || c.VR != tc.vr || !reflect.DeepEqual(c.Terms, tc.want) {
				t.Errorf("got %v %s %+v, want %v %s %+v", c.Path, c.VR, c.Terms, tc.path, tc.vr, tc.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, raw := range []string{
		"limit=abc", "limit=-1", "limit=1.5", "offset=x", "limit=1&limit=2", "fuzzymatching=maybe", "emptyvaluematching=1",
		"StudyDate=notadate", "StudyDate=20241301", "StudyDate=20240230", "StudyDate=2024", "StudyDate=-", "StudyDate=20240101-x",
		"StudyDate=20240101-20240102-20240103", "StudyDate=2024-01-01", "StudyTime=25", "StudyTime=101", "StudyTime=10-x", "StudyTime=1060",
		"AcquisitionDateTime=x", "AcquisitionDateTime=-", "AcquisitionDateTime=20240105+9999",
		"StudyInstanceUID=1.2.x", "StudyInstanceUID=1.2*", "StudyInstanceUID=" + strings.Repeat("1", 65),
		"SeriesNumber=one", "EchoTime=0x10", "EchoTime=inf", "FrameIncrementPointer=x",
		"RequestAttributesSequence=R1", "PatientID.PatientName=x", "PixelData=1", "TransferSyntaxUID=1.2", "NumberOfPatientRelatedStudies=1",
		"PatientID=%zz", "Pat%zz=1", "PatientID=%ff", "PatientID=a&PatientID=b",
	} {
		if q, _, err := query.Parse(raw, query.Study, dicomweb.Ref{}); dicomweb.KindOf(err) != dicomweb.BadRequest {
			t.Errorf("%s: got %+v, %v, want an error of kind BadRequest", raw, q, err)
		}
	}
	if _, _, err := query.Parse("", query.Series, dicomweb.Ref{Study: "1..2"}); dicomweb.KindOf(err) != dicomweb.BadRequest {
		t.Errorf("malformed reference: got %v, want an error of kind BadRequest", err)
	}
	if _, _, err := query.Parse(strings.Repeat("x=1&", 300), query.Study, dicomweb.Ref{}); dicomweb.KindOf(err) != dicomweb.BadRequest {
		t.Errorf("300 parameters: got %v, want an error of kind BadRequest", err)
	}
}

func TestParseOptions(t *testing.T) {
	q, warnings, err := query.Parse("limit=101&offset=3&fuzzymatching=true&includefield=00081030%2C00080060,Rows&includefield=all&includefield=Nonsense"+
		"&includefield=RequestAttributesSequence.RequestedProcedureID&_=123&accept=application/dicom+json;q=1&PatientName=x%0d%0aY:", query.Instance, dicomweb.Ref{Study: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	if q.Limit != 101 || q.Offset != 3 || !q.Fuzzy || !q.IncludeAll || !q.Match[0].Fuzzy {
		t.Errorf("got %+v", q)
	}
	want := []tag.Tag{tag.Modality, tag.StudyDescription, tag.Rows, tag.RequestAttributesSequence}
	if !reflect.DeepEqual(q.Include, want) {
		t.Errorf("include: got %v, want %v", q.Include, want)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], `"Nonsense"`) || !strings.Contains(warnings[1], `"_"`) {
		t.Errorf("warnings: got %q, want two, of Nonsense and _", warnings)
	}
	for _, tc := range []struct {
		raw  string
		want int
	}{{"", 0}, {"limit=0", -1}, {"limit=7", 7}, {"limit=7&limit=7", 7}, {"limit=99999999999", 1<<31 - 1}} {
		if q, _, err := query.Parse(tc.raw, query.Study, dicomweb.Ref{}); err != nil || q.Limit != tc.want {
			t.Errorf("%s: got limit %d, %v, want %d", tc.raw, q.Limit, err, tc.want)
		}
	}
}

func TestCharset(t *testing.T) {
	for raw, want := range map[string]int{"charset=utf-8": 0, "charset=iso-8859-1,UTF-8;q=0.5": 0, "charset=*": 0, "charset=": 0, "charset=ISO-8859-1": 1} {
		if _, warnings, err := query.Parse(raw, query.Study, dicomweb.Ref{}); err != nil || len(warnings) != want {
			t.Errorf("%s: %q, %v, want %d warnings", raw, warnings, err, want)
		}
	}
}

// TestPrivateAnswers: a private attribute comes with its creator, from whatever block that has.
func TestPrivateAnswers(t *testing.T) {
	ds := dicom.New()
	for tg, v := range map[tag.Tag]string{0x00230010: "Other", 0x00230011: "AcmeCompany", 0x00231002: "a", 0x00231102: "b"} {
		ds.SetVR(tg, dicom.LO, v)
	}
	ds.SetVR(0x00251001, dicom.LO, "orphan")
	for _, c := range []struct {
		raw  string
		t    tag.Tag
		want []tag.Tag
	}{
		{"00230010=AcmeCompany&includefield=00231002", 0x00231002, []tag.Tag{0x00230011, 0x00231102}},
		{"00230010=AcmeCompany&includefield=00231002", 0x00230010, []tag.Tag{0x00230011}},
		{"includefield=00231002", 0x00231002, []tag.Tag{0x00230010, 0x00231002}},
		{"00230010=Nobody&includefield=00231002", 0x00231002, nil},
		{"includefield=00251001", 0x00251001, []tag.Tag{0x00251001}},
		{"includefield=00251002", 0x00251002, nil},
	} {
		q, _, err := query.Parse(c.raw, query.Instance, dicomweb.Ref{})
		if err != nil {
			t.Fatal(err)
		}
		var got []tag.Tag
		for _, e := range q.Private(ds, c.t) {
			got = append(got, e.Tag)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, %v: got %v, want %v", c.raw, c.t, got, c.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	q, _, err := query.Parse("includefield=EchoTime&Manufacturer=x", query.Instance, dicomweb.Ref{Study: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	has := func(l query.Level, x tag.Tag) bool {
		for _, got := range q.Answers(l) {
			if got == x {
				return true
			}
		}
		return false
	}
	for _, tc := range []struct {
		level query.Level
		t     tag.Tag
		want  bool
	}{
		{query.Study, tag.StudyInstanceUID, true}, {query.Study, tag.PatientName, false}, // the resource is one study's
		{query.Study, tag.TimezoneOffsetFromUTC, true},
		{query.Series, tag.Modality, true}, {query.Series, tag.Manufacturer, true}, {query.Series, tag.ProtocolName, false},
		{query.Instance, tag.SOPClassUID, true}, {query.Instance, tag.EchoTime, true}, {query.Instance, tag.FlipAngle, false},
	} {
		if got := has(tc.level, tc.t); got != tc.want {
			t.Errorf("%s of %s: got %v, want %v", tc.t.Keyword(), tc.level, got, tc.want)
		}
	}
}

// TestTable keeps the table to what the index's columns can hold, and to the standard's required keys.
func TestTable(t *testing.T) {
	seen := map[tag.Tag]bool{}
	keys := map[query.Level]int{}
	for _, a := range query.Attributes() {
		e := tag.Lookup(a.Tag)
		switch {
		case seen[a.Tag]:
			t.Errorf("%s stands twice", e.Keyword)
		case len(e.VRs) == 0:
			t.Errorf("%v is not in the dictionary", a.Tag)
		case a.Column && (e.VM != "1" || e.VRs[0] == "SQ" || e.VRs[0] == "DT" || a.Computed):
			t.Errorf("%s has a column: want one value of a VR that compares as text, not computed", e.Keyword)
		}
		seen[a.Tag] = true
		if a.Key {
			keys[a.Level]++
		}
	}
	// PS3.18 table 10.6.1-5; the two attributes of the request count as their sequence.
	if want := map[query.Level]int{query.Study: 9, query.Series: 6, query.Instance: 3}; !reflect.DeepEqual(keys, want) {
		t.Errorf("required keys by level: got %v, want %v", keys, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"PatientName=*x*&StudyDate=20240101-", "?&00400275.00401001=a%5Cb&limit=1", "includefield=all;x&=&&=1",
		"AcquisitionDateTime=2024-0500-2025", "fuzzymatching=true&PatientName=%E5%B1%B1%3D?"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, warnings, err := query.Parse(raw, query.Study, dicomweb.Ref{})
		if err != nil {
			if dicomweb.KindOf(err) != dicomweb.BadRequest {
				t.Errorf("%q: got %v, want an error of kind BadRequest", raw, err)
			}
			return
		}
		for _, w := range warnings {
			if strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%q: warning %q is not safe in a header", raw, w)
			}
		}
		ds := dicom.New()
		ds.Set(tag.PatientName, "Doe^Jane")
		ds.Set(tag.AcquisitionDateTime, "20240105101500")
		query.Meets(ds, q.Match)
		q.Answers(query.Study)
	})
}
