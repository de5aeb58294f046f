package dicom_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// object returns a data set with the UIDs that every object needs.
func object() *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	d.Set(tag.SOPInstanceUID, "1.2.3.4")
	d.Set(tag.StudyInstanceUID, "1.2.3")
	d.Set(tag.SeriesInstanceUID, "1.2.3.5")
	return d
}

func scan(t *testing.T, b []byte) *dicom.File {
	t.Helper()
	f, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, d *dicom.Dataset, ts string) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := dicom.Write(&buf, d, ts); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// everyVR returns an object with a value of every VR, nested sequences and text beyond ASCII.
func everyVR() *dicom.Dataset {
	d := object()
	d.Set(tag.PatientName, "Müller^Jörg")
	d.SetVR(0x00090010, dicom.LO, "EXAMPLE")
	d.SetVR(0x00091001, dicom.AE, "AE")
	d.SetVR(0x00091002, dicom.AS, "012Y")
	d.SetVR(0x00091003, dicom.AT, tag.PatientName, tag.PixelData)
	d.SetVR(0x00091004, dicom.CS, "A", "BC")
	d.SetVR(0x00091005, dicom.DA, "20240102")
	d.SetVR(0x00091006, dicom.DS, 1.5, -2)
	d.SetVR(0x00091007, dicom.DT, "20240102030405.678901")
	d.SetVR(0x00091008, dicom.FD, 0.1, -1e300)
	d.SetVR(0x00091009, dicom.FL, 0.5)
	d.SetVR(0x0009100A, dicom.IS, 7, -9)
	d.SetVR(0x0009100B, dicom.LO, "ä")
	d.SetVR(0x0009100C, dicom.LT, `one\value`)
	d.SetVR(0x0009100D, dicom.OB, []byte{1, 2, 3})
	d.SetVR(0x0009100E, dicom.OD, make([]byte, 16))
	d.SetVR(0x0009100F, dicom.OF, make([]byte, 8))
	d.SetVR(0x00091010, dicom.OL, []byte{1, 2, 3, 4})
	d.SetVR(0x00091011, dicom.OV, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	d.SetVR(0x00091012, dicom.OW, []byte{1, 2})
	d.SetVR(0x00091013, dicom.SH, "s")
	d.SetVR(0x00091014, dicom.SL, -5)
	d.SetVR(0x00091015, dicom.SS, -5)
	d.SetVR(0x00091016, dicom.ST, "st")
	d.SetVR(0x00091017, dicom.SV, int64(-5))
	d.SetVR(0x00091018, dicom.TM, "010203")
	d.SetVR(0x00091019, dicom.UC, "u", "c")
	d.SetVR(0x0009101A, dicom.UI, "1.2.3")
	d.SetVR(0x0009101B, dicom.UL, uint32(4e9))
	d.SetVR(0x0009101C, dicom.UN, []byte{9})
	d.SetVR(0x0009101D, dicom.UR, "http://x")
	d.SetVR(0x0009101E, dicom.US, 65535)
	d.SetVR(0x0009101F, dicom.UT, "long")
	d.SetVR(0x00091020, dicom.UV, uint64(1<<63))
	d.Set(tag.PixelRepresentation, 1)
	d.SetVR(tag.SmallestImagePixelValue, dicom.SS, -3)
	item := dicom.New()
	item.Set(tag.CodeValue, "c")
	d.SetItems(tag.ProcedureCodeSequence, item, dicom.New())
	d.SetVR(tag.PixelData, dicom.OW, bytes.Repeat([]byte{1, 2}, 50_000))
	return d
}

func TestWriteEveryVR(t *testing.T) {
	d := everyVR()
	for _, ts := range []string{uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian} {
		f := scan(t, write(t, d, ts))
		if got := f.Dataset.String(tag.PatientName); got != "Müller^Jörg" {
			t.Errorf("%s: name %q", ts, got)
		}
		if got := f.Dataset.String(tag.SpecificCharacterSet); got != "ISO_IR 192" {
			t.Errorf("%s: character set %q", ts, got)
		}
		if got := f.Meta.Bytes(tag.FileMetaInformationVersion); !bytes.Equal(got, []byte{0, 1}) {
			t.Errorf("%s: version %v", ts, got)
		}
		for e := range d.All() {
			g := f.Dataset.Get(e.Tag)
			if g == nil {
				t.Errorf("%s: %v is missing", ts, e.Tag)
				continue
			}
			v, err := f.Value(g)
			if err != nil {
				t.Error(err)
			}
			if e.VR != dicom.SQ && !bytes.Equal(v, e.Value) {
				t.Errorf("%s: %v %s: got %d bytes, want %d", ts, e.Tag, e.VR, len(v), len(e.Value))
			}
			if ts == uid.ExplicitVRLittleEndian && g.VR != e.VR {
				t.Errorf("%v: VR %s, want %s", e.Tag, g.VR, e.VR)
			}
		}
	}
}

// TestWriteRefuses: nothing goes out when the object is not sound.
func TestWriteRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(d *dicom.Dataset)
		ts     string
	}{
		{"no SOP instance", func(d *dicom.Dataset) { d.Delete(tag.SOPInstanceUID) }, uid.ExplicitVRLittleEndian},
		{"no study", func(d *dicom.Dataset) { d.Delete(tag.StudyInstanceUID) }, uid.ExplicitVRLittleEndian},
		{"malformed UID", func(d *dicom.Dataset) { d.Set(tag.SeriesInstanceUID, "1.2.x") }, uid.ExplicitVRLittleEndian},
		{"half a number", func(d *dicom.Dataset) {
			d.Put(&dicom.Element{Tag: tag.Rows, VR: dicom.US, Value: []byte{1, 2, 3}})
		}, uid.ExplicitVRLittleEndian},
		{"long LT", func(d *dicom.Dataset) { d.SetVR(0x00091002, dicom.LT, string(make([]byte, 70_000))) }, uid.ExplicitVRLittleEndian},
		{"deferred value", func(d *dicom.Dataset) {
			d.Put(&dicom.Element{Tag: tag.PixelData, VR: dicom.OW, Span: dicom.Span{Offset: 1, Length: 2}})
		}, uid.ExplicitVRLittleEndian},
		{"a value elsewhere", func(d *dicom.Dataset) {
			d.Put(&dicom.Element{Tag: tag.PixelData, VR: dicom.OW, BulkDataURI: "../bulkdata"})
		}, uid.ExplicitVRLittleEndian},
		{"encapsulated", func(d *dicom.Dataset) {
			d.Put(&dicom.Element{Tag: tag.PixelData, VR: dicom.OB, Fragments: []dicom.Span{{}}})
		}, uid.ExplicitVRLittleEndian},
		{"big endian", func(d *dicom.Dataset) {}, "1.2.840.10008.1.2.2"},
		{"deflated", func(d *dicom.Dataset) {}, uid.DeflatedExplicitVRLittleEndian},
		{"JPEG", func(d *dicom.Dataset) {}, uid.JPEGBaseline8Bit},
		{"unknown syntax", func(d *dicom.Dataset) {}, "1.2.3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := object()
			c.change(d)
			var buf bytes.Buffer
			if err := dicom.Write(&buf, d, c.ts); err == nil {
				t.Error("written without an error")
			}
			if buf.Len() != 0 {
				t.Errorf("%d bytes went out", buf.Len())
			}
		})
	}
}

// TestWriteCharacterSet: text keeps its bytes, and a character set is named only where that is known to be true.
func TestWriteCharacterSet(t *testing.T) {
	for _, c := range []struct{ name, charset, text, want, wantSet string }{
		{"ASCII", "", "Doe^Jane", "Doe^Jane", ""},
		{"UTF-8", "", "Müller", "Müller", "ISO_IR 192"},
		{"named", "ISO_IR 100", "M\xfcller", "Müller", "ISO_IR 100"},
		{"received without a name", "", "M\xfcller", "M\uFFFDller", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := object()
			if c.charset != "" {
				d.Set(tag.SpecificCharacterSet, c.charset)
			}
			item := dicom.New()
			item.Set(tag.PatientName, c.text)
			d.SetItems(tag.ReferencedPatientSequence, item)
			f := scan(t, write(t, d, uid.ExplicitVRLittleEndian))
			in := f.Dataset.Item(tag.ReferencedPatientSequence)
			if got := in.String(tag.PatientName); got != c.want || !bytes.HasPrefix(in.Bytes(tag.PatientName), []byte(c.text)) {
				t.Errorf("text %q as %q, want %q", got, in.Bytes(tag.PatientName), c.want)
			}
			if got := f.Dataset.String(tag.SpecificCharacterSet); got != c.wantSet {
				t.Errorf("character set %q, want %q", got, c.wantSet)
			}
		})
	}
}

// TestConcurrent: go-dicom's dictionaries are package state; many objects at once must not disturb each other.
func TestConcurrent(t *testing.T) {
	want := write(t, everyVR(), uid.ExplicitVRLittleEndian)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			var buf bytes.Buffer
			if err := dicom.Write(&buf, everyVR(), uid.ExplicitVRLittleEndian); err != nil || !bytes.Equal(buf.Bytes(), want) {
				t.Errorf("%d bytes, %v, want %d", buf.Len(), err, len(want))
				return
			}
			f, err := dicom.Scan(bytes.NewReader(buf.Bytes()), int64(buf.Len()), dicom.Limits{})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := dicom.Header(f); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// TestWriteBulk: values from elsewhere arrive where they belong, native and encapsulated, at the top and in items.
func TestWriteBulk(t *testing.T) {
	section := func(s string) *io.SectionReader { return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s))) }
	item := dicom.New()
	item.Put(&dicom.Element{Tag: tag.RedPaletteColorLookupTableData, VR: dicom.OW, BulkDataURI: "lut"})
	d := object()
	d.Set(tag.PatientName, "Müller")
	d.SetItems(tag.IconImageSequence, item)
	d.Put(&dicom.Element{Tag: tag.PixelData, VR: dicom.OW, BulkDataURI: "pixels"})
	for _, c := range []struct {
		name, syntax string
		pixels       dicom.Bulk
		value        string   // native
		frames       []string // encapsulated: the offset table and the fragments
	}{
		{"native", uid.ExplicitVRLittleEndian, dicom.Bulk{Parts: []*io.SectionReader{section("abcd"), section("efg")}}, "abcdefg\x00", nil},
		{"implicit", uid.ImplicitVRLittleEndian, dicom.Bulk{Parts: []*io.SectionReader{section("abcd")}}, "abcd", nil},
		{"one frame", uid.RLELossless, dicom.Bulk{Parts: []*io.SectionReader{section("abc")}, Encapsulated: true}, "", []string{"", "abc\x00"}},
		{"frames", uid.RLELossless, dicom.Bulk{Parts: []*io.SectionReader{section("abc"), section("de")}, Encapsulated: true}, "", []string{"\x00\x00\x00\x00\x0c\x00\x00\x00", "abc\x00", "de"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var buf bytes.Buffer
			if err := dicom.WriteBulk(&buf, d, c.syntax, func(e *dicom.Element) (dicom.Bulk, error) {
				if e.BulkDataURI == "lut" {
					return dicom.Bulk{Parts: []*io.SectionReader{section("lu")}}, nil
				}
				return c.pixels, nil
			}); err != nil {
				t.Fatal(err)
			}
			f := scan(t, buf.Bytes())
			if f.TransferSyntax != c.syntax || f.Dataset.String(tag.PatientName) != "Müller" {
				t.Errorf("%s, name %q", f.TransferSyntax, f.Dataset.String(tag.PatientName))
			}
			if got := f.Dataset.Item(tag.IconImageSequence).Bytes(tag.RedPaletteColorLookupTableData); string(got) != "lu" {
				t.Errorf("the item has %q", got)
			}
			e := f.Dataset.Get(tag.PixelData)
			if len(e.Fragments) != len(c.frames) {
				t.Fatalf("%d fragments, want %d", len(e.Fragments), len(c.frames))
			}
			for i, span := range e.Fragments {
				if got := string(buf.Bytes()[span.Offset:][:span.Length]); got != c.frames[i] {
					t.Errorf("fragment %d is %q, want %q", i, got, c.frames[i])
				}
			}
			if c.frames == nil {
				if got, err := f.Value(e); err != nil || string(got) != c.value {
					t.Errorf("pixels %q, %v, want %q", got, err, c.value)
				}
			}
		})
	}
	missing := errors.New("missing")
	if err := dicom.WriteBulk(io.Discard, d, uid.RLELossless, func(*dicom.Element) (dicom.Bulk, error) { return dicom.Bulk{}, missing }); !errors.Is(err, missing) {
		t.Errorf("got %v, want that the value is missing", err)
	}
	for _, syntax := range []string{"1.2.3", uid.DeflatedExplicitVRLittleEndian, "1.2.840.10008.1.2.2"} {
		var format *dicom.FormatError
		if err := dicom.WriteBulk(io.Discard, object(), syntax, nil); !errors.As(err, &format) || format.Reason != dicom.ReasonTransferSyntax {
			t.Errorf("%s: %v", syntax, err)
		}
	}
	d.Put(&dicom.Element{Tag: tag.PatientComments, VR: dicom.LT, BulkDataURI: "long"})
	long := io.NewSectionReader(bytes.NewReader(make([]byte, 70_000)), 0, 70_000)
	if err := dicom.WriteBulk(io.Discard, d, uid.ExplicitVRLittleEndian, func(*dicom.Element) (dicom.Bulk, error) {
		return dicom.Bulk{Parts: []*io.SectionReader{long}}, nil
	}); err == nil {
		t.Error("70,000 bytes went into an LT of explicit VR")
	}
}
