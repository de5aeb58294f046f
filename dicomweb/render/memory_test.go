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

// held is an archive whose objects open when they are let go.
type held struct {
	*archive.Archive
	listed func() // called when a request knows its instances
	opened chan struct{}
	goOn   chan struct{}
}

func (h *held) Instances(ctx context.Context, ref dicomweb.Ref) ([]archive.Instance, error) {
	list, err := h.Archive.Instances(ctx, ref)
	h.listed()
	return list, err
}

func (h *held) Open(ctx context.Context, i archive.Instance) (*archive.Object, error) {
	h.opened <- struct{}{}
	<-h.goOn
	return h.Archive.Open(ctx, i)
}

// TestRenderingWaits: a request waits while the only place is taken, unless its client goes away.
func TestRenderingWaits(t *testing.T) {
	a := open(t)
	put(t, a, study()...)
	h := &held{Archive: a, listed: func() {}, opened: make(chan struct{}, 2), goOn: make(chan struct{})}
	s, err := render.New(render.Config{Archive: h, BaseURL: func(*http.Request) string { return "" }, Renderings: 1})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context) chan error {
		ended := make(chan error, 1)
		go func() {
			ended <- s.Rendered(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil).WithContext(ctx), inSeries("a", "a1"))
		}()
		return ended
	}
	first := ask(t.Context())
	<-h.opened
	ctx, cancel := context.WithCancel(t.Context())
	h.listed = cancel
	if err := <-ask(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the second: %v, want context.Canceled", err)
	}
	if len(h.opened) > 0 {
		t.Error("the second began while the only place was taken")
	}
	close(h.goOn)
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
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
