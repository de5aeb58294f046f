package multiframe

// Box is the part of a volume of values that has any: its slices, and the smallest rectangle of pixels that holds all of
// their values.
type Box struct {
	Slices        []int // ascending
	Row, Column   int   // of its first pixel
	Rows, Columns int
}

// Content returns the box of the values of data ([slice, row, column], column fastest) that are not zero. Without any it
// has no slice.
func Content(data []float32, rows, columns int) (b Box) {
	lastRow, lastColumn := -1, -1
	b.Row, b.Column = rows, columns
	n := rows * columns
	for k := 0; n > 0 && (k+1)*n <= len(data); k++ {
		some := false
		for i, v := range data[k*n : (k+1)*n] {
			if v == 0 {
				continue
			}
			some = true
			row, column := i/columns, i%columns
			b.Row, lastRow = min(b.Row, row), max(lastRow, row)
			b.Column, lastColumn = min(b.Column, column), max(lastColumn, column)
		}
		if some {
			b.Slices = append(b.Slices, k)
		}
	}
	b.Rows, b.Columns = max(lastRow-b.Row+1, 0), max(lastColumn-b.Column+1, 0)
	return b
}

// Whole returns the box of all slices and pixels.
func Whole(slices, rows, columns int) Box {
	b := Box{Rows: rows, Columns: columns}
	for k := range slices {
		b.Slices = append(b.Slices, k)
	}
	return b
}

// Cut returns grid and source of the box alone.
func (b Box) Cut(g Grid, s Source) (Grid, Source) {
	whole, from := g.Positions, s.Slices
	g.Rows, g.Columns, g.Positions, s.Slices = b.Rows, b.Columns, nil, nil
	for _, k := range b.Slices {
		p := whole[k]
		for a := range 3 {
			p[a] += g.Orientation[a]*float64(b.Column)*g.PixelSpacingMM[1] + g.Orientation[3+a]*float64(b.Row)*g.PixelSpacingMM[0]
		}
		g.Positions = append(g.Positions, p)
		s.Slices = append(s.Slices, from[k])
	}
	return g, s
}

// Values returns the box's values of data, whose rows have the given number of columns: [slice, row, column].
func (b Box) Values(data []float32, rows, columns int) []float32 {
	out := make([]float32, 0, len(b.Slices)*b.Rows*b.Columns)
	for _, k := range b.Slices {
		for row := b.Row; row < b.Row+b.Rows; row++ {
			at := (k*rows+row)*columns + b.Column
			out = append(out, data[at:at+b.Columns]...)
		}
	}
	return out
}
