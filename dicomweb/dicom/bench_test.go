package dicom_test

import (
	"bytes"
	"io"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// slice returns an MR image of 128 x 128 pixels of 16 bits with the attributes of a usual header.
func slice() *dicom.Dataset {
	d := everyVR()
	for t := tag.Tag(0x00191000); t < 0x00191000+100; t++ {
		d.SetVR(t, dicom.DS, 1.5, 2.25, -3)
	}
	d.SetVR(tag.PixelData, dicom.OW, make([]byte, 128*128*2))
	return d
}

// segmentation returns an object of 10 MB with 1,000 frames, each with its functional groups.
func segmentation() *dicom.Dataset {
	d := object()
	var frames []*dicom.Dataset
	for i := range 1000 {
		position, plane, content, frame := dicom.New(), dicom.New(), dicom.New(), dicom.New()
		position.Set(tag.ImagePositionPatient, -100, -100, i)
		plane.SetItems(tag.PlanePositionSequence, position)
		content.Set(tag.DimensionIndexValues, 1, i+1)
		frame.SetItems(tag.FrameContentSequence, content)
		frame.SetItems(tag.PlanePositionSequence, position)
		frame.SetItems(tag.DerivationImageSequence, plane, content)
		frames = append(frames, frame)
	}
	d.SetItems(tag.PerFrameFunctionalGroupsSequence, frames...)
	d.SetVR(tag.PixelData, dicom.OB, make([]byte, 10<<20))
	return d
}

func benchmarkWrite(b *testing.B, d *dicom.Dataset) {
	var buf bytes.Buffer
	if err := dicom.Write(&buf, d, uid.ExplicitVRLittleEndian); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(buf.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := dicom.Write(io.Discard, d, uid.ExplicitVRLittleEndian); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteSlice(b *testing.B)        { benchmarkWrite(b, slice()) }
func BenchmarkWriteSegmentation(b *testing.B) { benchmarkWrite(b, segmentation()) }

func benchmarkScan(b *testing.B, d *dicom.Dataset) {
	var buf bytes.Buffer
	if err := dicom.Write(&buf, d, uid.ExplicitVRLittleEndian); err != nil {
		b.Fatal(err)
	}
	r := bytes.NewReader(buf.Bytes())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dicom.Scan(r, r.Size(), dicom.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanSlice(b *testing.B)        { benchmarkScan(b, slice()) }
func BenchmarkScanSegmentation(b *testing.B) { benchmarkScan(b, segmentation()) }

func BenchmarkJSONSlice(b *testing.B) { benchmarkModel(b, (*dicom.File).AppendJSON) }
func BenchmarkXMLSlice(b *testing.B)  { benchmarkModel(b, (*dicom.File).AppendXML) }

func BenchmarkParseXMLSlice(b *testing.B) {
	doc, err := dicom.AppendXML(nil, slice(), dicom.JSONOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dicom.ParseXML(bytes.NewReader(doc), dicom.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkModel(b *testing.B, write func(*dicom.File, []byte, dicom.JSONOptions) ([]byte, error)) {
	var buf bytes.Buffer
	if err := dicom.Write(&buf, slice(), uid.ExplicitVRLittleEndian); err != nil {
		b.Fatal(err)
	}
	f, err := dicom.Scan(bytes.NewReader(buf.Bytes()), int64(buf.Len()), dicom.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	opt := dicom.JSONOptions{BulkDataURI: func(string, *dicom.Element) string { return "../bulkdata" }}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		if out, err = write(f, out[:0], opt); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrivate asks a usual header for the seven private attributes that sorting looks up, of four vendors: two of
// them are there.
func BenchmarkPrivate(b *testing.B) {
	d := slice()
	for block, creator := range []string{"SIEMENS CSA HEADER", "SIEMENS MR HEADER", "SIEMENS CSA NON-IMAGE"} {
		d.SetVR(tag.New(0x0019, uint16(0x10+block)), dicom.LO, creator)
	}
	d.SetVR(tag.New(0x0019, 0x110C), dicom.IS, 800)
	d.SetVR(tag.New(0x0019, 0x110D), dicom.CS, "ISOTROPIC")
	b.ReportAllocs()
	for b.Loop() {
		found := 0
		for _, a := range []struct {
			creator string
			group   uint16
			elem    byte
		}{
			{"SIEMENS MR HEADER", 0x0019, 0x0C}, {"SIEMENS MR HEADER", 0x0019, 0x0D}, {"GEMS_PARM_01", 0x0043, 0x39},
			{"Philips Imaging DD 001", 0x2001, 0x03}, {"Philips Imaging DD 001", 0x2001, 0x04},
			{"Philips MR Imaging DD 001", 0x2005, 0xA0}, {"Image Private Header", 0x0065, 0x09},
		} {
			if d.Private(a.creator, a.group, a.elem) != nil {
				found++
			}
		}
		if found != 2 {
			b.Fatalf("found %d attributes, want 2", found)
		}
	}
}
