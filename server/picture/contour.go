package picture

// contours returns the outlines of a flat mask of w x h pixels, row by row, as closed lines through the middles between
// pixels inside and outside (marching squares at the level one half), in pixel indices: (0,0) is the centre of the first
// pixel. What touches the edge is closed there. Pixels that touch at a corner alone are kept apart. No mask has none.
func contours(in []bool, w, h int) [][]point {
	if len(in) != w*h {
		return nil
	}
	at := func(x, y int) bool { return x >= 0 && y >= 0 && x < w && y < h && in[y*w+x] }
	next := map[[2]int][2]int{} // from the middle of a pixel edge, in half pixels, to the next along the outline
	var starts [][2]int
	// The lines in a square by which of its pixels are inside (1, 2, 4, 8: upper left and right, lower left and right), each
	// with the inside on its right hand, from and to the middle of a side: 0 top, 1 east, 2 bottom, 3 west.
	lines := [16][][2]int{
		1: {{0, 3}}, 2: {{1, 0}}, 4: {{3, 2}}, 8: {{2, 1}}, 3: {{1, 3}}, 12: {{3, 1}}, 5: {{0, 2}}, 10: {{2, 0}},
		6: {{1, 0}, {3, 2}}, 9: {{0, 3}, {2, 1}}, 7: {{1, 2}}, 11: {{2, 3}}, 13: {{0, 1}}, 14: {{3, 0}},
	}
	for y := -1; y < h; y++ {
		for x := -1; x < w; x++ {
			side := [4][2]int{{2*x + 1, 2 * y}, {2*x + 2, 2*y + 1}, {2*x + 1, 2*y + 2}, {2 * x, 2*y + 1}}
			square := 0
			for bit, p := range [4][2]int{{x, y}, {x + 1, y}, {x, y + 1}, {x + 1, y + 1}} {
				if at(p[0], p[1]) {
					square |= 1 << bit
				}
			}
			for _, l := range lines[square] {
				next[side[l[0]]] = side[l[1]]
				starts = append(starts, side[l[0]])
			}
		}
	}
	var out [][]point
	for _, start := range starts {
		var line []point
		for p, ok := start, true; ok; {
			line = append(line, point{float64(p[0]) / 2, float64(p[1]) / 2})
			q, found := next[p]
			delete(next, p)
			p, ok = q, found && q != start
		}
		if len(line) > 1 {
			out = append(out, append(line, line[0]))
		}
	}
	return out
}
