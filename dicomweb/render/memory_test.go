package render_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/render"
)

// TestAFrameIsReadAlone: rendering a frame of a large object takes memory for that frame, the first time and later.
func TestAFrameIsReadAlone(t *testing.T) {
	const side, frames = 256, 400
	d := object(side, side, make([]byte, side*side*frames), bits8)
	ref := inSeries("large", "large")
	d.Set(tag.StudyInstanceUID, ref.Study)
	d.Set(tag.SeriesInstanceUID, ref.Series)
	d.Set(tag.SOPInstanceUID, ref.Instance)
	d.Set(tag.NumberOfFrames, frames)
	s := service(t, d)
	for _, frame := range []string{"frames: 200", "frames: 399", "frames: 400"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, _, err := call("GET", s.Rendered, ref, "", frame); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 16*side*side {
			t.Errorf("%s: %d bytes allocated for a frame of %d in an object of %d", frame, took, side*side, side*side*frames)
		}
	}
}

// TestFramesOfAKnownObject: a header that is kept gives the same pictures as one that is read.
func TestFramesOfAKnownObject(t *testing.T) {
	s := service(t, study()...)
	many := inSeries("b", "b1")
	first := map[string]string{}
	for range 2 {
		for _, frame := range []string{"frames: 1", "frames: 2", "frames: 3"} {
			w, _, err := call("GET", s.Rendered, many, "", frame)
			if err != nil {
				t.Fatal(err)
			}
			if have, ok := first[frame]; ok && have != w.Body.String() {
				t.Errorf("%s is another picture the second time", frame)
			}
			first[frame] = w.Body.String()
		}
	}
	if first["frames: 1"] == first["frames: 3"] {
		t.Error("frames 1 and 3 are the same picture")
	}
}

// TestRenderingWaits: who has gone away does not wait for a free place.
func TestRenderingWaits(t *testing.T) {
	s := service(t, study()...)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := httptest.NewRequest("GET", "/x", nil).WithContext(ctx)
	if err := s.Rendered(httptest.NewRecorder(), r, inSeries("a", "a1")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestConfig(t *testing.T) {
	a, base := &archive.Archive{}, func(*http.Request) string { return "" }
	for name, cfg := range map[string]render.Config{
		"no archive": {BaseURL: base}, "no base": {Archive: a}, "negative": {Archive: a, BaseURL: base, Renderings: -1},
	} {
		if _, err := render.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// failing is an archive whose index fails.
type failing struct{ *archive.Archive }

func (failing) Instances(context.Context, dicomweb.Ref) ([]archive.Instance, error) {
	return nil, errors.New("disk")
}

func TestFaultsOfTheNodeAreItsOwn(t *testing.T) {
	s, err := render.New(render.Config{Archive: failing{}, BaseURL: func(*http.Request) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]handler{"rendered": s.Rendered, "thumbnail": s.Thumbnail} {
		if _, status, _ := call("GET", h, inSeries("a", "a1"), ""); status != 500 {
			t.Errorf("%s: %d, want 500", name, status)
		}
	}
}
