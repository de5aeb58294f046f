package render_test

import (
	"image/gif"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// TestAnimation: a multi-frame image is one GIF of all frames, at the object's own pace.
func TestAnimation(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*dicom.Dataset)
		delay int // hundredths of a second
	}{
		{"Frame Time", func(d *dicom.Dataset) { d.Set(tag.FrameTime, "200"); d.Set(tag.CineRate, 50) }, 20},
		{"Recommended Display Frame Rate", func(d *dicom.Dataset) { d.Set(tag.RecommendedDisplayFrameRate, 5) }, 20},
		{"Cine Rate", func(d *dicom.Dataset) { d.Set(tag.CineRate, 25) }, 4},
		{"none", func(*dicom.Dataset) {}, 10},
		{"nonsense", func(d *dicom.Dataset) { d.Set(tag.FrameTime, "-3") }, 10},
	} {
		ref := inSeries("m", "m")
		d := picture(ref, 1, 4, 8, 3)
		c.set(d)
		s := service(t, d)
		w, _, err := call("GET", s.Rendered, ref, "viewport=16,16", "Accept: image/gif")
		if err != nil {
			t.Fatal(err)
		}
		g, err := gif.DecodeAll(w.Body)
		if err != nil || len(g.Image) != 3 || g.LoopCount != 0 {
			t.Fatalf("%s: %v, want 3 frames without end", c.name, err)
		}
		for n, img := range g.Image {
			if r, _, _, _ := img.At(0, 0).RGBA(); int(r>>8) != 50*n || img.Rect.Dx() != 16 || g.Delay[n] != c.delay {
				t.Errorf("%s: frame %d begins with %d, is %v, shown for %d, want %d, 16 wide, %d", c.name, n+1, r>>8, img.Rect, g.Delay[n], 50*n, c.delay)
			}
		}
		for name, h := range map[string]handler{"thumbnail": s.Thumbnail, "frame": s.Rendered} {
			var header []string
			if name == "frame" {
				header = []string{"frames: 2"}
			}
			w, _, err := call("GET", h, ref, "", append(header, "Accept: image/gif")...)
			if err != nil {
				t.Fatal(err)
			}
			if g, err := gif.DecodeAll(w.Body); err != nil || len(g.Image) != 1 {
				t.Errorf("%s: %v, want one frame", name, err)
			}
		}
	}
}

func TestAnimationIsBounded(t *testing.T) {
	ref := inSeries("m", "m")
	d := object(2048, 2048, make([]byte, 17*2048*2048), bits8)
	d.Set(tag.StudyInstanceUID, ref.Study)
	d.Set(tag.SeriesInstanceUID, ref.Series)
	d.Set(tag.SOPInstanceUID, ref.Instance)
	d.Set(tag.NumberOfFrames, 17)
	s := service(t, d)
	if _, status, err := call("GET", s.Rendered, ref, "", "Accept: image/gif"); status != 406 {
		t.Errorf("17 frames of 4 million pixels: %d %v, want 406", status, err)
	}
	if _, status, err := call("GET", s.Rendered, ref, "viewport=64,64", "Accept: image/gif"); status != 200 {
		t.Errorf("in a small viewport: %d %v, want 200", status, err)
	}
}

// TestTinyFramesAreBounded: each frame has a colour table, which is more than its only pixel.
func TestTinyFramesAreBounded(t *testing.T) {
	ref := inSeries("m", "m")
	const n = 20_000
	d := picture(ref, 1, 1, 1, 1)
	d.Set(tag.NumberOfFrames, n)
	d.SetVR(tag.PixelData, dicom.OB, make([]byte, n))
	if _, status, err := call("GET", service(t, d).Rendered, ref, "", "Accept: image/gif"); status != 406 {
		t.Errorf("%d frames of one pixel: %d %v, want 406", n, status, err)
	}
}

// TestAnimationOfUnlikeFrames: frames whose pixels differ in shape are one animation all the same.
func TestAnimationOfUnlikeFrames(t *testing.T) {
	ref := inSeries("m", "m")
	d := picture(ref, 1, 8, 8, 2)
	var groups []*dicom.Dataset
	for _, spacing := range []string{"1", "2"} {
		group, measures := dicom.New(), dicom.New()
		measures.Set(tag.PixelSpacing, "1", spacing)
		group.SetItems(tag.PixelMeasuresSequence, measures)
		groups = append(groups, group)
	}
	d.SetItems(tag.PerFrameFunctionalGroupsSequence, groups...)
	w, status, err := call("GET", service(t, d).Rendered, ref, "", "Accept: image/gif")
	if status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	if g, err := gif.DecodeAll(w.Body); err != nil || len(g.Image) != 2 || g.Image[1].Rect.Dx() != 8 {
		t.Errorf("%v, want two frames, 8 pixels wide", err)
	}
}
