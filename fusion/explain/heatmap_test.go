package explain_test

import (
	"math"
	"testing"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/volume"
	"mome/fusion/explain"
)

// grid is an axis-aligned grid whose first voxel's centre lies at the origin.
func grid(size [3]int, spacingMM float64) volume.Grid {
	return volume.Grid{Size: size, SpacingMM: [3]float64{spacingMM, spacingMM, spacingMM},
		Axis: [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, FrameOfReference: "1.2.3"}
}

// boxed is an explanation of one modality whose voxels are given, 16 to an edge over 64 mm.
func boxed(voxels []float32) *explain.Explanation {
	box := nn.Box{Channels: 1, Size: [3]int{16, 16, 16}, FieldOfViewMM: [3]float64{64, 64, 64}}
	return &explain.Explanation{Parts: []explain.Part{{Modality: experts.DCE, Box: box, Voxels: voxels}}}
}

func total(m *volume.Volume) float64 {
	sum := 0.0
	for _, v := range m.Data {
		sum += float64(v)
	}
	return sum
}

func TestHeatmapKeepsTheSum(t *testing.T) {
	blob := make([]float32, 16*16*16)
	want := 0.0
	for at := range blob {
		h, w, d := at/256, at/16%16, at%16
		r := math.Hypot(math.Hypot(float64(h-9), float64(w-6)), float64(d-7))
		blob[at] = float32(math.Exp(-r * r / 8))
		want += float64(blob[at])
	}
	for _, c := range []struct {
		name      string
		spacingMM float64
		voxels    int
	}{{"finer than the box", 1.5, 64}, {"as fine", 4, 24}, {"coarser", 5.5, 18}, {"much coarser", 13, 8}} {
		t.Run(c.name, func(t *testing.T) {
			g := grid([3]int{c.voxels, c.voxels, c.voxels}, c.spacingMM)
			m, err := boxed(blob).Heatmap(volume.Vec{48, 46, 50}, g)
			if err != nil {
				t.Fatal(err)
			}
			if got := total(m); math.Abs(got/want-1) > 0.03 {
				t.Errorf("sum %g on a grid of %g mm, want %g within 3 %%", got, c.spacingMM, want)
			}
		})
	}
}

func TestPeakLiesWhereTheAttributionIs(t *testing.T) {
	voxels := make([]float32, 16*16*16)
	voxels[(12*16+3)*16+5] = 2 // h 12, w 3, d 5: x, y, z in the patient
	voxels[0] = -9
	centre := volume.Vec{50, 60, 40}
	m, err := boxed(voxels).Heatmap(centre, grid([3]int{50, 50, 50}, 2))
	if err != nil {
		t.Fatal(err)
	}
	want := centre.Add(volume.Vec{(12 - 7.5) * 4, (3 - 7.5) * 4, (5 - 7.5) * 4})
	got, ok := explain.PeakMM(m)
	if !ok || got.Sub(want).Norm() > 2 {
		t.Errorf("peak at %v, want %v within a voxel", got, want)
	}
	i, j, k, value, ok := explain.Peak(m)
	if p := m.Point(float64(i), float64(j), float64(k)); !ok || p != got || value != m.Data[m.Index(i, j, k)] {
		t.Errorf("peak voxel (%d, %d, %d) = %g at %v, want the one at %v", i, j, k, value, p, got)
	}
}

func TestNoPeakWithoutPositiveValues(t *testing.T) {
	m := volume.New(grid([3]int{3, 3, 3}, 1))
	m.Data[4] = -1
	if p, ok := explain.PeakMM(m); ok {
		t.Errorf("a map without positive values peaks at %v", p)
	}
}

func TestCombineKeepsTheLargestMagnitude(t *testing.T) {
	g := grid([3]int{4, 1, 1}, 1)
	a, b := volume.New(g), volume.New(g)
	copy(a.Data, []float32{1, -3, 0, 2})
	copy(b.Data, []float32{-2, 1, 0, 2})
	got, err := explain.Combine(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{-2, -3, 0, 2} {
		if got.Data[i] != want {
			t.Errorf("voxel %d: %g of %g and %g, want %g", i, got.Data[i], a.Data[i], b.Data[i], want)
		}
	}
	if _, err := explain.Combine(a, volume.New(grid([3]int{4, 1, 1}, 2))); err == nil {
		t.Error("maps on two grids were combined")
	}
	if m, err := explain.Combine(); m != nil || err != nil {
		t.Errorf("no maps combine to %v, %v", m, err)
	}
}

func TestMapNeedsItsBox(t *testing.T) {
	p := explain.Part{Modality: experts.T2, Box: nn.Box{Channels: 1, Size: [3]int{2, 3, 4}}, Voxels: make([]float32, 24)}
	if _, err := p.Map(volume.Vec{}, ""); err == nil {
		t.Error("a box without field of view was put around a place")
	}
	if _, err := p.MapOn(grid([3]int{2, 3, 4}, 1)); err == nil {
		t.Error("a grid of H, W, D was taken for one of D, W, H")
	}
	p.Voxels[(1*3+2)*4+1] = 5 // h 1, w 2, d 1
	m, err := p.MapOn(grid([3]int{4, 3, 2}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Data[m.Index(1, 2, 1)]; got != 5 {
		t.Errorf("voxel h 1, w 2, d 1 is %g at i 1, j 2, k 1, want 5", got)
	}
}
