package lesion

import (
	"mome/experts"
	"mome/experts/volume"
)

// axial returns the diameters of the axial section of largest area (of equal ones that nearest the feet), as they are
// measured by hand: the longest diameter, and the longest chord orthogonal to it that ends on the outline of the
// section's convex hull, from one side of the lesion to the other. A section is a plane of voxels along the grid axis
// that runs most from feet to head, so that sagittal and coronal stacks are measured in the same plane as axial ones.
// Both lines are exact for the middles of the pixels' edges.
func axial(s *block) (long, short experts.Line) {
	f := newFrame(s.grid)
	a := f.axis[2]
	u, v := (a+1)%3, (a+2)%3
	area := make([]int, s.n[a])
	for _, at := range s.set {
		area[s.voxel(at)[a]]++
	}
	plane := 0
	for n := range area {
		p := n
		if f.flip[2] {
			p = len(area) - 1 - n
		}
		if area[p] > area[plane] {
			plane = p
		}
	}
	_, outline := s.section(a, u, v, plane)
	outline = hull(outline)
	points := make([]volume.Vec, len(outline)) // mm in the plane
	for n, h := range outline {
		points[n] = volume.Vec{float64(h[0]) / 2 * s.mm[u], float64(h[1]) / 2 * s.mm[v]}
	}
	back := func(p volume.Vec) volume.Vec {
		var c [3]float64
		c[a], c[u], c[v] = float64(plane), p[0]/s.mm[u], p[1]/s.mm[v]
		for d := range c {
			c[d] += float64(s.lo[d])
		}
		return s.grid.Point(c[0], c[1], c[2])
	}
	p, q, mm := farthest(points)
	if mm == 0 {
		return long, short
	}
	along := q.Sub(p).Scale(1 / mm)
	from, to := chord(points, along)
	return experts.Line{From: back(p), To: back(q)}, experts.Line{From: back(from), To: back(to)}
}

// chord returns the longest chord of a convex polygon that is orthogonal to a direction. Its length is a concave function
// of where it lies, and linear between vertices: the longest one ends at a vertex.
func chord(polygon []volume.Vec, along volume.Vec) (from, to volume.Vec) {
	across := volume.Vec{-along[1], along[0]}
	best := -1.0
	for _, p := range polygon {
		x := p.Dot(along)
		var low, high volume.Vec
		found := false
		take := func(c volume.Vec) {
			if !found || c.Dot(across) < low.Dot(across) {
				low = c
			}
			if !found || c.Dot(across) > high.Dot(across) {
				high = c
			}
			found = true
		}
		for n, a := range polygon {
			b := polygon[(n+1)%len(polygon)]
			xa, xb := a.Dot(along)-x, b.Dot(along)-x
			switch {
			case xa == 0:
				take(a)
			case xa*xb < 0:
				take(a.Add(b.Sub(a).Scale(xa / (xa - xb))))
			}
		}
		if found && high.Sub(low).Norm() > best {
			best, from, to = high.Sub(low).Norm(), low, high
		}
	}
	return from, to
}
