package fusion

import (
	"math"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/volume"
)

// ramp is a volume whose voxel (i, j, k) holds 100 i + 10 j + k + 1: linear, and nowhere zero.
func ramp(size [3]int, axis [3]volume.Vec) *volume.Volume {
	v := volume.New(volume.Grid{
		Size: size, Axis: axis, Origin: volume.Vec{-10, 5, 30}, SpacingMM: [3]float64{1, 2, 3}, FrameOfReference: "1.2",
	})
	for at := range v.Data {
		i, j, k := v.Voxel(at)
		v.Data[at] = float32(100*i + 10*j + k + 1)
	}
	return v
}

var (
	axial    = [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	sagittal = [3]volume.Vec{{0, 1, 0}, {0, 0, -1}, {1, 0, 0}}          // columns to the back, rows to the feet
	tilted   = [3]volume.Vec{{.96, .28, 0}, {-.28, .96, 0}, {0, 0, -1}} // 16 degrees about the body's axis, head first
	feet     = [3]volume.Vec{{-1, 0, 0}, {0, -1, 0}, {0, 0, 1}}         // as for a patient on her front
	halfway  = [3]volume.Vec{{0, math.Sqrt2 / 2, -math.Sqrt2 / 2}, {0, math.Sqrt2 / 2, math.Sqrt2 / 2}, {1, 0, 0}}
)

func readWhole(t *testing.T, size [3]int, v *volume.Volume) []float32 {
	t.Helper()
	box := nn.Box{Channels: 1, Size: size}
	in, err := Whole(nn.Boxes{T2: box}, map[experts.Modality][]*volume.Volume{experts.T2: {v}})
	if err != nil {
		t.Fatal(err)
	}
	if in.DCE != nil || in.DWI != nil || len(in.T2) != box.Floats() {
		t.Fatalf("%d, %d, %d values, want %d of T2 alone", len(in.DCE), len(in.T2), len(in.DWI), box.Floats())
	}
	return in.T2
}

func TestWholeKeepsVoxelsThatFit(t *testing.T) {
	// A box of [H, W, D] = [4, 5, 3]; the patient's right, front and feet come first.
	at := func(h, w, d int) int { return (h*5+w)*3 + d }
	for _, c := range []struct {
		name string
		v    *volume.Volume
		want map[int]float32 // everything else is zero
	}{
		{"axial, centred with the odd zero behind", ramp([3]int{3, 2, 1}, axial), map[int]float32{
			at(0, 1, 1): 1, at(1, 1, 1): 101, at(2, 1, 1): 201, at(0, 2, 1): 11, at(1, 2, 1): 111, at(2, 2, 1): 211,
		}},
		{"mirrored", ramp([3]int{2, 2, 1}, feet), map[int]float32{
			at(1, 1, 1): 111, at(2, 1, 1): 11, at(1, 2, 1): 101, at(2, 2, 1): 1,
		}},
		{"sagittal", ramp([3]int{3, 2, 1}, sagittal), map[int]float32{ // i to W, j to D reversed, k to H
			at(1, 1, 0): 11, at(1, 1, 1): 1, at(1, 2, 0): 111, at(1, 2, 1): 101, at(1, 3, 0): 211, at(1, 3, 1): 201,
		}},
		{"tilted", ramp([3]int{2, 1, 3}, tilted), map[int]float32{
			at(1, 2, 0): 3, at(1, 2, 1): 2, at(1, 2, 2): 1, at(2, 2, 0): 103, at(2, 2, 1): 102, at(2, 2, 2): 101,
		}},
	} {
		got := readWhole(t, [3]int{4, 5, 3}, c.v)
		for i, v := range got {
			if v != c.want[i] {
				t.Errorf("%s: voxel (%d, %d, %d) is %g, want %g", c.name, i/15, i/3%5, i%3, v, c.want[i])
			}
		}
	}
}

func TestWholeShrinksByOneFactor(t *testing.T) {
	for _, c := range []struct {
		name      string
		box, size [3]int
		to        [3]int // voxels filled
	}{
		// 4/7 along H; 5 x 4/7 = 2.86 -> 3, 2 x 4/7 = 1.14 -> 1.
		{"too wide", [3]int{4, 6, 4}, [3]int{7, 5, 2}, [3]int{4, 3, 1}},
		// 1/2 along D: 5 x 1/2 = 2.5 -> 2 and 3 x 1/2 = 1.5 -> 2, half to even.
		{"too high", [3]int{5, 4, 3}, [3]int{5, 3, 6}, [3]int{2, 2, 3}},
		{"along all", [3]int{2, 2, 2}, [3]int{9, 8, 4}, [3]int{2, 2, 1}},
		{"to nothing", [3]int{1, 9, 9}, [3]int{9, 1, 1}, [3]int{1, 1, 1}},
		{"by one voxel", [3]int{8, 8, 8}, [3]int{9, 8, 8}, [3]int{8, 7, 7}},
	} {
		got := readWhole(t, c.box, ramp(c.size, axial))
		for h := range c.box[0] {
			for w := range c.box[1] {
				for d := range c.box[2] {
					want, inside := 1.0, true
					for a, at := range [3]int{h, w, d} {
						at -= (c.box[a] - c.to[a]) / 2
						inside = inside && at >= 0 && at < c.to[a]
						if c.to[a] > 1 { // sample k (n-1)/(m-1) of a ramp
							want += []float64{100, 10, 1}[a] * float64(at*(c.size[a]-1)) / float64(c.to[a]-1)
						}
					}
					if !inside {
						want = 0
					}
					if v := got[(h*c.box[1]+w)*c.box[2]+d]; math.Abs(float64(v)-want) > 1e-4 {
						t.Errorf("%s: voxel (%d, %d, %d) is %g, want %g", c.name, h, w, d, v, want)
					}
				}
			}
		}
	}
}

// What Whole puts into a box voxel is what the volume shows at the voxel's place in the patient.
func TestWholeGridIsWhereTheVoxelsAre(t *testing.T) {
	for name, axis := range map[string][3]volume.Vec{"axial": axial, "sagittal": sagittal, "tilted": tilted, "feet": feet, "halfway": halfway} {
		for _, size := range [][3]int{{4, 3, 5}, {9, 8, 4}, {2, 21, 3}} {
			v, box := ramp(size, axis), nn.Box{Channels: 1, Size: [3]int{6, 7, 5}}
			g, err := WholeGrid(box, v.Grid)
			if err != nil {
				t.Fatal(err)
			}
			if g.FrameOfReference != "1.2" || g.Size != [3]int{5, 7, 6} {
				t.Errorf("%s: grid %+v", name, g)
			}
			for at, got := range readWhole(t, box.Size, v) {
				i, j, k := g.Voxel(at)
				x, y, z := v.At(g.Point(float64(i), float64(j), float64(k)))
				want := v.Sample(math.Round(x*1e9)/1e9, math.Round(y*1e9)/1e9, math.Round(z*1e9)/1e9)
				if math.Abs(float64(got-want)) > 1e-3 {
					t.Errorf("%s, volume of %v: box voxel (%d, %d, %d) is %g, the volume there %g", name, size, i, j, k, got, want)
				}
			}
		}
	}
}

func TestWholeAndCropRefuse(t *testing.T) {
	v := ramp([3]int{3, 2, 1}, axial)
	stated := nn.Box{Channels: 1, Size: [3]int{4, 4, 4}, FieldOfViewMM: [3]float64{1, 1, 1}}
	silent := nn.Box{Channels: 1, Size: [3]int{4, 4, 4}}
	flat := ramp([3]int{3, 2, 1}, [3]volume.Vec{})
	for _, c := range []struct {
		name     string
		box      nn.Box
		channels []*volume.Volume
		crop     bool
		want     string
	}{
		{"a field of view", stated, []*volume.Volume{v}, false, "field of view"},
		{"one channel for two", nn.Box{Channels: 2, Size: silent.Size}, []*volume.Volume{v}, false, "1 channels, the weights want 2"},
		{"channels of two grids", nn.Box{Channels: 2, Size: silent.Size}, []*volume.Volume{v, ramp([3]int{3, 2, 2}, axial)}, false, "channel 1"},
		{"no axes", silent, []*volume.Volume{flat}, false, "axes"},
		{"no voxels", silent, []*volume.Volume{ramp([3]int{3, 0, 1}, axial)}, false, "voxels"},
		{"no field of view", silent, []*volume.Volume{v}, true, "field of view"},
		{"one channel for two", nn.Box{Channels: 2, Size: stated.Size, FieldOfViewMM: stated.FieldOfViewMM}, []*volume.Volume{v}, true, "1 channels, the weights want 2"},
	} {
		boxes, channels := nn.Boxes{DWI: c.box}, map[experts.Modality][]*volume.Volume{experts.DWI: c.channels}
		_, err := Whole(boxes, channels)
		if c.crop {
			_, err = Crop(boxes, channels, volume.Vec{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "DWI") {
			t.Errorf("%s, crop %v: error %v, want one of DWI with %q", c.name, c.crop, err, c.want)
		}
	}
}

// Crop samples where BoxGrid says.
func TestBoxGridIsWhereCropReads(t *testing.T) {
	v := ramp([3]int{30, 20, 10}, axial)
	box := nn.Box{Channels: 1, Size: [3]int{4, 3, 2}, FieldOfViewMM: [3]float64{8, 9, 10}}
	centre := v.Point(14.5, 9.5, 4.5)
	in, err := Crop(nn.Boxes{T2: box}, map[experts.Modality][]*volume.Volume{experts.T2: {v}}, centre)
	if err != nil {
		t.Fatal(err)
	}
	g := BoxGrid(box, centre, "1.2")
	if g.SpacingMM != [3]float64{5, 3, 2} || g.Size != [3]int{2, 3, 4} || g.FrameOfReference != "1.2" {
		t.Errorf("grid %+v, want 2 x 3 x 4 voxels of 5, 3, 2 mm", g)
	}
	for at, got := range in.T2 {
		i, j, k := g.Voxel(at)
		x, y, z := v.At(g.Point(float64(i), float64(j), float64(k)))
		if want := 100*x + 10*y + z + 1; math.Abs(float64(got)-want) > 1e-3 {
			t.Errorf("box voxel (%d, %d, %d) is %g, want %g", i, j, k, got, want)
		}
	}
	// Head, back and left are the ends of D, W and H.
	if d := g.Axis; d != [3]volume.Vec{{0, 0, 1}, {0, 1, 0}, {1, 0, 0}} {
		t.Errorf("axes %v", d)
	}
}
