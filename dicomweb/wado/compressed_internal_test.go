package wado

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/pixel"
)

// multiframe returns an object of five frames of 3 x 5 pixels, and the frames.
func multiframe(t *testing.T) (*dicom.File, [][]byte) {
	t.Helper()
	d := dicom.New()
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	for _, u := range []tag.Tag{tag.SOPInstanceUID, tag.StudyInstanceUID, tag.SeriesInstanceUID} {
		d.Set(u, "1.2.3")
	}
	for t, v := range map[tag.Tag]int{tag.Rows: 3, tag.Columns: 5, tag.NumberOfFrames: 5, tag.BitsAllocated: 8, tag.BitsStored: 8,
		tag.HighBit: 7, tag.PixelRepresentation: 0, tag.SamplesPerPixel: 1} {
		d.Set(t, v)
	}
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	var raw []byte
	var frames [][]byte
	for n := range 5 {
		frame := bytes.Repeat([]byte{byte(n), byte(3 * n), 200}, 5)
		raw, frames = append(raw, frame...), append(frames, frame)
	}
	d.SetVR(tag.PixelData, dicom.OB, raw)
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f, frames
}

func sourceOf(t *testing.T, f *dicom.File) *frameSource {
	t.Helper()
	frames, err := pixel.Frames(f)
	if err != nil {
		t.Fatal(err)
	}
	src, err := newFrameSource(f, frames, mediatype.Offer{TransferSyntax: uid.JPEGLSLossless})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// checkFrames reads a compressed file back.
func checkFrames(t *testing.T, b []byte, want [][]byte, extended bool) {
	t.Helper()
	f, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	table := f.Dataset.Get(tag.PixelData).Fragments[0].Length
	if f.Dataset.Has(tag.ExtendedOffsetTable) != extended || f.Dataset.Has(tag.ExtendedOffsetTableLengths) != extended || (table == 0) != extended {
		t.Errorf("a basic table of %d bytes, an extended one: %t, wanted: %t", table, f.Dataset.Has(tag.ExtendedOffsetTable), extended)
	}
	frames, err := pixel.Frames(f)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := pixel.LayoutOf(f.Dataset)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		raw, err := frames.Frame(i)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := pixel.Native(layout, f.TransferSyntax, raw); err != nil || !bytes.Equal(got, want[i]) {
			t.Errorf("frame %d: %x, %v, want %x", i+1, got, err, want[i])
		}
	}
}

// TestCompressingEnds stops between frames when the client is gone.
func TestCompressingEnds(t *testing.T) {
	f, _ := multiframe(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := compressed(ctx, f, uid.RLELossless); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestRenamed(t *testing.T) {
	f, _ := multiframe(t)
	head, _, _, err := split(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := dicom.Write(&b, head, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	for _, syntax := range []string{"1.2", "1.2.3", uid.JPEGLSLossless} {
		out, err := renamed(b.Bytes(), syntax)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(out, append([]byte(syntax), make([]byte, len(syntax)%2)...)) || !bytes.HasSuffix(out, b.Bytes()[b.Len()-100:]) {
			t.Errorf("%s is not in the file, or its data set was changed", syntax)
		}
	}
	for n := range 140 { // what is no such file is refused
		if _, err := renamed(make([]byte, n), "1.2"); err == nil {
			t.Errorf("no error for %d zeros", n)
		}
	}
}
