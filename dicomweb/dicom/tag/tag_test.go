package tag_test

import (
	"slices"
	"testing"

	"mome/dicomweb/dicom/tag"
)

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		name    string
		tag     tag.Tag
		keyword string
		vrs     []string
		vm      string
	}{
		{"plain", tag.PatientName, "PatientName", []string{"PN"}, "1"},
		{"choice of VR", tag.PixelData, "PixelData", []string{"OB", "OW"}, "1"},
		{"several values", tag.ImagePositionPatient, "ImagePositionPatient", []string{"DS"}, "3"},
		{"newer than 2011", tag.ExtendedOffsetTable, "ExtendedOffsetTable", []string{"OV"}, "1"},
		{"repeating group", tag.New(0x6002, 0x3000), "OverlayData", []string{"OB", "OW"}, "1"},
		{"odd group is no repeating one", tag.New(0x6001, 0x3000), "", nil, ""},
		{"group length", tag.New(0x0008, 0), "", []string{"UL"}, "1"},
		{"private creator", tag.New(0x0019, 0x0010), "", []string{"LO"}, "1"},
		{"private", tag.New(0x0019, 0x100C), "", nil, ""},
		{"unknown", tag.New(0x0008, 0x9998), "", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := tag.Lookup(c.tag)
			if e.Keyword != c.keyword || !slices.Equal(e.VRs, c.vrs) || e.VM != c.vm {
				t.Errorf("%v: got %+v, want %s %v %s", c.tag, e, c.keyword, c.vrs, c.vm)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want tag.Tag
		ok   bool
	}{
		{"PatientName", tag.PatientName, true},
		{"00100010", tag.PatientName, true},
		{"0020000d", tag.StudyInstanceUID, true},
		{"7FE00010", tag.PixelData, true},
		{"patientname", 0, false},
		{"0010001", 0, false},
		{"001000100", 0, false},
		{"0010001G", 0, false},
		{"+0100010", 0, false},
		{"", 0, false},
	} {
		if got, ok := tag.Parse(c.in); ok != c.ok || ok && got != c.want {
			t.Errorf("Parse(%q) = %v, %v, want %v, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestForms(t *testing.T) {
	x := tag.New(0x0020, 0x000D)
	if x != tag.StudyInstanceUID || x.Group() != 0x20 || x.Element() != 0xD {
		t.Errorf("New gives %08X", uint32(x))
	}
	if x.String() != "(0020,000D)" || x.Hex() != "0020000D" || x.Keyword() != "StudyInstanceUID" || x.Private() {
		t.Errorf("got %s, %s, %s, private %v", x.String(), x.Hex(), x.Keyword(), x.Private())
	}
	if !tag.New(0x0019, 0x100C).Private() {
		t.Error("an odd group is private")
	}
}
