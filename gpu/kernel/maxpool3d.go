package kernel

import "mome/gpu/kernel/vector"

// PoolShape is the shape of a three-dimensional maximum over windows, padded with -inf.
// x: [Channels, Size...] where Channels counts batch and channel, y: [Channels, OutSize()...].
type PoolShape struct {
	Channels    int
	Size        [3]int // voxels of x along H, W, D
	Kernel      [3]int
	Stride, Pad [3]int
}

// Check says which number makes the shape impossible. Padding is less than the kernel, so every window holds a voxel.
func (s PoolShape) Check() error { return checkWindow("maxpool3d", s.Size, s.Kernel, s.Stride, s.Pad) }

// OutSize is the number of windows along H, W, D.
func (s PoolShape) OutSize() [3]int { return windows(s.Size, s.Kernel, s.Stride, s.Pad) }

// MaxPool3d writes the maximum of each window; NaN counts as the greatest number.
func MaxPool3d(s PoolShape, y, x []float32) {
	out := s.OutSize()
	depth := out[2]
	s.parallel(func(channel int, room []float32) {
		at := channel * volume(out)
		s.lines(room, x[channel*volume(s.Size):], func(_, _ int, line []float32) {
			s.ends(y[at:at+depth], line)
			at += depth
		})
	})
}

// MaxPool3dGrad writes dx: each window's dy goes to its first greatest voxel of the forward input x, the last axis
// counting fastest.
func MaxPool3dGrad(s PoolShape, dx, x, dy []float32) {
	out := s.OutSize()
	s.parallel(func(channel int, room []float32) {
		voxels := volume(s.Size)
		from, grad := x[channel*voxels:(channel+1)*voxels], dx[channel*voxels:(channel+1)*voxels]
		clear(grad)
		top, room := room[:out[2]], room[out[2]:]
		at := channel * volume(out)
		s.lines(room, from, func(h, w int, line []float32) {
			s.ends(top, line)
			h0, h1 := s.span(0, h)
			w0, w1 := s.span(1, w)
			row := s.Size[2]
			area := s.Size[1] * row
			for d, v := range top {
				d0, d1 := s.span(2, d)
				grad[findTop(from, h0*area+w0*row+d0, h1-h0, w1-w0, d1-d0, area, row, v)] += dy[at]
				at++
			}
		})
	})
}

// parallel calls f for every channel, with room for what it and lines need.
func (s PoolShape) parallel(f func(channel int, room []float32)) {
	parallel(s.Channels, grainFor(volume(s.Size)), func(from, to int) {
		room := make([]float32, s.OutSize()[2]+(s.Size[1]+1)*s.Size[2])
		for c := from; c < to; c++ {
			f(c, room)
		}
	})
}

// lines visits every line of windows along D of one channel with the maxima over the windows' extents along H and W:
// [Size[2]], to be reduced along D. A maximum over a box is one over H, then W, then D, and the first two are taken
// of whole runs of memory.
func (s PoolShape) lines(room, x []float32, visit func(h, w int, line []float32)) {
	out, depth := s.OutSize(), s.Size[2]
	area := s.Size[1] * depth
	plane, line := room[:area], room[area:area+depth]
	for h := range out[0] {
		h0, h1 := s.span(0, h)
		copy(plane, x[h0*area:])
		for i := h0 + 1; i < h1; i++ {
			vector.MaxEach(plane, x[i*area:(i+1)*area])
		}
		for w := range out[1] {
			w0, w1 := s.span(1, w)
			copy(line, plane[w0*depth:])
			for j := w0 + 1; j < w1; j++ {
				vector.MaxEach(line, plane[j*depth:(j+1)*depth])
			}
			visit(h, w, line)
		}
	}
}

// ends reduces a line along D: y: [OutSize()[2]].
func (s PoolShape) ends(y, line []float32) {
	d, step := 0, s.Stride[2]
	if s.Kernel[2] == 3 { // windows that lie inside
		for ; d < len(y) && d*step < s.Pad[2]; d++ {
			y[d] = s.end(line, d)
		}
		for k := d*step - s.Pad[2]; d < len(y) && k+3 <= len(line); k += step {
			v := line[k : k+3 : k+3]
			y[d] = max(v[0], v[1], v[2])
			d++
		}
	}
	for ; d < len(y); d++ {
		y[d] = s.end(line, d)
	}
}

// end is the maximum of one window along D.
func (s PoolShape) end(line []float32, d int) float32 {
	d0, d1 := s.span(2, d)
	top := line[d0]
	for _, v := range line[d0+1 : d1] {
		top = max(top, v)
	}
	return top
}

// findTop is the place of the first voxel of a window of x that is top, its maximum. The window's first voxel is at;
// its lines along D, deep voxels each, are row apart within a plane, and planes are area apart. It looks at all of
// them, from the last to the first: which one it will be nobody can foretell, least of all the branch predictor.
func findTop(x []float32, at, high, wide, deep, area, row int, top float32) int {
	if top != top {
		return findNaN(x, at, high, wide, deep, area, row)
	}
	first := at
	for i := high - 1; i >= 0; i-- {
		for j := wide - 1; j >= 0; j-- {
			from := at + i*area + j*row
			line := x[from : from+deep]
			if len(line) == 3 {
				if line[2] >= top {
					first = from + 2
				}
				if line[1] >= top {
					first = from + 1
				}
				if line[0] >= top {
					first = from
				}
				continue
			}
			for k := len(line) - 1; k >= 0; k-- {
				if line[k] >= top {
					first = from + k
				}
			}
		}
	}
	return first
}

// findNaN is the place of the first NaN in a window that findTop describes.
func findNaN(x []float32, at, high, wide, deep, area, row int) int {
	for i := range high {
		for j := range wide {
			from := at + i*area + j*row
			for k, v := range x[from : from+deep] {
				if v != v {
					return from + k
				}
			}
		}
	}
	return at
}

// span is the part of window i along an axis that lies inside the volume.
func (s PoolShape) span(axis, i int) (from, to int) {
	from = i*s.Stride[axis] - s.Pad[axis]
	return max(from, 0), min(from+s.Kernel[axis], s.Size[axis])
}
