package kernel

import (
	"fmt"

	"mome/gpu/kernel/gemm"
)

// Conv3dShape is the shape of a three-dimensional cross-correlation without bias and with zero padding.
// x: [Batch, In, Size...], w: [Out, In, Kernel...], y: [Batch, Out, OutSize()...].
type Conv3dShape struct {
	Batch, In, Out int
	Size           [3]int // voxels of x along H, W, D
	Kernel         [3]int
	Stride, Pad    [3]int
}

// Check says which number makes the shape impossible.
func (s Conv3dShape) Check() error {
	if s.Batch < 1 || s.In < 1 || s.Out < 1 {
		return fmt.Errorf("conv3d: batch %d, channels %d -> %d: all must be positive", s.Batch, s.In, s.Out)
	}
	return checkWindow("conv3d", s.Size, s.Kernel, s.Stride, s.Pad)
}

// OutSize is the number of output voxels along H, W, D: floor((size + 2 pad - kernel) / stride) + 1.
func (s Conv3dShape) OutSize() [3]int { return windows(s.Size, s.Kernel, s.Stride, s.Pad) }

func checkWindow(what string, size, kernel, stride, pad [3]int) error {
	for a := range 3 {
		if size[a] < 1 || kernel[a] < 1 || stride[a] < 1 || pad[a] < 0 || pad[a] >= kernel[a] {
			return fmt.Errorf("%s: axis %d: size %d, kernel %d, stride %d, padding %d", what, a, size[a], kernel[a], stride[a], pad[a])
		}
		if size[a]+2*pad[a] < kernel[a] {
			return fmt.Errorf("%s: axis %d: size %d with padding %d is smaller than the kernel %d", what, a, size[a], pad[a], kernel[a])
		}
	}
	return nil
}

func windows(size, kernel, stride, pad [3]int) [3]int {
	var out [3]int
	for a := range 3 {
		out[a] = (size[a]+2*pad[a]-kernel[a])/stride[a] + 1
	}
	return out
}

func volume(size [3]int) int { return size[0] * size[1] * size[2] }

// patch is the length of one column of the unrolled input: In · Kernel.
func (s Conv3dShape) patch() int { return s.In * volume(s.Kernel) }

// columnFloats bounds the unrolled piece of the input that is held at once: 1 MiB, about one core's second-level
// cache. The whole of it would be 27/8 of the output per input channel, a gigabyte at the published size.
const columnFloats = 1 << 18

// rowsPerPiece is the number of output rows (runs along D) that are unrolled at once.
func (s Conv3dShape) rowsPerPiece() int {
	return max(1, columnFloats/(s.patch()*s.OutSize()[2]))
}

// Conv3d writes y, the correlation of x with w.
func Conv3d(s Conv3dShape, y, x, w []float32) {
	conv3d(gemm.Best(gemm.Float32), s, y, x, w)
}

// pieceVoxels is the number of output voxels that a core computes at a time.
const pieceVoxels = 384

func conv3d(k *gemm.Kernel, s Conv3dShape, y, x, w []float32) {
	voxels, patch := volume(s.OutSize()), s.patch()
	pieces := (voxels + pieceVoxels - 1) / pieceVoxels
	parallel(s.Batch*pieces, 1, func(from, to int) {
		u := unrolledPool.Get().(*unrolled)
		defer unrolledPool.Put(u)
		for i := from; i < to; i++ {
			n, voxel := i/pieces, i%pieces*pieceVoxels
			*u = unrolled{s: &s, x: x[n*s.In*volume(s.Size):], voxel: voxel, taps: u.taps}
			k.Multiply(gemm.Product{
				M: s.Out, N: min(pieceVoxels, voxels-voxel), K: patch,
				A:         gemm.View{Data: w, Stride: patch},
				Source:    u,
				C:         gemm.View{Data: y[n*s.Out*voxels+voxel:], Stride: voxels},
				DepthStep: s.channelsAtOnce() * volume(s.Kernel),
			})
		}
	})
}

// channelsAtOnce is the number of input channels whose windows are unrolled together; 0 where one has too many entries.
func (s Conv3dShape) channelsAtOnce() int { return min(s.In, gemm.MaxDepth/volume(s.Kernel)) }

// Conv3dGradWeight writes dw from x and dy.
func Conv3dGradWeight(s Conv3dShape, dw, x, dy []float32) {
	out := s.OutSize()
	rows, depth, patch := out[0]*out[1], out[2], s.patch()
	voxels, step := rows*depth, s.rowsPerPiece()
	columns := make([]float32, patch*min(step, rows)*depth)
	clear(dw[:s.Out*patch])
	// One piece after the other, so that the sum has one order.
	for n := range s.Batch {
		xn := x[n*s.In*volume(s.Size):]
		dyn := dy[n*s.Out*voxels:]
		for from := 0; from < rows; from += step {
			to := min(from+step, rows)
			span := (to - from) * depth
			s.unroll(columns[:patch*span], xn, from, to)
			gemm1(MatMulShape{M: s.Out, N: patch, K: span, TransB: true}, dw, patch, dyn[from*depth:], voxels, columns, span, 1)
		}
	}
}

// Conv3dGradInput writes dx from w and dy.
func Conv3dGradInput(s Conv3dShape, dx, w, dy []float32) {
	out := s.OutSize()
	rows, depth, patch := out[0]*out[1], out[2], s.patch()
	voxels, step := rows*depth, s.rowsPerPiece()
	columns := make([]float32, patch*min(step, rows)*depth)
	clear(dx[:s.Batch*s.In*volume(s.Size)])
	for n := range s.Batch {
		dxn := dx[n*s.In*volume(s.Size):]
		dyn := dy[n*s.Out*voxels:]
		for from := 0; from < rows; from += step {
			to := min(from+step, rows)
			span := (to - from) * depth
			gemm1(MatMulShape{M: patch, N: span, K: s.Out, TransA: true}, columns, span, w, patch, dyn[from*depth:], voxels, 0)
			s.roll(dxn, columns[:patch*span], from, to)
		}
	}
}

// unroll copies into columns [patch, (to-from)·depth] what each output voxel of the rows [from, to) sees of x.
func (s Conv3dShape) unroll(columns, x []float32, from, to int) {
	step := s.Stride[2]
	s.eachRun(from, to, func(run, first, last, base int) {
		dst := columns[run : run+last]
		if first > 0 {
			clear(dst[:first])
		}
		dst = dst[first:]
		if step == 1 {
			copy(dst, x[base:])
			return
		}
		for d := range dst {
			dst[d] = x[base]
			base += step
		}
	}, func(from, to int) { clear(columns[from:to]) })
}

// roll adds every entry of columns to the voxel of x that it was unrolled from: the transpose of unroll.
func (s Conv3dShape) roll(x, columns []float32, from, to int) {
	step := s.Stride[2]
	s.eachRun(from, to, func(run, first, last, base int) {
		for _, v := range columns[run+first : run+last] {
			x[base] += v
			base += step
		}
	}, func(_, _ int) {})
}

// eachRun visits the unrolled rows [from, to) of every column, run by run along D. The entries [run+first, run+last)
// come from x, the first of them from base, further ones Stride[2] apart; those before and all that are given to
// empty, [from, to), fall on padding.
func (s Conv3dShape) eachRun(from, to int, visit func(run, first, last, base int), empty func(from, to int)) {
	out := s.OutSize()
	depth, run := out[2], 0
	for c := range s.In {
		for kh := range s.Kernel[0] {
			for kw := range s.Kernel[1] {
				for kd := range s.Kernel[2] {
					first, last := inside(s.Size[2], depth, s.Stride[2], kd-s.Pad[2])
					h, w := from/out[1]*s.Stride[0]+kh-s.Pad[0], from%out[1]
					for range to - from {
						y := w*s.Stride[1] + kw - s.Pad[1]
						if h < 0 || h >= s.Size[0] || y < 0 || y >= s.Size[1] || first == last {
							empty(run, run+depth)
						} else {
							visit(run, first, last, ((c*s.Size[0]+h)*s.Size[1]+y)*s.Size[2]+first*s.Stride[2]+kd-s.Pad[2])
							if last < depth {
								empty(run+last, run+depth)
							}
						}
						run += depth
						if w++; w == out[1] {
							h, w = h+s.Stride[0], 0
						}
					}
				}
			}
		}
	}
}

// inside is the range of i in [0, count) for which i·stride + shift lies in [0, size).
func inside(size, count, stride, shift int) (first, last int) {
	if shift < 0 {
		first = (-shift + stride - 1) / stride
	}
	if size-shift > 0 {
		last = (size - shift + stride - 1) / stride
	}
	return min(first, count), max(min(last, count), min(first, count))
}
