package query_test

import (
	"regexp"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

func TestMeets(t *testing.T) {
	ds := dicom.New()
	ds.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	ds.Set(tag.StudyDate, "20240105")
	ds.Set(tag.StudyTime, "101530.25")
	ds.Set(tag.PatientName, "Müller^Änne Marie=山田^花子=やまだ^はなこ")
	ds.Set(tag.PatientID, "Ab[1]")
	ds.Set(tag.AccessionNumber)
	ds.Set(tag.ImageType, "ORIGINAL", "PRIMARY", "DCE")
	ds.Set(tag.InstanceNumber, "007")
	ds.Set(tag.Rows, 512)
	ds.Set(tag.EchoTime, "1.50")
	ds.Set(tag.AcquisitionDateTime, "20240105101530+0100")
	ds.Set(tag.StudyComments, `one\two`)
	ds.SetVR(tag.New(0x0029, 0x0010), dicom.LO, "SIEMENS")
	ds.SetVR(tag.New(0x0029, 0x1010), dicom.IS, "12")
	ds.SetVR(tag.New(0x0029, 0x0011), dicom.LO, "ACME")
	ds.SetVR(tag.New(0x0029, 0x1110), dicom.LO, "hidden")
	code := dicom.New()
	code.Set(tag.CodeValue, "c")
	ds.SetItems(tag.New(0x0029, 0x1111), code)
	item := func(id, step string) *dicom.Dataset {
		d := dicom.New()
		d.Set(tag.RequestedProcedureID, id)
		d.Set(tag.ScheduledProcedureStepID, step)
		return d
	}
	ds.SetItems(tag.RequestAttributesSequence, item("R1", "S1"), item("R2", "S2"))
	ds.SetItems(tag.ProcedureCodeSequence)
	ds.Put(&dicom.Element{Tag: tag.LongCodeValue, VR: dicom.UC, Span: dicom.Span{Offset: 10, Length: 99}})

	for _, tc := range []struct {
		name, raw string
		want      query.Verdict
	}{
		{"nothing asked", "", query.Yes},
		{"text", "PatientID=Ab[1]", query.Yes},
		{"text in another case", "PatientID=ab[1]", query.No},
		{"brackets are no pattern", "PatientID=?b[1]", query.Yes},
		{"wildcards", "PatientID=A*]", query.Yes},
		{"wildcard for nothing", "PatientID=*Ab[1]*", query.Yes},
		{"question mark for one", "PatientID=Ab?", query.No},
		{"a value of several", "ImageType=PRIMARY", query.Yes},
		{"none of several", "ImageType=LOCALIZER", query.No},
		{"one of a list", "ImageType=LOCALIZER,DCE", query.Yes},
		{"single-valued text holds a backslash", `StudyComments=one\two`, query.Yes},

		{"name as it is", "PatientName=M%C3%BCller^%C3%84nne Marie", query.Yes},
		{"name without accents and case", "PatientName=MULLER^anne marie", query.Yes},
		{"family name alone is another name", "PatientName=Muller", query.No},
		{"family name and star", "PatientName=Muller*", query.Yes},
		{"component star", "PatientName=Muller^*", query.Yes},
		{"ideographic group", "PatientName=山田^花子", query.Yes},
		{"ideographic wildcard", "PatientName=山*子", query.Yes},
		{"question mark is a character, not a byte", "PatientName=?田^花子", query.Yes},
		{"all groups", "PatientName=muller*=山田*=やまだ*", query.Yes},
		{"second group differs", "PatientName=muller*=田中*", query.No},
		{"only the second group", "PatientName==山田^花子", query.Yes},
		{"pattern does not run over groups", "PatientName=muller*花子", query.No},
		{"fuzzy word with other accents", "fuzzymatching=true&PatientName=%C3%A2nn%C3%A9", query.Yes},
		{"fuzzy ideographic word", "fuzzymatching=true&PatientName=花子", query.Yes},
		{"component wildcards", "PatientName=M?ller^*ne*", query.Yes},
		{"given name only", "PatientName=*^%C3%84nne*", query.Yes},
		{"component that differs", "PatientName=Muller^B*", query.No},
		{"fuzzy word", "fuzzymatching=true&PatientName=marie", query.Yes},
		{"fuzzy words in any order", "fuzzymatching=true&PatientName=anne, mull", query.Yes},
		{"fuzzy wrong word", "fuzzymatching=true&PatientName=muller^peter", query.No},
		{"fuzzy with stars", "fuzzymatching=true&PatientName=*arie*", query.Yes},
		{"without fuzzy", "fuzzymatching=false&PatientName=marie", query.No},

		{"date", "StudyDate=20240105", query.Yes},
		{"date with dots", "StudyDate=2024.01.05", query.Yes},
		{"range, both ends inclusive", "StudyDate=20240105-20240105", query.Yes},
		{"range open at the end", "StudyDate=20240106-", query.No},
		{"range open at the begin", "StudyDate=-20240105", query.Yes},
		{"range upside down", "StudyDate=20240106-20240101", query.No},
		{"time in another precision", "StudyTime=101530.250", query.Yes},
		{"time cut short is another time", "StudyTime=1015", query.No},
		{"time range to the minute", "StudyTime=1015-1015", query.Yes},
		{"time range", "StudyTime=-101530", query.Yes},
		{"combined: later on the first day", "StudyDate=20240105-20240107&StudyTime=1100-0900", query.No},
		{"combined: earlier than the end's time", "StudyDate=20240104-20240107&StudyTime=1100-0900", query.Yes},
		{"not combined: forms differ", "StudyDate=20240104-20240107&StudyTime=1100-", query.No},
		{"date time in another zone", "AcquisitionDateTime=20240105091530%2B0000", query.Yes},
		{"date time without zone is local", "AcquisitionDateTime=20240105101530", query.Yes},
		{"date time range", "AcquisitionDateTime=2024010510-2024010510", query.Yes},
		{"date time range in another zone", "AcquisitionDateTime=2024010510-0500-2024010511-0500", query.No},

		{"number in another spelling", "InstanceNumber=7", query.Yes},
		{"other number", "InstanceNumber=70", query.No},
		{"binary number", "Rows=512", query.Yes},
		{"decimal", "EchoTime=1.5", query.Yes},
		{"private attribute by its stored VR", "00291010=012", query.Yes},
		{"private attribute, other value", "00291010=13", query.No},
		{"creator", "00290010=SIEMENS", query.Yes},
		{"creator in another block", "00290010=ACME", query.Yes},
		{"unknown creator", "00290010=OTHER", query.No},
		{"creator's attribute in the block asked for", "00290010=SIEMENS&00291010=12", query.Yes},
		{"creator's attribute in another block", "00290010=ACME&00291010=hidden", query.Yes},
		{"attribute of one creator is not that of another", "00290010=ACME&00291010=12", query.No},
		{"two creators", "00290010=ACME&00290020=SIEMENS&00291010=hidden&00292010=12", query.Yes},
		{"creator with a pattern is an attribute like others", "00290010=SIE*&00291010=12", query.Yes},
		{"private sequence by its creator", "00290010=ACME&00291011.CodeValue=c", query.Yes},
		{"private sequence of another creator", "00290010=SIEMENS&00291011.CodeValue=c", query.No},
		{"unknown attribute finds nothing", "00291011=13", query.No},
		{"unknown attribute, universal", "00291011=", query.Yes},

		{"absent attribute", "StudyDescription=x", query.No},
		{"absent attribute, question mark", "StudyDescription=?*", query.No},
		{"absent attribute, universal", "StudyDescription=*", query.Yes},
		{"absent is empty", `emptyvaluematching=true&StudyDescription=""`, query.Yes},
		{"empty is empty", `emptyvaluematching=true&AccessionNumber=""`, query.Yes},
		{"present is not empty", `emptyvaluematching=true&PatientID=""`, query.No},

		{"sequence", "RequestAttributesSequence.RequestedProcedureID=R2", query.Yes},
		{"sequence, no item", "RequestAttributesSequence.RequestedProcedureID=R3", query.No},
		{"both keys in one item", "RequestAttributesSequence.RequestedProcedureID=R2&RequestAttributesSequence.ScheduledProcedureStepID=S2", query.Yes},
		{"keys in different items", "RequestAttributesSequence.RequestedProcedureID=R1&RequestAttributesSequence.ScheduledProcedureStepID=S2", query.No},
		{"sequence without items", "ProcedureCodeSequence.CodeValue=x", query.No},
		{"sequence without items is empty", `emptyvaluematching=true&ProcedureCodeSequence.CodeValue=""`, query.Yes},
		{"absent sequence", "RequestedProcedureCodeSequence.CodeValue=x", query.No},

		{"value left in the file", "LongCodeValue=x", query.Unknown},
		{"another key decides first", "LongCodeValue=x&PatientID=other", query.No},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, _, err := query.Parse(tc.raw, query.Instance, dicomweb.Ref{})
			if err != nil {
				t.Fatalf("parse %s: %v", tc.raw, err)
			}
			if got := query.Meets(ds, q.Match); got != tc.want {
				t.Errorf("%s: got %v, want %v", tc.raw, got, tc.want)
			}
		})
	}
}

func TestCanonical(t *testing.T) {
	for _, tc := range []struct {
		vr       dicom.VR
		in, want string
	}{
		{dicom.PN, "DOE^Jane^^^", "doe^jane"},
		{dicom.PN, "Strauß^Łukasz", "strauss^lukasz"},
		{dicom.PN, "doe  smith ^ jane==", "doe smith^jane"},
		{dicom.DA, "2024.01.05", "20240105"},
		{dicom.DA, "unknown", "unknown"},
		{dicom.TM, "10:15:30", "101530000000"},
		{dicom.TM, "101530.5", "101530500000"},
		{dicom.IS, " -0007", "-7"},
		{dicom.DS, "1e3", "1000"},
		{dicom.DS, "-0.0", "0"},
		{dicom.DS, "0.1", "0.1"},
		{dicom.UV, "18446744073709551615", "18446744073709551615"},
		{dicom.LO, "  Text \x00", "Text"},
		{dicom.PN, "Doe^Jane\x00\n", "doe^jane"},
	} {
		if got := query.Canonical(tc.vr, tc.in); got != tc.want {
			t.Errorf("%s %q: got %q, want %q", tc.vr, tc.in, got, tc.want)
		}
		if got := query.Canonical(tc.vr, tc.want); got != tc.want {
			t.Errorf("%s %q: canonical again gives %q", tc.vr, tc.want, got)
		}
	}
}

// FuzzWild compares wildcard matching with a regular expression, and wants Canonical to be stable.
func FuzzWild(f *testing.F) {
	for _, s := range [][2]string{{"a*b?c", "axxbyc"}, {"*", ""}, {"**a", "ba"}, {"?", "ü"}, {"a*a*a*b", "aaaaaaaaaaaa"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, value string) {
		for _, vr := range []dicom.VR{dicom.PN, dicom.LO, dicom.TM, dicom.DA, dicom.DS} {
			if once := query.Canonical(vr, value); query.Canonical(vr, once) != once {
				t.Errorf("%s: canonical of %q is %q, and of that %q", vr, value, once, query.Canonical(vr, once))
			}
		}
		pattern, value = query.Canonical(dicom.LO, strings.ToValidUTF8(pattern, "")), query.Canonical(dicom.LO, strings.ToValidUTF8(value, ""))
		if value == "" || strings.Trim(pattern, "*") == "" || len(pattern) > 40 {
			return
		}
		c := query.Condition{Path: []tag.Tag{tag.PatientID}, VR: dicom.LO, Terms: []query.Term{{Op: query.Wild, Lo: pattern}}}
		expression := "(?s)^" + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern)) + "$"
		want := regexp.MustCompile(expression).MatchString(value)
		if got := c.Accepts([]string{value}, ""); got != want {
			t.Errorf("%q against %q: got %v, want %v", value, pattern, got, want)
		}
	})
}
