package kernel

import "math"

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

// MaxPool3d writes the maximum of each window.
func MaxPool3d(s PoolShape, y, x []float32) {
	s.each(func(channel, window, voxel int) {
		y[window] = x[voxel]
	}, x)
}

// MaxPool3dGrad writes dx: each window's dy goes to its first greatest voxel of the forward input x.
func MaxPool3dGrad(s PoolShape, dx, x, dy []float32) {
	clear(dx[:s.Channels*volume(s.Size)])
	s.each(func(channel, window, voxel int) {
		dx[voxel] += dy[window]
	}, x)
}

// each visits every window with the place of its first greatest voxel; a channel is visited by one goroutine.
func (s PoolShape) each(visit func(channel, window, voxel int), x []float32) {
	out := s.OutSize()
	parallel(s.Channels, grainFor(volume(out)*volume(s.Kernel)), func(from, to int) {
		for c := from; c < to; c++ {
			window := c * volume(out)
			for h := range out[0] {
				h0, h1 := s.span(0, h)
				for w := range out[1] {
					w0, w1 := s.span(1, w)
					for d := range out[2] {
						d0, d1 := s.span(2, d)
						best, at := float32(math.Inf(-1)), -1
						for i := h0; i < h1; i++ {
							for j := w0; j < w1; j++ {
								row := ((c*s.Size[0]+i)*s.Size[1] + j) * s.Size[2]
								for k := row + d0; k < row+d1; k++ {
									if v := x[k]; at < 0 || v > best {
										best, at = v, k
									}
								}
							}
						}
						visit(c, window, at)
						window++
					}
				}
			}
		}
	})
}

// span is the part of window i along an axis that lies inside the volume.
func (s PoolShape) span(axis, i int) (from, to int) {
	from = i*s.Stride[axis] - s.Pad[axis]
	return max(from, 0), min(from+s.Kernel[axis], s.Size[axis])
}
