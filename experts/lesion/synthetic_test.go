package lesion_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"mome/experts"
	"mome/experts/volume"
)

// ball is a lesion of a synthetic study.
type ball struct {
	centre  volume.Vec // mm
	radius  [3]float64 // mm, half axes
	pe      []float64  // enhancement at each post-contrast phase, fraction
	vessel  bool       // a tube along z of radius[0], pe as above
	halfLen float64    // of a vessel, mm
}

// synthetic describes a study drawn with simple shapes: a thorax (elliptic cylinder) with a heart and lungs, two breasts
// (half ellipsoids) of fat with a core of gland, skin, lesions, noise.
type synthetic struct {
	grid        volume.Grid
	breastMM    float64 // how far the breasts hang
	suppressed  bool    // fat suppression
	noise       float64 // standard deviation of both channels; gland has 100
	background  []float64
	lesions     []ball
	seed        uint64
	left, right bool
}

const (
	sternumY  = 0.0  // mm, skin over the sternum
	thoraxA   = 150. // half width
	thoraxB   = 100.
	breastX   = 80. // centre of a breast from the midline
	breastR   = 62.
	wallDepth = 10. // muscle begins behind the skin
)

func axial(nx, ny, nz int, mm [3]float64) volume.Grid {
	return volume.Grid{
		Size:      [3]int{nx, ny, nz},
		Axis:      [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		SpacingMM: mm,
		Origin:    volume.Vec{-mm[0] * float64(nx-1) / 2, -90, -mm[2] * float64(nz-1) / 2},
	}
}

// tissue at p: its pre-contrast signal, and its enhancement by phase (nil for none).
func (s *synthetic) tissue(p volume.Vec) (float64, []float64) {
	fat, gland, muscle := 250., 100., 90.
	if s.suppressed {
		fat = 25
	}
	for _, l := range s.lesions {
		d := p.Sub(l.centre)
		if l.vessel {
			if math.Hypot(d[0], d[1]) <= l.radius[0] && math.Abs(d[2]) <= l.halfLen {
				return gland, l.pe
			}
			continue
		}
		if r := math.Hypot(math.Hypot(d[0]/l.radius[0], d[1]/l.radius[1]), d[2]/l.radius[2]); r <= 1 {
			return gland * 0.9, l.pe
		}
	}
	thorax := func(inset float64) bool {
		a, b := thoraxA-inset, thoraxB-inset
		return math.Hypot(p[0]/a, (p[1]-sternumY-thoraxB)/b) <= 1
	}
	if math.Hypot(math.Hypot((p[0]-30)/45, (p[1]-60)/30), p[2]/50) <= 1 {
		return 80, []float64{2, 2, 1.8, 1.7, 1.6, 1.5} // heart
	}
	switch {
	case thorax(wallDepth + 15):
		return 15, nil // lung
	case thorax(wallDepth):
		return muscle, []float64{.1, .15, .2, .2, .25, .25}
	}
	for _, side := range [2]float64{1, -1} {
		if side > 0 && !s.left || side < 0 && !s.right {
			continue
		}
		d := volume.Vec{p[0] - side*breastX, p[1] - sternumY - 25, p[2]}
		depth := s.breastMM + 25
		r := math.Hypot(math.Hypot(d[0]/breastR, d[1]/depth), d[2]/breastR)
		if d[1] > 0 {
			r = math.Hypot(d[0]/breastR, d[2]/breastR)
			if d[1] > 60 {
				r = 2
			}
		}
		if r <= 1 {
			if g := math.Hypot(math.Hypot(d[0]/35, (d[1]+30)/(depth*.45)), d[2]/35); g <= 1 {
				// Lobules of gland in fat, a checkerboard of 8 mm.
				if int(math.Floor(p[0]/8)+math.Floor(p[1]/8)+math.Floor(p[2]/8))&3 != 0 {
					return gland, s.background
				}
			}
			if r > 0.965 {
				return gland, []float64{.3, .4, .4, .4, .4, .4} // skin
			}
			return fat, nil
		}
	}
	if thorax(0) {
		if !thorax(2) {
			return gland, []float64{.3, .4, .4, .4, .4, .4}
		}
		return fat, nil
	}
	return 0, nil
}

// study draws six phases 75 s apart; with partial volume by 2x2x2 samples a voxel.
func (s *synthetic) study(t *testing.T) *experts.Study {
	t.Helper()
	const phases = 6
	st := &experts.Study{TimesKnown: true}
	for n := range phases {
		st.DCE = append(st.DCE, experts.Phase{TimeS: 75 * float64(n), Volume: volume.New(s.grid)})
	}
	g := &s.grid
	err := experts.EachSlice(t.Context(), g.Size[2], func(k int) {
		rng := rand.New(rand.NewPCG(s.seed, uint64(k)))
		for j := range g.Size[1] {
			for i := range g.Size[0] {
				var sum [phases]float64
				for sub := range 8 {
					o := func(bit int) float64 { return float64(sub>>bit&1)/2 - 0.25 }
					v, pe := s.tissue(g.Point(float64(i)+o(0), float64(j)+o(1), float64(k)+o(2)))
					for n := range phases {
						e := 0.0
						if n > 0 && len(pe) > 0 {
							e = pe[min(n, len(pe))-1]
						}
						sum[n] += v * (1 + e) / 8
					}
				}
				for n := range phases {
					st.DCE[n].Volume.Data[g.Index(i, j, k)] = float32(math.Hypot(sum[n]+s.noise*rng.NormFloat64(), s.noise*rng.NormFloat64()))
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return st
}
