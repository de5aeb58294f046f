package volume_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts/volume"
)

// stack returns n planes of 4 x 3 pixels along the normal of row x column, from first, stepMM apart.
func stack(n int, row, column, first volume.Vec, stepMM float64) []volume.Plane {
	planes := make([]volume.Plane, n)
	for k := range planes {
		planes[k] = volume.Plane{
			Columns: 4, Rows: 3, Axis: [2]volume.Vec{row, column}, SpacingMM: [2]float64{0.5, 2},
			Position:    first.Add(row.Cross(column).Scale(stepMM * float64(k))),
			ThicknessMM: 3, FrameOfReference: "1.2.3",
		}
	}
	return planes
}

var (
	x, y, z = volume.Vec{1, 0, 0}, volume.Vec{0, 1, 0}, volume.Vec{0, 0, 1}
	minusZ  = volume.Vec{0, 0, -1}
	minusX  = volume.Vec{-1, 0, 0}
	minusY  = volume.Vec{0, -1, 0}
)

func TestArrangeOrientations(t *testing.T) {
	c, s := math.Cos(0.3), math.Sin(0.3)
	for _, tc := range []struct {
		name        string
		row, column volume.Vec
		wantAxis    volume.Vec
	}{
		{"transverse supine", x, y, z},
		{"transverse prone", minusX, minusY, z},
		{"sagittal", y, minusZ, minusX},
		{"coronal", x, minusZ, y},
		{"oblique", volume.Vec{c, s, 0}, volume.Vec{-s * c, c * c, s}, volume.Vec{s * s, -c * s, c}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			planes := stack(5, tc.row, tc.column, volume.Vec{10, -20, 30}, 2.5)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(planes), func(i, j int) { planes[i], planes[j] = planes[j], planes[i] })
			g, order, notes, err := volume.Arrange(planes)
			if err != nil || len(notes) > 0 {
				t.Fatalf("Arrange: %v, notes %q", err, notes)
			}
			if d := g.Axis[2].Sub(tc.wantAxis).Norm(); d > 1e-9 {
				t.Errorf("axis of slices %v, want %v", g.Axis[2], tc.wantAxis)
			}
			if g.Size != [3]int{4, 3, 5} || math.Abs(g.SpacingMM[2]-2.5) > 1e-9 || g.SpacingMM[0] != 0.5 || g.SpacingMM[1] != 2 {
				t.Errorf("size %v, spacing %v", g.Size, g.SpacingMM)
			}
			for k, i := range order {
				if d := g.Point(0, 0, float64(k)).Sub(planes[i].Position).Norm(); d > 1e-9 {
					t.Errorf("slice %d lies %g mm from its plane", k, d)
				}
			}
		})
	}
}

func TestArrangeRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(p []volume.Plane) []volume.Plane
		want string
	}{
		{"none", func(p []volume.Plane) []volume.Plane { return nil }, "no slices"},
		{"gap", func(p []volume.Plane) []volume.Plane { return append(p[:4], p[5:]...) }, "1 of 10 slices missing"},
		{"wide gap", func(p []volume.Plane) []volume.Plane { return append(p[:4], p[7:]...) }, "3 of 10 slices missing"},
		{"duplicate", func(p []volume.Plane) []volume.Plane { return append(p, p[3]) }, "same place"},
		{"uneven", func(p []volume.Plane) []volume.Plane { p[9].Position[2] += 0.8; return p }, "not evenly spaced"},
		{"another size", func(p []volume.Plane) []volume.Plane { p[2].Rows = 7; return p }, "differ in size"},
		{"another orientation", func(p []volume.Plane) []volume.Plane { p[2].Axis = [2]volume.Vec{y, z}; return p }, "orientation"},
		{"another spacing", func(p []volume.Plane) []volume.Plane { p[2].SpacingMM[0] = 0.6; return p }, "pixel spacing"},
		{"another frame of reference", func(p []volume.Plane) []volume.Plane { p[2].FrameOfReference = "9"; return p }, "frame of reference"},
		{"sheared", func(p []volume.Plane) []volume.Plane {
			for k := range p {
				p[k].Position[1] += 0.3 * float64(k)
			}
			return p
		}, "sheared"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, _, err := volume.Arrange(tc.edit(stack(10, x, y, volume.Vec{}, 2)))
			var g *volume.GeometryError
			if !errors.As(err, &g) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want a GeometryError with %q", err, tc.want)
			}
		})
	}
}

func TestArrangeTolerates(t *testing.T) {
	planes := stack(10, x, y, volume.Vec{}, 2)
	planes[9].Position[1] += 0.2 // less than half of the 0.5 mm pixel
	planes[4].Position[2] += 0.03
	g, _, notes, err := volume.Arrange(planes)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "0.20 mm") {
		t.Fatalf("got %v, notes %q; want one note on 0.20 mm", err, notes)
	}
	if math.Abs(g.SpacingMM[2]-2) > 1e-9 {
		t.Errorf("slices %g mm apart, want 2", g.SpacingMM[2])
	}
	if g, _, _, err := volume.Arrange(planes[:1]); err != nil || g.SpacingMM[2] != 3 {
		t.Errorf("one slice: %v, spacing %g mm, want its thickness 3", err, g.SpacingMM[2])
	}
}

func TestBuild(t *testing.T) {
	planes := stack(3, x, y, volume.Vec{}, 2)
	in := make([]volume.Slice, 3)
	for i, p := range []int{2, 0, 1} {
		in[i] = volume.Slice{Plane: planes[p], Read: func(_ context.Context, dst []float32) error {
			for n := range dst {
				dst[n] = float32(100*p + n)
			}
			return nil
		}}
	}
	v, order, _, err := volume.Build(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if want := [3]int{1, 2, 0}; [3]int(order) != want {
		t.Errorf("order %v, want %v", order, want)
	}
	if got := v.Data[v.Index(3, 2, 1)]; got != 111 {
		t.Errorf("voxel (3,2,1) is %g, want 111", got)
	}
	broken := errors.New("broken")
	in[1].Read = func(context.Context, []float32) error { return broken }
	if _, _, _, err := volume.Build(t.Context(), in); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := volume.Build(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func header() *dicom.Dataset {
	h := dicom.New()
	h.Set(tag.Rows, 3)
	h.Set(tag.Columns, 4)
	h.Set(tag.PixelSpacing, 2, 0.5)
	h.Set(tag.ImagePositionPatient, -1, -2, -3)
	h.Set(tag.ImageOrientationPatient, 1, 0, 0, 0, 1, 0)
	h.Set(tag.SliceThickness, 1.5)
	h.Set(tag.FrameOfReferenceUID, "1.2.3")
	return h
}

func TestPlaneOf(t *testing.T) {
	p, err := volume.PlaneOf(header(), 0)
	if err != nil || p.SpacingMM != [2]float64{0.5, 2} || p.ThicknessMM != 1.5 || p.Position != (volume.Vec{-1, -2, -3}) {
		t.Fatalf("got %+v, %v", p, err)
	}
	for _, tc := range []struct {
		name string
		edit func(h *dicom.Dataset)
		want string
	}{
		{"no position", func(h *dicom.Dataset) { h.Delete(tag.ImagePositionPatient) }, "Image Position"},
		{"text for a number", func(h *dicom.Dataset) { h.SetVR(tag.ImagePositionPatient, dicom.LO, "a", "b", "c") }, "Image Position"},
		{"no orientation", func(h *dicom.Dataset) { h.Delete(tag.ImageOrientationPatient) }, "Image Orientation"},
		{"parallel axes", func(h *dicom.Dataset) { h.Set(tag.ImageOrientationPatient, 1, 0, 0, 1, 0, 0) }, "orthonormal"},
		{"zero spacing", func(h *dicom.Dataset) { h.Set(tag.PixelSpacing, 0, 1) }, "Pixel Spacing"},
		{"no rows", func(h *dicom.Dataset) { h.Delete(tag.Rows) }, "Rows"},
	} {
		h := header()
		tc.edit(h)
		if _, err := volume.PlaneOf(h, 0); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error on %s", tc.name, err, tc.want)
		}
	}
}

func TestFunctionalGroups(t *testing.T) {
	item := func(t tag.Tag, values ...any) *dicom.Dataset { d := dicom.New(); d.Set(t, values...); return d }
	group := func(d *dicom.Dataset, sequence, t tag.Tag, values ...any) { d.SetItems(sequence, item(t, values...)) }
	h := dicom.New()
	h.Set(tag.Rows, 3)
	h.Set(tag.Columns, 4)
	shared := dicom.New()
	group(shared, tag.PlaneOrientationSequence, tag.ImageOrientationPatient, 1, 0, 0, 0, 1, 0)
	group(shared, tag.PixelMeasuresSequence, tag.PixelSpacing, 1, 1)
	group(shared, tag.PixelValueTransformationSequence, tag.RescaleSlope, 2)
	h.SetItems(tag.SharedFunctionalGroupsSequence, shared)
	one, two := dicom.New(), dicom.New()
	group(one, tag.PlanePositionSequence, tag.ImagePositionPatient, 0, 0, 1)
	group(two, tag.PlanePositionSequence, tag.ImagePositionPatient, 0, 0, 2)
	group(two, tag.PixelValueTransformationSequence, tag.RescaleSlope, 3)
	h.SetItems(tag.PerFrameFunctionalGroupsSequence, one, two)

	p, err := volume.PlaneOf(h, 2)
	if err != nil || p.Position[2] != 2 {
		t.Errorf("frame 2: %v, %v; want z 2", p.Position, err)
	}
	for frame, want := range map[int]float64{1: 2, 2: 3} {
		if slope, _ := volume.Rescale(h, frame); slope != want {
			t.Errorf("slope of frame %d is %g, want %g", frame, slope, want)
		}
	}
	if _, err := volume.PlaneOf(h, 3); err == nil {
		t.Error("frame 3 of 2 has a position")
	}
}

// ramp returns a volume whose value is a linear function of patient space, which trilinear interpolation keeps.
func ramp(g volume.Grid) *volume.Volume {
	v := volume.New(g)
	for n := range v.Data {
		i, j, k := v.Voxel(n)
		v.Data[n] = linear(v.Point(float64(i), float64(j), float64(k)))
	}
	return v
}

func linear(p volume.Vec) float32 { return float32(100 + 2*p[0] - 3*p[1] + p[2]) }

func TestResample(t *testing.T) {
	c, s := math.Cos(0.4), math.Sin(0.4)
	from := volume.Box(volume.Vec{5, 6, 7}, [3]float64{40, 40, 40}, [3]int{20, 25, 16}, [3]volume.Vec{x, y, z}, "1")
	v := ramp(from)
	for _, tc := range []struct {
		name string
		axes [3]volume.Vec
	}{
		{"aligned", [3]volume.Vec{x, y, z}},
		{"permuted and turned", [3]volume.Vec{minusZ, x, minusY}},
		{"oblique", [3]volume.Vec{{c, s, 0}, {-s, c, 0}, z}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onto := volume.Box(volume.Vec{6, 5, 7}, [3]float64{18, 15, 21}, [3]int{9, 11, 13}, tc.axes, "1")
			out := volume.Resample(v, onto)
			for n, got := range out.Data {
				i, j, k := out.Voxel(n)
				want := linear(out.Point(float64(i), float64(j), float64(k)))
				if math.Abs(float64(got-want)) > 1e-3 {
					t.Fatalf("voxel (%d,%d,%d) is %g, want %g", i, j, k, got, want)
				}
			}
		})
	}
	far := volume.Box(volume.Vec{500, 0, 0}, [3]float64{10, 10, 10}, [3]int{3, 3, 3}, [3]volume.Vec{x, y, z}, "1")
	for _, got := range volume.Resample(v, far).Data {
		if got != 0 {
			t.Fatalf("outside is %g, want 0", got)
		}
	}
}

// TestResamplePathsAgree compares the fast path with the general one on noise, with the grid larger than the volume.
func TestResamplePathsAgree(t *testing.T) {
	v := volume.New(volume.Box(volume.Vec{}, [3]float64{10, 12, 14}, [3]int{5, 6, 7}, [3]volume.Vec{x, y, z}, "1"))
	r := rand.New(rand.NewPCG(3, 4))
	for i := range v.Data {
		v.Data[i] = r.Float32()
	}
	onto := volume.Box(volume.Vec{1, 0, 0}, [3]float64{20, 20, 20}, [3]int{23, 21, 19}, [3]volume.Vec{y, z, x}, "1")
	out := volume.Resample(v, onto)
	for n, got := range out.Data {
		i, j, k := out.Voxel(n)
		a, b, c := v.At(out.Point(float64(i), float64(j), float64(k)))
		if want := v.Sample(a, b, c); math.Abs(float64(got-want)) > 1e-5 {
			t.Fatalf("voxel (%d,%d,%d) is %g, want %g", i, j, k, got, want)
		}
	}
}

func TestResampleMask(t *testing.T) {
	m := volume.NewMask(volume.Box(volume.Vec{}, [3]float64{4, 4, 4}, [3]int{4, 4, 4}, [3]volume.Vec{x, y, z}, "1"))
	m.Data[m.Index(1, 2, 3)] = true
	out := volume.ResampleMask(m, volume.Box(volume.Vec{}, [3]float64{8, 8, 8}, [3]int{16, 16, 16}, [3]volume.Vec{x, y, z}, "1"))
	if got := out.Count(); got != 8 || math.Abs(out.VolumeCM3()-m.VolumeCM3()) > 1e-12 {
		t.Errorf("%d voxels, %g cm3; want 8, %g", got, out.VolumeCM3(), m.VolumeCM3())
	}
}

func TestMIP(t *testing.T) {
	v := volume.New(volume.Box(volume.Vec{1, 2, 3}, [3]float64{4, 6, 8}, [3]int{4, 3, 2}, [3]volume.Vec{x, y, z}, "1"))
	for i := range v.Data {
		v.Data[i] = float32(i) - 100
	}
	p := volume.MIP(v, 1)
	if p.Size != [3]int{4, 1, 2} || p.SpacingMM[1] != 6 || math.Abs(p.Origin[1]-2) > 1e-9 {
		t.Errorf("size %v, spacing %v, origin %v", p.Size, p.SpacingMM, p.Origin)
	}
	if got, want := p.Data[p.Index(1, 0, 1)], v.Data[v.Index(1, 2, 1)]; got != want {
		t.Errorf("got %g, want the last row's %g", got, want)
	}
}

func TestNIfTI(t *testing.T) {
	c, s := math.Cos(0.4), math.Sin(0.4)
	for _, tc := range []struct {
		name string
		axes [3]volume.Vec
	}{
		{"transverse", [3]volume.Vec{x, y, z}},
		{"sagittal", [3]volume.Vec{y, minusZ, minusX}},
		{"oblique", [3]volume.Vec{{c, s, 0}, {-s * c, c * c, s}, {s * s, -c * s, c}}},
		{"left-handed", [3]volume.Vec{x, y, minusZ}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := ramp(volume.Box(volume.Vec{5, 6, 7}, [3]float64{6, 8, 10}, [3]int{2, 3, 4}, tc.axes, "1"))
			var out bytes.Buffer
			if err := volume.WriteNIfTI(&out, v); err != nil {
				t.Fatal(err)
			}
			b := out.Bytes()
			if len(b) != 352+4*24 || string(b[344:348]) != "n+1\x00" {
				t.Fatalf("%d bytes, magic %q", len(b), b[344:348])
			}
			f := func(at int) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[at:]))) }
			// Both ways to the last voxel must lead to its place in RAS.
			want := v.Point(1, 2, 3)
			want[0], want[1] = -want[0], -want[1]
			ijk := [3]float64{1, 2, 3}
			var sform volume.Vec
			for r := range 3 {
				for a := range 3 {
					sform[r] += f(280+16*r+4*a) * ijk[a]
				}
				sform[r] += f(280 + 16*r + 12)
			}
			qb, qc, qd := f(256), f(260), f(264)
			qa := math.Sqrt(max(0, 1-qb*qb-qc*qc-qd*qd))
			rotation := [3][3]float64{
				{qa*qa + qb*qb - qc*qc - qd*qd, 2 * (qb*qc - qa*qd), 2 * (qb*qd + qa*qc)},
				{2 * (qb*qc + qa*qd), qa*qa + qc*qc - qb*qb - qd*qd, 2 * (qc*qd - qa*qb)},
				{2 * (qb*qd - qa*qc), 2 * (qc*qd + qa*qb), qa*qa + qd*qd - qc*qc - qb*qb},
			}
			qform := volume.Vec{f(268), f(272), f(276)}
			for r := range 3 {
				for a := range 3 {
					step := rotation[r][a] * f(80+4*a) * ijk[a]
					if a == 2 {
						step *= f(76)
					}
					qform[r] += step
				}
			}
			if sform.Sub(want).Norm() > 1e-4 || qform.Sub(want).Norm() > 1e-4 {
				t.Errorf("sform leads to %v, qform to %v, want %v", sform, qform, want)
			}
		})
	}
	m := volume.NewMask(volume.Box(volume.Vec{}, [3]float64{2, 2, 2}, [3]int{2, 2, 2}, [3]volume.Vec{x, y, z}, "1"))
	m.Data[5] = true
	var out bytes.Buffer
	if err := volume.WriteMaskNIfTI(&out, m); err != nil || out.Len() != 360 || out.Bytes()[357] != 1 {
		t.Errorf("mask: %v, %d bytes", err, out.Len())
	}
}

func BenchmarkResample(b *testing.B) {
	v := volume.New(volume.Box(volume.Vec{}, [3]float64{320, 320, 160}, [3]int{256, 256, 80}, [3]volume.Vec{x, y, z}, "1"))
	c, s := math.Cos(0.1), math.Sin(0.1)
	for _, bc := range []struct {
		name string
		axes [3]volume.Vec
	}{{"aligned", [3]volume.Vec{x, y, z}}, {"oblique", [3]volume.Vec{{c, s, 0}, {-s, c, 0}, z}}} {
		onto := volume.Box(volume.Vec{}, [3]float64{320, 320, 160}, [3]int{320, 320, 80}, bc.axes, "1")
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(4 * onto.Len()))
			for b.Loop() {
				volume.Resample(v, onto)
			}
		})
	}
}
