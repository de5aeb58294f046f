package index_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/query"
)

// dump writes a data set as text, to compare.
func dump(ds *dicom.Dataset) string {
	var b strings.Builder
	for e := range ds.All() {
		fmt.Fprintf(&b, "%v %s %q %v", e.Tag, e.VR, e.Value, e.Deferred())
		for _, item := range e.Items {
			fmt.Fprintf(&b, " {%s}", dump(item))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestNew(t *testing.T) {
	ref := archivetest.Ref("A", "1", "1")
	f := archivetest.Scan(t, archivetest.File(t, archivetest.Dataset(ref, func(ds *dicom.Dataset) {
		ds.Set(tag.SeriesNumber, 3)
		ds.Set(tag.InstanceNumber, 12)
		ds.Set(tag.NumberOfFrames, 2)
		ds.Set(tag.Manufacturer, "ACME")
		ds.Set(tag.StudyDescription)
		ds.SetVR(tag.PixelData, dicom.OW, make([]byte, 64))
	})))
	e := index.New(f, ref, uid.MRImageStorage)
	if e.Ref != ref || e.Number != 12 || e.SeriesNumber != 3 || e.Frames != 2 || e.Rows != 4 || e.Columns != 4 || e.Modality != "MR" ||
		e.TransferSyntax != uid.ExplicitVRLittleEndian {
		t.Errorf("got %+v", e.Instance)
	}
	for _, tc := range []struct {
		level string
		ds    *dicom.Dataset
		t     tag.Tag
		want  bool
	}{
		{"study", e.Study, tag.PatientName, true},
		{"study", e.Study, tag.Modality, false},
		{"study", e.Study, tag.StudyDescription, false}, // has no value
		{"series", e.Series, tag.Manufacturer, true},
		{"instance", e.Self, tag.NumberOfFrames, true},
		{"instance", e.Self, tag.AvailableTransferSyntaxUID, true},
		{"header", e.Header, tag.PatientName, true},
		{"header", e.Header, tag.StudyDescription, true}, // present, if empty
	} {
		if got := tc.ds.Has(tc.t); got != tc.want {
			t.Errorf("%s has %s: got %v, want %v", tc.level, tc.t.Keyword(), got, tc.want)
		}
	}
	if p := e.Header.Get(tag.PixelData); p == nil || !p.Deferred() {
		t.Errorf("pixel data in the header: got %+v, want them left in the file", p)
	}
}

// TestHeaderIsUTF8 stores Latin text in the data set and in an item that has a character set of its own.
func TestHeaderIsUTF8(t *testing.T) {
	item := dicom.New()
	item.Set(tag.SpecificCharacterSet, "ISO_IR 101")
	item.Put(&dicom.Element{Tag: tag.CodeMeaning, VR: dicom.LO, Value: []byte("\xb1 ")}) // ISO 8859-2: a with ogonek
	f := archivetest.Scan(t, archivetest.File(t, archivetest.Dataset(archivetest.Ref("A", "1", "1"), func(ds *dicom.Dataset) {
		ds.Set(tag.SpecificCharacterSet, "ISO_IR 100")
		ds.Put(&dicom.Element{Tag: tag.PatientName, VR: dicom.PN, Value: []byte("M\xfcller")})
		ds.SetItems(tag.ProcedureCodeSequence, item)
	})))
	e := index.New(f, archivetest.Ref("A", "1", "1"), uid.MRImageStorage)
	for name, ds := range map[string]*dicom.Dataset{"header": e.Header, "study": e.Study, "decoded": decoded(t, e.Header)} {
		if got := ds.String(tag.PatientName); got != "Müller" {
			t.Errorf("%s: name: got %q, want Müller", name, got)
		}
		if got := ds.Item(tag.ProcedureCodeSequence).String(tag.CodeMeaning); got != "ą" {
			t.Errorf("%s: in the item: got %q, want ą", name, got)
		}
	}
	if got := index.Column(e.Study, tag.PatientName); got != "=muller=" {
		t.Errorf("column of the name: got %q, want =muller=", got)
	}
}

func decoded(t *testing.T, ds *dicom.Dataset) *dicom.Dataset {
	t.Helper()
	out, err := index.Decode(index.Encode(ds))
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return out
}

// TestBigEndian compares the headers of one data set in both byte orders.
func TestBigEndian(t *testing.T) {
	little := archivetest.File(t, archivetest.Dataset(archivetest.Ref("A", "1", "1"), func(ds *dicom.Dataset) {
		ds.Set(tag.DiffusionBValue, 800.5)
		ds.Set(tag.FrameIncrementPointer, tag.EchoTime)
		ds.SetVR(tag.RedPaletteColorLookupTableData, dicom.OW, []byte{1, 2, 3, 4})
	}))
	f := archivetest.Scan(t, little)
	big := reorder(t, f)
	want := index.New(f, archivetest.Ref("A", "1", "1"), uid.MRImageStorage)
	got := index.New(archivetest.Scan(t, big), archivetest.Ref("A", "1", "1"), uid.MRImageStorage)
	want.Header.Delete(tag.AvailableTransferSyntaxUID)
	got.Header.Delete(tag.AvailableTransferSyntaxUID)
	if g, w := dump(got.Header), dump(want.Header); g != w {
		t.Errorf("header of the big-endian file:\n%s\nwant:\n%s", g, w)
	}
}

// reorder writes a flat data set in explicit VR big endian.
func reorder(t *testing.T, f *dicom.File) []byte {
	t.Helper()
	le, be := binary.LittleEndian, binary.BigEndian
	ts := "1.2.840.10008.1.2.2\x00"
	meta := append(be.AppendUint16(nil, 0), 0, 0)
	meta = meta[:0]
	meta = le.AppendUint16(le.AppendUint16(meta, 2), 0x10)
	meta = append(le.AppendUint16(append(meta, "UI"...), uint16(len(ts))), ts...)
	out := append(make([]byte, 128), "DICM"...)
	out = append(le.AppendUint16(append(le.AppendUint16(le.AppendUint16(out, 2), 0), "UL"...), 4), le.AppendUint32(nil, uint32(len(meta)))...)
	out = append(out, meta...)
	units := map[dicom.VR]int{dicom.US: 2, dicom.OW: 2, dicom.AT: 2, dicom.FD: 8}
	for e := range f.Dataset.All() {
		v, err := f.Value(e)
		if err != nil {
			t.Fatal(err)
		}
		v = bytes.Clone(v)
		if n := units[e.VR]; n > 0 {
			for i := 0; i+n <= len(v); i += n {
				for j := range n / 2 {
					v[i+j], v[i+n-1-j] = v[i+n-1-j], v[i+j]
				}
			}
		}
		out = append(be.AppendUint16(be.AppendUint16(out, e.Tag.Group()), e.Tag.Element()), e.VR...)
		if e.VR == dicom.OW {
			out = be.AppendUint32(append(out, 0, 0), uint32(len(v)))
		} else {
			out = be.AppendUint16(out, uint16(len(v)))
		}
		out = append(out, v...)
	}
	return out
}

// TestLongValuesStayInTheFile wants what is left out to be known as left out.
func TestLongValuesStayInTheFile(t *testing.T) {
	var frames []*dicom.Dataset
	for i := range 2000 {
		d := dicom.New()
		d.Set(tag.FrameLabel, strings.Repeat("x", 40)+fmt.Sprint(i))
		frames = append(frames, d)
	}
	f := archivetest.Scan(t, archivetest.File(t, archivetest.Dataset(archivetest.Ref("A", "1", "1"), func(ds *dicom.Dataset) {
		ds.SetItems(tag.PerFrameFunctionalGroupsSequence, frames...)
		ds.Set(tag.ImageComments, strings.Repeat("long ", 5000))
		ds.Set(tag.PatientComments, "short")
	})))
	h := decoded(t, index.New(f, archivetest.Ref("A", "1", "1"), uid.MRImageStorage).Header)
	for _, x := range []tag.Tag{tag.PerFrameFunctionalGroupsSequence, tag.ImageComments, tag.PixelData} {
		if e := h.Get(x); e == nil || !e.Deferred() {
			t.Errorf("%s: got %+v, want it left in the file", x.Keyword(), e)
		}
	}
	if got := h.Get(tag.ImageComments).Span; got != f.Dataset.Get(tag.ImageComments).Span {
		t.Errorf("place of the comments: got %v, want %v", got, f.Dataset.Get(tag.ImageComments).Span)
	}
	if got := h.String(tag.PatientComments); got != "short" {
		t.Errorf("short value: got %q", got)
	}
	c := query.Condition{Path: []tag.Tag{tag.ImageComments}, VR: dicom.LT, Terms: []query.Term{{Op: query.Wild, Lo: "*x"}}}
	if got := query.Meets(h, []query.Condition{c}); got != query.Unknown {
		t.Errorf("matching a value left in the file: got %v, want Unknown", got)
	}
}

func TestMerge(t *testing.T) {
	have, more := dicom.New(), dicom.New()
	have.Set(tag.PatientID, "first")
	more.Set(tag.PatientID, "second")
	if index.Merge(have, more) {
		t.Error("nothing new: got a change")
	}
	more.Set(tag.StudyID, "S")
	if !index.Merge(have, more) || have.String(tag.PatientID) != "first" || have.String(tag.StudyID) != "S" {
		t.Errorf("got %s", dump(have))
	}
}

func FuzzDecode(f *testing.F) {
	ds := archivetest.Dataset(archivetest.Ref("A", "1", "1"), func(ds *dicom.Dataset) {
		item := dicom.New()
		item.SetItems(tag.ProcedureCodeSequence, dicom.New())
		ds.SetItems(tag.RequestAttributesSequence, item, dicom.New())
		ds.Put(&dicom.Element{Tag: tag.LongCodeValue, VR: dicom.UC, Span: dicom.Span{Offset: 300, Length: 70000}})
	})
	f.Add(index.Encode(ds))
	f.Add([]byte{})
	f.Add([]byte("\x10\x00\x10\x00PN\x00\x05abc"))
	f.Add([]byte("000000\x02\x03\x00\x00\x00")) // items of no sequence
	f.Add([]byte("0000SQ\x00\x020"))            // a sequence without items but with a value
	f.Fuzz(func(t *testing.T, b []byte) {
		once, err := index.Decode(b)
		if err != nil {
			return
		}
		again, err := index.Decode(index.Encode(once))
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if dump(once) != dump(again) {
			t.Errorf("got\n%s\nwant\n%s", dump(again), dump(once))
		}
	})
}

func BenchmarkNew(b *testing.B) {
	f := archivetest.Scan(b, archivetest.File(b, archivetest.Dataset(archivetest.Ref("A", "1", "1"), nil)))
	b.ReportAllocs()
	for b.Loop() {
		index.New(f, archivetest.Ref("A", "1", "1"), uid.MRImageStorage)
	}
}

func BenchmarkDecode(b *testing.B) {
	f := archivetest.Scan(b, archivetest.File(b, archivetest.Dataset(archivetest.Ref("A", "1", "1"), nil)))
	enc := index.Encode(index.New(f, archivetest.Ref("A", "1", "1"), uid.MRImageStorage).Header)
	b.ReportAllocs()
	b.SetBytes(int64(len(enc)))
	for b.Loop() {
		if _, err := index.Decode(enc); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAnswer wants nothing in an answer that lies in the file, at any depth.
func TestAnswer(t *testing.T) {
	away := &dicom.Element{Tag: tag.EncapsulatedDocument, VR: dicom.OB, Span: dicom.Span{Offset: 100, Length: 99999}}
	inner, outer, from := dicom.New(), dicom.New(), dicom.New()
	inner.Put(away)
	inner.Set(tag.CodeValue, "C1")
	outer.SetItems(tag.ProcedureCodeSequence, inner)
	from.SetItems(tag.RequestAttributesSequence, outer)
	from.Put(away)
	from.Set(tag.PatientID, "P1")
	for _, all := range []bool{false, true} {
		out := dicom.New()
		index.Answer(out, query.Query{}, []tag.Tag{tag.RequestAttributesSequence, tag.EncapsulatedDocument, tag.PatientSex}, all, from)
		item := out.Item(tag.RequestAttributesSequence).Item(tag.ProcedureCodeSequence)
		if item.String(tag.CodeValue) != "C1" || item.Has(tag.EncapsulatedDocument) || out.Has(tag.EncapsulatedDocument) {
			t.Errorf("all %v: got %s", all, dump(out))
		}
		if out.Has(tag.PatientID) != all || !out.Has(tag.PatientSex) {
			t.Errorf("all %v: got %s", all, dump(out))
		}
	}
	if !inner.Has(tag.EncapsulatedDocument) {
		t.Error("the data set that answers come from was changed")
	}
}
