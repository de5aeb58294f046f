package dicom_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/fixtures/malformed"
)

func TestDatasetOrder(t *testing.T) {
	d := dicom.New()
	for _, x := range []tag.Tag{tag.StudyID, tag.Rows, tag.PatientID, tag.Modality} {
		d.Set(x)
	}
	d.Set(tag.PatientID, "a")
	d.Delete(tag.Rows)
	d.Delete(tag.Columns)
	var got []tag.Tag
	for e := range d.All() {
		got = append(got, e.Tag)
	}
	if want := []tag.Tag{tag.Modality, tag.PatientID, tag.StudyID}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c := d.Clone()
	c.Delete(tag.Modality)
	if !d.Has(tag.Modality) || c.Len() != 2 {
		t.Error("a clone shares its list of elements")
	}
	var none *dicom.Dataset
	if none.Has(tag.Modality) || none.String(tag.Modality) != "" || none.Item(tag.ContentSequence).Get(tag.Rows) != nil {
		t.Error("an absent data set answers something")
	}
}

func TestNumbers(t *testing.T) {
	d := dicom.New()
	d.Set(tag.ImagePositionPatient, 1.5, "-2", 1e-20/3)
	d.SetVR(tag.SliceThickness, dicom.DS, `1.5\x\ 3 `)
	d.Set(tag.Rows, 512)
	d.SetVR(tag.SmallestImagePixelValue, dicom.SS, -5)
	d.SetVR(0x00091001, dicom.SV, int64(math.MinInt64))
	d.SetVR(0x00091002, dicom.UN, []byte("1000 "))
	d.Set(tag.DiffusionBValue, 800)
	if got := d.Floats(tag.ImagePositionPatient); len(got) != 3 || got[0] != 1.5 || got[1] != -2 || math.Abs(got[2]*3e20-1) > 1e-9 {
		t.Errorf("position %v", got)
	}
	if e := d.Get(tag.ImagePositionPatient); len(e.Value) > 16*3+3 {
		t.Errorf("a DS of %d bytes: %q", len(e.Value), e.Value)
	}
	if got := d.Floats(tag.SliceThickness); len(got) != 3 || !math.IsNaN(got[1]) || got[2] != 3 {
		t.Errorf("a value that is no number moves the others: %v", got)
	}
	if n, ok := d.Int(tag.Rows); !ok || n != 512 {
		t.Errorf("rows %d, %v", n, ok)
	}
	if n, ok := d.Int(tag.SmallestImagePixelValue); !ok || n != -5 {
		t.Errorf("smallest %d, %v", n, ok)
	}
	if n := d.IntOr(tag.Columns, 7); n != 7 {
		t.Errorf("absent columns %d, want 7", n)
	}
	if _, ok := d.Int(0x00091001); ok {
		t.Error("an integer that a double does not hold")
	}
	if got := d.Floats(0x00091002); len(got) != 1 || got[0] != 1000 {
		t.Errorf("text of unknown VR: %v", got)
	}
	if f, ok := d.Float(tag.DiffusionBValue); !ok || f != 800 {
		t.Errorf("b-value %v, %v", f, ok)
	}
	if got := d.Strings(tag.Rows); !slices.Equal(got, []string{"512"}) {
		t.Errorf("rows as text %q", got)
	}
}

// TestSetRefuses: a value that does not suit its VR is a mistake of the code, and never wraps around silently.
func TestSetRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		tag   tag.Tag
		value any
	}{
		{"unknown tag", 0x00091001, "x"},
		{"US too large", tag.Rows, 65536},
		{"US negative", tag.Rows, -1},
		{"US not whole", tag.Rows, 1.5},
		{"US text", tag.Rows, "1"},
		{"IS not whole", tag.InstanceNumber, 1.5},
		{"text from a number", tag.PatientID, 5},
		{"AT from a number", tag.FrameIncrementPointer, 5},
		{"bytes from text", tag.EncapsulatedDocument, "x"},
		{"sequence", tag.ContentSequence, "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("Set(%v, %v) did not panic", c.tag, c.value)
				}
			}()
			dicom.New().Set(c.tag, c.value)
		})
	}
}

func TestPrivate(t *testing.T) {
	d := dicom.New()
	d.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	for block, creator := range map[uint16]string{
		0x10: "OTHER", 0x11: "SIEMENS MR HEADER", 0x40: " PADDED ", 0x41: "TWICE", 0x42: "TWICE", 0x43: `TWO\VALUES`, 0x44: "MÜNCHEN", 0xFF: "LAST",
	} {
		d.Put(&dicom.Element{Tag: tag.New(0x0019, block), VR: dicom.LO, Value: []byte(creator)})
		if creator != "TWICE" || block == 0x42 {
			d.SetVR(tag.New(0x0019, block<<8|0x0C), dicom.IS, int(block))
		}
	}
	d.Put(&dicom.Element{Tag: tag.New(0x0021, 0x10), VR: dicom.LO})
	d.SetVR(tag.New(0x0021, 0x100C), dicom.IS, 1)
	for _, tc := range []struct {
		name, creator string
		group         uint16
		elem          byte
		want          float64 // 0: none
	}{
		{"the second block", "SIEMENS MR HEADER", 0x0019, 0x0C, 0x11},
		{"another creator's element", "OTHER", 0x0019, 0x0C, 0x10},
		{"an element that is not there", "OTHER", 0x0019, 0x0D, 0},
		{"padded", "PADDED", 0x0019, 0x0C, 0x40},
		{"two blocks, the second has it", "TWICE", 0x0019, 0x0C, 0x42},
		{"two values", "TWO", 0x0019, 0x0C, 0x43},
		{"not ASCII", "MÜNCHEN", 0x0019, 0x0C, 0x44},
		{"the last block", "LAST", 0x0019, 0x0C, 0xFF},
		{"another group", "OTHER", 0x0021, 0x0C, 0},
		{"no such group", "OTHER", 0x0043, 0x0C, 0},
		{"part of a name", "SIEMENS", 0x0019, 0x0C, 0},
	} {
		e, got := d.Private(tc.creator, tc.group, tc.elem), 0.0
		if e != nil {
			got = d.ElementFloats(e)[0]
		}
		if got != tc.want {
			t.Errorf("%s: Private(%q, %04X, %02X) is %g, want %g", tc.name, tc.creator, tc.group, tc.elem, got, tc.want)
		}
	}
	var none *dicom.Dataset
	if none.Private("OTHER", 0x0019, 0x0C) != nil {
		t.Error("a nil data set has a private element")
	}
}

// TestCopy takes attributes from objects in other encodings.
func TestCopy(t *testing.T) {
	src := object()
	src.SetVR(tag.SpecificCharacterSet, dicom.CS, "ISO_IR 100")
	src.Set(tag.PatientName, "M\xfcller")
	item := dicom.New()
	item.SetVR(tag.SpecificCharacterSet, dicom.CS, "ISO_IR 144")
	item.Set(tag.CodeMeaning, "\xbb")
	src.SetItems(tag.ProcedureCodeSequence, item)
	d := dicom.New()
	d.Copy(src, tag.PatientName, tag.ProcedureCodeSequence, tag.StudyID)
	if got := d.String(tag.PatientName); got != "Müller" {
		t.Errorf("name %q", got)
	}
	if got := d.Item(tag.ProcedureCodeSequence).String(tag.CodeMeaning); got != "Л" {
		t.Errorf("meaning %q", got)
	}
	if d.Len() != 2 {
		t.Errorf("%d elements, want 2", d.Len())
	}
	for _, c := range malformed.Odd() {
		if c.Name == "big endian" {
			big := scan(t, c.Bytes()).Dataset
			d.Copy(big, tag.Rows)
			if n, _ := d.Int(tag.Rows); n != 512 {
				t.Errorf("rows from big endian: %d, want 512", n)
			}
			if n, _ := big.Int(tag.Rows); n != 512 {
				t.Errorf("big-endian rows: %d, want 512", n)
			}
		}
	}
}

// TestUnknownVR: attributes that an archive kept as UN are read by the dictionary.
func TestUnknownVR(t *testing.T) {
	d := object()
	d.SetVR(0x00190010, dicom.UN, []byte("SIEMENS MR HEADER "))
	d.SetVR(0x0019100C, dicom.UN, []byte("50"))
	d.SetVR(tag.DiffusionBValue, dicom.UN, []byte{0, 0, 0, 0, 0, 0, 0x59, 0x40})
	d.SetVR(tag.PatientComments, dicom.UN, []byte("text"))
	d.SetVR(tag.MRDiffusionSequence, dicom.UN, []byte("\xFE\xFF\x00\xE0\x0A\x00\x00\x00\x18\x00\x75\x90\x02\x00\x00\x00NO"))
	d.SetVR(tag.Rows, dicom.UN, []byte("abc\x00")[:4])
	f := scan(t, write(t, d, uid.ExplicitVRLittleEndian)).Dataset
	if b, ok := f.Float(tag.DiffusionBValue); !ok || b != 100 {
		t.Errorf("b-value %v, %v, want 100", b, ok)
	}
	if got := f.String(tag.PatientComments); got != "text" {
		t.Errorf("comments %q", got)
	}
	if got := f.Item(tag.MRDiffusionSequence).String(tag.DiffusionDirectionality); got != "NO" {
		t.Errorf("directionality %q, want NO", got)
	}
	if e := f.Private("SIEMENS MR HEADER", 0x0019, 0x0C); e == nil || e.VR != dicom.UN {
		t.Errorf("private element %+v", e)
	}
}

func TestFileValues(t *testing.T) {
	d := object()
	long := bytes.Repeat([]byte{1, 2, 3, 4}, 30_000)
	d.SetVR(tag.PixelData, dicom.OW, long)
	path := filepath.Join(t.TempDir(), "x.dcm")
	if err := os.WriteFile(path, write(t, d, uid.ExplicitVRLittleEndian), 0o600); err != nil {
		t.Fatal(err)
	}
	f, closer, err := dicom.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	e := f.Dataset.Get(tag.PixelData)
	if !e.Deferred() || f.Dataset.Bytes(tag.PixelData) != nil {
		t.Error("pixel data were read")
	}
	if b, err := io.ReadAll(f.Open(e.Span)); err != nil || !bytes.Equal(b, long) {
		t.Errorf("Open: %d bytes, %v", len(b), err)
	}
	if b, err := f.Value(e); err != nil || !bytes.Equal(b, long) {
		t.Errorf("Value: %d bytes, %v", len(b), err)
	}
	if b, err := f.Value(f.Dataset.Get(tag.StudyInstanceUID)); err != nil || string(b) != "1.2.3\x00" {
		t.Errorf("a held value: %q, %v", b, err)
	}
	if _, err := f.Value(&dicom.Element{VR: dicom.OW, Span: dicom.Span{Offset: f.Size - 1, Length: 2}}); err == nil {
		t.Error("a value behind the end of the file")
	}
	small, err := dicom.Scan(f.Body, f.Size, dicom.Limits{Deferred: 100})
	if err != nil {
		t.Fatal(err)
	}
	var format *dicom.FormatError
	if _, err := small.Value(small.Dataset.Get(tag.PixelData)); !errors.As(err, &format) || !format.Limit() {
		t.Errorf("a value beyond the limit: %v", err)
	}
	if _, err := dicom.Scan(f.Body, f.Size, dicom.Limits{FileSize: 100}); !errors.As(err, &format) || !format.Limit() {
		t.Errorf("a file beyond the limit: %v", err)
	}
	if _, _, err := dicom.ReadFile(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// failing is a medium that cannot be read from some byte on.
type failing struct {
	io.ReaderAt
	from int64
}

var errMedium = errors.New("bad sector")

func (f failing) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > f.from {
		return 0, errMedium
	}
	return f.ReaderAt.ReadAt(b, off)
}

// TestScanMedium: a failure to read is told as such and is no fault of the object; a file shorter than it was said to
// be is truncated.
func TestScanMedium(t *testing.T) {
	d := object()
	d.SetVR(tag.TextValue, dicom.UT, string(bytes.Repeat([]byte("x"), 20_000)))
	b := write(t, d, uid.ExplicitVRLittleEndian)
	var format *dicom.FormatError
	for _, from := range []int64{0, 200, 10_000} {
		_, err := dicom.Scan(failing{bytes.NewReader(b), from}, int64(len(b)), dicom.Limits{})
		if !errors.Is(err, errMedium) || errors.As(err, &format) {
			t.Errorf("failing at %d: got %v", from, err)
		}
	}
	_, err := dicom.Scan(bytes.NewReader(b[:10_000]), int64(len(b)), dicom.Limits{})
	if !errors.As(err, &format) || format.Reason != dicom.ReasonTruncated {
		t.Errorf("a file shorter than told: %v", err)
	}
}

func TestPersonName(t *testing.T) {
	n := dicom.ParsePN("Yamada^Tarou=山田^太郎=やまだ^たろう")
	if n.Ideographic != "山田^太郎" || n.Phonetic != "やまだ^たろう" || n.Alphabetic != "Yamada^Tarou" {
		t.Errorf("got %+v", n)
	}
	for _, s := range []string{"", "A^B", "=C", "A==D", "A=B=C"} {
		if got := dicom.ParsePN(s).String(); got != s {
			t.Errorf("ParsePN(%q) gives %q back", s, got)
		}
	}
}
