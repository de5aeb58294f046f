package iod_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
)

// scanned returns d as another program reads it.
func scanned(t *testing.T, d *dicom.Dataset) *dicom.Dataset {
	t.Helper()
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatalf("write: %v", err)
	}
	f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	return f.Dataset
}

// object returns an empty object of the study 1.2.
func object() *dicom.Dataset {
	d := dicom.New()
	iod.SOPCommon(d, uid.MRImageStorage, "1.2.4", time.Unix(0, 0).UTC())
	d.Set(tag.StudyInstanceUID, "1.2")
	d.Set(tag.SeriesInstanceUID, "1.2.3")
	return d
}

// TestPatientStudyCharacterSets: names come over as UTF-8 whatever the source's character set, and in sequences too.
func TestPatientStudyCharacterSets(t *testing.T) {
	for _, c := range []struct{ name, charset, value, want string }{
		{"Korean", `\ISO 2022 IR 149`, "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf", "Hong^Gildong=洪^吉洞=홍^길동"},
		{"Chinese", "GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"},
		{"a backslash as second byte", "GBK", "\x81\x5c^A", "乗^A"},
		{"Latin 1", "ISO_IR 100", "M\xfcller^Anna", "Müller^Anna"},
		{"UTF-8", "ISO_IR 192", "Hong^Gildong=洪^吉洞=홍^길동", "Hong^Gildong=洪^吉洞=홍^길동"},
		{"ASCII", "", "Doe^Jane", "Doe^Jane"},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := dicom.New()
			other.Set(tag.SpecificCharacterSet, c.charset)
			other.Put(&dicom.Element{Tag: tag.PatientID, VR: dicom.LO, Value: []byte(c.value)})
			source := object()
			source.Set(tag.SpecificCharacterSet, c.charset)
			source.Put(&dicom.Element{Tag: tag.PatientName, VR: dicom.PN, Value: []byte(c.value)})
			source.SetItems(tag.OtherPatientIDsSequence, other)

			result := object()
			iod.PatientStudy(result, source)
			got := scanned(t, result)
			if name := got.String(tag.PatientName); name != c.want {
				t.Errorf("patient name %q, want %q", name, c.want)
			}
			if id := got.Item(tag.OtherPatientIDsSequence).String(tag.PatientID); id != c.want {
				t.Errorf("other patient ID %q, want %q", id, c.want)
			}
			if cs := got.Strings(tag.SpecificCharacterSet); !reflect.DeepEqual(cs, []string{"ISO_IR 192"}) {
				t.Errorf("character set %q, want ISO_IR 192", cs)
			}
		})
	}
}

func TestPatientStudyFillsType2(t *testing.T) {
	source := object()
	source.Set(tag.PatientID, "P1")
	source.Set(tag.SliceThickness, 2.0) // an image's attribute, not the study's
	d := dicom.New()
	iod.PatientStudy(d, source)
	for _, a := range []tag.Tag{tag.PatientName, tag.PatientBirthDate, tag.PatientSex, tag.StudyDate, tag.StudyTime,
		tag.ReferringPhysicianName, tag.StudyID, tag.AccessionNumber} {
		if !d.Has(a) || d.String(a) != "" {
			t.Errorf("%v: present %v with %q, want present and empty", a.Keyword(), d.Has(a), d.String(a))
		}
	}
	if d.String(tag.PatientID) != "P1" || d.String(tag.StudyInstanceUID) != "1.2" {
		t.Errorf("patient %q of study %q, want P1 of 1.2", d.String(tag.PatientID), d.String(tag.StudyInstanceUID))
	}
	if d.Has(tag.SliceThickness) || d.Has(tag.SeriesInstanceUID) {
		t.Error("attributes of the image or series were copied")
	}
}

func TestZone(t *testing.T) {
	now := time.Date(2025, 3, 14, 23, 30, 0, 0, time.UTC)
	for _, c := range []struct{ offset, want string }{
		{"+0900", "20250315083000"}, {"-0530", "20250314180000"}, {"", "20250314233000"}, {"rubbish", "20250314233000"},
	} {
		d := dicom.New()
		d.Set(tag.TimezoneOffsetFromUTC, c.offset)
		in := iod.Zone(d, now)
		if got := iod.Date(in) + iod.Time(in); got != c.want {
			t.Errorf("offset %q: %s, want %s", c.offset, got, c.want)
		}
	}
}

func TestLO(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"plain", "MOME node", ""}, {"64 letters of Hangul", strings.Repeat("가", 64), ""},
		{"empty", " ", "empty"}, {"65 letters", strings.Repeat("a", 65), "64"}, {"two values", `a\b`, "backslash"}, {"a line end", "a\nb", "control"},
	} {
		err := iod.LO("field", c.value)
		if (err == nil) != (c.want == "") || err != nil && !(strings.Contains(err.Error(), c.want) && strings.HasPrefix(err.Error(), "field ")) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEquipmentAndAlgorithmValidate(t *testing.T) {
	whole := iod.Equipment{Manufacturer: "M", Model: "N", Serial: "1", SoftwareVersion: "2"}
	if err := whole.Validate(); err != nil {
		t.Errorf("%+v: %v", whole, err)
	}
	lacking := whole
	lacking.Serial = ""
	if err := lacking.Validate(); err == nil || !strings.Contains(err.Error(), "serial") {
		t.Errorf("no serial: error %v", err)
	}
	a := iod.Algorithm{Name: "A", Version: "1", Manufacturer: "M", DeviceUID: "1.2.3"}
	if err := a.Validate(); err != nil {
		t.Errorf("%+v: %v", a, err)
	}
	a.DeviceUID = "1.02"
	if err := a.Validate(); err == nil || !strings.Contains(err.Error(), "device UID") {
		t.Errorf("malformed device UID: error %v", err)
	}
}

func TestHierarchical(t *testing.T) {
	in := []iod.Instance{
		{"1", "1.1", "9", "1.1.1"}, {"1", "1.2", "9", "1.2.1"}, {"1", "1.1", "9", "1.1.2"}, {"2", "1.1", "9", "2.1.1"},
		{"1", "1.1", "9", "1.1.1"}, // a second time
	}
	want := []iod.Instance{in[0], in[2], in[1], in[3]} // grouped by study and series, each once
	if got := iod.ReadHierarchical(iod.Hierarchical(in)); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	d := dicom.New()
	iod.CommonInstanceReference(d, in[:3])
	series := d.Items(tag.ReferencedSeriesSequence)
	if len(series) != 2 || len(series[0].Items(tag.ReferencedInstanceSequence)) != 2 {
		t.Errorf("%d series, want 2, the first with 2 instances", len(series))
	}
	empty := dicom.New()
	if iod.CommonInstanceReference(empty, nil); empty.Len() != 0 {
		t.Error("no instances gave a sequence")
	}
}

func TestIdentificationReadsBack(t *testing.T) {
	a := iod.Algorithm{Name: "A", Version: "1", Manufacturer: "M", Parameters: []string{"a=1", "b=2"}}
	if got := iod.ReadIdentification(a.Identification()); !reflect.DeepEqual(got, a) {
		t.Errorf("got %+v, want %+v", got, a)
	}
}

func TestContributingKeepsEarlier(t *testing.T) {
	d := dicom.New()
	a := iod.Algorithm{Name: "A", Version: "1", Manufacturer: "M", DeviceUID: "1.2"}
	a.Contributing(d, "first", time.Unix(0, 0).UTC())
	a.Contributing(d, "second", time.Unix(0, 0).UTC())
	items := d.Items(tag.ContributingEquipmentSequence)
	if len(items) != 2 || !code.Read(items[0].Item(tag.PurposeOfReferenceCodeSequence)).Is(code.Processing) {
		t.Errorf("%d items, want 2 with purpose %v", len(items), code.Processing)
	}
}
