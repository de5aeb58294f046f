package report

// contour returns the outer outline of the largest piece (over edges) of a section, [row, column] of the given number of
// columns: the corners at which it turns, clockwise as the image is seen, the first again at the end. A corner is column
// and row in pixels from the upper left corner of the first pixel, which is how SCOORD counts (PS3.3 C.18.6.1.2): the
// outline encloses exactly the pixels. It also returns the area that it encloses in pixels, holes included.
func contour(section []bool, columns int) (points []float32, area float64) {
	start := largestPiece(section, columns)
	if start < 0 {
		return nil, 0
	}
	rows := len(section) / columns
	in := func(column, row int) bool {
		return column >= 0 && row >= 0 && column < columns && row < rows && section[row*columns+column]
	}
	// The outline is followed along the edges of pixels with the piece on the right, from the upper left corner of its
	// first pixel eastward until that edge comes again.
	directions := [4][2]int{{1, 0}, {0, 1}, {-1, 0}, {0, -1}} // east, south, west, north
	x0, y0 := start%columns, start/columns
	x, y, d := x0, y0, 0
	for {
		dx, dy := directions[d][0], directions[d][1]
		x, y = x+dx, y+dy
		area += float64(x * dy) // Green's theorem: the integral of x dy
		// The pixels ahead, to the right and to the left of the corner; rx, ry are those of the right hand.
		rx, ry := -dy, dx
		right := in(x+(dx+rx-1)/2, y+(dy+ry-1)/2)
		left := in(x+(dx-rx-1)/2, y+(dy-ry-1)/2)
		turned := d
		switch {
		case !right:
			turned = (d + 1) % 4
		case left:
			turned = (d + 3) % 4
		}
		if turned != d {
			points = append(points, float32(x), float32(y))
		}
		d = turned
		if x == x0 && y == y0 && d == 0 {
			return append(points, points[0], points[1]), area
		}
	}
}

// largestPiece returns the first pixel of the piece with the most pixels (of equal ones the first piece), -1 for none.
func largestPiece(section []bool, columns int) int {
	seen := make([]bool, len(section))
	best, most := -1, 0
	for at, in := range section {
		if !in || seen[at] {
			continue
		}
		seen[at] = true
		piece := []int{at}
		for n := 0; n < len(piece); n++ {
			p := piece[n]
			for _, q := range [4]int{p - columns, p + columns, p - 1, p + 1} {
				sameRow := q/columns == p/columns || q == p-columns || q == p+columns
				if q >= 0 && q < len(section) && sameRow && section[q] && !seen[q] {
					seen[q] = true
					piece = append(piece, q)
				}
			}
		}
		if len(piece) > most {
			best, most = at, len(piece)
		}
	}
	return best
}
