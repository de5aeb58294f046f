package lesion

import (
	"cmp"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

// surface returns the centres of all voxel faces between m and its outside, mm in patient space, grouped by plane. They
// are the vertices of the marching-cubes surface at the level 1/2, so that a voxel's extent counts: a single voxel of
// 1 mm measures 1 mm, not 0 and not its diagonal.
func surface(m *volume.Mask, b box) [][]half {
	planes := make([][]half, 2*(b.hi[2]-b.lo[2])+3) // plane 2(k-lo)+1 holds slice k, its neighbours the faces above and below
	for k := b.lo[2]; k <= b.hi[2]; k++ {
		at := 2*(k-b.lo[2]) + 1
		for j := b.lo[1]; j <= b.hi[1]; j++ {
			for i := b.lo[0]; i <= b.hi[0]; i++ {
				if !m.Data[m.Index(i, j, k)] {
					continue
				}
				for axis := range 3 {
					for _, step := range [2]int{-1, 1} {
						n := [3]int{i, j, k}
						n[axis] += step
						if m.Contains(n[0], n[1], n[2]) && m.Data[m.Index(n[0], n[1], n[2])] {
							continue
						}
						face := half{2 * i, 2 * j, 2 * k}
						face[axis] += step
						planes[at+face[2]-2*k] = append(planes[at+face[2]-2*k], face)
					}
				}
			}
		}
	}
	return planes
}

// half is a place on the grid in half voxels.
type half [3]int

// hull keeps of the points of one plane the vertices of their convex hull (Andrew's monotone chain). The two points of a
// set that lie farthest apart are vertices of its convex hull, hence of the hull of their own plane: reducing every
// plane first leaves the largest diameter exact and the number of pairs small.
func hull(plane []half) []half {
	slices.SortFunc(plane, func(a, b half) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	plane = slices.Compact(plane)
	if len(plane) < 3 {
		return plane
	}
	turn := func(o, a, b half) int { return (a[0]-o[0])*(b[1]-o[1]) - (a[1]-o[1])*(b[0]-o[0]) }
	var out []half
	chain := func(points []half) {
		start := len(out)
		for _, p := range points {
			for len(out) >= start+2 && turn(out[len(out)-2], out[len(out)-1], p) <= 0 {
				out = out[:len(out)-1]
			}
			out = append(out, p)
		}
		out = out[:len(out)-1] // the other chain begins with it
	}
	chain(plane)
	slices.Reverse(plane)
	chain(plane)
	return out
}

// diameters returns the largest 3-D diameter of m inside b and the largest diameter orthogonal to it: the extent of the
// mask's projection along the long axis, drawn through the long axis' middle. Both are exact for the set of face centres.
func diameters(m *volume.Mask, b box) (long, short experts.Line, longMM, shortMM float64) {
	var points []volume.Vec
	for _, plane := range surface(m, b) {
		for _, p := range hull(plane) {
			points = append(points, m.Point(float64(p[0])/2, float64(p[1])/2, float64(p[2])/2))
		}
	}
	p, q, longMM := farthest(points)
	if longMM == 0 {
		return long, short, 0, 0
	}
	long = experts.Line{From: p, To: q}
	axis := q.Sub(p).Scale(1 / longMM)
	for n, v := range points {
		points[n] = v.Sub(axis.Scale(v.Dot(axis)))
	}
	p, q, shortMM = farthest(points)
	middle := axis.Scale(long.From.Add(long.To).Dot(axis) / 2)
	return long, experts.Line{From: p.Add(middle), To: q.Add(middle)}, longMM, shortMM
}

// farthest returns the two points that lie farthest apart and their distance. Points near the centre that cannot belong
// to a pair longer than one already known are left out first; the answer stays exact.
func farthest(points []volume.Vec) (p, q volume.Vec, distance float64) {
	if len(points) == 0 {
		return p, q, 0
	}
	var centre volume.Vec
	for _, v := range points {
		centre = centre.Add(v.Scale(1 / float64(len(points))))
	}
	type outlying struct {
		volume.Vec
		r float64
	}
	order := make([]outlying, len(points))
	for n, v := range points {
		order[n] = outlying{v, v.Sub(centre).Norm()}
	}
	slices.SortStableFunc(order, func(a, b outlying) int { return cmp.Compare(b.r, a.r) })
	best := -1.0
	for n, a := range order {
		if math.Sqrt(max(best, 0)) > 2*a.r { // all that follow lie nearer to the centre
			break
		}
		for _, b := range order[n+1:] {
			if reach := a.r + b.r; reach*reach < best {
				break
			}
			d := a.Sub(b.Vec)
			if dd := d.Dot(d); dd > best {
				best, p, q = dd, a.Vec, b.Vec
			}
		}
	}
	return p, q, math.Sqrt(max(best, 0))
}
