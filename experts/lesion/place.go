package lesion

import (
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// centralMM is the distance from the nipple's axis up to which a lesion has no hour: it lies behind the areola, whose
// radius is about 20 mm, and half of it is as well as the nipple's place is known.
const centralMM = 10.0

// clock returns the hour of p about a nipple as seen by who faces the patient, 1 to 12, and 0 behind the nipple. Up is
// +z, and the patient's left (+x) is on the viewer's right: 3 o'clock is outer in the left breast and inner in the right.
func clock(p, nipple volume.Vec) int {
	x, z := p[0]-nipple[0], p[2]-nipple[2]
	if math.Hypot(x, z) < centralMM {
		return 0
	}
	hour := int(math.Round(math.Atan2(x, z) / (math.Pi / 6)))
	return (hour+11)%12 + 1
}

// nearestMM returns the least distance of any of the points to p.
func nearestMM(points []volume.Vec, p volume.Vec) float64 {
	best := math.Inf(1)
	for _, q := range points {
		d := q.Sub(p)
		best = min(best, d.Dot(d))
	}
	return math.Sqrt(best)
}

// landmarks are the surfaces that distances are told from, mm in the chest's frame.
type landmarks struct {
	*chest
	skin    []volume.Vec // faces of cells between the body and what is outside
	wall    []volume.Vec // a place in each column of cells
	nipples map[experts.Side]volume.Vec
}

func newLandmarks(ch *chest, breasts []experts.Breast) *landmarks {
	m := &landmarks{chest: ch, nipples: map[experts.Side]volume.Vec{}}
	for _, br := range breasts {
		if p, ok := Nipple(br); ok {
			m.nipples[br.Side] = m.framed(p)
		}
	}
	for z := range ch.size[2] {
		for y := range ch.size[1] {
			for x := range ch.size[0] {
				if ch.inside[ch.at(x, y, z)] {
					m.addSkin([3]int{x, y, z})
				}
			}
		}
		for x := range ch.size[0] {
			if y := ch.wallMM(float64(x), z); !math.IsNaN(y) {
				m.wall = append(m.wall, volume.Vec{(float64(x) + 0.5) * ch.cellMM[0], y, (float64(z) + 0.5) * ch.cellMM[2]})
			}
		}
	}
	return m
}

// addSkin adds the faces between a cell of the body and cells outside. Where the images end there is no skin.
func (m *landmarks) addSkin(cell [3]int) {
	for a := range 3 {
		for _, side := range [2]int{-1, 1} {
			next := cell
			next[a] += side
			if next[a] < 0 || next[a] >= m.size[a] || m.inside[m.at(next[0], next[1], next[2])] {
				continue
			}
			var p volume.Vec
			for d := range 3 {
				p[d] = (float64(cell[d]) + 0.5) * m.cellMM[d]
			}
			p[a] += float64(side) * m.cellMM[a] / 2
			m.skin = append(m.skin, p)
		}
	}
}

// framed returns a place of patient space in mm along the patient's axes from the volume's edge.
func (m *landmarks) framed(p volume.Vec) volume.Vec {
	i, j, k := m.grid.At(p)
	v := [3]float64{i, j, k}
	var out volume.Vec
	for d, a := range m.axis {
		c := v[a]
		if m.flip[d] {
			c = float64(m.n[d]-1) - c
		}
		out[d] = (c + 0.5) * m.mm[d]
	}
	return out
}

// wallAt returns the depth of the chest wall behind a framed place, NaN where no breast can be.
func (m *landmarks) wallAt(p volume.Vec) float64 {
	z := min(max(int(p[2]/m.cellMM[2]), 0), m.size[2]-1)
	return m.wallMM(p[0]/m.cellMM[0]-0.5, z)
}

// locate fills in SkinMM and WallMM, from the lesion's nearest surface in space, and Depth. The skin is known to about
// half a cell of 2.2 mm; the wall is a smooth surface (see wall.go, muscle.go), not a segmented muscle: it lies within 1
// to 2 mm of the muscle of phantoms, and 5 to 10 mm are in doubt where images do not show the muscle. A lesion that reaches
// the wall has 0. Depth parts the way along y from the nipple to the wall behind the lesion's centre in thirds.
func (m *landmarks) locate(l *experts.Lesion) {
	surface := borders(l.Mask)
	if len(surface) == 0 {
		return
	}
	reached := false
	centre, radius := m.framed(l.CentreMM), 0.0
	for n, p := range surface {
		surface[n] = m.framed(p)
		radius = max(radius, surface[n].Sub(centre).Norm())
		reached = reached || surface[n][1] >= m.wallAt(surface[n])
	}
	if mm := between(surface, m.skin, centre, radius); !math.IsInf(mm, 1) {
		l.SkinMM = experts.Known(mm)
	}
	if mm := between(surface, m.wall, centre, radius); reached {
		l.WallMM = experts.Known(0)
	} else if !math.IsInf(mm, 1) {
		l.WallMM = experts.Known(mm)
	}
	if nipple, ok := m.nipples[l.Side]; ok {
		l.Depth = third(centre[1], nipple[1], m.wallAt(centre))
	}
}

// third names the third of the way from the nipple to the wall that y lies in; "" where there is no way.
func third(y, nipple, wall float64) experts.Depth {
	if !(wall > nipple) {
		return ""
	}
	switch part := (y - nipple) / (wall - nipple); {
	case part < 1./3:
		return experts.Anterior
	case part < 2./3:
		return experts.Middle
	}
	return experts.Posterior
}

// between returns the least distance between points of a surface, which lie within radius of centre, and those of
// another, +Inf for none. Those too far from the centre to be nearest are left out; the answer stays exact.
func between(surface, other []volume.Vec, centre volume.Vec, radius float64) float64 {
	least := nearestMM(other, centre)
	best := math.Inf(1)
	for _, q := range other {
		if far := q.Sub(centre).Norm(); far <= least+2*radius && far-radius < best {
			best = min(best, nearestMM(surface, q))
		}
	}
	return best
}

// Relate fills in Neighbours: for each lesion the others of its breast, in the order given, with the gap between their
// surfaces, the distance of their centres, and whether they are multifocal or multicentric by their quadrants.
func Relate(lesions []*experts.Lesion) {
	surfaces, radius := make([][]volume.Vec, len(lesions)), make([]float64, len(lesions))
	for n, l := range lesions {
		l.Neighbours = nil
		if l.Mask == nil {
			continue
		}
		surfaces[n] = borders(l.Mask)
		for _, p := range surfaces[n] {
			radius[n] = max(radius[n], p.Sub(l.CentreMM).Norm())
		}
	}
	for n, l := range lesions {
		for o := range n {
			other := lesions[o]
			if l.Side != other.Side || len(surfaces[n]) == 0 || len(surfaces[o]) == 0 {
				continue
			}
			r := experts.Relation{
				GapMM:      between(surfaces[n], surfaces[o], l.CentreMM, radius[n]),
				DistanceMM: other.CentreMM.Sub(l.CentreMM).Norm(),
			}
			switch {
			case l.Quadrant == "" || other.Quadrant == "":
			case l.Quadrant == other.Quadrant:
				r.Spread = experts.Multifocal
			default:
				r.Spread = experts.Multicentric
			}
			r.To = other
			l.Neighbours = append(l.Neighbours, r)
			r.To = l
			other.Neighbours = append(other.Neighbours, r)
		}
	}
}

// borders returns all face centres of a mask's surface, patient space.
func borders(m *volume.Mask) []volume.Vec {
	b := bounds(m)
	if b.empty() {
		return nil
	}
	var points []volume.Vec
	for _, plane := range surface(m, b) {
		for _, h := range plane {
			points = append(points, m.Point(float64(h[0])/2, float64(h[1])/2, float64(h[2])/2))
		}
	}
	return points
}
