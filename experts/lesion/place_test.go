package lesion_test

import (
	"fmt"
	"math"
	"testing"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// mounds are two drawn breasts whose tips lie at x = +-80, y -60, z 0.
func mounds(g volume.Grid) []experts.Breast {
	breast := func(side experts.Side, x float64) experts.Breast {
		return experts.Breast{Side: side, Mask: drawn(g, func(p volume.Vec) bool {
			return p[1] < 30 && squares((p[0]-x)/50, (p[1]-30)/90, p[2]/50) <= 1
		})}
	}
	return []experts.Breast{breast(experts.Left, 80), breast(experts.Right, -80)}
}

// TestClock: hours run as on a clock's face that lies on the patient's breast, for both sides: 12 is up, 3 is the
// patient's left.
func TestClock(t *testing.T) {
	g := axial(64, 31, 30, [3]float64{4, 4, 4})
	breasts := mounds(g)
	for _, side := range []float64{80, -80} {
		for hour := range 12 {
			off := 0.35 - 0.7*float64(hour&1) // of an hour: still nearest to it
			sin, cos := math.Sincos((float64(hour) + off) * math.Pi / 6)
			at := volume.Vec{side + 28*sin, 5, 28 * cos}
			l := &experts.Lesion{Mask: drawn(g, func(p volume.Vec) bool { return p.Sub(at).Norm() <= 10 })}
			lesion.Measure(l, breasts)
			if want := (hour+11)%12 + 1; l.Clock != want {
				t.Errorf("lesion at %.0f: %d o'clock, want %d", at, l.Clock, want)
			}
		}
	}
	l := &experts.Lesion{Mask: drawn(g, func(p volume.Vec) bool { return p.Sub(volume.Vec{84, 0, 5}).Norm() <= 10 })}
	lesion.Measure(l, breasts)
	if l.Clock != 0 || l.Quadrant != "upper outer" {
		t.Errorf("6 mm off the nipple's axis: %d o'clock, %q, want no hour, upper outer", l.Clock, l.Quadrant)
	}
	nipple, ok := lesion.Nipple(breasts[0])
	if want := (volume.Vec{84, 0, 5}).Sub(nipple).Norm() - 10; !ok || !l.NippleMM.Known || math.Abs(l.NippleMM.Value-want) > 2 {
		t.Errorf("distance to the nipple %v, want %.1f mm within half a voxel", l.NippleMM, want)
	}
}

// TestLines: the diameters as lines lie on the lesion, are as long as the numbers say, and orthogonal.
func TestLines(t *testing.T) {
	iso := cube(45, [3]float64{1, 1, 1})
	sin, cos := math.Sincos(0.6)
	ellipsoid := func(p volume.Vec) bool { // half axes 15, 7 in the axial plane, 9 along z
		x, y := cos*p[0]+sin*p[1], cos*p[1]-sin*p[0]
		return squares(x/15, y/7, p[2]/9) <= 1
	}
	for _, c := range []struct {
		name string
		grid volume.Grid
	}{
		{"axial", iso},
		{"sagittal", turn(iso, [3]int{1, 2, 0}, [3]bool{false, true, false})},
		{"coronal, feet first", turn(iso, [3]int{0, 2, 1}, [3]bool{true, true, true})},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &experts.Lesion{Mask: drawn(c.grid, ellipsoid)}
			lesion.Measure(l, nil)
			for _, q := range []struct {
				name      string
				line      experts.Line
				mm, tolMM float64
				along     volume.Vec
			}{
				{"long", l.LongLine, 30, 1, volume.Vec{cos, sin, 0}},
				{"short", l.ShortLine, 18, 1, volume.Vec{0, 0, 1}},
				{"axial long", l.AxialLong, 30, 1, volume.Vec{cos, sin, 0}},
				{"axial short", l.AxialShort, 14, 1, volume.Vec{-sin, cos, 0}},
			} {
				mm := q.line.LengthMM()
				if math.Abs(mm-q.mm) > q.tolMM {
					t.Errorf("%s: %.2f mm, want %.0f within %.1f", q.name, mm, q.mm, q.tolMM)
				}
				d := q.line.To.Sub(q.line.From).Scale(1 / mm)
				if math.Abs(d.Dot(q.along)) < 0.98 { // 11 degrees: a voxel at either end of the shortest
					t.Errorf("%s: runs along %.2f, want %.2f", q.name, d, q.along)
				}
			}
			if math.Abs(l.LongLine.LengthMM()-l.LongAxisMM) > 1e-9 || math.Abs(l.ShortLine.LengthMM()-l.ShortAxisMM) > 1e-9 {
				t.Errorf("lines of %.4f and %.4f mm, axes of %.4f and %.4f", l.LongLine.LengthMM(), l.ShortLine.LengthMM(), l.LongAxisMM, l.ShortAxisMM)
			}
			if middle := l.ShortLine.From.Add(l.ShortLine.To).Scale(0.5); middle.Norm() > 1 {
				t.Errorf("the middle of the short line is %.2f, want the ellipsoid's centre", middle)
			}
			for name, pair := range map[string][2]experts.Line{"3-D": {l.LongLine, l.ShortLine}, "axial": {l.AxialLong, l.AxialShort}} {
				a, b := pair[0].To.Sub(pair[0].From), pair[1].To.Sub(pair[1].From)
				if math.Abs(a.Dot(b)) > 1e-6*a.Norm()*b.Norm() {
					t.Errorf("%s lines %v and %v are not orthogonal", name, pair[0], pair[1])
				}
			}
			for _, p := range []volume.Vec{l.AxialLong.From, l.AxialLong.To, l.AxialShort.From, l.AxialShort.To} {
				if math.Abs(p[2]) > 1e-9 {
					t.Errorf("an end of the axial lines lies at z %.2f, want the middle section", p[2])
				}
			}
		})
	}
}

// TestCalipers: in an axial stack they are the axial lines; in others they lie in the plane of the images.
func TestCalipers(t *testing.T) {
	iso := cube(45, [3]float64{1, 1, 1})
	ellipsoid := func(p volume.Vec) bool { return squares(p[0]/15, p[1]/7, (p[2]-3)/10) <= 1 }
	for _, c := range []struct {
		name            string
		grid            volume.Grid
		longMM, shortMM float64 // of the section
	}{
		{"axial", iso, 30, 14},
		{"sagittal", turn(iso, [3]int{1, 2, 0}, [3]bool{false, true, false}), 20, 14},
		{"coronal", turn(iso, [3]int{0, 2, 1}, [3]bool{true, true, true}), 30, 20},
	} {
		l := &experts.Lesion{Mask: drawn(c.grid, ellipsoid)}
		lesion.Measure(l, nil)
		slice, long, short := lesion.Calipers(l.Mask)
		if math.Abs(long.LengthMM()-c.longMM) > 1 || math.Abs(short.LengthMM()-c.shortMM) > 1 {
			t.Errorf("%s: %.1f and %.1f mm, want %.0f and %.0f", c.name, long.LengthMM(), short.LengthMM(), c.longMM, c.shortMM)
		}
		for _, p := range []volume.Vec{long.From, long.To, short.From, short.To} {
			if _, _, k := c.grid.At(p); math.Abs(k-float64(slice)) > 1e-9 {
				t.Errorf("%s: an end lies on slice %.2f, want %d", c.name, k, slice)
			}
		}
		if c.name == "axial" && (long != l.AxialLong || short != l.AxialShort) {
			t.Errorf("calipers %v and %v, axial lines %v and %v", long, short, l.AxialLong, l.AxialShort)
		}
	}
	if slice, _, _ := lesion.Calipers(volume.NewMask(iso)); slice != -1 {
		t.Errorf("an empty mask has slice %d, want -1", slice)
	}
}

// TestAxialOfConcave: the chord across a comb runs from side to side over its gaps, as calipers do.
func TestAxialOfConcave(t *testing.T) {
	l := &experts.Lesion{Mask: drawn(cube(31, [3]float64{1, 1, 1}), drawnComb)}
	lesion.Measure(l, nil)
	// 25 x 21 mm with cut corners: the longest diameter is near the diagonal, the chord near what crosses it.
	if long, short := l.AxialLong.LengthMM(), l.AxialShort.LengthMM(); long < 29 || long > 33 || short < 24 || short > 32 {
		t.Errorf("axial diameters %.1f and %.1f mm, want about 31 and 26 to 31", long, short)
	}
}

func TestRelate(t *testing.T) {
	g := axial(80, 40, 40, [3]float64{3, 3, 3})
	breasts := mounds(g)
	var lesions []*experts.Lesion
	for n, at := range []volume.Vec{{100, 0, 15}, {105, 5, 28}, {60, 0, 15}, {-95, 0, 20}} {
		l := &experts.Lesion{Label: fmt.Sprintf("Lesion %d", n+1), Mask: drawn(g, func(p volume.Vec) bool { return p.Sub(at).Norm() <= 5.2 })}
		lesion.Measure(l, breasts)
		lesions = append(lesions, l)
	}
	lesion.Relate(lesions)
	lesion.Relate(lesions) // again: nothing is listed twice
	type want struct {
		to       int
		distance float64
		spread   experts.Spread
	}
	wants := [][]want{
		{{1, 14.8, experts.Multifocal}, {2, 40, experts.Multicentric}},
		{{0, 14.8, experts.Multifocal}, {2, 47.1, experts.Multicentric}},
		{{0, 40, experts.Multicentric}, {1, 47.1, experts.Multicentric}},
		nil, // alone in its breast
	}
	for n, l := range lesions {
		if len(l.Neighbours) != len(wants[n]) {
			t.Errorf("%s has %d neighbours, want %d", l.Label, len(l.Neighbours), len(wants[n]))
			continue
		}
		for m, w := range wants[n] {
			got := l.Neighbours[m]
			// Centres and surfaces are known to the voxel of 3 mm.
			if got.To != lesions[w.to] || got.Spread != w.spread || math.Abs(got.DistanceMM-w.distance) > 2 ||
				math.Abs(got.GapMM-(w.distance-10.4)) > 3 {
				t.Errorf("%s to %s: %s, %.1f mm, gap %.1f, want Lesion %d, %s, %.1f mm, gap %.1f", l.Label, got.To.Label,
					got.Spread, got.DistanceMM, got.GapMM, w.to+1, w.spread, w.distance, w.distance-10.4)
			}
		}
	}
}

// TestLandmarks: distances to skin and chest wall, and the depth, of balls in a drawn breast.
func TestLandmarks(t *testing.T) {
	const r = 5.0
	for _, c := range []struct {
		name  string
		at    volume.Vec
		depth experts.Depth
	}{
		{"behind the nipple", volume.Vec{80, -38, 0}, experts.Anterior},
		{"in the middle", volume.Vec{72, -11, 6}, experts.Middle},
		{"to the side", volume.Vec{112, -10, 0}, experts.Middle},
		{"deep", volume.Vec{78, 8, -4}, experts.Posterior},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := one(2, ball{centre: c.at, radius: [3]float64{r, r, r}, pe: washout})
			_, found, _ := read(t, s.study(t, 3), lesion.Config{})
			l := near(found, c.at, 3)
			if l == nil {
				t.Fatalf("%d candidates, none at %.0f", len(found), c.at)
			}
			// The drawn surfaces, searched: the breast's half ellipsoid, and the front of the pectoral muscle.
			skin, muscle := math.Inf(1), math.Inf(1)
			for a := 0.0; a < 360; a++ {
				for b := 0.0; b <= 90; b++ {
					sa, ca := math.Sincos(a * math.Pi / 180)
					sb, cb := math.Sincos(b * math.Pi / 180)
					p := volume.Vec{breastX + breastR*sb*ca, sternumY + 25 - (s.breastMM+25)*cb, breastR * sb * sa}
					skin = min(skin, p.Sub(c.at).Norm())
				}
				x := a - 30
				y := sternumY + thoraxB - (thoraxB-wallDepth)*math.Sqrt(max(1-squares(x/(thoraxA-wallDepth), 0, 0), 0))
				muscle = min(muscle, math.Hypot(x-c.at[0], y-c.at[1]))
			}
			if want := skin - r; !l.SkinMM.Known || math.Abs(l.SkinMM.Value-want) > 2.5 { // a cell of the body
				t.Errorf("distance to the skin %v, want %.1f mm", l.SkinMM, want)
			}
			if want := muscle - r; !l.WallMM.Known || math.Abs(l.WallMM.Value-want) > 6 { // the wall is an estimate
				t.Errorf("distance to the chest wall %v, want %.1f mm", l.WallMM, want)
			}
			if l.Depth != c.depth {
				t.Errorf("depth %q, want %q", l.Depth, c.depth)
			}
		})
	}
}
