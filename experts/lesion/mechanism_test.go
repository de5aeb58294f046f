package lesion_test

import (
	"math"
	"testing"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// near returns the candidate whose centre lies within this distance of p, or nil.
func near(found []*experts.Lesion, p volume.Vec, withinMM float64) *experts.Lesion {
	for _, l := range found {
		if l.CentreMM.Sub(p).Norm() <= withinMM {
			return l
		}
	}
	return nil
}

// one is a study of three phases of the middle of the left breast, in voxels of this size, with one lesion.
func one(mm float64, lesion ball) synthetic {
	s := bilateral()
	s.grid = axial(int(160/mm), int(120/mm), int(54/mm), [3]float64{mm, mm, mm})
	s.grid.Origin[0], s.grid.Origin[1] = -22, -68
	s.right, s.lesions = false, []ball{lesion}
	return s
}

// TestContrast: what enhances by 55 % is a finding in a breast that is quiet otherwise, and none in one whose gland
// enhances as much here and there.
func TestContrast(t *testing.T) {
	weak := ball{centre: volume.Vec{70, -20, 5}, radius: [3]float64{8, 8, 8}, pe: []float64{.55, .6}}
	for _, c := range []struct {
		name       string
		background []float64
		uneven     float64
		found      bool
	}{
		{"quiet", minimal, 0, true},
		{"restless", []float64{.25, .35, .4, .4, .4, .4}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := one(2.2, weak)
			s.background, s.uneven = c.background, c.uneven
			_, found, _ := read(t, s.study(t, 3), lesion.Config{})
			if got := near(found, weak.centre, 3) != nil; got != c.found {
				t.Errorf("lesion of 55 %% found: %t, want %t", got, c.found)
			}
		})
	}
}

// TestCoarseVoxels: at 2.7 mm a ball of 5.6 mm is four voxels. It has a thickness only where they are divided.
func TestCoarseVoxels(t *testing.T) {
	small := ball{centre: volume.Vec{70.4, -20.3, 5.2}, radius: [3]float64{2.8, 2.8, 2.8}, pe: washout}
	s := one(2.7, small)
	_, found, _ := read(t, s.study(t, 3), lesion.Config{})
	l := near(found, small.centre, 2.7)
	if l == nil || len(found) != 1 {
		t.Fatalf("%d candidates at 2.7 mm, want the ball of 5.6 mm alone", len(found))
	}
	if want := 4 * math.Pi / 3 * math.Pow(2.8, 3) / 1000; l.VolumeCM3 < want/2 || l.VolumeCM3 > 2*want {
		t.Errorf("volume %.3f cm3, want %.3f within a factor of 2: its surface cuts all of its voxels", l.VolumeCM3, want)
	}
}

// TestFewVoxels: a spot of five voxels is larger than a ball of MinDiameterMM and yet no candidate.
func TestFewVoxels(t *testing.T) {
	spot := ball{centre: volume.Vec{70, -20, 5}, radius: [3]float64{2.2, 2.2, 2.2}, pe: washout}
	s := one(2.2, spot)
	_, found, _ := read(t, s.study(t, 3), lesion.Config{})
	for _, l := range found {
		t.Errorf("%s at %.0f, %d voxels, want none below 8", l.Label, l.CentreMM, l.Mask.Count())
	}
}

// TestChestWall: what enhances behind the wall and bulges 3 mm into the breast's region is muscle; the same ball in the
// breast is a lesion.
func TestChestWall(t *testing.T) {
	for _, c := range []struct {
		name  string
		y     float64 // of its centre; the muscle begins at 24
		found bool
	}{
		{"behind the wall", 26, false},
		{"in the breast", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bulge := ball{centre: volume.Vec{75, c.y, 0}, radius: [3]float64{5.3, 5.3, 5.3}, pe: washout}
			s := one(1.5, bulge)
			_, found, _ := read(t, s.study(t, 3), lesion.Config{})
			if got := near(found, bulge.centre, 5) != nil; got != c.found {
				t.Errorf("ball found: %t, want %t", got, c.found)
			}
		})
	}
}
