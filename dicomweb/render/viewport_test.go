package render_test

import (
	"bytes"
	"image"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/render"
)

// pixelsOf renders as PNG and returns size and grey levels.
func pixelsOf(t *testing.T, s *render.Service, query string, object *dicom.Dataset) (image.Point, []uint8) {
	t.Helper()
	ref := inSeries("v", "v")
	w, _, err := call("GET", s.Rendered, ref, query, "Accept: image/png")
	if err != nil {
		t.Fatal(err)
	}
	img, _, err := image.Decode(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	g, ok := img.(*image.Gray)
	if !ok {
		t.Fatalf("a grey image came as %T", img)
	}
	return g.Rect.Size(), g.Pix
}

// TestViewport holds cut, flipped and scaled pixels against those told by hand.
func TestViewport(t *testing.T) {
	d := object(2, 4, []byte{10, 20, 30, 40, 50, 60, 70, 80}, bits8)
	ref := inSeries("v", "v")
	d.Set(tag.StudyInstanceUID, ref.Study)
	d.Set(tag.SeriesInstanceUID, ref.Series)
	d.Set(tag.SOPInstanceUID, ref.Instance)
	s := service(t, d)
	for _, c := range []struct {
		name, query string
		size        image.Point
		want        []uint8 // nil: the size alone
	}{
		{"whole", "", image.Pt(4, 2), []uint8{10, 20, 30, 40, 50, 60, 70, 80}},
		{"of the same size", "viewport=4,2", image.Pt(4, 2), []uint8{10, 20, 30, 40, 50, 60, 70, 80}},
		{"aspect ratio is kept", "viewport=4,100", image.Pt(4, 2), []uint8{10, 20, 30, 40, 50, 60, 70, 80}},
		{"part", "viewport=2,2,1,0,2,2", image.Pt(2, 2), []uint8{20, 30, 60, 70}},
		{"to the end", "viewport=2,2,2", image.Pt(2, 2), []uint8{30, 40, 70, 80}},
		{"left out in between", "viewport=4,1,,1,,1", image.Pt(4, 1), []uint8{50, 60, 70, 80}},
		{"larger than the image", "viewport=4,2,0,0,99,99", image.Pt(4, 2), []uint8{10, 20, 30, 40, 50, 60, 70, 80}},
		{"flipped across", "viewport=4,2,,,-4,2", image.Pt(4, 2), []uint8{40, 30, 20, 10, 80, 70, 60, 50}},
		{"flipped down", "viewport=4,2,,,4,-2", image.Pt(4, 2), []uint8{50, 60, 70, 80, 10, 20, 30, 40}},
		{"a part, flipped both ways", "viewport=2,2,2,0,-2,-2", image.Pt(2, 2), []uint8{80, 70, 40, 30}},
		{"half: means of four", "viewport=2,1", image.Pt(2, 1), []uint8{37, 53}},
		{"enlarged", "viewport=400,400", image.Pt(400, 200), nil},
		{"thin", "viewport=1,8192,0,0,4,1", image.Pt(1, 1), nil},
	} {
		size, got := pixelsOf(t, s, c.query, d)
		if size != c.size || c.want != nil && !bytes.Equal(got, c.want) {
			t.Errorf("%s (%s): %v %v, want %v %v", c.name, c.query, size, got, c.size, c.want)
		}
	}
}

// TestSquarePixels: what is seen has square pixels, whatever the stored ones are.
func TestSquarePixels(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*dicom.Dataset)
		query string
		want  image.Point
	}{
		{"rows twice as far apart", func(d *dicom.Dataset) { d.Set(tag.PixelSpacing, "1.0", "0.5") }, "", image.Pt(4, 4)},
		{"columns twice as far apart", func(d *dicom.Dataset) { d.Set(tag.PixelSpacing, "0.5", "1.0") }, "", image.Pt(8, 2)},
		{"in a viewport", func(d *dicom.Dataset) { d.Set(tag.PixelSpacing, "1.0", "0.5") }, "viewport=8,100", image.Pt(8, 8)},
		{"Pixel Aspect Ratio", func(d *dicom.Dataset) { d.Set(tag.PixelAspectRatio, 1, 2) }, "", image.Pt(8, 2)},
		{"nearly square", func(d *dicom.Dataset) { d.Set(tag.PixelSpacing, "0.7031", "0.7032") }, "", image.Pt(4, 2)},
		{"nonsense", func(d *dicom.Dataset) { d.Set(tag.PixelSpacing, "0", "-1") }, "", image.Pt(4, 2)},
		{"no pixel is so long", func(d *dicom.Dataset) { d.Set(tag.PixelSpacing, "1", "1e-9") }, "", image.Pt(4, 2)},
	} {
		ref := inSeries("v", "v")
		d := object(2, 4, make([]byte, 8), bits8)
		d.Set(tag.StudyInstanceUID, ref.Study)
		d.Set(tag.SeriesInstanceUID, ref.Series)
		d.Set(tag.SOPInstanceUID, ref.Instance)
		c.set(d)
		if size, _ := pixelsOf(t, service(t, d), c.query, d); size != c.want {
			t.Errorf("%s: %v, want %v", c.name, size, c.want)
		}
	}
}
