package dicom_test

import (
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

func TestParseTM(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"07", 7 * time.Hour, true},
		{"0709", 7*time.Hour + 9*time.Minute, true},
		{"070907", 7*time.Hour + 9*time.Minute + 7*time.Second, true},
		{"070907.0705", 7*time.Hour + 9*time.Minute + 7*time.Second + 70_500*time.Microsecond, true},
		{"153454.65000", 15*time.Hour + 34*time.Minute + 54650*time.Millisecond, true},
		{"07:09:07.5", 7*time.Hour + 9*time.Minute + 7500*time.Millisecond, true},
		{"235960", 24 * time.Hour, true},
		{"", 0, false}, {"7", 0, false}, {"2400", 0, false}, {"0760", 0, false}, {"070961", 0, false},
		{"0709.5", 0, false}, {"070907.", 0, false}, {"07090a", 0, false}, {"0709-0710", 0, false},
	} {
		if got, ok := dicom.ParseTM(c.in); got != c.want || ok != c.ok {
			t.Errorf("ParseTM(%q) = %v, %v, want %v, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestParseDT(t *testing.T) {
	east := time.FixedZone("", 2*3600)
	for _, c := range []struct {
		in   string
		want time.Time
		ok   bool
	}{
		{"2024", time.Date(2024, 1, 1, 0, 0, 0, 0, east), true},
		{"202402", time.Date(2024, 2, 1, 0, 0, 0, 0, east), true},
		{"20240229", time.Date(2024, 2, 29, 0, 0, 0, 0, east), true},
		{"20240229131415.123456", time.Date(2024, 2, 29, 13, 14, 15, 123_456_000, east), true},
		{"20240229131415-0530", time.Date(2024, 2, 29, 18, 44, 15, 0, time.UTC), true},
		{"2024022913+1400", time.Date(2024, 2, 28, 23, 0, 0, 0, time.UTC), true},
		{"", time.Time{}, false}, {"20230229", time.Time{}, false}, {"202", time.Time{}, false},
		{"20240229131415+1500", time.Time{}, false}, {"20240229131415+5", time.Time{}, false},
		{"20200101-20210101", time.Time{}, false},
	} {
		if got, ok := dicom.ParseDT(c.in, east); !got.Equal(c.want) || ok != c.ok {
			t.Errorf("ParseDT(%q) = %v, %v, want %v, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestDatasetTime(t *testing.T) {
	d := dicom.New()
	d.Set(tag.AcquisitionDate, "20240315")
	d.Set(tag.AcquisitionTime, "101112.25 ")
	want := time.Date(2024, 3, 15, 10, 11, 12, 250_000_000, time.UTC)
	if got, ok := d.Time(tag.AcquisitionDate, tag.AcquisitionTime); !ok || !got.Equal(want) {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
	d.Set(tag.TimezoneOffsetFromUTC, "+0100")
	if got, _ := d.Time(tag.AcquisitionDate, tag.AcquisitionTime); !got.Equal(want.Add(-time.Hour)) {
		t.Errorf("with an offset: got %v, want %v", got, want.Add(-time.Hour))
	}
	if _, ok := d.Time(tag.AcquisitionDate, tag.ContentTime); ok {
		t.Error("a time without a TM")
	}
	d.Set(tag.AcquisitionDateTime, "20240315101112.25")
	if got, ok := d.DateTime(tag.AcquisitionDateTime); !ok || !got.Equal(want.Add(-time.Hour)) {
		t.Errorf("DT: got %v, %v", got, ok)
	}
	if got, ok := dicom.ParseDA("1993.08.22"); !ok || got.Day() != 22 {
		t.Errorf("ACR-NEMA date: %v, %v", got, ok)
	}
}
