package render_test

import (
	"bytes"
	"image"
	"image/color"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
	"mome/dicomweb/pixel"
	"mome/dicomweb/render"
	"mome/dicomweb/seg"
)

var segRef = inSeries("seg", "seg")

// side is the width and height of the images under test.
const side = 16

// sources are images on two planes, all of grey level 100.
func sources() []*dicom.Dataset {
	var out []*dicom.Dataset
	for k := range 2 {
		d := object(side, side, bytes.Repeat([]byte{100}, side*side), bits8)
		ref := inSeries("src", string(rune('a'+k)))
		d.Set(tag.StudyInstanceUID, ref.Study)
		d.Set(tag.SeriesInstanceUID, ref.Series)
		d.Set(tag.SOPInstanceUID, ref.Instance)
		d.Set(tag.ImagePositionPatient, "0", "0", k)
		d.Set(tag.ImageOrientationPatient, "1", "0", "0", "0", "1", "0")
		d.Set(tag.PixelSpacing, "1", "1")
		out = append(out, d)
	}
	return out
}

// segmentation has two segments: a red square at rows and columns 2 to 6 of both planes and a green one at 9 to 13 of the
// second. It is cut: its first pixel lies on pixel (cut, cut) of the images.
func segmentation(t testing.TB, labelMap bool, cut int) *dicom.Dataset {
	t.Helper()
	n := side - cut
	s := &seg.Segmentation{
		Grid: multiframe.Grid{
			Rows: n, Columns: n, Orientation: [6]float64{1, 0, 0, 0, 1, 0}, PixelSpacingMM: [2]float64{1, 1}, SliceThicknessMM: 1,
			FrameOfReferenceUID: "1.2.5", Positions: [][3]float64{{float64(cut), float64(cut), 0}, {float64(cut), float64(cut), 1}},
		},
		Source: multiframe.Source{SeriesUID: inSeries("src", "").Series, SOPClassUID: uid.MRImageStorage, Slices: []multiframe.Slice{
			{SOPInstanceUID: inSeries("src", "a").Instance}, {SOPInstanceUID: inSeries("src", "b").Instance},
		}},
		Label: "TEST", Algorithm: iod.Algorithm{Name: "A", Version: "1", Manufacturer: "M", DeviceUID: "1.2.9"}, LabelMap: labelMap,
	}
	square := func(from, to int) seg.Plane {
		p := make(seg.Plane, n*n)
		for row := from - cut; row <= to-cut; row++ {
			for column := from - cut; column <= to-cut; column++ {
				p[row*n+column] = true
			}
		}
		return p
	}
	for i, planes := range []map[int]seg.Plane{{0: square(2, 6), 1: square(2, 6)}, {1: square(9, 13)}} {
		s.Segments = append(s.Segments, seg.Segment{
			Label: "S", Category: code.Abnormal, Type: code.Lesion, TrackingID: "T", TrackingUID: "1.2.7",
			Lab: [...][3]uint16{seg.Lab(255, 0, 0), seg.Lab(0, 255, 0)}[i], Planes: planes,
		})
	}
	d := dicom.New()
	now := time.Date(2025, 3, 14, 1, 2, 3, 0, time.UTC)
	iod.SOPCommon(d, s.Class(), segRef.Instance, now)
	d.Set(tag.StudyInstanceUID, segRef.Study)
	d.Set(tag.SeriesInstanceUID, segRef.Series)
	if err := s.Fill(d, now); err != nil {
		t.Fatal(err)
	}
	return d
}

// shown is the picture of a segmentation as a service renders it.
func shown(t *testing.T, s *render.Service, header ...string) image.Image {
	t.Helper()
	w, _, err := call("GET", s.Rendered, segRef, "", append(header, "Accept: image/png")...)
	if err != nil {
		t.Fatal(err)
	}
	img, _, err := image.Decode(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestSegmentsOverTheirSource: 35 % of the colour inside, all of it along the edge, the image's grey elsewhere.
func TestSegmentsOverTheirSource(t *testing.T) {
	grey, red, redOver := color.RGBA{100, 100, 100, 255}, color.RGBA{255, 0, 0, 255}, color.RGBA{154, 65, 65, 255}
	green, greenOver := color.RGBA{0, 255, 0, 255}, color.RGBA{65, 154, 65, 255}
	black, redOnBlack := color.RGBA{0, 0, 0, 255}, color.RGBA{89, 0, 0, 255}
	type at map[image.Point]color.RGBA
	both := at{image.Pt(0, 0): grey, image.Pt(2, 2): red, image.Pt(4, 4): redOver, image.Pt(6, 4): red, image.Pt(7, 4): grey, image.Pt(11, 11): greenOver, image.Pt(13, 11): green}
	for _, c := range []struct {
		name     string
		labelMap bool
		cut      int
		alone    bool // the images are not stored
		header   []string
		want     at
	}{
		{name: "all segments of the fuller plane", want: both},
		{name: "label map", labelMap: true, want: both},
		{name: "cut around the segments", cut: 2, want: both},
		{name: "label map, cut", labelMap: true, cut: 1, want: both},
		{name: "one frame, one segment", header: []string{"frames: 2"}, want: at{image.Pt(0, 0): grey, image.Pt(2, 2): red, image.Pt(4, 4): redOver, image.Pt(11, 11): grey}},
		{name: "without the images on black", alone: true, header: []string{"frames: 1"}, want: at{image.Pt(0, 0): black, image.Pt(2, 2): red, image.Pt(4, 4): redOnBlack}},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects := []*dicom.Dataset{segmentation(t, c.labelMap, c.cut)}
			if !c.alone {
				objects = append(objects, sources()...)
			}
			img := shown(t, service(t, objects...), c.header...)
			for p, want := range c.want {
				if got := color.RGBAModel.Convert(img.At(p.X, p.Y)).(color.RGBA); !near(got, want) {
					t.Errorf("%v is %v, want %v", p, got, want)
				}
			}
		})
	}
}

func near(a, b color.RGBA) bool {
	for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B)} {
		if d < -2 || d > 2 { // CIELab of 16 bits and back
			return false
		}
	}
	return a.A == b.A
}

// TestSegmentationLooksAgainWhenItsImageComes: the entity tag changes then, and so does what is kept.
func TestSegmentationLooksAgainWhenItsImageComes(t *testing.T) {
	a := open(t)
	put(t, a, segmentation(t, false, 0))
	s := serve(t, a)
	alone, _, err := call("GET", s.Thumbnail, segRef, "", "Accept: image/png")
	if err != nil {
		t.Fatal(err)
	}
	put(t, a, sources()...)
	over, status, err := call("GET", s.Thumbnail, segRef, "", "Accept: image/png", "If-None-Match: "+alone.Header().Get("ETag"))
	if err != nil || status != 200 || bytes.Equal(over.Body.Bytes(), alone.Body.Bytes()) {
		t.Errorf("after the images came: %d %v, the same picture: %t", status, err, bytes.Equal(over.Body.Bytes(), alone.Body.Bytes()))
	}
}

// TestFractional: the opacity is the fraction.
func TestFractional(t *testing.T) {
	d := object(1, 3, []byte{0, 50, 100, 0}, bits8)
	d.Set(tag.SOPClassUID, uid.SegmentationStorage)
	d.Set(tag.SegmentationType, "FRACTIONAL")
	d.Set(tag.MaximumFractionalValue, 100)
	item := dicom.New()
	item.Set(tag.SegmentNumber, 1)
	lab := seg.Lab(200, 100, 50)
	item.Set(tag.RecommendedDisplayCIELabValue, int(lab[0]), int(lab[1]), int(lab[2]))
	d.SetItems(tag.SegmentSequence, item)
	f := scan(t, d, uid.ExplicitVRLittleEndian)
	set, err := pixel.Frames(f)
	if err != nil {
		t.Fatal(err)
	}
	img, err := render.Segments(f, set, []int{0}, nil, render.Mapping{})
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range []color.RGBA{{0, 0, 0, 255}, {100, 50, 25, 255}, {200, 100, 50, 255}} {
		if got := img.At(x, 0).(color.RGBA); !near(got, want) {
			t.Errorf("pixel %d is %v, want %v", x, got, want)
		}
	}
}

// TestSegmentationOfManyFrames: where no frame tells its place the middle one is shown, however many there are.
func TestSegmentationOfManyFrames(t *testing.T) {
	const n = 8 << 20 // of one bit
	d := object(1, 1, make([]byte, n/8), nil)
	d.Set(tag.SOPClassUID, uid.SegmentationStorage)
	d.Set(tag.StudyInstanceUID, segRef.Study)
	d.Set(tag.SeriesInstanceUID, segRef.Series)
	d.Set(tag.SOPInstanceUID, segRef.Instance)
	d.Set(tag.NumberOfFrames, n)
	d.Set(tag.BitsAllocated, 1)
	d.Set(tag.BitsStored, 1)
	d.Set(tag.HighBit, 0)
	s := service(t, d)
	if allocated := testing.AllocsPerRun(1, func() { shown(t, s) }); allocated > 100_000 {
		t.Errorf("%.0f allocations for a picture of %d frames", allocated, n)
	}
}
