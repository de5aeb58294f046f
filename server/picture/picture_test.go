package picture

import (
	"bytes"
	"context"
	"errors"
	"image/color"
	"math"
	"testing"

	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/analysis"
)

// study is an examination without noise, of voxels of the spacing given on a grid about the origin: phase n is 100 + n
// everywhere, so that only what a test adds is bright. The right breast fills the patient's right, both reach over the
// front two thirds.
func study(g volume.Grid) *analysis.Reading {
	s := &experts.Study{Reference: 2}
	for n := range 4 {
		v := volume.New(g)
		for at := range v.Data {
			v.Data[at] = float32(100 + n)
		}
		s.DCE = append(s.DCE, experts.Phase{TimeS: 90 * float64(n), Volume: v})
	}
	s.T2 = s.DCE[0].Volume
	front := math.Abs(g.Origin[1])
	a := &fusion.Assessment{Grid: g}
	for _, side := range [...]experts.Side{experts.Right, experts.Left} {
		a.Breasts = append(a.Breasts, experts.Breast{Side: side, Mask: where(g, func(p volume.Vec) bool {
			return (p[0] < 0) == (side == experts.Right) && p[1] < front/3
		})})
	}
	ser := volume.New(g)
	for at := range ser.Data {
		ser.Data[at] = 1.1
	}
	return &analysis.Reading{Study: s, Assessment: a, Opinions: []*experts.Opinion{{Maps: map[string]*volume.Volume{"SER": ser, "ADC": ser}}}}
}

// where is the mask of the voxels whose centre is in.
func where(g volume.Grid, in func(volume.Vec) bool) *volume.Mask {
	m := volume.NewMask(g)
	for at := range m.Data {
		i, j, k := m.Voxel(at)
		m.Data[at] = in(g.Point(float64(i), float64(j), float64(k)))
	}
	return m
}

// grid is a lattice about the origin with its axes along those of the patient that are given.
func grid(size [3]int, mm float64, axes [3]volume.Vec) volume.Grid {
	return volume.Box(volume.Vec{}, [3]float64{float64(size[0]) * mm, float64(size[1]) * mm, float64(size[2]) * mm}, size, axes, "1.2.3")
}

func axial() [3]volume.Vec { return [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}} }

// addLesion puts a bright ball into the post-contrast phases and the findings.
func addLesion(r *analysis.Reading, centre volume.Vec, radiusMM, probability float64) {
	m := where(r.Assessment.Grid, func(p volume.Vec) bool { return p.Sub(centre).Norm() <= radiusMM })
	for _, p := range r.Study.DCE[1:] {
		for at, in := range m.Data {
			if in {
				p.Volume.Data[at] = 300
			}
		}
	}
	side := experts.Left
	if centre[0] < 0 {
		side = experts.Right
	}
	r.Assessment.Algorithm.OperatingPoint = 0.5
	r.Assessment.Findings = append(r.Assessment.Findings, fusion.Finding{
		Lesion: &experts.Lesion{Side: side, Mask: m, CentreMM: centre}, Probability: experts.Known(probability),
	})
}

func drawn(t *testing.T, r *analysis.Reading) map[string]Picture {
	t.Helper()
	all, err := Draw(t.Context(), r, Config{Notice: "NOT FOR CLINICAL USE", TrainedOn: "nothing"})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Picture{}
	for _, p := range all {
		if _, twice := by[p.Name]; twice {
			t.Errorf("two pictures are called %s", p.Name)
		}
		by[p.Name] = p
	}
	return by
}

// extentMM returns the range of the pixels of a colour, mm along the picture's directions from the plane's origin.
func extentMM(p Picture, is func(color.RGBA) bool) (low, high [2]float64, n int) {
	low, high = [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	b := p.Image.Bounds()
	for y := titleBand; y < b.Max.Y-noticeBand; y++ {
		for x := range b.Max.X {
			if !is(p.Image.RGBAAt(x, y)) {
				continue
			}
			mm := p.Plane.OriginMM.Add(p.Plane.Right.Scale(float64(x) * p.Plane.SpacingMM)).Add(p.Plane.Down.Scale(float64(y) * p.Plane.SpacingMM))
			for d, v := range [2]float64{mm.Dot(p.Plane.Right), mm.Dot(p.Plane.Down)} {
				low[d], high[d] = min(low[d], v), max(high[d], v)
			}
			n++
		}
	}
	return low, high, n
}

func near(a, b color.NRGBA) bool {
	d := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return d(a.R, b.R)+d(a.G, b.G)+d(a.B, b.B) < 30
}

func ink(c color.NRGBA) func(color.RGBA) bool {
	return func(p color.RGBA) bool { return near(color.NRGBA{p.R, p.G, p.B, 255}, c) }
}

// TestWhereThingsAre draws a lesion at a known place on grids stored every way round: its outline lies around it in every
// picture, by the geometry that the picture states, and the picture is held as radiologists hold it.
func TestWhereThingsAre(t *testing.T) {
	const mm, radius = 1.5, 9.0
	centre := volume.Vec{-33, -20, 12} // right, front, towards the head
	for name, axes := range map[string][3]volume.Vec{
		"axial": axial(), "axial, turned about": {{-1, 0, 0}, {0, -1, 0}, {0, 0, 1}},
		"sagittal": {{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}}, "coronal": {{1, 0, 0}, {0, 0, -1}, {0, -1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			r := study(grid([3]int{72, 72, 72}, mm, axes))
			addLesion(r, centre, radius, 0.9)
			all := drawn(t, r)
			for _, want := range []struct {
				name        string
				right, down volume.Vec
			}{
				{"mip-transverse", volume.Vec{1, 0, 0}, volume.Vec{0, 1, 0}}, // the patient's right is on the left
				{"mip-sagittal-right", volume.Vec{0, 1, 0}, volume.Vec{0, 0, -1}},
				{"lesion-1-anatomy", volume.Vec{1, 0, 0}, volume.Vec{0, 1, 0}},
				{"lesion-1-t2", volume.Vec{1, 0, 0}, volume.Vec{0, 1, 0}},
			} {
				p, ok := all[want.name]
				if !ok {
					t.Errorf("there is no %s", want.name)
					continue
				}
				if p.Plane.Right != want.right || p.Plane.Down != want.down {
					t.Errorf("%s: right is %v and down %v, want %v and %v", want.name, p.Plane.Right, p.Plane.Down, want.right, want.down)
				}
				// In a projection the number beside the outline has its colour, too: the middle of the two edges that it cannot
				// widen is looked at there, the whole in a section.
				low, high, n := extentMM(p, ink(okabeIto(orange)))
				for d, dir := range [2]volume.Vec{want.right, want.down} {
					c := centre.Dot(dir)
					// The outline runs half a voxel outside the ball's outermost centres, at most a voxel inside its edge.
					if p.Kind != Projection && (math.Abs(low[d]-(c-radius)) > mm || math.Abs(high[d]-(c+radius)) > mm) {
						t.Errorf("%s: the outline spans %.1f to %.1f mm along %v (%d pixels), want %.1f to %.1f", want.name, low[d], high[d], dir, n, c-radius, c+radius)
					}
					if p.Kind == Projection && !(low[d] < c && high[d] > c && high[d]-low[d] < 4*radius) {
						t.Errorf("%s: the mark spans %.1f to %.1f mm along %v, want it around %.1f", want.name, low[d], high[d], dir, c)
					}
				}
			}
			if _, ok := all["mip-sagittal-left"]; !ok {
				t.Error("the other breast has no projection")
			}
		})
	}
}

func TestContours(t *testing.T) {
	for _, tc := range []struct {
		name  string
		rows  []string
		lines int
		area  float64 // inside, pixels: each corner of the outline cuts an eighth off, or adds it
	}{
		{"a pixel", []string{"...", ".#.", "..."}, 1, 0.5},
		{"at the edge", []string{"##", "##"}, 1, 3.5},
		{"a ring", []string{"###", "#.#", "###"}, 2, 8.5 - 0.5},
		{"corners that touch", []string{"#.", ".#"}, 2, 1},
		{"nothing", []string{"..", ".."}, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, h := len(tc.rows[0]), len(tc.rows)
			var in []bool
			for _, row := range tc.rows {
				for _, c := range row {
					in = append(in, c == '#')
				}
			}
			lines, area := contours(in, w, h), 0.0
			for _, l := range lines {
				if l[0] != l[len(l)-1] {
					t.Errorf("the line %v is not closed", l)
				}
				for n := range l[1:] {
					area += (l[n].x*l[n+1].y - l[n+1].x*l[n].y) / 2
				}
			}
			if len(lines) != tc.lines || math.Abs(area-tc.area) > 1e-9 {
				t.Errorf("got %d lines around %v pixels, want %d around %v: %v", len(lines), area, tc.lines, tc.area, lines)
			}
		})
	}
}

func TestSERColour(t *testing.T) {
	for _, tc := range []struct {
		ser  float64
		want color.NRGBA
	}{
		{0.5, okabeIto(blue)}, {0.9, okabeIto(purple)}, {1, okabeIto(green)}, {1.29, okabeIto(green)}, {1.3, okabeIto(vermilion)},
		{1.75, okabeIto(yellow)}, {3, color.NRGBA{255, 255, 255, 255}}, {9, color.NRGBA{255, 255, 255, 255}},
	} {
		if got, ok := serColour(tc.ser); !ok || got != tc.want {
			t.Errorf("SER %v: got %v, want %v", tc.ser, got, tc.want)
		}
	}
	for _, none := range []float64{0, -1, math.NaN()} {
		if _, ok := serColour(none); ok {
			t.Errorf("SER %v has a colour", none)
		}
	}
}

// TestKineticsShowsWhatTheMapSays: the field of the class that the map holds covers the section.
func TestKineticsShowsWhatTheMapSays(t *testing.T) {
	r := study(grid([3]int{64, 64, 40}, 1, axial()))
	addLesion(r, volume.Vec{}, 6, 0.1)
	r.Assessment.Breasts = nil // where none is known, nothing is left out
	p := drawn(t, r)["lesion-1-kinetics"]
	c := okabeIto(green) // SER 1.1, over black and over white
	_, _, n := extentMM(p, func(p color.RGBA) bool {
		return p.R < 60 && p.G > 120 && p.G < 180 && p.B > 90 && p.B < 150
	})
	all := p.Image.Rect.Dx() * p.Image.Rect.Dx()
	if n < all*9/10 {
		t.Errorf("%d of %d pixels are tinted like %v", n, all, c)
	}
}

func TestKineticSections(t *testing.T) {
	r := study(grid([3]int{64, 64, 40}, 1, axial()))
	addLesion(r, volume.Vec{10.5, -10.5, 0.5}, 3, 0.1)
	all, err := KineticSections(t.Context(), r, 0, 9, Config{Notice: "NOT FOR CLINICAL USE"})
	if err != nil || len(all) != 7 { // a ball of 3 mm about a voxel's centre
		t.Fatalf("got %d sections, %v, want 7", len(all), err)
	}
	for n, p := range all {
		if got, want := p.Plane.OriginMM[2], 0.5+float64(n-3); math.Abs(got-want) > 1e-9 {
			t.Errorf("section %d lies at z %v mm, want %v", n, got, want)
		}
		if p.Plane.SpacingMM != all[0].Plane.SpacingMM || p.Image.Rect != all[0].Image.Rect || p.Plane.FrameOfReference != "1.2.3" {
			t.Errorf("section %d has another geometry: %+v", n, p.Plane)
		}
	}
	some, err := KineticSections(t.Context(), r, 0, 3, Config{Notice: "NOT FOR CLINICAL USE"})
	if err != nil || len(some) != 3 {
		t.Fatalf("got %d sections, %v, want 3", len(some), err)
	}
	for n, p := range some {
		if want := all[3*n]; p.Title != want.Title || !bytes.Equal(p.Image.Pix, want.Image.Pix) {
			t.Errorf("%d of 3: %s, want %s", n+1, p.Title, want.Title)
		}
	}
}

// TestEveryPictureSaysWhatItIs: without a notice there is none, and the same reading gives the same bytes.
func TestEveryPictureSaysWhatItIs(t *testing.T) {
	r := study(grid([3]int{40, 40, 30}, 2, axial()))
	addLesion(r, volume.Vec{10, -10, 0}, 6, 0.1)
	if _, err := Draw(t.Context(), r, Config{}); err == nil {
		t.Error("pictures were drawn without a notice")
	}
	first, second := drawn(t, r), drawn(t, r)
	for name, p := range first {
		other := second[name]
		a, err := p.PNG()
		b, err2 := other.PNG()
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from one time to the next: %v, %v", name, err, err2)
		}
		notice, yellowPixels := p.Image.Bounds(), 0
		for y := notice.Max.Y - noticeBand; y < notice.Max.Y; y++ {
			for x := range notice.Max.X {
				if ink(okabeIto(yellow))(p.Image.RGBAAt(x, y)) {
					yellowPixels++
				}
			}
		}
		if yellowPixels < 50 {
			t.Errorf("%s shows no notice", name)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Draw(cancelled, r, Config{Notice: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// TestOddReadings: nothing that headers or masks can claim makes a picture large, or fail.
func TestOddReadings(t *testing.T) {
	if got, err := Draw(t.Context(), &analysis.Reading{Assessment: &fusion.Assessment{}}, Config{Notice: "x"}); err != nil || got != nil {
		t.Errorf("without volumes: got %d pictures, %v", len(got), err)
	}
	for name, mm := range map[string]float64{"fine": 1e-4, "coarse": 1e4} {
		r := study(grid([3]int{24, 24, 12}, mm, axial()))
		r.Assessment.Breasts = nil
		addLesion(r, volume.Vec{}, 1.5*mm, 0.1)
		r.Study.DCE[2].Volume.Data[3] = float32(math.NaN())
		r.Study.DCE[2].Volume.Data[4] = float32(math.Inf(1))
		whole, none := volume.NewMask(r.Assessment.Grid), volume.NewMask(r.Assessment.Grid)
		for at := range whole.Data {
			whole.Data[at] = true
		}
		for _, m := range []*volume.Mask{whole, none, nil, volume.NewMask(grid([3]int{2, 2, 2}, 1, axial()))} {
			r.Assessment.Findings = append(r.Assessment.Findings, fusion.Finding{Lesion: &experts.Lesion{Mask: m}})
		}
		all := drawn(t, r)
		if len(all) != 1+2*4 { // a projection; four of each of the two lesions that have voxels
			t.Errorf("%s: got %d pictures, want 9", name, len(all))
		}
		for _, p := range all {
			png, err := p.PNG()
			if err != nil || len(png) > 2<<20 || p.Image.Rect.Dx() > mostPixels || p.Image.Rect.Dy() > mostPixels+100 {
				t.Errorf("%s: %s is %v, %d bytes, %v", name, p.Name, p.Image.Rect, len(png), err)
			}
		}
	}
}

// BenchmarkDraw draws all pictures of a study of 352 x 352 x 120 voxels with three lesions, and encodes them.
func BenchmarkDraw(b *testing.B) {
	r := study(grid([3]int{352, 352, 120}, 1, axial()))
	for n := range 3 {
		addLesion(r, volume.Vec{40 * float64(n), -20, 0}, 8, 0.9)
	}
	b.ReportAllocs()
	for b.Loop() {
		all, err := Draw(b.Context(), r, Config{Notice: "bench"})
		if err != nil {
			b.Fatal(err)
		}
		for n := range all {
			if _, err := all[n].PNG(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
