package registration_test

import (
	"math"
	"math/rand/v2"

	"mome/experts/volume"
)

// scene is a pair of breasts that is known at every place: half ellipsoids of fat with skin, gland as blobs, and one
// lesion at lesionAt. Being a function it needs no interpolation: what a test moves is moved exactly.
type scene struct {
	blobs []blob
}

type blob struct {
	at       volume.Vec
	radiusMM float64
	signal   float64
}

var lesionAt = volume.Vec{70, -10, 5}

const lesionRadiusMM = 9

func newScene(seed uint64) *scene {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &scene{}
	for n := range 60 {
		side := float64(n%2*2 - 1)
		s.blobs = append(s.blobs, blob{
			at:       volume.Vec{side * (70 + 22*rng.NormFloat64()), -8 + 16*rng.NormFloat64(), 22 * rng.NormFloat64()},
			radiusMM: 4 + 5*rng.Float64(), signal: 60 + 60*rng.Float64()})
	}
	return s
}

// soft is 1 inside, 0 outside, over about 2 mm.
func soft(insideMM float64) float64 { return 1 / (1 + math.Exp(-2*insideMM)) }

// depth is how far p lies inside a breast, mm, about; negative outside.
func depth(p volume.Vec) float64 {
	x, y, z := (math.Abs(p[0])-70)/60, (p[1]-45)/105, p[2]/62
	return min((1-math.Sqrt(x*x+y*y+z*z))*60, 45-p[1])
}

// at is the signal: uptake 0 is before contrast, 1 after. What enhances are the lesion, the gland by a third, and the skin.
func (s *scene) at(p volume.Vec, uptake float64) float64 {
	d := depth(p)
	if d < -8 {
		return 0
	}
	gland := 0.0
	for _, b := range s.blobs {
		if r := p.Sub(b.at); r.Dot(r) < (b.radiusMM+6)*(b.radiusMM+6) {
			gland += b.signal * soft((b.radiusMM-r.Norm())/1.5)
		}
	}
	in, skin := soft(d), soft(d)*soft(3-d)
	lesion := soft(lesionRadiusMM - p.Sub(lesionAt).Norm())
	return in*(40+min(gland, 130)*(1+uptake/3)*(1-lesion)+lesion*(110+180*uptake)) + skin*(60+6*uptake)
}

func testGrid(size [3]int, mm volume.Vec) volume.Grid {
	g := volume.Grid{Size: size, Axis: [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, SpacingMM: [3]float64(mm)}
	centre := volume.Vec{0, 0, 0}
	for a := range 3 {
		g.Origin[a] = centre[a] - mm[a]*float64(size[a]-1)/2
	}
	return g
}

// dce is the grid of the tests: 104 x 52 x 52 at 2.8 mm.
func dce() volume.Grid { return testGrid([3]int{104, 52, 52}, volume.Vec{2.8, 2.8, 2.8}) }

// render samples the scene at to(p) on g, with Gaussian noise of sigma.
func (s *scene) render(g volume.Grid, uptake, sigma float64, seed uint64, to func(volume.Vec) volume.Vec) *volume.Volume {
	v := volume.New(g)
	rng := rand.New(rand.NewPCG(seed, 2))
	for at := range v.Data {
		i, j, k := g.Voxel(at)
		v.Data[at] = float32(s.at(to(g.Point(float64(i), float64(j), float64(k))), uptake) + sigma*rng.NormFloat64())
	}
	return v
}

func still(p volume.Vec) volume.Vec { return p }

// breastMask is what lies inside the breasts at to(p).
func breastMask(g volume.Grid, to func(volume.Vec) volume.Vec) *volume.Mask {
	m := volume.NewMask(g)
	for at := range m.Data {
		i, j, k := g.Voxel(at)
		m.Data[at] = depth(to(g.Point(float64(i), float64(j), float64(k)))) > 0
	}
	return m
}

// residual returns the mean and the largest distance, mm, between two maps within a mask.
func residual(m *volume.Mask, a, b func(volume.Vec) volume.Vec) (mean, largest float64) {
	n := 0
	for at, in := range m.Data {
		if !in || at%7 != 0 {
			continue
		}
		i, j, k := m.Voxel(at)
		p := m.Point(float64(i), float64(j), float64(k))
		d := a(p).Sub(b(p)).Norm()
		mean, largest, n = mean+d, max(largest, d), n+1
	}
	return mean / float64(n), largest
}
