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

// Phantoms move rigidly between phases and series; how far is known from the same phantom, without noise, at rest. Voxels
// are 2.7 mm for DCE, 2.7 x 4.2 mm for T2, 3.5 x 5 mm for DWI, the phantom's own motion is interpolated.
func TestPhantomMotion(t *testing.T) {
	for _, c := range []phantom.Config{
		{Seed: 8, Vendor: phantom.GE, Phases: 2, MotionMM: 4, Without: []string{"ADC"}},
	} {
		clean, rest := c, c
		clean.SNR, rest.SNR, rest.MotionMM = math.Inf(1), math.Inf(1), 0
		_, noisy, mask := read(t, c)
		_, moved, _ := read(t, clean)
		_, still, _ := read(t, rest)
		pre := noisy.DCE[0].Volume
		type pair struct {
			name               string
			still, moved, seen *volume.Volume
			within             *volume.Mask // on still's grid
			leftMM             float64
		}
		var pairs []pair
		for phase := 1; phase < len(noisy.DCE); phase++ {
			pairs = append(pairs, pair{"phase", still.DCE[phase].Volume, moved.DCE[phase].Volume, noisy.DCE[phase].Volume, mask, 0.3})
		}
		if noisy.T2 != nil {
			dwi := still.DWI[0].Volume
			pairs = append(pairs, pair{"T2", still.T2, moved.T2, noisy.T2, volume.ResampleMask(mask, still.T2.Grid), 0.4},
				pair{"DWI", dwi, moved.DWI[0].Volume, noisy.DWI[0].Volume, volume.ResampleMask(mask, dwi.Grid), 0.5})
		}
		for _, p := range pairs {
			truth := registration.Transform{TranslationMM: shift(p.still, p.moved, p.within)}
			r, err := registration.Register(t.Context(), pre, p.seen, registration.Options{Mask: mask})
			if err != nil {
				t.Fatal(err)
			}
			was := truth.TranslationMM.Norm()
			left, most := residual(mask, r.Transform.At, truth.At)
			off := r.Transform.RotationRad.Norm() * 180 / math.Pi
			t.Logf("%s seed %d %s: moved by %.2f mm, %.3f left (at most %.3f), turned by %.3f degrees\nrigid %+v\ndeform %+v", c.Vendor, c.Seed, p.name, was,
				left, most, off, r.Rigid, r.Deform)
			if was < 1 {
				t.Errorf("%s seed %d %s: moved by %.2f mm: too little for a test", c.Vendor, c.Seed, p.name, was)
			}
			if left > p.leftMM {
				t.Errorf("%s seed %d %s: %.3f mm left of %.2f, want at most %g", c.Vendor, c.Seed, p.name, left, was, p.leftMM)
			}
			if p.name == "phase" && (off > 0.3 || r.Deform.Kept) {
				t.Errorf("%s seed %d %s: turned by %.3f degrees, deformed %v: neither was in it", c.Vendor, c.Seed, p.name, off, r.Deform.Kept)
			}
		}
	}
}
