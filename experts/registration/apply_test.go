package registration_test

import (
	"math"
	"strings"
	"testing"

	"mome/experts/registration"
	"mome/experts/volume"
)

var (
	nan     = float32(math.NaN())
	kernels = map[string]registration.Kernel{"linear": registration.Linear, "cubic": registration.Cubic}
)

// ramp is linear in patient space, of both signs, which both kernels keep exactly away from the border.
func ramp(p volume.Vec) float64 { return 3*p[0] - 2*p[1] + 5*p[2] - 40 }

func rampOn(g volume.Grid) *volume.Volume {
	v := volume.New(g)
	for at := range v.Data {
		i, j, k := g.Voxel(at)
		v.Data[at] = float32(ramp(g.Point(float64(i), float64(j), float64(k))))
	}
	return v
}

// out(p) = moving(t(p)), on aligned and oblique grids; beyond the moving volume there is no data.
func TestApply(t *testing.T) {
	moving := rampOn(testGrid([3]int{30, 25, 20}, volume.Vec{2, 2.5, 3}))
	tilted := testGrid([3]int{20, 18, 12}, volume.Vec{3, 2, 2.5})
	c, s := math.Cos(0.4), math.Sin(0.4)
	tilted.Axis = [3]volume.Vec{{c, s, 0}, {s, -c, 0}, {0, 0, 1}} // left-handed
	turn := registration.Transform{Centre: volume.Vec{5, 1, -2}, RotationRad: volume.Vec{0.1, 0.05, -0.2}, TranslationMM: volume.Vec{4.2, -3.3, 1.1}}
	for name, kernel := range kernels {
		for _, onto := range []volume.Grid{moving.Grid, tilted} {
			out, err := registration.Apply(t.Context(), moving, turn, &onto, registration.Resampling{Kernel: kernel, Outside: nan})
			if err != nil {
				t.Fatal(err)
			}
			inside, outside := 0, 0
			for at, got := range out.Data {
				i, j, k := onto.Voxel(at)
				p := turn.At(onto.Point(float64(i), float64(j), float64(k)))
				x, y, z := moving.At(p)
				deep := math.Inf(1) // voxels within the outermost centres
				for a, v := range [3]float64{x, y, z} {
					deep = min(deep, v, float64(moving.Size[a]-1)-v)
				}
				switch {
				case deep > 1.001: // the cubic kernel has its four voxels
					if inside++; math.Abs(float64(got)-ramp(p)) > 1e-3 {
						t.Fatalf("%s at %d %d %d: got %g, want %g", name, i, j, k, got, ramp(p))
					}
				case deep < -0.501:
					if outside++; !math.IsNaN(float64(got)) {
						t.Fatalf("%s at %d %d %d, %.2f voxels outside: got %g, want no data", name, i, j, k, -deep, got)
					}
				case deep > -0.499 && math.IsNaN(float64(got)):
					t.Fatalf("%s at %d %d %d: no data within the rim", name, i, j, k)
				}
			}
			if inside < 100 || outside < 20 && onto.Size == moving.Size {
				t.Errorf("%s: only %d voxels inside and %d outside", name, inside, outside)
			}
		}
	}
}

// The identity returns the values themselves, the smallest volume and voxels without data included.
func TestApplyIdentity(t *testing.T) {
	for _, size := range [][3]int{{1, 1, 1}, {5, 1, 3}, {7, 6, 5}} {
		v := rampOn(testGrid(size, volume.Vec{1.5, 2, 2.5}))
		v.Data[len(v.Data)/2] = nan
		for name, kernel := range kernels {
			out, err := registration.Apply(t.Context(), v, registration.Transform{}, &v.Grid, registration.Resampling{Kernel: kernel, Outside: -7})
			if err != nil {
				t.Fatal(err)
			}
			for at, got := range out.Data {
				want := v.Data[at]
				if at == len(v.Data)/2 {
					want = -7
				}
				if math.Abs(float64(got-want)) > 1e-4 {
					t.Errorf("%s %v, voxel %d: got %g, want %g", name, size, at, got, want)
				}
			}
		}
	}
}

// An edge between -100 and 100 stays within them, whatever the kernel.
func TestApplyDoesNotOvershoot(t *testing.T) {
	g := testGrid([3]int{12, 12, 12}, volume.Vec{1, 1, 1})
	v := volume.New(g)
	for at := range v.Data {
		if v.Data[at] = -100; at%12 >= 6 {
			v.Data[at] = 100
		}
	}
	for name, kernel := range kernels {
		out, err := registration.Apply(t.Context(), v, registration.Transform{TranslationMM: volume.Vec{0.3, 0.2, 0.1}}, &g, registration.Resampling{Kernel: kernel})
		if err != nil {
			t.Fatal(err)
		}
		between := 0
		for at, x := range out.Data {
			if x < -100.001 || x > 100.001 {
				t.Fatalf("%s voxel %d: %g", name, at, x)
			}
			if x > -100 && x < 100 && x != 0 {
				between++
			}
		}
		if between == 0 {
			t.Errorf("%s: nothing was interpolated", name)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	v := rampOn(testGrid([3]int{3, 3, 3}, volume.Vec{1, 1, 1}))
	for _, tc := range []struct {
		name   string
		moving *volume.Volume
		onto   *volume.Grid
		r      registration.Resampling
		want   string
	}{
		{"no volume", nil, &v.Grid, registration.Resampling{}, "empty"},
		{"no grid", v, nil, registration.Resampling{}, "no grid"},
		{"kernel", v, &v.Grid, registration.Resampling{Kernel: 9}, "kernel 9"},
	} {
		if _, err := registration.Apply(t.Context(), tc.moving, registration.Transform{}, tc.onto, tc.r); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", tc.name, err, tc.want)
		}
	}
}
