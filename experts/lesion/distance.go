package lesion

// chamfer returns for each element of the set its distance to the centre of the nearest element outside, mm, and 0 for
// those outside: paths over faces, edges and corners (chamfer distance; Borgefors, CVGIP 1986;34:344), at most 8 % too
// long. Beyond the array's border lies nothing. n are its sizes, the first running fastest.
func chamfer(set []bool, n [3]int, mm [3]float64) []float32 {
	out := make([]float32, len(set))
	const far = 1e6
	for at, in := range set {
		if in {
			out[at] = far
		}
	}
	type step struct {
		d  [3]int
		at int
		mm float32
	}
	var steps []step // the 13 neighbours that precede an element in memory
	for dz := -1; dz <= 0; dz++ {
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				if dz < 0 || dy < 0 || dy == 0 && dx < 0 {
					d := [3]int{dx, dy, dz}
					steps = append(steps, step{d, (dz*n[1]+dy)*n[0] + dx, float32(stepMM(d, mm).Norm())})
				}
			}
		}
	}
	relax := func(x, y, z, sign int) {
		at := (z*n[1]+y)*n[0] + x
		if out[at] == 0 {
			return
		}
		inner := x > 0 && y > 0 && z > 0 && x < n[0]-1 && y < n[1]-1 && z < n[2]-1
		for _, s := range steps {
			if !inner {
				x, y, z := x+sign*s.d[0], y+sign*s.d[1], z+sign*s.d[2]
				if x < 0 || y < 0 || z < 0 || x >= n[0] || y >= n[1] || z >= n[2] {
					continue
				}
			}
			out[at] = min(out[at], out[at+sign*s.at]+s.mm)
		}
	}
	for z := range n[2] {
		for y := range n[1] {
			for x := range n[0] {
				relax(x, y, z, 1)
			}
		}
	}
	for z := n[2] - 1; z >= 0; z-- {
		for y := n[1] - 1; y >= 0; y-- {
			for x := n[0] - 1; x >= 0; x-- {
				relax(x, y, z, -1)
			}
		}
	}
	return out
}
