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
	deeperMM    float64 // how much farther behind the skin than wallDepth the muscle begins
	suppressed  bool    // fat suppression
	noise       float64 // standard deviation of both channels; gland has 100
	background  []float64
	uneven      float64 // part by which the background differs from lobule to lobule, 0..1
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

// squares is x2 + y2 + z2: at most 1 inside an ellipsoid whose half axes are the units.
func squares(x, y, z float64) float64 { return x*x + y*y + z*z }

// tissue at p: its pre-contrast signal, and its enhancement by phase (nil for none).
func (s *synthetic) tissue(p volume.Vec) (float64, []float64) {
	fat, gland, muscle := 250., 100., 90.
	if s.suppressed {
		fat = 25
	}
	for _, l := range s.lesions {
		d := p.Sub(l.centre)
		if l.vessel {
			if squares(d[0], d[1], 0) <= l.radius[0]*l.radius[0] && math.Abs(d[2]) <= l.halfLen {
				return gland, l.pe
			}
			continue
		}
		if squares(d[0]/l.radius[0], d[1]/l.radius[1], d[2]/l.radius[2]) <= 1 {
			return gland * 0.9, l.pe
		}
	}
	thorax := func(inset float64) bool {
		return squares(p[0]/(thoraxA-inset), (p[1]-sternumY-thoraxB)/(thoraxB-inset), 0) <= 1
	}
	switch {
	case squares((p[0]-30)/45, (p[1]-60)/30, p[2]/50) <= 1:
		return 80, []float64{2, 2, 1.8, 1.7, 1.6, 1.5} // heart
	case thorax(wallDepth + s.deeperMM + 15):
		return 15, nil // lung
	case thorax(wallDepth + s.deeperMM):
		return muscle, []float64{.1, .15, .2, .2, .25, .25}
	}
	skin := []float64{.3, .4, .4, .4, .4, .4}
	for _, side := range [2]float64{1, -1} {
		if side > 0 && !s.left || side < 0 && !s.right {
			continue
		}
		d := volume.Vec{p[0] - side*breastX, p[1] - sternumY - 25, p[2]}
		depth := s.breastMM + 25
		r := squares(d[0]/breastR, d[1]/depth, d[2]/breastR)
		if d[1] > 0 {
			r = squares(d[0]/breastR, 0, d[2]/breastR)
			if d[1] > 60 {
				r = 2
			}
		}
		if r > 1 {
			continue
		}
		if squares(d[0]/35, (d[1]+.35*depth)/(depth*.45), d[2]/35) <= 1 {
			// Lobules of gland in fat, a checkerboard of 8 mm.
			x, y, z := int(math.Floor(p[0]/8)), int(math.Floor(p[1]/8)), int(math.Floor(p[2]/8))
			if (x+y+z)&3 != 0 {
				return gland, s.lobule(x, y, z)
			}
		}
		if r > 0.93 {
			return gland, skin
		}
		return fat, nil
	}
	switch {
	case thorax(2):
		return fat, nil
	case thorax(0):
		return gland, skin
	}
	return 0, nil
}

// lobule returns the background's enhancement in one lobule.
func (s *synthetic) lobule(x, y, z int) []float64 {
	if s.uneven == 0 {
		return s.background
	}
	u := 2*rand.New(rand.NewPCG(uint64(x*73+y), uint64(z))).Float64() - 1
	out := make([]float64, len(s.background))
	for n, pe := range s.background {
		out[n] = pe * (1 + s.uneven*u)
	}
	return out
}

// study draws phases 75 s apart; with partial volume by the four corners of a tetrahedron in each voxel.
func (s *synthetic) study(t *testing.T, phases int) *experts.Study {
	t.Helper()
	st := &experts.Study{TimesKnown: true}
	for n := range phases {
		st.DCE = append(st.DCE, experts.Phase{TimeS: 75 * float64(n), Volume: volume.New(s.grid)})
	}
	g := &s.grid
	err := experts.EachSlice(t.Context(), g.Size[2], func(k int) {
		rng := rand.New(rand.NewPCG(s.seed, uint64(k)))
		for j := range g.Size[1] {
			for i := range g.Size[0] {
				var sum [6]float64
				for _, o := range [4]volume.Vec{{.25, .25, .25}, {-.25, -.25, .25}, {-.25, .25, -.25}, {.25, -.25, -.25}} {
					v, pe := s.tissue(g.Point(float64(i)+o[0], float64(j)+o[1], float64(k)+o[2]))
					for n := range phases {
						e := 0.0
						if n > 0 && len(pe) > 0 {
							e = pe[min(n, len(pe))-1]
						}
						sum[n] += v * (1 + e) / 4
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
