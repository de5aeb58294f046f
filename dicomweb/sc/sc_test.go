package sc_test

import (
	"bytes"
	"image"
	"image/color"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod/multiframe"
	"mome/dicomweb/sc"
)

// picture is a red pixel, a half transparent green one and a blue one; origin is where its bounds begin.
func picture(origin image.Point) image.Image {
	i := image.NewNRGBA(image.Rectangle{Min: origin, Max: origin.Add(image.Pt(3, 1))})
	i.Set(origin.X, origin.Y, color.NRGBA{255, 0, 0, 255})
	i.Set(origin.X+1, origin.Y, color.NRGBA{0, 255, 0, 128})
	i.Set(origin.X+2, origin.Y, color.NRGBA{0, 0, 255, 255})
	return i
}

func rgba(from image.Image) image.Image {
	out := image.NewRGBA(from.Bounds())
	for x := from.Bounds().Min.X; x < from.Bounds().Max.X; x++ {
		out.Set(x, from.Bounds().Min.Y, from.At(x, from.Bounds().Min.Y))
	}
	return out
}

// TestPixels: colours come out in order whatever kind of picture they are in and wherever its bounds begin.
func TestPixels(t *testing.T) {
	want := []byte{255, 0, 0, 0, 128, 0, 0, 0, 255}
	for name, i := range map[string]image.Image{"NRGBA": picture(image.Pt(0, 0)), "moved": picture(image.Pt(5, -2)), "RGBA": rgba(picture(image.Pt(5, -2)))} {
		c := sc.Capture{Images: []image.Image{i}, Description: "a test"}
		d := dicom.New()
		if err := c.Fill(d, 1, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		if got := d.Get(tag.PixelData).Value[:9]; !bytes.Equal(got, want) {
			t.Errorf("%s: pixels %v, want %v", name, got, want)
		}
		if c.Class() != uid.SecondaryCaptureImageStorage || d.Has(tag.NumberOfFrames) {
			t.Errorf("%s: class %s", name, c.Class())
		}
	}
}

// TestFrames: several pictures are frames, with the planes that they lie on where these are known.
func TestFrames(t *testing.T) {
	images := []image.Image{picture(image.Pt(0, 0)), picture(image.Pt(0, 0))}
	grid := &multiframe.Grid{Rows: 1, Columns: 3, Orientation: [6]float64{1, 0, 0, 0, 1, 0}, PixelSpacingMM: [2]float64{1, 1},
		SliceThicknessMM: 2, FrameOfReferenceUID: "1.2", Positions: [][3]float64{{0, 0, 0}, {0, 0, 2}}}
	for _, g := range []*multiframe.Grid{nil, grid} {
		c := sc.Capture{Images: images, Description: "a test", Grid: g}
		d := dicom.New()
		d.Set(tag.SOPInstanceUID, "1.3")
		if err := c.Fill(d, 1, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		if d.IntOr(tag.NumberOfFrames, 0) != 2 || len(d.Get(tag.PixelData).Value) != 18 || c.Class() != uid.MultiFrameTrueColorSecondaryCaptureImageStorage {
			t.Errorf("%d frames of %d bytes", d.IntOr(tag.NumberOfFrames, 0), len(d.Get(tag.PixelData).Value))
		}
		frames := d.Items(tag.PerFrameFunctionalGroupsSequence)
		if g == nil {
			if frames != nil {
				t.Error("pictures without planes have positions")
			}
			continue
		}
		if p := frames[1].Item(tag.PlanePositionSequence).Floats(tag.ImagePositionPatient); p[2] != 2 {
			t.Errorf("the second frame lies at %v, want z 2", p)
		}
	}
}

func TestFillRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		capture sc.Capture
		want    string
	}{
		{"nothing", sc.Capture{}, "no picture"},
		{"two sizes", sc.Capture{Images: []image.Image{picture(image.Pt(0, 0)), image.NewRGBA(image.Rect(0, 0, 2, 2))}}, "picture 2"},
		{"no pixels", sc.Capture{Images: []image.Image{image.NewRGBA(image.Rect(0, 0, 0, 2))}}, "0,2"},
		{"another plane", sc.Capture{Images: []image.Image{picture(image.Pt(0, 0))}, Grid: &multiframe.Grid{Rows: 9, Columns: 9}}, "planes of 9 x 9"},
	} {
		if err := c.capture.Fill(dicom.New(), 1, time.Unix(0, 0)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}
