package lesion

import (
	"math"

	"mome/experts/volume"
)

// block is a mask's box with an empty voxel all around, so that every voxel of the mask has all its neighbours.
type block struct {
	grid *volume.Grid
	lo   [3]int     // of the grid, of the block's first voxel; may be -1
	n    [3]int     // voxels
	mm   [3]float64 // their size
	in   []bool     // i fastest
	set  []int      // the mask's voxels, ascending
}

func newBlock(m *volume.Mask, b box) *block {
	s := &block{grid: &m.Grid, mm: m.SpacingMM}
	for a := range 3 {
		s.lo[a], s.n[a] = b.lo[a]-1, b.hi[a]-b.lo[a]+3
	}
	s.in = make([]bool, s.n[0]*s.n[1]*s.n[2])
	for k := b.lo[2]; k <= b.hi[2]; k++ {
		for j := b.lo[1]; j <= b.hi[1]; j++ {
			for i := b.lo[0]; i <= b.hi[0]; i++ {
				if m.Data[m.Index(i, j, k)] {
					at := s.index([3]int{i - s.lo[0], j - s.lo[1], k - s.lo[2]})
					s.in[at] = true
					s.set = append(s.set, at)
				}
			}
		}
	}
	return s
}

func (s *block) index(v [3]int) int { return (v[2]*s.n[1]+v[1])*s.n[0] + v[0] }

func (s *block) voxel(at int) [3]int {
	return [3]int{at % s.n[0], at / s.n[0] % s.n[1], at / (s.n[0] * s.n[1])}
}

// place returns the centre of a voxel in mm along the grid's axes, from the block's first voxel.
func (s *block) place(v [3]int) volume.Vec { return stepMM(v, s.mm) }

// point returns a place given in half voxels of the block in patient space.
func (s *block) point(h half) volume.Vec {
	var p [3]float64
	for a := range 3 {
		p[a] = float64(h[a])/2 + float64(s.lo[a])
	}
	return s.grid.Point(p[0], p[1], p[2])
}

func (s *block) voxelMM3() float64 { return s.mm[0] * s.mm[1] * s.mm[2] }

// pitchMM is the side of the cube that is as large as a voxel.
func (s *block) pitchMM() float64 { return math.Cbrt(s.voxelMM3()) }

// faces calls do for each face between the mask and its outside: its voxel, its axis, and the side (-1 or 1) it looks to.
func (s *block) faces(do func(at, axis, side int)) {
	steps := [3]int{1, s.n[0], s.n[0] * s.n[1]}
	for _, at := range s.set {
		for axis, step := range steps {
			for _, side := range [2]int{-1, 1} {
				if !s.in[at+side*step] {
					do(at, axis, side)
				}
			}
		}
	}
}

// depth returns for each voxel of the block its distance from the mask's surface, mm, 0 outside.
func (s *block) depth() []float32 {
	d := chamfer(s.in, s.n, s.mm)
	half := float32(s.mm[0]+s.mm[1]+s.mm[2]) / 6 // the distance runs to the centre of the first voxel outside
	for _, at := range s.set {
		d[at] -= half
	}
	return d
}

// moments are the centroid, mm from the block's first voxel, and the covariance of the mask's points, mm2, the extent of
// the voxels themselves included.
func (s *block) moments() (centre volume.Vec, cov [3][3]float64) {
	count := float64(len(s.set))
	for _, at := range s.set {
		centre = centre.Add(s.place(s.voxel(at)).Scale(1 / count))
	}
	for _, at := range s.set {
		d := s.place(s.voxel(at)).Sub(centre)
		for a := range 3 {
			for b := range 3 {
				cov[a][b] += d[a] * d[b] / count
			}
		}
	}
	for a := range 3 {
		cov[a][a] += s.mm[a] * s.mm[a] / 12
	}
	return centre, cov
}

// eigenvalues returns those of a symmetric matrix, the largest first, by the trigonometric solution of its
// characteristic equation (Smith, Commun ACM 1961;4:168).
func eigenvalues(m [3][3]float64) [3]float64 {
	mean := (m[0][0] + m[1][1] + m[2][2]) / 3
	off := m[0][1]*m[0][1] + m[0][2]*m[0][2] + m[1][2]*m[1][2]
	spread := 2 * off
	for a := range 3 {
		m[a][a] -= mean
		spread += m[a][a] * m[a][a]
	}
	p := math.Sqrt(spread / 6)
	if p == 0 {
		return [3]float64{mean, mean, mean}
	}
	angle := math.Acos(min(max(determinant(m)/(2*p*p*p), -1), 1)) / 3
	first := mean + 2*p*math.Cos(angle)
	third := mean + 2*p*math.Cos(angle+2*math.Pi/3)
	return [3]float64{first, 3*mean - first - third, third}
}

func determinant(m [3][3]float64) float64 {
	return volume.Vec(m[0]).Dot(volume.Vec(m[1]).Cross(volume.Vec(m[2])))
}

// inverse returns that of a symmetric matrix, and false where it has none.
func inverse(m [3][3]float64) (out [3][3]float64, ok bool) {
	d := determinant(m)
	if !(math.Abs(d) > 0) {
		return out, false
	}
	for a := range 3 {
		row := volume.Vec(m[(a+1)%3]).Cross(volume.Vec(m[(a+2)%3]))
		for b := range 3 {
			out[b][a] = row[b] / d
		}
	}
	return out, true
}
