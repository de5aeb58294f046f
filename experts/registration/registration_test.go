package registration_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mome/experts/registration"
	"mome/experts/volume"
)

// warped is the deformation of the tests: up to 3.9 mm on top of a translation by 1.3 mm, wavelengths of 25 to 28 cm.
func warped(p volume.Vec) volume.Vec {
	return p.Add(volume.Vec{0.8, 0.2 + 3*math.Sin(p[0]/45), -1 + 2.5*math.Cos(p[1]/40)})
}

// The scene's uptake and noise are in all of these: rigid motion has to come back within 0.3 mm and 0.3 degrees.
func TestRegister(t *testing.T) {
	s, g := newScene(1), dce()
	moving := s.render(g, 1, 4, 2, still)
	for _, tc := range []struct {
		name                string
		to                  func(volume.Vec) volume.Vec
		rigid               registration.Transform // known parameters, if wantRigid
		wantRigid, wantWarp bool
		leftMM              float64 // mean
	}{
		{name: "still", to: still},
		{name: "small translation", rigid: registration.Transform{TranslationMM: volume.Vec{0.4, -0.7, 0.2}}, wantRigid: true, leftMM: 0.1},
		{name: "translation", rigid: registration.Transform{TranslationMM: volume.Vec{2.3, -1.7, 3.1}}, wantRigid: true, leftMM: 0.15},
		{name: "rotation", rigid: registration.Transform{TranslationMM: volume.Vec{0.8, 1.2, -2.1}, RotationRad: volume.Vec{0.04, -0.03, 0.05}},
			wantRigid: true, leftMM: 0.1},
		{name: "warp", to: warped, wantRigid: true, wantWarp: true, leftMM: 0.5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := tc.to
			if to == nil {
				to = tc.rigid.At
			}
			fixed := s.render(g, 0, 4, 1, to)
			mask := breastMask(g, to)
			r, err := registration.Register(t.Context(), fixed, moving, registration.Options{Mask: mask})
			if err != nil {
				t.Fatal(err)
			}
			if r.Rigid.Kept != tc.wantRigid || r.Deform.Kept != tc.wantWarp {
				t.Errorf("kept rigid %v deform %v, want %v %v\nrigid %+v\ndeform %+v", r.Rigid.Kept, r.Deform.Kept, tc.wantRigid, tc.wantWarp, r.Rigid, r.Deform)
			}
			if r.Transform.Identity() == tc.wantRigid || r.Transform.Deforms() != tc.wantWarp {
				t.Errorf("transform %+v", r.Transform)
			}
			before, _ := residual(mask, still, to)
			left, most := residual(mask, r.Transform.At, to)
			t.Logf("%.2f mm of motion, %.3f mm left (at most %.2f)\nrigid %+v\ndeform %+v", before, left, most, r.Rigid, r.Deform)
			if left > tc.leftMM {
				t.Errorf("%.3f mm left of %.2f on average, want at most %g", left, before, tc.leftMM)
			}
			if !tc.wantWarp {
				if off := r.Transform.RotationRad.Sub(tc.rigid.RotationRad).Norm() * 180 / math.Pi; off > 0.3 {
					t.Errorf("rotation is off by %.3f degrees, want 0.3 at most", off)
				}
				if most > 0.3 {
					t.Errorf("rigid motion is off by %.3f mm somewhere in the mask, want 0.3 at most", most)
				}
			}
			if d := r.Deform.JacobianMin; d < 0.95 || r.Deform.JacobianMax > 1.05 {
				t.Errorf("Jacobian %.3f to %.3f, want within 5 %% of 1", d, r.Deform.JacobianMax)
			}
			if got, want := r.Deform.MeanMM, before; math.Abs(got-want) > tc.leftMM+0.01 {
				t.Errorf("report says %.2f mm of motion, it was %.2f", got, want)
			}
		})
	}
}

// volumeMM3 is the volume around centre whose rise lies above half of the lesion's, counted softly: a voxel counts in full
// above three quarters of the rise, not at all below a quarter.
func volumeMM3(after, before *volume.Volume, centre volume.Vec) float64 {
	const rise = 180 // of the scene's lesion
	sum := 0.0
	for at := range after.Data {
		i, j, k := after.Voxel(at)
		if after.Point(float64(i), float64(j), float64(k)).Sub(centre).Norm() < lesionRadiusMM+5 {
			sum += min(max(2*float64(after.Data[at]-before.Data[at])/rise-0.5, 0), 1)
		}
	}
	return sum * after.VoxelMM3()
}

// A lesion that takes up contrast agent is not motion: registering must neither shrink nor grow it, even where every
// result is kept, and neither where the breast is deformed.
func TestUptakeIsNotMotion(t *testing.T) {
	s, g := newScene(2), dce()
	keepAll := registration.Options{Margin: 1e-9, MinMM: 1e-9}
	after := s.render(g, 1, 3, 2, still)
	for _, tc := range []struct {
		name         string
		to           func(volume.Vec) volume.Vec
		o            registration.Options
		wantIdentity bool
	}{
		{name: "still", to: still, wantIdentity: true},
		{name: "still, everything kept", to: still, o: keepAll},
		{name: "warp", to: warped},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := s.render(g, 0, 3, 1, tc.to)
			centre := lesionAt // where the fixed image shows it
			for range 20 {
				centre = centre.Add(lesionAt.Sub(tc.to(centre)))
			}
			want := volumeMM3(s.render(g, 1, 3, 3, tc.to), before, centre)
			tc.o.Mask = breastMask(g, tc.to)
			r, err := registration.Register(t.Context(), before, after, tc.o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Transform.Identity() != tc.wantIdentity || r.Transform.Deforms() == tc.wantIdentity {
				t.Errorf("identity %v, deforms %v\n%+v\n%+v", r.Transform.Identity(), r.Transform.Deforms(), r.Rigid, r.Deform)
			}
			moved, err := registration.Apply(t.Context(), after, r.Transform, &before.Grid, registration.Resampling{Kernel: registration.Cubic})
			if err != nil {
				t.Fatal(err)
			}
			without, got := volumeMM3(after, before, centre), volumeMM3(moved, before, centre)
			size := lesionShare(r.Transform, centre)
			t.Logf("lesion %.0f mm3 without motion, %.0f with it, %.0f registered; size %.3f, Jacobian %.3f to %.3f", want, without, got, size,
				r.Deform.JacobianMin, r.Deform.JacobianMax)
			if math.Abs(size-1) > 0.03 {
				t.Errorf("the transform makes the lesion %.3f times as large: want within 3 %%", size)
			}
			// Interpolation and what is left of the motion at the lesion's border take some more.
			if math.Abs(got/want-1) > 0.06 {
				t.Errorf("lesion %.0f mm3 in the registered image, truly %.0f: want within 6 %%", got, want)
			}
		})
	}
}

// lesionShare is the volume that the lesion has in images that t was applied to, over its own.
func lesionShare(t registration.Transform, centre volume.Vec) float64 {
	const step = 0.7 // mm
	n := 0
	for k := -18.; k <= 18; k++ {
		for j := -18.; j <= 18; j++ {
			for i := -18.; i <= 18; i++ {
				if t.At(centre.Add(volume.Vec{i, j, k}.Scale(step))).Sub(t.At(centre)).Norm() < lesionRadiusMM {
					n++
				}
			}
		}
	}
	return float64(n) * step * step * step / (4. / 3 * math.Pi * lesionRadiusMM * lesionRadiusMM * lesionRadiusMM)
}

// Another grid, orientation and contrast: a sagittal T2 without fat suppression.
func TestOtherContrast(t *testing.T) {
	s, g := newScene(3), dce()
	truth := registration.Transform{TranslationMM: volume.Vec{1.5, 2, -2.5}, RotationRad: volume.Vec{0, 0, 0.02}}
	fixed := s.render(g, 0, 3, 1, truth.At)
	sagittal := volume.Grid{Size: [3]int{64, 60, 70}, Axis: [3]volume.Vec{{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}}, SpacingMM: [3]float64{2.3, 2.5, 4},
		Origin: volume.Vec{140, -70, 75}}
	moving := s.render(sagittal, 0, 3, 2, still)
	for at, v := range moving.Data { // fat bright, gland dark, air dark
		moving.Data[at] = 300 * float32(math.Exp(-math.Pow((float64(v)-45)/35, 2)))
	}
	mask := breastMask(g, truth.At)
	got, report, err := registration.Rigid(t.Context(), fixed, moving, registration.Options{Mask: mask})
	if err != nil {
		t.Fatal(err)
	}
	mean, most := residual(mask, got.At, truth.At)
	t.Logf("%.3f mm left, at most %.3f: %+v", mean, most, report)
	if !report.Kept || mean > 0.3 {
		t.Errorf("%.2f mm left on average, want at most 0.3: %+v", mean, report)
	}
}

// EPI is distorted along one direction only, and nothing may move along others.
func TestAlong(t *testing.T) {
	s, g := newScene(4), dce()
	distorted := func(p volume.Vec) volume.Vec {
		return p.Add(volume.Vec{0, 4 * math.Sin(p[0]/40) * math.Cos(p[2]/50), 0})
	}
	fixed, moving := s.render(g, 0, 3, 1, distorted), s.render(g, 0, 3, 2, still)
	mask := breastMask(g, distorted)
	o := registration.Options{Mask: mask, Along: volume.Vec{0, 2, 0}, Volume: 1}
	got, report, err := registration.Deform(t.Context(), fixed, moving, registration.Transform{}, o)
	if err != nil || !report.Kept {
		t.Fatalf("%+v, %v", report, err)
	}
	before, _ := residual(mask, still, distorted)
	left, _ := residual(mask, got.At, distorted)
	t.Logf("%.2f mm before, %.2f left: %+v", before, left, report)
	if left > before/3 {
		t.Errorf("%.2f mm of distortion, %.2f left: want at most a third", before, left)
	}
	p := volume.Vec{40, 10, -15}
	if d := got.At(p).Sub(p); d[0] != 0 || d[2] != 0 || d[1] == 0 {
		t.Errorf("displacement %v, want along y only", d)
	}
}

func TestRefusesAndStays(t *testing.T) {
	s, g := newScene(1), testGrid([3]int{40, 30, 30}, volume.Vec{5, 5, 5})
	v := s.render(g, 0, 1, 1, still)
	broken := &volume.Volume{Grid: g, Data: v.Data[:10]}
	far := s.render(g, 0, 1, 1, still)
	far.Origin[0] += 1000
	for _, tc := range []struct {
		name          string
		fixed, moving *volume.Volume
		o             registration.Options
		wantErr       string // else not kept
	}{
		{name: "no moving volume", fixed: v, wantErr: "moving volume is empty"},
		{name: "broken volume", fixed: broken, moving: v, wantErr: "10 values"},
		{name: "mask elsewhere", fixed: v, moving: v, o: registration.Options{Mask: volume.NewMask(dce())}, wantErr: "Mask"},
		{name: "bad option", fixed: v, moving: v, o: registration.Options{KnotMM: -1}, wantErr: "KnotMM"},
		{name: "NaN option", fixed: v, moving: v, o: registration.Options{Margin: math.NaN()}, wantErr: "Margin"},
		{name: "empty mask", fixed: v, moving: v, o: registration.Options{Mask: volume.NewMask(g)}},
		{name: "nothing in common", fixed: v, moving: far},
		{name: "noise", fixed: v, moving: func() *volume.Volume {
			rng := rand.New(rand.NewPCG(7, 7))
			n := volume.New(g)
			for at := range n.Data {
				n.Data[at] = rng.Float32()
			}
			return n
		}()},
		{name: "no edges", fixed: volume.New(g), moving: v},
		{name: "not a number", fixed: v, moving: func() *volume.Volume {
			n := volume.New(g)
			for at := range n.Data {
				n.Data[at] = float32(math.NaN())
			}
			return n
		}()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := registration.Register(t.Context(), tc.fixed, tc.moving, tc.o)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("got %v, want an error with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil || !r.Transform.Identity() || r.Rigid.Kept || r.Deform.Kept || r.Rigid.Reason == "" {
				t.Errorf("got %+v, %v; want the identity and a reason", r, err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	s, g := newScene(1), testGrid([3]int{40, 30, 30}, volume.Vec{5, 5, 5})
	v := s.render(g, 0, 1, 1, still)
	for when := 1; when <= 2; when++ { // the clock is read when the images are prepared, and between the steps
		ctx, cancel := context.WithCancel(t.Context())
		ticks := 0
		o := registration.Options{Now: func() time.Time {
			if ticks++; ticks == when {
				cancel()
			}
			return time.Unix(int64(ticks), 0)
		}}
		if _, err := registration.Register(ctx, v, v, o); !errors.Is(err, context.Canceled) || ticks != when {
			t.Errorf("cancelled at reading %d of the clock: got %v after %d, want context.Canceled", when, err, ticks)
		}
		cancel()
	}
}

// One phase at the matrix of a common protocol, 224 x 224 x 80 at 1.55 x 1.55 x 1.8 mm, with rotation, deformation, uptake
// and noise. On an AMD EPYC it took
// 1.2 s of one core (rigid alone 0.6), and Apply 0.5 s trilinear, 0.6 s cubic.
func BenchmarkRegister(b *testing.B) { benchmark(b, false) }

// BenchmarkApply is what follows, with the cubic kernel.
func BenchmarkApply(b *testing.B) { benchmark(b, true) }

func benchmark(b *testing.B, apply bool) {
	s, g := newScene(1), testGrid([3]int{224, 224, 80}, volume.Vec{1.55, 1.55, 1.8})
	to := func(p volume.Vec) volume.Vec {
		return registration.Transform{RotationRad: volume.Vec{0.02, 0, 0.03}}.At(warped(p))
	}
	fixed, moving := volume.Resample(s.render(dce(), 0, 3, 1, to), g), volume.Resample(s.render(dce(), 1, 3, 2, still), g)
	o := registration.Options{Mask: volume.ResampleMask(breastMask(dce(), to), g)}
	r, err := registration.Register(b.Context(), fixed, moving, o)
	if err != nil || !r.Transform.Deforms() {
		b.Fatalf("%+v, %v", r, err)
	}
	b.SetBytes(int64(4 * g.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if apply {
			_, err = registration.Apply(b.Context(), moving, r.Transform, &g, registration.Resampling{Kernel: registration.Cubic})
		} else {
			_, err = registration.Register(b.Context(), fixed, moving, o)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
