package registration_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/registration"
	"mome/experts/series"
	"mome/experts/volume"
	"mome/fixtures/phantom"
)

// read makes a phantom and builds its volumes as those of a received study.
func read(t testing.TB, c phantom.Config) (*phantom.Study, *experts.Study, *volume.Mask) {
	t.Helper()
	p, err := phantom.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var files []*dicom.File
	var instances []series.Instance
	for name, ds := range p.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatalf("write %s: %v", name, err)
		}
		f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
		if err != nil {
			t.Fatalf("scan %s: %v", name, err)
		}
		h, err := dicom.Header(f)
		if err != nil {
			t.Fatalf("header of %s: %v", name, err)
		}
		files = append(files, f)
		instances = append(instances, series.Instance{Header: h, TransferSyntax: uid.ExplicitVRLittleEndian})
	}
	open := func(_ context.Context, i int) (*dicom.File, io.Closer, error) {
		return files[i], io.NopCloser(nil), nil
	}
	s, err := series.Assemble(t.Context(), instances, series.Sort(instances), open, nil)
	if err != nil {
		t.Fatal(err)
	}
	breasts, _, err := lesion.Breasts(t.Context(), s)
	if err != nil || len(breasts) == 0 {
		t.Fatalf("%d breasts, %v", len(breasts), err)
	}
	mask := volume.NewMask(s.DCE[0].Volume.Grid)
	for _, b := range breasts {
		for at, in := range b.Mask.Data {
			mask.Data[at] = mask.Data[at] || in
		}
	}
	return p, s, mask
}

// TestPhantomMotion: phantoms whose body moves rigidly by up to 6 mm between phases and series, as they say themselves, with
// uptake and noise. Voxels are 2.7 mm for DCE, 2.7 x 4.2 mm for T2, 3.5 x 5 mm for DWI; what is left must be well below one.
func TestPhantomMotion(t *testing.T) {
	for _, c := range []phantom.Config{
		{Seed: 8, Vendor: phantom.GE, Phases: 2, MotionMM: 4, Without: []string{"ADC"}},
		{Seed: 9, Vendor: phantom.Siemens, Phases: 4, MotionMM: 6, Without: []string{"T2", "DWI"}},
		{Seed: 10, Vendor: phantom.Philips, Phases: 2, MotionMM: 2, Without: []string{"ADC"}},
	} {
		p, s, mask := read(t, c)
		type image struct {
			name   string
			moving *volume.Volume
			moved  [3]float64
			leftMM float64
		}
		var images []image
		for phase := 1; phase < len(s.DCE); phase++ {
			images = append(images, image{"phase", s.DCE[phase].Volume, p.MotionMM(phase), 0.35})
		}
		if s.T2 != nil {
			images = append(images, image{"T2", s.T2, p.T2MotionMM(), 0.45}, image{"DWI", s.DWI[0].Volume, p.DWIMotionMM(), 0.55})
		}
		for _, im := range images {
			truth := registration.Transform{TranslationMM: im.moved}
			r, err := registration.Register(t.Context(), s.DCE[0].Volume, im.moving, registration.Options{Mask: mask})
			if err != nil {
				t.Fatal(err)
			}
			was := truth.TranslationMM.Norm()
			left, most := residual(mask, r.Transform.At, truth.At)
			off := r.Transform.RotationRad.Norm() * 180 / math.Pi
			t.Logf("%s seed %d %s: moved by %.2f mm, %.3f left (at most %.3f), turned by %.3f degrees", c.Vendor, c.Seed, im.name, was, left, most, off)
			if left > im.leftMM {
				t.Errorf("%s seed %d %s: %.3f mm left of %.2f, want at most %g\nrigid %+v\ndeform %+v", c.Vendor, c.Seed, im.name, left, was, im.leftMM, r.Rigid, r.Deform)
			}
			if im.name == "phase" && (off > 0.3 || r.Deform.Kept) {
				t.Errorf("%s seed %d %s: turned by %.3f degrees, deformed %v: neither was in it", c.Vendor, c.Seed, im.name, off, r.Deform.Kept)
			}
		}
	}
}

// TestAlign: a study is laid onto its reference phase, which stays as acquired, and what was at rest is not touched.
func TestAlign(t *testing.T) {
	c := phantom.Config{Seed: 8, Phases: 4, MotionMM: 5}
	p, s, _ := read(t, c)
	breasts, _, err := lesion.Breasts(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	out, err := registration.Align(t.Context(), s, breasts, registration.Settings{}, func(done float64) {
		if done <= last {
			t.Errorf("progress goes from %g to %g", last, done)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != 1 || len(out.Motion) != len(s.DCE)-1+2 {
		t.Errorf("progress ends at %g with %d acquisitions told", last, len(out.Motion))
	}
	reference := volume.Vec(p.MotionMM(s.Reference))
	if out.DCE[s.Reference].Volume != s.DCE[s.Reference].Volume {
		t.Error("the reference phase was moved")
	}
	for _, m := range out.Motion {
		moved := p.T2MotionMM()
		switch m.Name {
		case "phase 1":
			moved = p.MotionMM(0)
		case "phase 2":
			moved = p.MotionMM(1)
		case "phase 3":
			moved = p.MotionMM(2)
		case "phase 4":
			moved = p.MotionMM(3)
		case "DWI":
			moved = p.DWIMotionMM()
		}
		want := volume.Vec(moved).Sub(reference).Norm()
		t.Logf("%s lies %.2f mm from the reference: %+v", m.Name, want, m)
		if m.SeriesUID == "" || math.Abs(m.MeanMM-want) > 0.5 || m.Corrected != (m.MeanMM > 0) || m.After < m.Before {
			t.Errorf("%s: told %+v, it lies %.2f mm away", m.Name, m, want)
		}
	}
	off, err := registration.Align(t.Context(), s, breasts, registration.Settings{Off: true}, nil)
	if err != nil || off.DCE[0].Volume != s.DCE[0].Volume || off.Motion != nil {
		t.Errorf("switched off: %d acquisitions told, error %v", len(off.Motion), err)
	}
}
