package lesion

import (
	"mome/experts"
	"mome/experts/volume"
)

// axial returns the calipers of the axial section of largest area (of equal ones that nearest the feet). A section is a
// plane of voxels along the grid axis that runs most from feet to head, so that sagittal and coronal stacks are measured
// in the same plane as axial ones.
func axial(s *block) (long, short experts.Line) {
	f := newFrame(s.grid)
	return s.calipers(f.axis[2], s.largest(f.axis[2], f.flip[2]))
}

// Calipers measures a mask in the plane that its images were acquired in: it returns the slice of largest area (of equal
// ones the first), its longest diameter and the longest chord orthogonal to that, as they are measured by hand. Of a mask
// without a voxel the slice is -1.
func Calipers(m *volume.Mask) (slice int, long, short experts.Line) {
	b := bounds(m)
	if b.empty() {
		return -1, long, short
	}
	s := newBlock(m, b)
	plane := s.largest(2, false)
	long, short = s.calipers(2, plane)
	return plane + s.lo[2], long, short
}

// largest returns the plane of the mask along axis a that has the most voxels: of equal ones the first, or the last.
func (s *block) largest(a int, last bool) int {
	area := make([]int, s.n[a])
	for _, at := range s.set {
		area[s.voxel(at)[a]]++
	}
	plane := 0
	for n := range area {
		if area[n] > area[plane] || last && area[n] == area[plane] {
			plane = n
		}
	}
	return plane
}

// calipers returns the longest diameter of a section along axis a, and the longest chord orthogonal to it that ends on
// the outline of the section's convex hull, from one side of the lesion to the other. Both lines are exact for the middles
// of the pixels' edges.
func (s *block) calipers(a, plane int) (long, short experts.Line) {
	u, v := (a+1)%3, (a+2)%3
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
