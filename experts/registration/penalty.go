package registration

import (
	"math"

	"mome/experts/volume"
)

// penalty holds a deformation back: the mean over the mask of its bending energy and of the square of ln(Jacobian), both
// taken at the knots.
type penalty struct {
	bending, volume float64
	cells           float64   // knots whose mean it is: the mask's volume over a knot's
	axes            matrix    // images of the lattice's axes under the rigid motion
	stencil         []operate // of one knot's 27 neighbours
}

// operate is one neighbour: its offset, and its weights in the three first and the six second derivatives.
type operate struct {
	di, dj, dk int
	first      [3]float32 // per mm
	second     [6]float32 // per mm, times the knots' distance: the change of strain from knot to knot
}

// newPenalty returns the penalty for s on top of the rotation r.
func newPenalty(o *Options, s *spline, r matrix, maskMM3 float64) *penalty {
	h := s.grid.SpacingMM[0]
	p := &penalty{bending: o.Bending, volume: o.Volume, cells: max(maskMM3/(h*h*h), 1)}
	for a := range 3 {
		p.axes[a] = r.apply(s.grid.Axis[a])
	}
	value, slope, curve := [3]float64{1. / 6, 4. / 6, 1. / 6}, [3]float64{-0.5, 0, 0.5}, [3]float64{1, -2, 1}
	for k := range 3 {
		for j := range 3 {
			for i := range 3 {
				n := [3]int{i, j, k}
				w := func(order [3]int) float32 {
					x := 1 / h
					for a, m := range n {
						x *= [3][3]float64{value, slope, curve}[order[a]][m]
					}
					return float32(x)
				}
				root2 := float32(math.Sqrt2) // mixed derivatives count twice
				p.stencil = append(p.stencil, operate{di: i - 1, dj: j - 1, dk: k - 1,
					first: [3]float32{w([3]int{1, 0, 0}), w([3]int{0, 1, 0}), w([3]int{0, 0, 1})},
					second: [6]float32{w([3]int{2, 0, 0}), w([3]int{0, 2, 0}), w([3]int{0, 0, 2}),
						root2 * w([3]int{1, 1, 0}), root2 * w([3]int{1, 0, 1}), root2 * w([3]int{0, 1, 1})}})
			}
		}
	}
	return p
}

// add returns the penalty of s and adds its derivative to grad, component after component.
func (p *penalty) add(s *spline, grad []float64) float64 {
	g := &s.grid
	knots, total := g.Len(), 0.0
	det0 := p.axes[0].Dot(p.axes[1].Cross(p.axes[2])) // 1 or -1
	offset := make([]int, len(p.stencil))
	for n, o := range p.stencil {
		offset[n] = (o.dk*g.Size[1]+o.dj)*g.Size[0] + o.di
	}
	for k := 1; k < g.Size[2]-1; k++ {
		for j := 1; j < g.Size[1]-1; j++ {
			for i := 1; i < g.Size[0]-1; i++ {
				at := g.Index(i, j, k)
				var first [3]volume.Vec // derivative along each axis of the lattice
				var second [6]volume.Vec
				for n := range p.stencil {
					o := &p.stencil[n]
					for c := range 3 {
						x := s.coeff[c][at+offset[n]]
						if x == 0 {
							continue
						}
						for d := range first {
							first[d][c] += float64(o.first[d] * x)
						}
						for d := range second {
							second[d][c] += float64(o.second[d] * x)
						}
					}
				}
				for d := range second {
					total += p.bending * second[d].Dot(second[d])
				}
				var f matrix
				for d := range f {
					f[d] = p.axes[d].Add(first[d])
				}
				cost, slope := logSquare(f[0].Dot(f[1].Cross(f[2])) / det0)
				total += p.volume * cost
				slope *= p.volume / det0
				df := [3]volume.Vec{f[1].Cross(f[2]).Scale(slope), f[2].Cross(f[0]).Scale(slope), f[0].Cross(f[1]).Scale(slope)}
				for n := range p.stencil {
					o := &p.stencil[n]
					for c := range 3 {
						x := 0.0
						for d := range first {
							x += float64(o.first[d]) * df[d][c]
						}
						for d := range second {
							x += 2 * p.bending * float64(o.second[d]) * second[d][c]
						}
						grad[c*knots+at+offset[n]] += x / p.cells
					}
				}
			}
		}
	}
	return total / p.cells
}

// logSquare returns ln(j)2 and its derivative; below 0.1 it goes on as a parabola, so that a fold has a way out.
func logSquare(j float64) (cost, slope float64) {
	const low = 0.1
	l := math.Log(max(j, low))
	d := 1 / max(j, low)
	if j < low {
		l += (j - low) / low
	}
	return l * l, 2 * l * d
}
