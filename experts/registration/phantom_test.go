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

// shift returns how far b's image lies from a's, which differ in nothing else: least squares on the images themselves
// (Lucas and Kanade 1981), which needs nothing of what is tested.
func shift(a, b *volume.Volume, mask *volume.Mask) volume.Vec {
	var s volume.Vec
	for range 15 {
		var normal [3][4]float64
		for at, in := range mask.Data {
			i, j, k := mask.Voxel(at)
			if !in || i < 8 || j < 8 || k < 4 || i > mask.Size[0]-9 || j > mask.Size[1]-9 || k > mask.Size[2]-5 {
				continue
			}
			x, y, z := a.At(a.Point(float64(i), float64(j), float64(k)).Sub(s))
			var row [4]float64
			for n, axis := range a.Axis {
				var d [3]float64
				d[n] = 0.5
				slope := float64(a.Sample(x+d[0], y+d[1], z+d[2])-a.Sample(x-d[0], y-d[1], z-d[2])) / a.SpacingMM[n]
				for c := range 3 {
					row[c] -= slope * axis[c]
				}
			}
			row[3] = float64(b.Data[at] - a.Sample(x, y, z))
			for r := range 3 {
				for c := range 4 {
					normal[r][c] += row[r] * row[c]
				}
			}
		}
		for r := range 3 { // Gauss-Jordan, positive definite
			for other := range 3 {
				if other != r {
					f := normal[other][r] / normal[r][r]
					for c := range 4 {
						normal[other][c] -= f * normal[r][c]
					}
				}
			}
		}
		for r := range 3 {
			s[r] += normal[r][3] / normal[r][r]
		}
	}
	return s
}

// Phantoms move rigidly between phases and series; how far is known from the same phantom, without noise, at rest.
func TestPhantomMotion(t *testing.T) {
	for _, c := range []phantom.Config{
		{Seed: 3, Vendor: phantom.Siemens, Phases: 3},
		{Seed: 8, Vendor: phantom.GE, Phases: 3},
		{Seed: 12, Vendor: phantom.Philips, Phases: 3},
	} {
		c.MotionMM = 4
		clean, rest := c, c
		clean.SNR, rest.SNR, rest.MotionMM = math.Inf(1), math.Inf(1), 0
		_, noisy, mask := read(t, c)
		_, moved, _ := read(t, clean)
		_, still, _ := read(t, rest)
		for phase := 1; phase < len(noisy.DCE); phase++ {
			want := shift(still.DCE[phase].Volume, moved.DCE[phase].Volume, mask)
			r, err := registration.Register(t.Context(), noisy.DCE[0].Volume, noisy.DCE[phase].Volume, registration.Options{Mask: mask})
			if err != nil {
				t.Fatal(err)
			}
			truth := registration.Transform{TranslationMM: want}
			left, most := residual(mask, r.Transform.At, truth.At)
			t.Logf("%s seed %d phase %d: moved %.2f = %.2f mm, %.3f left (at most %.3f)\nrigid %+v\ndeform %+v", c.Vendor, c.Seed, phase, want, want.Norm(), left, most, r.Rigid, r.Deform)
			if left > 0.3 {
				t.Errorf("%s seed %d phase %d: %.3f mm left of %.2f", c.Vendor, c.Seed, phase, left, want.Norm())
			}
			if off := r.Transform.RotationRad.Norm() * 180 / math.Pi; off > 0.3 {
				t.Errorf("%s seed %d phase %d: turned by %.3f degrees, which nothing did", c.Vendor, c.Seed, phase, off)
			}
		}
		for name, pair := range map[string][3]*volume.Volume{"T2": {noisy.T2, still.T2, moved.T2}, "DWI": {noisy.DWI[0].Volume, still.DWI[0].Volume, moved.DWI[0].Volume}} {
			truth := registration.Transform{TranslationMM: shift(pair[1], pair[2], volume.ResampleMask(mask, pair[1].Grid))}
			tr, r, err := registration.Rigid(t.Context(), noisy.DCE[0].Volume, pair[0], registration.Options{Mask: mask})
			if err != nil {
				t.Fatal(err)
			}
			left, most := residual(mask, tr.At, truth.At)
			t.Logf("%s seed %d %s: moved %.2f = %.2f mm, %.3f left (at most %.3f)\nrigid %+v", c.Vendor, c.Seed, name, truth.TranslationMM, truth.TranslationMM.Norm(), left, most, r)
		}
	}
}
